"""Checking annotation files: every finding of one pass, none of them fatal.

:func:`check_annotations` looks at the content of a file,
:func:`check_files` at files on disk with their frames and at their overlap.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from ..utils.errors import AnnotationError, ConfigError
from ..utils.fileio import load_json
from .boxes import check_boxes
from .categories import check_categories
from .content import Content
from .counts import DatasetCounts, count
from .findings import Findings
from .frames import DECODE, check_frames
from .masks import check_masks
from .names import check_names
from .splits import Split, compare_splits, describe_split
from .structure import check_structure
from .systematic import check_systematic
from .tracks import check_tracks

PathLike = Union[str, Path]


def check_annotations(
    data: Any,
    file: Optional[str] = None,
    box_only: bool = False,
    version: Optional[str] = None,
    clip_boxes: bool = False,
) -> Tuple[Findings, Content]:
    """Check the content of a YouTube-VIS style file; no frame is read.

    Args:
        data (Any): Content of the file; not changed.
        file (str, optional): Where it is from, for the findings.
        box_only (bool): Look at no mask and no area. Defaults to False.
        version (str, optional): A key of ``DATASET_CLASSES`` that the
            categories must agree with.
        clip_boxes (bool): Boxes that stick out are no error, as whoever
            reads the file clips them. Defaults to False.

    Returns:
        tuple: Everything found, and what can be used of the file.

    Raises:
        ConfigError: If the version is unknown.
    """
    found = Findings(file)
    content = check_structure(data, found, box_only)
    check_categories(content, found, version)
    check_names(content, found)
    odd = check_boxes(content, found, clip_boxes)
    alone = check_systematic(content, found, odd)
    check_tracks(content, found, box_only)
    if not box_only:
        alone |= check_masks(content, found)
    found.leave_alone(alone)
    return found, content


@dataclass
class FileReport:
    """What is known of one file.

    Attributes:
        file (str): Its path.
        findings (Findings): What was found in it.
        counts (DatasetCounts): What it holds.
    """

    file: str
    findings: Findings
    counts: DatasetCounts

    def to_json(self) -> Dict[str, Any]:
        """Turn into what goes to a json report."""
        return dict(
            file=self.file,
            counts=self.counts.to_json(),
            found=self.findings.counts,
            findings=[finding.to_json() for finding in self.findings],
        )


def check_files(
    files: Sequence[PathLike],
    img_prefixes: Sequence[PathLike] = (),
    decode: str = 'sample',
    num_samples: int = 200,
    box_only: bool = False,
    version: Optional[str] = None,
    clip_boxes: bool = False,
) -> Tuple[List[FileReport], Findings]:
    """Check files with their frames, and whether they overlap.

    One file is in memory at a time.

    Args:
        files (Sequence[str | Path]): YouTube-VIS style json files.
        img_prefixes (Sequence[str | Path]): Folders that frames are
            relative to, one for all files or one for each. Frames are not
            looked for without. Defaults to ().
        decode (str): 'none', 'sample' or 'all'; see :func:`check_frames`.
        num_samples (int): Frames decoded of each file with 'sample'.
            Defaults to 200.
        box_only (bool): See :func:`check_annotations`.
        version (str, optional): See there.
        clip_boxes (bool): See there.

    Returns:
        tuple: A report of every file, and findings about their overlap.

    Raises:
        ConfigError: If arguments do not fit one another.
    """
    prefixes = _prefix_of_each(files, img_prefixes)
    if decode not in DECODE:
        raise ConfigError(
            f'decode={decode!r} is unknown', fix=f'choose from {DECODE}'
        )
    reports: List[FileReport] = []
    splits: List[Split] = []
    for file, prefix in zip(map(str, files), prefixes):
        try:
            data = load_json(file)
        except AnnotationError as error:
            reports.append(_unreadable(file, error))
            continue
        found, content = check_annotations(
            data, file, box_only, version, clip_boxes
        )
        del data
        if prefix is not None:
            check_frames(content, prefix, found, decode, num_samples)
        if len(files) > 1:
            hashed = decode != 'none'
            splits.append(describe_split(content, file, prefix, hashed))
        reports.append(FileReport(file, found, count(content, box_only)))
    overlap = Findings()
    compare_splits(splits, overlap)
    return reports, overlap


def _unreadable(file: str, error: AnnotationError) -> FileReport:
    found = Findings(file)
    found.add('file-unreadable', error.problem)
    return FileReport(file, found, DatasetCounts())


def _prefix_of_each(
    files: Sequence[PathLike], prefixes: Sequence[PathLike]
) -> List[Optional[str]]:
    names = [str(Path(file).absolute()) for file in files]
    if len(set(names)) < len(names):
        raise ConfigError('a file is named twice', fix='name it once')
    if len(prefixes) not in (0, 1, len(files)):
        raise ConfigError(
            f'{len(prefixes)} image folders for {len(files)} files',
            fix='name one for all files, or one for each',
        )
    if not prefixes:
        return [None] * len(files)
    repeat = len(files) // len(prefixes)
    return [str(prefix) for prefix in list(prefixes) * repeat]
