"""What the dataset checker found, and where."""

from dataclasses import dataclass, replace
from typing import AbstractSet, Any, Dict, Iterator, List, Optional, Tuple

from ..utils.errors import AnnotationError
from .rules import ERROR, LEFT_ALONE, NOTE, RULES, SEVERITIES, WARNING


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, doubtful or worth knowing.

    Attributes:
        code (str): A key of ``rules.RULES``; stays the same from version
            to version.
        problem (str): What is wrong, with the value.
        file (str, optional): Annotation file or image at fault.
        video (Any): Id of the video, as in the file.
        frame (int, optional): 0-based.
        instance (Any): Id of the annotation, as in the file.
        repaired (bool): Whether ``--fix`` repairs it.
    """

    code: str
    problem: str
    file: Optional[str] = None
    video: Any = None
    frame: Optional[int] = None
    instance: Any = None
    repaired: bool = False

    @property
    def severity(self) -> str:
        """str: 'error', 'warning' or 'note'."""
        return RULES[self.code].severity

    @property
    def fix(self) -> str:
        """str: What the user can do."""
        return RULES[self.code].fix

    def to_error(self, more: str = '') -> AnnotationError:
        """Make an error of it, to be raised.

        Args:
            more (str): Goes behind the fix. Defaults to ''.
        """
        return AnnotationError(
            self.problem,
            file=self.file,
            video=self.video,
            frame=self.frame,
            instance=self.instance,
            fix=self.fix + more,
        )

    def to_json(self) -> Dict[str, Any]:
        """Turn into what goes to a json report."""
        return dict(
            code=self.code,
            severity=self.severity,
            problem=self.problem,
            file=self.file,
            video=_plain(self.video),
            frame=self.frame,
            instance=_plain(self.instance),
            fix=self.fix,
            repaired_by_fix=self.repaired,
        )

    def __str__(self) -> str:
        return f'{self.severity}: {self.code}: {self.to_error()}'


def _plain(value: Any) -> Any:
    """Ids may be anything in a broken file; keep reports readable."""
    simple = value is None or isinstance(value, (int, float, str))
    return value if simple else repr(value)


class Findings:
    """Collects findings: all are counted, the first of each code are kept.

    Args:
        file (str, optional): Annotation file that findings are about.
        max_kept (int): Number kept of each code, so that a file that is
            wrong throughout does not fill the memory. Defaults to 1000.
    """

    def __init__(
        self, file: Optional[str] = None, max_kept: int = 1000
    ) -> None:
        self.file = file
        self.max_kept = max_kept
        self.counts: Dict[str, int] = {}
        self._kept: Dict[str, List[Finding]] = {}

    def add(
        self,
        code: str,
        problem: str,
        video: Any = None,
        frame: Optional[int] = None,
        instance: Any = None,
        file: Optional[str] = None,
        repaired: Optional[bool] = None,
        number: int = 1,
    ) -> None:
        """Note a finding.

        Args:
            code (str): A key of ``rules.RULES``.
            problem (str): What is wrong.
            video (Any): Id of the video.
            frame (int, optional): 0-based.
            instance (Any): Id of the annotation.
            file (str, optional): Other than that of the annotations.
            repaired (bool, optional): Whether ``--fix`` repairs it; by
                default as the rule has it.
            number (int): How many it stands for. Defaults to 1.
        """
        self.counts[code] = self.counts.get(code, 0) + number
        kept = self._kept.setdefault(code, [])
        if len(kept) >= self.max_kept:
            return
        if repaired is None:
            repaired = RULES[code].repaired
        where = self.file if file is None else file
        kept.append(
            Finding(code, problem, where, video, frame, instance, repaired)
        )

    def extend(self, other: 'Findings') -> None:
        """Add the findings of another file."""
        for code, number in other.counts.items():
            self.counts[code] = self.counts.get(code, 0) + number
            kept = self._kept.setdefault(code, [])
            kept += other._kept[code]

    def __iter__(self) -> Iterator[Finding]:
        """Errors first, then warnings and notes, each in order of finding."""
        for severity in SEVERITIES:
            for code, kept in self._kept.items():
                if RULES[code].severity == severity:
                    yield from kept

    def leave_alone(self, videos: AbstractSet[Any]) -> None:
        """Note that boxes and masks of some videos are not repaired.

        Args:
            videos (set): Their ids.
        """
        for code in LEFT_ALONE & {*self._kept} if videos else ():
            self._kept[code] = [
                replace(f, repaired=False) if f.video in videos else f
                for f in self._kept[code]
            ]

    def __len__(self) -> int:
        return sum(self.counts.values())

    def of(self, code: str) -> List[Finding]:
        """Give the kept findings of a code."""
        return list(self._kept.get(code, ()))

    @property
    def codes(self) -> Tuple[str, ...]:
        """tuple[str]: Codes that were found, in alphabetical order."""
        return tuple(sorted(self.counts))

    def number(self, severity: str) -> int:
        """Count the findings of a severity."""
        return sum(
            number
            for code, number in self.counts.items()
            if RULES[code].severity == severity
        )

    @property
    def num_errors(self) -> int:
        """int: Number of errors."""
        return self.number(ERROR)

    @property
    def num_warnings(self) -> int:
        """int: Number of warnings."""
        return self.number(WARNING)

    def summary(self) -> str:
        """Say how many there are: '2 errors, 1 warning, 0 notes'."""
        return ', '.join(
            f'{n} {severity}{"" if n == 1 else "s"}'
            for severity in (ERROR, WARNING, NOTE)
            for n in [self.number(severity)]
        )
