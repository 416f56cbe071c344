"""The lists of a YouTube-VIS style file, by id."""

from typing import Any, Dict, Optional, Sequence, Tuple

from ..utils.errors import AnnotationError

Entries = Dict[int, Dict[str, Any]]


def index_lists(
    data: Any, file: Optional[str]
) -> Tuple[Entries, Entries, Entries]:
    """Check that the lists of a file are there, and index them.

    Args:
        data (Any): Content of the file.
        file (str, optional): Where it is from, for the message.

    Returns:
        tuple: Videos, categories and annotations by id, in the order of the
        file; the last may be empty.

    Raises:
        AnnotationError: If a list is missing or malformed, or ids are.
    """
    if not isinstance(data, dict):
        raise AnnotationError(
            f'expected a json object, got {type(data).__name__}',
            file=file,
            fix='use the YouTube-VIS layout: videos, categories, annotations',
        )
    for key in ('videos', 'categories'):
        if not isinstance(data.get(key), list) or not data[key]:
            raise AnnotationError(
                f'"{key}" is missing or empty',
                file=file,
                fix='use the YouTube-VIS layout: a non-empty list',
            )
    raw = data.get('annotations') or []
    if not isinstance(raw, list):
        raise AnnotationError(
            f'"annotations" is {type(raw).__name__}, not a list',
            file=file,
            fix='use the YouTube-VIS layout, or null without labels',
        )
    categories = index_by_id(data['categories'], 'category', file)
    videos = index_by_id(data['videos'], 'video', file)
    return videos, categories, index_by_id(raw, 'annotation', file)


def index_by_id(
    entries: Sequence[Any], kind: str, file: Optional[str]
) -> Dict[int, Dict[str, Any]]:
    """Index entries by id; ids must exist and differ (0 is an id).

    Args:
        entries (Sequence): Of a list of the file, such as its videos.
        kind (str): What they are, for the message.
        file (str, optional): Where they are from, for the message.

    Returns:
        dict[int, dict]: In the order of the file.

    Raises:
        AnnotationError: If an id is missing, no integer of 64 bits or used
            twice.
    """
    by_id: Dict[int, Dict[str, Any]] = {}
    for position, entry in enumerate(entries):
        key = entry.get('id') if isinstance(entry, dict) else None
        if not isinstance(key, int) or isinstance(key, bool):
            raise AnnotationError(
                f'{kind} number {position} has no integer "id"',
                file=file,
                fix=f'give every {kind} an integer id',
            )
        if not -(2**63) <= key < 2**63:  # more than arrays can hold
            raise AnnotationError(
                f'{kind} id {key} does not fit into 64 bits',
                file=file,
                fix='number them anew, from 1',
            )
        if key in by_id:
            raise AnnotationError(
                f'duplicate {kind} id {key}',
                file=file,
                fix=f'give every {kind} an id of its own',
            )
        by_id[key] = entry
    return by_id
