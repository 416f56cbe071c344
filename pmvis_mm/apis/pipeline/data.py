"""The data that a pipeline works on."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from ...structures import VideoAnnotations
from ...utils.errors import ConfigError

_NAMES = (
    'ann_file',
    'img_prefix',
    'truth_file',
    'val_ann_file',
    'val_img_prefix',
)


@dataclass
class PipelineData:
    """Files and folders, absolute.

    Attributes:
        ann_file (str): Boxes (YouTube-VIS style json).
        img_prefix (str): Folder of the frames.
        truth_file (str, optional): Real masks of the same videos.
        val_ann_file (str, optional): Videos to test on.
        val_img_prefix (str, optional): Frames of those videos.
        clip_boxes (bool): Clip boxes that stick out of the frame instead of
            refusing them. Defaults to False.
    """

    ann_file: str
    img_prefix: str
    truth_file: Optional[str] = None
    val_ann_file: Optional[str] = None
    val_img_prefix: Optional[str] = None
    clip_boxes: bool = False
    _read: Dict[Any, VideoAnnotations] = field(
        default_factory=dict, repr=False
    )

    @classmethod
    def choose(
        cls,
        config: Mapping[str, Any],
        given: Mapping[str, Any],
        clip_boxes: bool = False,
    ) -> 'PipelineData':
        """Take what the command line says, else what the config says.

        Without videos to test on, those of ``truth_file`` serve.

        Args:
            config (Mapping): Variables of the pipeline config.
            given (Mapping): By the same names; None where nothing is said,
                'none' for no such file.
            clip_boxes (bool): See the class.

        Returns:
            PipelineData: With absolute paths.

        Raises:
            ConfigError: If boxes or frames are not named.
        """
        found: Dict[str, Optional[str]] = {}
        for name in _NAMES:
            value = given.get(name)
            value = config.get(name) if value is None else value
            none = value is None or str(value).lower() == 'none'
            found[name] = None if none else str(Path(str(value)).resolve())
        for name in ('ann_file', 'img_prefix'):
            if found[name] is None:
                raise ConfigError(
                    f'{name} is not named',
                    fix=f'give --{name.replace("_", "-")}, or define '
                    f'{name} = ... in the config',
                )
        if found['val_ann_file'] is None:
            found['val_ann_file'] = found['truth_file']
            found['val_img_prefix'] = found['img_prefix']
        if found['val_img_prefix'] is None:
            found['val_img_prefix'] = found['img_prefix']
        return cls(clip_boxes=clip_boxes, **found)  # type: ignore[arg-type]

    def read(self, path: str, with_masks: bool = False) -> VideoAnnotations:
        """Read and check an annotation file, once.

        Args:
            path (str): One of the files.
            with_masks (bool): Whether to read masks. Defaults to False.

        Returns:
            VideoAnnotations: The content; not to be changed.

        Raises:
            AnnotationError: If it is malformed.
        """
        key = (path, with_masks)
        if key not in self._read:
            self._read[key] = VideoAnnotations.from_file(
                path, with_masks, self.clip_boxes
            )
        return self._read[key]

    def val_has_masks(self) -> bool:
        """Tell whether there is something to compare predictions with."""
        if self.val_ann_file is None:
            return False
        tracks = list(self.read(self.val_ann_file, with_masks=True))
        return bool(tracks) and all(
            track.segmentations is not None for track in tracks
        )
