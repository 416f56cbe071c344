"""What a repair changed."""

import json
import math
from dataclasses import dataclass
from typing import Any, Dict, List, Optional


@dataclass(frozen=True)
class Change:
    """One value that was changed.

    Attributes:
        code (str): Finding that it repairs.
        what (str): Key of the value, such as 'bboxes'.
        before (Any): Value in the input.
        after (Any): Value in the copy; None may stand for one removed.
        video (Any): Id of the video.
        frame (int, optional): 0-based.
        instance (Any): Id of the annotation, as in the input.
    """

    code: str
    what: str
    before: Any
    after: Any
    video: Any = None
    frame: Optional[int] = None
    instance: Any = None

    def to_json(self) -> Dict[str, Any]:
        """Turn into what goes to a json file."""
        return {key: _strict(value) for key, value in vars(self).items()}

    def __str__(self) -> str:
        where = [
            f'{key} {value}'
            for key, value in (
                ('video', self.video),
                ('frame', self.frame),
                ('instance', self.instance),
            )
            if value is not None
        ]
        return (
            f'{self.code} [{", ".join(where)}]: {self.what} '
            f'{_short(self.before)} -> {_short(self.after)}'
        )


def _strict(value: Any) -> Any:
    """Write NaN and infinities as strings: json has no word for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, list):
        return [_strict(v) for v in value]
    if isinstance(value, dict):
        return {key: _strict(v) for key, v in value.items()}
    return value


def _short(value: Any) -> str:
    text = json.dumps(_strict(value), ensure_ascii=False)
    return text if len(text) <= 80 else f'{text[:77]}...'


def as_text(changes: List[Change]) -> str:
    """List changes, one a line."""
    return ''.join(f'{change}\n' for change in changes)
