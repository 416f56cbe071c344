"""What goes into a mask source and what comes out, one video at a time."""

from dataclasses import dataclass, field
from typing import Dict, List

from ..structures import BoxTrack, MaskTrack, VideoInfo
from ..structures.frame_reader import FrameReader
from ..utils.errors import ConfigError

# Masks of one video by annotation id.
TracksById = Dict[int, MaskTrack]


@dataclass
class LabelVideo:
    """A video to label.

    Attributes:
        info (VideoInfo): Id, size and frames.
        tracks (list[BoxTrack]): Annotated boxes; never masks.
        frames (FrameReader): Reads frames on demand, uint8 (H, W, 3) BGR.
        priors (dict): Masks of earlier sources, by name and annotation id.
    """

    info: VideoInfo
    tracks: List[BoxTrack]
    frames: FrameReader
    priors: Dict[str, TracksById] = field(default_factory=dict)

    def prior(self, name: str) -> TracksById:
        """Look up an earlier source.

        Raises:
            ConfigError: If the dataset was not given that source.
        """
        if name not in self.priors:
            raise ConfigError(
                f'no masks named {name!r}; known are {sorted(self.priors)}',
                video=self.info.id,
                fix=f'add priors=dict({name}="FILE.json") to the dataset',
            )
        return self.priors[name]


@dataclass
class LabelResult:
    """The masks of a video on their way through the hooks.

    Attributes:
        video (VideoInfo): The video.
        tracks (list[MaskTrack]): Current masks, one track per annotation.
        stages (dict): Every named stage so far, the newest last.
        candidates (dict): Further masks that a selector may choose from
            (one set per keyframe, say), by name and annotation id.
    """

    video: VideoInfo
    tracks: List[MaskTrack]
    stages: Dict[str, List[MaskTrack]] = field(default_factory=dict)
    candidates: Dict[str, TracksById] = field(default_factory=dict)

    def commit(self, stage: str, tracks: List[MaskTrack]) -> None:
        """Make ``tracks`` the current masks and keep them under a name.

        Raises:
            ConfigError: If the name is taken.
        """
        if stage in self.stages:
            raise ConfigError(
                f'two stages are named {stage!r}',
                video=self.video.id,
                fix='give every labelling hook its own stage name',
            )
        self.tracks = tracks
        self.stages[stage] = tracks
