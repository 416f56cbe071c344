"""Regions of Label Studio: boxes at keyframes of a video."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

from ...structures.video_annotations import Box
from ...utils.errors import AnnotationError
from .base import ImportedVideo
from .frame_index import frame_of_number
from .shapes import rotated_rectangle
from .track_collector import TrackCollector

if TYPE_CHECKING:
    from .frame_folders import VideoFrames

# Label Studio counts frames as duration times frame rate, rounded.
_ROUNDING = 2


@dataclass(frozen=True)
class _Keyframe:
    frame: int
    enabled: bool
    values: Tuple[float, float, float, float, float]  # x, y, w, h, degrees
    auto: bool


class TaskReader:
    """Reads the chosen annotation of one task.

    Args:
        file (str | Path): The export, for messages.
        name (str): Name of the video.
        found (VideoFrames, optional): Its frames, if they are on disk.
        first_frame (int): Number of the first frame.
        hold_last (bool): Whether the last box stays to the end.
        size (tuple[int], optional): Width and height, pixels, if neither
            frames nor regions tell. Defaults to None: unknown.
    """

    def __init__(
        self,
        file: Any,
        name: str,
        found: Optional['VideoFrames'],
        first_frame: int,
        hold_last: bool,
        size: Optional[Tuple[int, int]] = None,
    ) -> None:
        self.given_size = size
        self.file, self.name, self.found = file, name, found
        self.first_frame, self.hold_last = first_frame, hold_last
        self.collector = TrackCollector(file, name)
        self.size = None if found is None else (found.width, found.height)
        self.length = None if found is None else len(found.file_names)

    def read(
        self, results: Sequence[Any], skip_unsupported: bool
    ) -> ImportedVideo:
        """Read the regions.

        Args:
            results (Sequence): Of the annotation.
            skip_unsupported (bool): Leave out regions that are no video
                rectangles.

        Returns:
            ImportedVideo: With boxes of keyframes.

        Raises:
            AnnotationError: If a region is malformed or of another kind.
        """
        for result in results:
            if not isinstance(result, dict):
                raise self._error(f'result {result!r} is no object', None)
        labels = self._labels(results)
        for result in results:
            if self._is_region(result, skip_unsupported):
                self._add(result, labels)
        width, height = self.size or (None, None)
        return ImportedVideo(
            self.name,
            self.collector.tracks,
            width,
            height,
            self.length,
            None if self.found is None else list(self.found.file_names),
            str(self.file),
            self.collector.dropped,
        )

    def _is_region(
        self, result: Dict[str, Any], skip_unsupported: bool
    ) -> bool:
        kind = result.get('type')
        if kind == 'videorectangle':
            return True
        value = result.get('value')
        region = isinstance(value, dict) and (
            'sequence' in value or {'x', 'y'} <= set(value)
        )
        if region and not skip_unsupported:
            raise self._error(
                f'region of type {kind!r} is no video rectangle',
                result.get('id'),
                'label videos with <VideoRectangle> (single images cannot '
                'be read), or set skip_unsupported=True',
            )
        if region:
            self.collector.dropped[f'regions of type {kind!r}'] += 1
        return False

    def _labels(
        self, results: Sequence[Dict[str, Any]]
    ) -> Dict[Any, List[str]]:
        """Collect labels by id of the region."""
        labels: Dict[Any, List[str]] = {}
        for result in results:
            value = result.get('value')
            if not isinstance(value, dict):
                continue
            found = value.get('labels') or []
            if not isinstance(found, list) or not all(
                isinstance(label, str) for label in found
            ):
                raise self._error(
                    f'labels {found!r} are no list of names', result.get('id')
                )
            known = labels.setdefault(_key(result), [])
            known.extend(x for x in found if x not in known)
        return labels

    def _add(self, result: Dict[str, Any], labels: Dict) -> None:
        key = _key(result)
        if not isinstance(key, str) or not key:
            raise self._error('a region has no "id"', key)
        names = labels.get(key, [])
        if len(names) > 1:
            raise self._error(
                f'the object has {len(names)} labels: {", ".join(names)}',
                key,
                'give every object one class',
            )
        value = result.get('value')
        sequence = value.get('sequence') if isinstance(value, dict) else None
        if not isinstance(sequence, list) or value is None:
            raise self._error('the region has no list "sequence"', key)
        self._learn(result, value)
        category = names[0] if names else None
        keyframes = sorted(
            (self._keyframe(key, raw) for raw in sequence),
            key=lambda keyframe: keyframe.frame,
        )
        for keyframe in keyframes:
            self._place(key, category, keyframe)
        if keyframes:
            self._hold(key, keyframes[-1])

    def _learn(self, result: Dict[str, Any], value: Dict[str, Any]) -> None:
        """Take size and length from the region, or compare them."""
        count = value.get('framesCount')
        if type(count) is int and count > 0:
            if self.found is None:
                self.length = max(self.length or 0, count)
            elif abs(count - len(self.found.file_names)) > _ROUNDING:
                raise self._error(
                    f'Label Studio counted {count} frames, but there are '
                    f'{len(self.found.file_names)}: its numbers mean other '
                    'frames',
                    result.get('id'),
                    'annotate with the frame rate of the video (frameRate '
                    'of <Video>), or extract frames at the rate that was '
                    'used',
                )
        width, height = (
            result.get(k) or value.get(k)
            for k in ('original_width', 'original_height')
        )
        if self.size is None and type(width) is type(height) is int:
            if width > 0 and height > 0:
                self.size = (width, height)
        self.size = self.size or self.given_size
        if self.size is None:
            raise self._error(
                'boxes are in percent, and the size of the video is unknown',
                result.get('id'),
                'name the folder of all frames (--frames), with the video '
                'or its images in it, or their size (--size WIDTHxHEIGHT)',
            )

    def _keyframe(self, key: str, raw: Any) -> _Keyframe:
        if not isinstance(raw, dict) or type(raw.get('frame')) is not int:
            raise self._error(f'keyframe {raw!r} has no number', key)
        number = raw['frame']
        try:
            frame = frame_of_number(number, self.first_frame, self.length)
        except ValueError as reason:
            raise self._error(
                f'{reason}',
                key,
                'set first_frame (--first-frame) if the numbers do not '
                'begin with 1; export again',
                number,
            ) from None
        values: List[Any] = [
            raw.get(k, 0 if k == 'rotation' else None)
            for k in ('x', 'y', 'width', 'height', 'rotation')
        ]
        if not all(
            type(v) in (int, float) and math.isfinite(v) for v in values
        ):
            raise self._error(
                f'keyframe {raw} has a coordinate that is no finite number',
                key,
                frame=frame,
            )
        x, y, width, height, degrees = values
        return _Keyframe(
            frame,
            raw.get('enabled', True) is not False,
            (x, y, width, height, degrees),
            raw.get('auto') is True,
        )

    def _place(
        self, key: str, category: Optional[str], keyframe: _Keyframe
    ) -> None:
        # Models write such ones for frames in which they find nothing.
        hidden = not keyframe.enabled and keyframe.values[2:4] == (0, 0)
        self.collector.add(
            key,
            keyframe.frame,
            None if hidden else self._box(key, keyframe),
            category,
            interpolated=keyframe.auto,
        )
        if not keyframe.enabled:
            # The collector keeps what another keyframe shows there.
            self.collector.add(key, keyframe.frame + 1, None)

    def _box(self, key: str, keyframe: _Keyframe) -> Box:
        assert self.size is not None  # _learn
        width, height = self.size
        x, y, w, h, degrees = keyframe.values
        try:
            return rotated_rectangle(
                x * width / 100,
                y * height / 100,
                w * width / 100,
                h * height / 100,
                degrees,
            ).box
        except ValueError as reason:
            raise self._error(
                f'bad box: {reason}', key, frame=keyframe.frame
            ) from None

    def _hold(self, key: str, last: _Keyframe) -> None:
        """Let the object stay to the end, as Label Studio shows it."""
        end = (self.length or 0) - 1
        if self.hold_last and last.enabled and end > last.frame:
            box = self._box(key, last)
            self.collector.add(key, end, box, interpolated=True)

    def _error(
        self,
        problem: str,
        key: Any,
        fix: str = 'correct it in Label Studio and export again',
        frame: Any = None,
    ) -> AnnotationError:
        return AnnotationError(
            problem,
            file=self.file,
            video=self.name,
            frame=frame,
            instance=key,
            fix=fix,
        )


def _key(result: Dict[str, Any]) -> Any:
    key = result.get('id')
    return key if isinstance(key, str) else None
