"""A view of an annotation file that holds boxes and nothing else."""

from collections import Counter
from pathlib import Path
from typing import Any, Dict, Tuple, Union
from typing import Counter as CounterType

from ..utils.errors import AnnotationError, ConfigError
from ..utils.fileio import dump_json, load_json

Json = Dict[str, Any]

# What is kept of each list. Everything else goes, also what is not known:
# a key that tells of masks may have any name.
_OF_VIDEOS: Dict[str, Tuple[str, ...]] = dict(
    videos=('id', 'name', 'width', 'height', 'length', 'file_names'),
    categories=('id', 'name', 'supercategory'),
    annotations=(
        'id', 'video_id', 'category_id', 'iscrowd', 'width', 'height',
        'length', 'bboxes', 'interpolated', 'source_id', 'track_id',
    ),
)  # fmt: skip
# pycocotools and COCOClipDataset load such a file; COCO's evaluation needs
# the areas that are left out.
_OF_IMAGES: Dict[str, Tuple[str, ...]] = dict(
    images=(
        'id', 'file_name', 'width', 'height', 'video_id', 'frame_id',
        'frame_index',
    ),
    videos=('id', 'name', 'width', 'height', 'length'),
    tracks=('id', 'video_id', 'category_id'),
    categories=('id', 'name', 'supercategory'),
    annotations=(
        'id', 'image_id', 'video_id', 'category_id', 'iscrowd', 'bbox',
        'track_id', 'instance_id',
    ),
)  # fmt: skip


_LISTS = ('bbox', 'bboxes', 'interpolated')  # checked one by one


def drop_masks(
    content: Any, file: Union[str, Path, None] = None
) -> Tuple[Json, CounterType[str]]:
    """Keep the boxes of a file and what they belong to.

    Everything that may come from masks goes: segmentations, areas, scores
    and sources of masks, occlusion, and every key that is not known. Boxes
    stay as they are annotated.

    Args:
        content (dict): YouTube-VIS style json, or one of COCO (images),
            COCO-video or TAO. Not changed.
        file (str | Path, optional): For the messages.

    Returns:
        tuple: The new content, and how often each key was removed, such as
        'annotations.segmentations'.

    Raises:
        AnnotationError: If it is no such file, or its boxes are missing or
            no lists of numbers.
    """
    lists = _lists_of(content, file)
    removed: CounterType[str] = Counter(
        key for key in content if key not in lists
    )
    result: Json = {}
    for name, keys in lists.items():
        if name not in content:
            continue
        entries = content[name] or []
        if not isinstance(entries, list):
            raise _malformed(f'"{name}" is no list', file)
        if name == 'annotations':
            entries = [_as_annotated(entry) for entry in entries]
        result[name] = [
            _kept(entry, keys, name, removed, file) for entry in entries
        ]
    for entry in result.get('annotations', ()):
        _check_boxes(entry, file)
    for entries in result.values():
        for entry in entries:
            _check_values(entry, file)
    return result, removed


def drop_masks_file(
    source: Union[str, Path], out: Union[str, Path]
) -> CounterType[str]:
    """Write the view of a file.

    Args:
        source (str | Path): See :func:`drop_masks`.
        out (str | Path): Json to write; appears when it is complete.

    Returns:
        Counter: How often each key was removed.

    Raises:
        AnnotationError: As :func:`drop_masks` does.
        ConfigError: If both are the same file.
        OutputError: If it cannot be written.
    """
    if Path(source).resolve() == Path(out).resolve():
        raise ConfigError(
            'the file would replace the one with masks',
            file=out,
            fix='name another file to write',
        )
    content, removed = drop_masks(load_json(source), source)
    dump_json(content, out)
    return removed


def _lists_of(
    content: Any, file: Union[str, Path, None]
) -> Dict[str, Tuple[str, ...]]:
    """Tell the kind of a file by its lists."""
    if isinstance(content, dict):
        if content.get('images'):
            return _OF_IMAGES
        if content.get('videos'):
            return _OF_VIDEOS
    raise _malformed('neither "videos" nor "images" in it', file)


def _kept(
    entry: Any,
    keys: Tuple[str, ...],
    name: str,
    removed: CounterType[str],
    file: Union[str, Path, None],
) -> Json:
    if not isinstance(entry, dict):
        raise _malformed(f'an entry of "{name}" is {entry!r:.40}', file)
    removed.update(f'{name}.{key}' for key in entry if key not in keys)
    return {key: entry[key] for key in keys if key in entry}


def _check_boxes(entry: Json, file: Union[str, Path, None]) -> None:
    """Refuse what could hold a mask where a box should be."""
    per_frame = entry.get('bboxes') is not None
    boxes: Any = entry['bboxes'] if per_frame else [entry.get('bbox')]
    if not isinstance(boxes, list):
        raise _malformed('"bboxes" is no list', file)
    for frame, box in enumerate(boxes):
        absent = per_frame and box in (None, [])
        if not absent and not _is_box(box):
            raise AnnotationError(
                f'{box!r:.40} is no box [x, y, width, height]',
                file=file,
                video=entry.get('video_id', entry.get('image_id')),
                frame=frame,
                instance=entry.get('id'),
                fix='write its box; a file without boxes has no such view',
            )
    marks = entry.get('interpolated')
    if marks is not None and not (
        isinstance(marks, list)
        and all(isinstance(m, (bool, int)) or m is None for m in marks)
    ):
        raise _malformed('"interpolated" is no list of 0 and 1', file)


def _check_values(entry: Json, file: Union[str, Path, None]) -> None:
    """Refuse what could hold a mask where a name or number should be."""
    for key, value in entry.items():
        if key in _LISTS:
            continue
        names = key == 'file_names' and isinstance(value, list)
        for part in value if names else [value]:
            if isinstance(part, (dict, list)):
                raise _malformed(f'"{key}" is {part!r:.40}', file)


def _as_annotated(entry: Any) -> Any:
    """Show the annotated boxes of a set of pseudo masks.

    Its ``bboxes`` are null where there is no mask, which tells of masks.
    """
    if isinstance(entry, dict) and entry.get('annotated_bboxes') is not None:
        return dict(entry, bboxes=entry['annotated_bboxes'])
    return entry


def _is_box(box: Any) -> bool:
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(value, (int, float)) for value in box)
    )


def _malformed(problem: str, file: Union[str, Path, None]) -> AnnotationError:
    return AnnotationError(
        problem,
        file=file,
        fix='name a json of YouTube-VIS or COCO: videos or images, '
        'categories, annotations',
    )
