"""What is checked and left out before an export is written."""

import inspect
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple, Union

from ..structures.video_track import VideoTrack
from ..utils.errors import MaskSetError, OutputError
from ..utils.fileio import disk_errors
from .export_marker import MARKER, foreign_file
from .export_rules import ExportRule
from .export_source import ExportSource


def with_masks_only(
    tracks: Sequence[VideoTrack], lost: Counter
) -> List[VideoTrack]:
    """Leave out boxes without a mask.

    Args:
        tracks (Sequence[VideoTrack]): Of a video.
        lost (Counter): Counts boxes and tracks that are left out.

    Returns:
        list[VideoTrack]: Those with a mask, without the other frames.
    """
    kept = []
    for track in tracks:
        shown = [i for i, mask in enumerate(track.masks) if mask is not None]
        if len(shown) < len(track.masks):
            lost['boxes without a mask'] += len(track.masks) - len(shown)
        if not shown:
            lost['tracks without a mask'] += 1
            continue
        kept.append(
            replace(
                track,
                frames=track.frames[shown],
                masks=tuple(track.masks[i] for i in shown),
                bboxes=track.bboxes[shown],
                frame_scores=track.frame_scores[shown],
            )
        )
    return kept


def writer_arguments(rule: ExportRule) -> Tuple[str, ...]:
    """Name the arguments of the writer of a format."""
    return tuple(inspect.signature(rule.writer_class).parameters)


def choose_videos(
    names: Dict[int, str],
    chosen: Optional[Sequence[Union[str, int]]],
    source: ExportSource,
) -> List[int]:
    """Find the videos to write.

    Args:
        names (dict[int, str]): Name of every video by id.
        chosen (Sequence[str | int], optional): Names, last parts of names,
            or ids; None for all.
        source (ExportSource): For messages.

    Returns:
        list[int]: Ids, in the order of the file.

    Raises:
        MaskSetError: If there is no video, or not one that was named.
    """
    if not names:
        raise MaskSetError(
            'there is no video in it',
            file=source.name,
            fix='check that it is complete',
        )
    if chosen is None:
        return list(names)
    ids = set()
    for word in chosen:
        found = [
            key
            for key, name in names.items()
            if word in (key, str(key), name, name.split('/')[-1])
        ]
        if not found:
            known = ', '.join(list(names.values())[:5])
            raise MaskSetError(
                f'no such video; there are {len(names)}: {known} ...',
                file=source.name,
                video=word,
                fix='give the name or the id of a video of this file',
            )
        ids.update(found)
    return [key for key in names if key in ids]


def check_out(
    out: Path, rule: ExportRule, overwrite: bool, source: str
) -> None:
    """Refuse to replace anything but an older export, if asked to.

    Args:
        out (Path): File or folder that is to be written.
        rule (ExportRule): Of the format.
        overwrite (bool): Whether an older export may go.
        source (str): File that is exported, which must stay.

    Raises:
        OutputError: If something is in the way.
    """
    with disk_errors(out):  # such as of a name that is too long
        exists, is_dir = out.exists() or out.is_symlink(), out.is_dir()
    if not exists:
        return
    if os.path.exists(source) and os.path.samefile(source, out):
        raise OutputError(
            'the export would replace its own source',
            file=out,
            fix='choose another name',
        )
    if is_dir == rule.one_file:
        kind = 'a folder' if is_dir else 'a file'
        raise OutputError(
            f'this is {kind}',
            file=out,
            fix=f'name {"a file" if rule.one_file else "a folder"}',
        )
    if is_dir and not any(os.scandir(out)):
        return
    if not overwrite:
        raise OutputError(
            'it exists already',
            file=out,
            fix='choose another name, or pass overwrite=True (--overwrite)',
        )
    if is_dir:
        _refuse_foreign(out)


def _refuse_foreign(out: Path) -> None:
    """Let a folder go only if an export wrote everything in it."""
    foreign = foreign_file(out)
    if foreign == MARKER:
        raise OutputError(
            'the folder would be replaced, but nothing tells that it is an '
            f'older export: it has no list of its files ({MARKER})',
            file=out,
            fix='look into it and remove it by hand, or name another folder',
        )
    if foreign is not None:
        raise OutputError(
            f'the folder would be replaced, but holds {foreign!r}, which the '
            'export did not write',
            file=out,
            fix='move it elsewhere, or name another folder',
        )
