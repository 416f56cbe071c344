"""Dividing a YouTube-VIS style file into two by video."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

import numpy as np

from ..structures import VideoInfo
from ..structures.annotation_lists import index_lists
from ..utils.errors import AnnotationError, ConfigError
from ..utils.fileio import dump_json, load_json
from .stratification import stratify

PathLike = Union[str, Path]
Json = Dict[str, Any]

PARTS = ('train', 'minival')


@dataclass
class CategoryCounts:
    """What the parts hold of one category.

    Attributes:
        name (str): Of the category.
        instances (tuple[int]): In training and validation part.
        videos (tuple[int]): With such an instance, likewise.
    """

    name: str
    instances: Tuple[int, int]
    videos: Tuple[int, int]


@dataclass
class VideoSplit:
    """Both parts of a file.

    Attributes:
        train (dict): Content of the file for training.
        minival (dict): Content of the file for validation.
        counts (list[CategoryCounts]): In the order of the file, then all
            categories together.
        warnings (list[str]): What a user may not expect.
    """

    train: Json
    minival: Json
    counts: List[CategoryCounts] = field(default_factory=list)
    warnings: List[str] = field(default_factory=list)


def split_videos(
    data: Any,
    val_fraction: Optional[float] = None,
    val_videos: Optional[int] = None,
    seed: int = 0,
    group_by: Optional[str] = None,
    file: Optional[str] = None,
) -> VideoSplit:
    """Divide the videos so that both parts hold their share of each category.

    See :func:`~pmvis_mm.datasets.stratification.stratify` for the algorithm;
    what it counts are instances. The outcome depends on ids, on the
    annotations' categories, on folder names if ``group_by`` is given, and on
    the seed, which chooses among equally good ways; not on the order of
    videos and annotations in the file, on the process or on the machine.

    Ids, categories and all other content stay as they are. Every list of
    the file whose entries have a ``video_id`` is divided; entries of videos,
    annotations and such lists are sorted by id.

    Args:
        data (dict): Content of a YouTube-VIS style json.
        val_fraction (float, optional): Share of the videos to validate with,
            in (0, 1); rounded to at least one video, halves up.
        val_videos (int, optional): Number of these videos; just one of both
            is given.
        seed (int): Another one gives another split. Defaults to 0.
        group_by (str, optional): Regular expression that is searched in the
            name of a video (the folder of its first frame). Videos with the
            same match (its first group, if it has one) stay together, such
            as clips that were cut from one film. Videos without a match are
            groups of their own.
        file (str, optional): Where ``data`` is from, for messages.

    Returns:
        VideoSplit: Both parts, with counts.

    Raises:
        AnnotationError: If the file is malformed, or cannot be divided.
        ConfigError: If options are out of range or contradict.
    """
    if not 0 <= seed < 2**32:
        raise ConfigError(
            f'seed={seed!r} is out of range',
            fix=f'use a number from 0 to {2**32 - 1}',
        )
    videos, annotations = _check(data, file)
    target = _target(len(videos), val_fraction, val_videos, file)
    groups = _groups(videos, group_by, file)
    if len(groups) < 2:
        raise AnnotationError(
            f'{len(videos)} video(s) in one group cannot be divided',
            file=file,
            fix='take more videos, or another expression to group by',
        )
    place = {
        key: k
        for k, key in enumerate(sorted(c['id'] for c in data['categories']))
    }
    per_video = {key: np.zeros(len(place), np.int64) for key in videos}
    for entry in annotations:
        per_video[entry['video_id']][place[entry['category_id']]] += 1
    # A seed decides who wins ties.
    order = np.random.RandomState(seed).permutation(len(groups))
    groups = [groups[i] for i in order]
    counts = np.stack([sum(per_video[key] for key in g) for g in groups])
    sizes = np.array([len(group) for group in groups])
    chosen = stratify(counts, sizes, target)
    held_out = {k for g, take in zip(groups, chosen) if take for k in g}
    result = VideoSplit(_part(data, held_out, False), _part(data, held_out))
    names = [
        (str(c.get('name', c['id'])), place[c['id']])
        for c in data['categories']
    ]
    result.counts = _count(names, per_video, held_out)
    result.warnings = _warnings(result.counts, target, len(held_out))
    return result


def split_file(
    ann_file: PathLike,
    out_dir: Optional[PathLike] = None,
    **options: Any,
) -> Tuple[VideoSplit, Tuple[Path, Path]]:
    """Divide a file; see :func:`split_videos`.

    Args:
        ann_file (str | Path): YouTube-VIS style json.
        out_dir (str | Path, optional): Folder for ``<stem>_train.json`` and
            ``<stem>_minival.json``; that of ``ann_file`` by default.
        **options: See :func:`split_videos`.

    Returns:
        tuple: The split and the paths of both files.

    Raises:
        AnnotationError: If the file is missing, malformed or cannot be
            divided.
        ConfigError: If options are out of range or contradict.
        OutputError: If a file cannot be written.
    """
    source = Path(ann_file)
    split = split_videos(load_json(source), file=str(source), **options)
    folder = source.parent if out_dir is None else Path(out_dir)
    train, minival = (folder / f'{source.stem}_{name}.json' for name in PARTS)
    dump_json(split.train, train)
    dump_json(split.minival, minival)
    return split, (train, minival)


def _check(
    data: Any, file: Optional[str]
) -> Tuple[Dict[int, Json], List[Json]]:
    """Check what the split looks at, and only that."""
    videos, categories, annotations = index_lists(data, file)
    for number, entry in annotations.items():
        for name, known in (
            ('video_id', videos),
            ('category_id', categories),
        ):
            value = entry.get(name)
            if not isinstance(value, int) or value not in known:
                raise AnnotationError(
                    f'unknown {name} {value!r}',
                    file=file,
                    instance=number,
                    fix='list what annotations refer to, or remove them',
                )
    return videos, list(annotations.values())


def _target(
    num_videos: int,
    fraction: Optional[float],
    number: Optional[int],
    file: Optional[str],
) -> int:
    """Number of videos to validate with."""
    if (fraction is None) == (number is None):
        raise ConfigError(
            f'val_fraction={fraction!r} and val_videos={number!r}',
            fix='give just one of them',
        )
    if fraction is not None and not 0 < fraction < 1:
        raise ConfigError(
            f'val_fraction={fraction!r} is no share of the videos',
            fix='use a number between 0 and 1, such as 0.1',
        )
    if num_videos < 2:
        raise AnnotationError(
            'a single video cannot be divided',
            file=file,
            fix='take a file with more videos',
        )
    if fraction is not None:
        target = int(fraction * num_videos + 0.5)
        return min(max(target, 1), num_videos - 1)
    assert number is not None
    if not 0 < number < num_videos:
        raise ConfigError(
            f'val_videos={number!r} of {num_videos} videos',
            file=file,
            fix=f'use a number from 1 to {num_videos - 1}',
        )
    return number


def _groups(
    videos: Dict[int, Json], group_by: Optional[str], file: Optional[str]
) -> List[List[int]]:
    """List the ids of every group, in an order of their own."""
    if group_by is None:
        return [[key] for key in sorted(videos)]
    try:
        pattern = re.compile(group_by)
    except re.error as reason:
        raise ConfigError(
            f'group_by={group_by!r} is no regular expression: {reason}',
            fix='see the documentation of the module re of Python',
        ) from None
    groups: Dict[Any, List[int]] = {}
    for key in sorted(videos):
        match = pattern.search(_name(videos[key], file))
        same: Any = ('alone', key)
        if match is not None:
            same = match.group(1 if pattern.groups else 0)
        groups.setdefault(same, []).append(key)
    if all(isinstance(same, tuple) for same in groups):
        raise ConfigError(
            f'group_by={group_by!r} matches the name of no video',
            file=file,
            fix='names are folders of first frames, such as '
            f'{_name(videos[min(videos)], file)!r}',
        )
    return list(groups.values())


def _name(video: Json, file: Optional[str]) -> str:
    names = video.get('file_names')
    if not isinstance(names, list) or not names:
        raise AnnotationError(
            'video without frames',
            file=file,
            video=video['id'],
            fix='list its frames in "file_names" or remove the video',
        )
    return VideoInfo(video['id'], 0, 0, tuple(map(str, names[:1]))).name


def _part(data: Json, held_out: Any, inside: bool = True) -> Json:
    """Keep the videos that are held out, or the others."""
    result = {}
    for key, value in data.items():
        name = 'id' if key == 'videos' else 'video_id'
        if isinstance(value, list) and value:
            if all(isinstance(v, dict) and name in v for v in value):
                value = [v for v in value if (v[name] in held_out) == inside]
                # Lists of other formats may have no ids.
                if all(isinstance(v.get('id'), int) for v in value):
                    value.sort(key=lambda entry: entry['id'])
        result[key] = value
    return result


def _count(
    names: List[Tuple[str, int]],
    per_video: Dict[int, np.ndarray],
    held_out: Any,
) -> List[CategoryCounts]:
    """``names``: of every category, and its column; names may repeat."""
    sides = []
    for inside in (False, True):
        rows = [
            row
            for key, row in per_video.items()
            if (key in held_out) == inside
        ]
        sides.append(np.stack(rows))
    result = []
    for name, column in names:
        result.append(_pair(name, [side[:, column] for side in sides]))
    result.append(_pair('all', [side.sum(1) for side in sides]))
    result[-1].videos = (len(sides[0]), len(sides[1]))
    return result


def _pair(name: str, columns: List[np.ndarray]) -> CategoryCounts:
    train, minival = columns
    return CategoryCounts(
        name,
        (int(train.sum()), int(minival.sum())),
        (int((train > 0).sum()), int((minival > 0).sum())),
    )


def _warnings(
    counts: List[CategoryCounts], target: int, got: int
) -> List[str]:
    result = []
    if got != target:
        result.append(
            f'{got} videos to validate with, not {target}: groups are not '
            'divided'
        )
    for words, wanted in (
        ('in no video', lambda c: not sum(c.instances)),
        ('only in the training part', lambda c: _only(c, 0)),
        ('only in the validation part', lambda c: _only(c, 1)),
    ):
        names = [row.name for row in counts[:-1] if wanted(row)]
        if names:
            result.append(f'categories {words}: {", ".join(names)}')
    return result


def _only(row: CategoryCounts, part: int) -> bool:
    return row.instances[part] > 0 and row.instances[1 - part] == 0
