"""The fast part of the check, before labelling and training."""

import logging
import shlex
from pathlib import Path
from typing import Any, Optional, Type, TypeVar, Union

from mmengine.dist import is_main_process
from mmengine.logging import print_log

from ..structures import PseudoMaskSet, VideoAnnotations, parse_annotations
from ..utils.errors import AnnotationError, MaskSetError, PMVISError
from ..utils.fileio import load_json
from .checker import check_annotations
from .findings import Findings
from .rules import RULES, WARNING

_TOOL = 'python tools/analysis_tools/check_dataset.py'
_Error = TypeVar('_Error', bound=PMVISError)


def load_checked_annotations(
    path: Union[str, Path],
    with_masks: bool = False,
    clip_boxes: bool = False,
    check: bool = True,
) -> VideoAnnotations:
    """Read annotations, and check them as a whole on the main process.

    Args:
        path (str | Path): YouTube-VIS style json; read once.
        with_masks (bool): Whether to read masks. If not, the check looks at
            no mask either. Defaults to False.
        clip_boxes (bool): See :meth:`VideoAnnotations.from_file`.
        check (bool): Whether to check more than reading needs. Defaults to
            True.

    Returns:
        VideoAnnotations: The content.

    Raises:
        AnnotationError: For the first error; says how many there are and
            how to see them all.
    """
    data = load_json(path)
    options = dict(box_only=not with_masks, clip_boxes=clip_boxes)
    try:
        parsed = parse_annotations(data, str(path), with_masks, clip_boxes)
    except AnnotationError as error:
        raise _with_number(error, data, path, check, options) from None
    if check:
        report_problems(data, str(path), **options)
    return parsed


def load_checked_masks(
    path: Union[str, Path], check: bool = True
) -> PseudoMaskSet:
    """Read pseudo masks, and check them as a whole on the main process.

    Args:
        path (str | Path): Json of a :class:`PseudoMaskSet`; read once.
        check (bool): See :func:`load_checked_annotations`.

    Returns:
        PseudoMaskSet: The content.

    Raises:
        MaskSetError: If it is malformed.
        AnnotationError: For an error that reading does not find.
    """
    data = load_json(path, MaskSetError)
    options = dict(clip_boxes=True)
    try:
        masks = PseudoMaskSet.from_json(data, str(path), Path(path).stem)
    except MaskSetError as error:
        raise _with_number(error, data, path, check, options) from None
    if check:
        report_problems(data, str(path), **options)
    return masks


def report_problems(
    data: Any,
    file: str,
    box_only: bool = False,
    clip_boxes: bool = False,
) -> Optional[Findings]:
    """Check content that was read: raise for errors, log warnings once.

    Args:
        data (Any): Content of the file.
        file (str): Its path.
        box_only (bool): Look at no mask. Defaults to False.
        clip_boxes (bool): Boxes that stick out are no error. Defaults to
            False.

    Returns:
        Findings, optional: What was found; None on other processes than
        the main one, which check nothing.

    Raises:
        AnnotationError: For the first error; says how many there are and
            how to see them all.
    """
    if not is_main_process():
        return None
    found, _ = check_annotations(
        data, file, box_only=box_only, clip_boxes=clip_boxes
    )
    if found.num_errors:
        first = next(iter(found))
        raise first.to_error(_more(found, file, box_only))
    if found.num_warnings:
        codes = [
            f'{number} x {code}'
            for code, number in found.counts.items()
            if RULES[code].severity == WARNING
        ]
        print_log(
            f'{file}: {", ".join(codes)}, such as: '
            f'{next(iter(found)).problem}. To see all: '
            f'{_command(file, box_only)}',
            'current',
            logging.WARNING,
        )
    return found


def _with_number(
    error: _Error,
    data: Any,
    path: Union[str, Path],
    check: bool,
    options: dict,
) -> _Error:
    """Add to an error how many there are."""
    if not check or not is_main_process():
        return error
    found, _ = check_annotations(data, str(path), **options)
    box_only = options.get('box_only', False)
    kind: Type[_Error] = type(error)
    return kind(
        error.problem,
        file=error.file,
        video=error.video,
        frame=error.frame,
        instance=error.instance,
        fix=(error.fix or '') + _more(found, str(path), box_only),
    )


def _more(found: Findings, file: str, box_only: bool) -> str:
    if found.num_errors < 2:
        return ''
    return (
        f'; {found.num_errors} errors in all: run "{_command(file, box_only)}"'
    )


def _command(file: str, box_only: bool) -> str:
    return f'{_TOOL} {shlex.quote(file)}' + (' --box-only' if box_only else '')
