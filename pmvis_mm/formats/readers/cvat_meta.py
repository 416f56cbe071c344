"""What a CVAT file tells of its tasks, above the tracks."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, List, Optional, Tuple
from xml.etree.ElementTree import Element

from ...utils.errors import AnnotationError

_STEP = re.compile(r'\s*step\s*=\s*(\d+)\s*')


@dataclass(frozen=True)
class CVATTask:
    """One task (a video), or a job, which is a part of one.

    Attributes:
        id (str, optional): As tracks of a project name it.
        names (tuple[str]): What the video may be called, the best first:
            the task, its source file, its stem; not empty.
        width (int, optional): Of the frames, pixels.
        height (int, optional): Of the frames, pixels.
        length (int, optional): Number of frames.
        start (int): Number of its first frame in the source.
        step (int): Every so many frames of the source were taken.
    """

    id: Optional[str] = None
    names: Tuple[str, ...] = ()
    width: Optional[int] = None
    height: Optional[int] = None
    length: Optional[int] = None
    start: int = 0
    step: int = 1


@dataclass(frozen=True)
class CVATMeta:
    """What stands above the tracks.

    Attributes:
        tasks (list[CVATTask]): In the order of the file; several in the
            export of a project.
        labels (list[str]): Names of the classes, in the order of the file.
    """

    tasks: List[CVATTask] = field(default_factory=list)
    labels: List[str] = field(default_factory=list)


def read_meta(meta: Optional[Element], file: Path) -> CVATMeta:
    """Read the element <meta>.

    Args:
        meta (Element, optional): None where the file has none.
        file (Path): For names and messages.

    Returns:
        CVATMeta: With at least one task.

    Raises:
        AnnotationError: If a number is none.
    """
    if meta is None:
        return CVATMeta([CVATTask(names=(file.stem,))])
    project = meta.find('project')
    entries = [] if project is None else project.findall('tasks/task')
    for tag in ('task', 'job'):
        entries += meta.findall(tag)
    tasks = [_task(entry, meta, file, len(entries)) for entry in entries]
    labels: List[str] = []
    for label in meta.iter('label'):
        name = _text(label, 'name')
        # Parts of a skeleton are no classes of instances.
        if name and name not in labels and not _text(label, 'parent'):
            labels.append(name)
    return CVATMeta(tasks or [CVATTask(names=(file.stem,))], labels)


def _task(entry: Element, meta: Element, file: Path, count: int) -> CVATTask:
    source = _text(entry, 'source')
    if count == 1:
        source = source or _text(meta, 'source')
    size = entry.find('original_size')
    if size is None and count == 1:
        size = meta.find('original_size')
    names = [_text(entry, 'name'), source, Path(source or '').stem]
    if count == 1:
        names.append(file.stem)
    known = [name for name in names if name]
    task_id = _text(entry, 'id')
    step = _STEP.fullmatch(_text(entry, 'frame_filter') or '')
    return CVATTask(
        id=task_id,
        names=tuple(dict.fromkeys(known)) or (f'task_{task_id}',),
        width=None if size is None else _number(size, 'width', file, 1),
        height=None if size is None else _number(size, 'height', file, 1),
        length=_number(entry, 'size', file, 1),
        start=_number(entry, 'start_frame', file, 0) or 0,
        step=max(int(step[1]), 1) if step else 1,
    )


def _text(parent: Element, tag: str) -> Optional[str]:
    text = parent.findtext(tag)
    return text.strip() if text and text.strip() else None


def _number(parent: Element, tag: str, file: Any, least: int) -> Optional[int]:
    text = _text(parent, tag)
    if text is None:
        return None
    if not re.fullmatch(r'\d{1,9}', text) or int(text) < least:
        raise AnnotationError(
            f'<{tag}> in the meta data is {text[:40]!r}, not an integer from '
            f'{least} on',
            file=file,
            fix='export it again from CVAT',
        )
    return int(text)
