"""What each format can hold, and how a set is laid out in it."""

import inspect
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Set, Tuple, Type

from ..utils.errors import ConfigError
from .base import RESULT_WRITERS, ResultWriter

# More digits than this get lost in readers that take ids for floats.
_FLOAT_ID = 2**53


@dataclass(frozen=True)
class ExportRule:
    """How a set is written in a format.

    Attributes:
        writer (str): Name in ``RESULT_WRITERS``.
        options (dict): Arguments of the writer.
        one_file (bool): Whether one file holds all videos; else there is
            one file or folder for each.
        layouts (dict): Where a video goes by name of the layout, the first
            is the default; '{}' stands for the name of the video.
        max_id (int, optional): Largest number of a track. A set with other
            ids is numbered anew, from 1 in each video.
        keeps_ids (bool): Whether any integer is an id.
        numbers_crowds (bool): Whether crowds need a number.
        boxes (bool): Whether boxes without masks can be written.
        lacks (tuple[str]): What the format has no place for.
    """

    writer: str
    options: Dict[str, Any] = field(default_factory=dict)
    one_file: bool = False
    layouts: Dict[str, str] = field(default_factory=dict)
    max_id: Optional[int] = None
    keeps_ids: bool = False
    numbers_crowds: bool = True
    boxes: bool = False
    lacks: Tuple[str, ...] = ()

    def allowed(self) -> List[str]:
        """Name the options that a user may set."""
        names = inspect.signature(self.writer_class).parameters
        ours = {'path', 'video_id', 'id_offset', 'keep_ids', 'as_dataset'}
        ours |= {'category_entries', 'category_ids', 'with_masks'}
        ours |= {'tight_boxes', 'video_column', 'score_thr'} - self._drawn
        found = [name for name in names if name not in ours]
        return found + (['layout'] if len(self.layouts) > 1 else [])

    @property
    def writer_class(self) -> Type[ResultWriter]:
        """Class of the writer."""
        return RESULT_WRITERS.get(self.writer)

    @property
    def _drawn(self) -> Set[str]:
        """Pictures have a threshold of their own, by frame."""
        return {'score_thr'} if self.writer_class.needs_images else set()


RULES: Dict[str, ExportRule] = dict(
    json=ExportRule(
        'json',
        dict(as_dataset=True, keep_ids=True),
        one_file=True,
        keeps_ids=True,
        boxes=True,
    ),
    results=ExportRule(
        'json',
        one_file=True,
        keeps_ids=True,
        lacks=('ids of tracks', 'sizes and names of frames', 'crowds'),
    ),
    coco_video=ExportRule('coco_video', one_file=True, boxes=True),
    csv=ExportRule(
        'csv',
        dict(video_column=True),
        one_file=True,
        boxes=True,
        lacks=(
            'masks',
            'sizes and names of frames',
            'crowds',
            'videos without tracks',
        ),
    ),
    mots=ExportRule(
        'mots',
        layouts=dict(files='{}.txt', sequences='{}/gt/gt.txt'),
        max_id=999,
        numbers_crowds=False,
        lacks=('names of classes', 'names of frames', 'scores'),
    ),
    mot=ExportRule(
        'mot',
        dict(style='gt'),
        layouts=dict(sequences='{}/gt/gt.txt', files='{}.txt'),
        max_id=_FLOAT_ID,
        boxes=True,
        lacks=('masks', 'names of classes', 'names of frames'),
    ),
    png=ExportRule(
        'png',
        layouts=dict(folders='{}'),
        max_id=254,
        numbers_crowds=False,
        lacks=('classes', 'scores'),
    ),
    cvat=ExportRule(
        'cvat',
        layouts=dict(files='{}.xml'),
        max_id=_FLOAT_ID,
        boxes=True,
        lacks=('names of frames', 'scores', 'crowds'),
    ),
    mp4=ExportRule('mp4', layouts=dict(files='{}.mp4'), max_id=_FLOAT_ID),
    webm=ExportRule('webm', layouts=dict(files='{}.webm'), max_id=_FLOAT_ID),
)  # fmt: skip


def find_rule(format: str) -> ExportRule:
    """Look up the rule of a format.

    Raises:
        ConfigError: If there is none.
    """
    rule = RULES.get(format)
    if rule is None or RESULT_WRITERS.get(rule.writer) is None:
        raise ConfigError(
            f'format {format!r} is unknown', fix=f'choose from {[*RULES]}'
        )
    return rule


def check_options(
    format: str, rule: ExportRule, options: Mapping[str, Any]
) -> Tuple[Dict[str, Any], str]:
    """Divide options into those of the writer and the layout.

    Args:
        format (str): Name of the format, for messages.
        rule (ExportRule): Of the format.
        options (Mapping): What the user asks for.

    Returns:
        tuple: Arguments of the writer, and where a video goes.

    Raises:
        ConfigError: If an option or the layout is unknown, or a value is of
            the wrong kind.
    """
    unknown = sorted({*options} - {*rule.allowed()})
    if unknown:
        raise ConfigError(
            f'format {format!r} has no options {unknown}',
            fix=f'choose from {rule.allowed()}',
        )
    parameters = inspect.signature(rule.writer_class).parameters
    for key, value in options.items():
        if key in parameters and not _fits(value, parameters[key]):
            raise ConfigError(
                f'option {key}={value!r} of format {format!r} is of another '
                f'kind than {parameters[key].default!r}',
                fix='see the documentation of the writer',
            )
    chosen = {**rule.options, **options}
    first = next(iter(rule.layouts), '')
    layout = chosen.pop('layout', first)
    if layout not in rule.layouts and rule.layouts:
        raise ConfigError(
            f'layout {layout!r} is unknown',
            fix=f'choose from {[*rule.layouts]}',
        )
    return chosen, rule.layouts.get(layout, '')


def _fits(value: Any, parameter: inspect.Parameter) -> bool:
    """Compare the kind of a value with that of the default."""
    default = parameter.default
    if parameter.name == 'class_ids':
        return isinstance(value, Mapping) and all(
            type(number) is int for number in value.values()
        )
    if default is None:
        return True  # said by the writer
    if isinstance(default, float):
        return type(value) in (int, float)
    return type(value) is type(default)
