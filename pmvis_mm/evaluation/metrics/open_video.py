"""Predictions of a video, until all of its frames are there."""

import math
from typing import Any, Callable, Dict, List, Optional

from ...structures import RLE, VideoInfo
from ...utils.errors import ConfigError
from .predicted_track import PredictedTrack


class OpenVideo:
    """Collects what is predicted for the frames of one video.

    Args:
        video (VideoInfo): The video.

    Attributes:
        frames (dict[int, dict]): Records by 0-based frame: ``ids``,
            ``labels``, ``scores`` and ``masks`` of N instances.
        rows (list[tuple], optional): What the model says of whole tracks:
            instance, first frame that counts, label and score of each.
    """

    def __init__(self, video: VideoInfo) -> None:
        self.video = video
        self.frames: Dict[int, Dict[str, Any]] = {}
        self.rows: Optional[List[tuple]] = None

    def add(self, frame: int, record: Dict[str, Any]) -> None:
        """Take a frame; the first one counts, should it come again."""
        self.frames.setdefault(frame, record)

    def judge(self, rows: List[tuple]) -> None:
        """Take what the model says of whole tracks; likewise."""
        if self.rows is None:
            self.rows = rows

    @property
    def complete(self) -> bool:
        """Whether every frame is there."""
        return len(self.frames) == self.video.length

    def merge(self, other: 'OpenVideo') -> None:
        """Take what another process has of the same video."""
        for frame, record in other.frames.items():
            self.add(frame, record)
        if other.rows is not None:
            self.judge(other.rows)

    def entries(
        self, mode: str, category: Callable[[int, int], int]
    ) -> List[Dict[str, Any]]:
        """Join the frames to tracks, as a results file lists them.

        Args:
            mode (str): Score of a track, 'mean' or 'max' over the frames.
            category (Callable): Gives the category id of a label, for a
                label and the id of the video.

        Returns:
            list[dict]: ``video_id``, ``score``, ``category_id`` and
            ``segmentations``, in the order of the model's verdicts, else by
            first frame.

        Raises:
            ConfigError: If a verdict is about an unknown instance, or a
                score is no finite number.
        """
        tracks = self._tracks()
        rows = self.rows
        if rows is None:
            rows = [
                (key, 0, track.label(), track.score(mode))
                for key, track in tracks.items()
            ]
        return [
            dict(
                video_id=self.video.id,
                score=self._finite(score),
                category_id=category(label, self.video.id),
                segmentations=self._masks(tracks, key, start),
            )
            for key, start, label, score in rows
        ]

    def _tracks(self) -> Dict[int, PredictedTrack]:
        tracks: Dict[int, PredictedTrack] = {}
        # Sorted, so that the outcome does not depend on who did what.
        for frame, record in sorted(self.frames.items()):
            columns = (record[k] for k in ('ids', 'labels', 'scores', 'masks'))
            for key, label, score, mask in zip(*columns):
                track = tracks.setdefault(key, PredictedTrack())
                track.add(frame, label, score, mask)
        return tracks

    def _masks(
        self, tracks: Dict[int, PredictedTrack], key: int, start: int
    ) -> List[Optional[RLE]]:
        """List the masks of a track, from frame ``start`` on."""
        track = tracks.get(key)
        if track is None:
            raise ConfigError(
                f'pred_tracks names instance {key}, which no frame has',
                video=self.video.id,
                fix='let the model judge only tracks of its frames',
            )
        return [
            track.masks.get(t) if t >= start else None
            for t in range(self.video.length)
        ]

    def _finite(self, score: float) -> float:
        if not math.isfinite(score):
            raise ConfigError(
                f'a predicted track has score {score}',
                video=self.video.id,
                fix='find out where the model computes no finite number',
            )
        return score
