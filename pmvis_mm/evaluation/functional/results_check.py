"""Checking predicted tracks before anybody else refuses them."""

import math
from collections import Counter
from pathlib import Path
from typing import (
    Any,
    Collection,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Tuple,
    Union,
)

from ...structures import VideoAnnotations, VideoInfo
from ...structures.rle import from_any
from ...structures.rle_check import canonical_counts
from ...utils.errors import ResultsError
from .results_file import iter_results
from .track_matching import MAX_TRACKS

PathLike = Union[str, Path]

_KEYS = ('video_id', 'category_id', 'score', 'segmentations')


def check_entry(
    entry: Mapping[str, Any],
    number: int,
    truth: VideoAnnotations,
    categories: Collection[int],
    file: Optional[PathLike] = None,
) -> None:
    """Check all of a prediction but the counts of its masks.

    Args:
        entry (Mapping): Entry of a results.json.
        number (int): Its place, 0-based.
        truth (VideoAnnotations): Whose videos it is about.
        categories (Collection[int]): Known category ids.
        file (str | Path, optional): To name in errors.

    Raises:
        ResultsError: If anything does not fit.
    """
    missing = [key for key in _KEYS if key not in entry]
    if missing:
        raise ResultsError(
            f'entry {number} has no {missing}',
            file=file,
            fix=f'write {", ".join(_KEYS)} for every track',
        )
    video = entry['video_id']
    info = truth.videos.get(video) if isinstance(video, int) else None
    if info is None:
        raise ResultsError(
            f'entry {number} is about a video that the annotations do not '
            'list',
            file=file,
            video=video,
            fix='compare with the annotations that the model was run on',
        )
    category = entry['category_id']
    if not isinstance(category, (int, float)) or category not in categories:
        raise ResultsError(
            f'entry {number} has unknown category_id '
            f'{category!r}; known are {sorted(categories)}',
            file=file,
            video=video,
            fix='write the category ids of the annotations, not labels',
        )
    score = entry['score']
    if not _is_finite(score):
        raise ResultsError(
            f'entry {number} has score {score!r}',
            file=file,
            video=video,
            fix='write a finite number',
        )
    _check_masks(entry['segmentations'], number, info, file)


def _is_finite(score: Any) -> bool:
    try:
        return isinstance(score, (int, float)) and math.isfinite(score)
    except OverflowError:  # an integer beyond all floats
        return False


def _as_list(size: Any) -> Any:
    return list(size) if isinstance(size, Iterable) else size


def _check_masks(
    masks: Any, number: int, video: VideoInfo, file: Optional[PathLike]
) -> None:
    if not isinstance(masks, (list, tuple)) or len(masks) != video.length:
        got = len(masks) if isinstance(masks, (list, tuple)) else repr(masks)
        raise ResultsError(
            f'entry {number} has {got} segmentations but the video has '
            f'{video.length} frames',
            file=file,
            video=video.id,
            fix='one for every frame, null where the object is absent',
        )
    size = [video.height, video.width]
    for frame, mask in enumerate(masks):
        if mask is None or (
            type(mask) is dict
            and mask.get('size') == size
            and 'counts' in mask
        ):
            continue
        problem = None
        if not isinstance(mask, Mapping) or 'counts' not in mask:
            problem = 'a segmentation that is no RLE'
        elif _as_list(mask.get('size')) != size:
            problem = (
                f'a mask of size {mask.get("size")} but the frames are '
                f'{size} (height, width)'
            )
        if problem:
            raise ResultsError(
                f'entry {number} has {problem}',
                file=file,
                video=video.id,
                frame=frame,
                fix='write RLE at the size of the frames, null if absent',
            )


def load_results(
    path: PathLike, truth: VideoAnnotations
) -> List[Dict[str, Any]]:
    """Read a results file that fits ``truth``.

    Args:
        path (str | Path): A json, or a zip with it.
        truth (VideoAnnotations): Whose videos it is about.

    Returns:
        list[dict]: The entries; masks are compressed RLE without empty
        runs, or None.

    Raises:
        ResultsError: If the file cannot be read, or at its first problem.
    """
    entries = []
    for number, entry, broken in _examine(path, truth):
        masks = entry['segmentations']
        video = truth.videos[entry['video_id']]
        for frame in broken:
            try:
                masks[frame] = from_any(
                    masks[frame], video.height, video.width
                )
            except (ValueError, TypeError) as reason:
                raise _bad_mask(path, number, video, frame, reason) from None
        entries.append(entry)
    return entries


def check_results(
    path: PathLike,
    truth: VideoAnnotations,
    max_problems: int = 100,
    max_per_video: Optional[int] = None,
) -> List[ResultsError]:
    """Find what an evaluation server would refuse or read otherwise.

    Args:
        path (str | Path): A json, or a zip with it.
        truth (VideoAnnotations): Whose videos it is about; needs no masks.
        max_problems (int): Stop after so many. Defaults to 100.
        max_per_video (int, optional): Predictions of a video that the
            server takes; no limit by default. Of one category it counts
            the best 100, and more are a problem in any case.

    Returns:
        list[ResultsError]: Problems in the order of the file, each with
        file, video, frame and fix as far as they are known; empty if all
        is well.
    """
    problems: List[ResultsError] = []
    counts: Counter = Counter()
    try:
        for number, entry, broken in _examine(path, truth, problems):
            video = truth.videos[entry['video_id']]
            counts[video.id, entry['category_id']] += 1
            for frame in broken:
                reason = _why_broken(entry['segmentations'][frame], video)
                problems.append(_bad_mask(path, number, video, frame, reason))
            if len(problems) >= max_problems:
                return problems[:max_problems]
    except ResultsError as error:
        problems.append(error)
    problems.extend(_too_many(counts, path, max_per_video))
    return problems[:max_problems]


def _examine(
    path: PathLike,
    truth: VideoAnnotations,
    problems: Optional[List[ResultsError]] = None,
) -> Iterator[Tuple[int, Dict[str, Any], List[int]]]:
    """Yield sound entries with the frames of masks to look at closely.

    Problems of an entry go to ``problems``, or are raised without it.
    """
    categories = {category['id'] for category in truth.categories}
    for number, entry in enumerate(iter_results(path)):
        try:
            check_entry(entry, number, truth, categories, path)
        except ResultsError as error:
            if problems is None:
                raise
            problems.append(error)
            continue
        masks = entry['segmentations']
        video = truth.videos[entry['video_id']]
        present = [t for t, mask in enumerate(masks) if mask is not None]
        texts = [masks[t]['counts'] for t in present]
        fine = canonical_counts(
            [text if isinstance(text, str) else '' for text in texts],
            video.height * video.width,
        )
        yield number, entry, [t for t, ok in zip(present, fine) if not ok]


def _why_broken(mask: Any, video: VideoInfo) -> str:
    if not isinstance(mask['counts'], str):
        return 'counts are not compressed'
    try:
        from_any(mask, video.height, video.width)
    except (ValueError, TypeError) as reason:
        return str(reason)
    return 'counts hold a run of length zero, which pycocotools misreads'


def _bad_mask(
    path: PathLike, number: int, video: VideoInfo, frame: int, reason: Any
) -> ResultsError:
    return ResultsError(
        f'entry {number} has a bad mask: {reason}',
        file=path,
        video=video.id,
        frame=frame,
        fix='encode it with pycocotools at the size of the frames',
    )


def _too_many(
    counts: Mapping[Tuple[int, int], int],
    path: PathLike,
    max_per_video: Optional[int],
) -> Iterator[ResultsError]:
    most = MAX_TRACKS[-1]
    per_video: Counter = Counter()
    for (video, category), number in sorted(counts.items()):
        per_video[video] += number
        if number > most:
            yield ResultsError(
                f'{number} predictions of category {category}; only the '
                f'{most} best count',
                file=path,
                video=video,
                fix='keep the predictions of highest score',
            )
    for video, number in sorted(per_video.items()):
        if max_per_video is not None and number > max_per_video:
            yield ResultsError(
                f'{number} predictions, more than {max_per_video}',
                file=path,
                video=video,
                fix='keep the predictions of highest score',
            )
