"""What there is to review in the work dir of a pipeline."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Mapping, Optional

from ..utils.errors import ConfigError
from ..utils.fileio import PathLike, dump_json, load_json

_NAME = 'inputs.json'


@dataclass
class ReviewInputs:
    """Files that the report of a pipeline was made from.

    Attributes:
        final (str): The masks that were chosen.
        sources (dict[str, str]): Candidates by name.
        ann_file (str): Annotated boxes.
        img_prefix (str): Folder of the frames.
    """

    final: str
    sources: Dict[str, str]
    ann_file: str
    img_prefix: str


def write_review_inputs(
    folder: PathLike,
    final: str,
    sources: Optional[Mapping[str, str]],
    ann_file: str,
    img_prefix: str,
) -> None:
    """Note what a report was made from, beside it.

    Masks are noted relative to the folder: a work dir may move.

    Args:
        folder (str | Path): Of the report.
        final (str): The masks that were chosen.
        sources (Mapping[str, str], optional): Candidates by name.
        ann_file (str): Annotated boxes.
        img_prefix (str): Folder of the frames.
    """
    names = {k: os.path.relpath(v, folder) for k, v in (sources or {}).items()}
    inputs = dict(
        final=os.path.relpath(final, folder),
        sources=names,
        ann_file=ann_file,
        img_prefix=img_prefix,
    )
    dump_json(inputs, Path(folder) / _NAME)


def find_review_inputs(work_dir: PathLike) -> ReviewInputs:
    """Find what a pipeline left.

    Args:
        work_dir (str | Path): Of the pipeline, or the folder of one of its
            reports.

    Returns:
        ReviewInputs: With paths that can be opened.

    Raises:
        ConfigError: If there is no report or more than one, or the note is
            malformed.
    """
    root = Path(work_dir)
    found = sorted(
        path
        for pattern in (_NAME, f'*/{_NAME}', f'*/*/{_NAME}')
        for path in root.glob(pattern)
    )
    if not found:
        raise ConfigError(
            'no pipeline has made a report here',
            file=work_dir,
            fix='run tools/labeling/run_pipeline.py to its end, or name the '
            'masks instead of --work-dir. A report of an older version is '
            'made again when its folder is deleted',
        )
    if len(found) > 1:
        raise ConfigError(
            'there are several reports here',
            file=work_dir,
            fix=f'name one of {[str(path.parent) for path in found]}',
        )
    entry, folder = load_json(found[0], ConfigError), found[0].parent
    try:
        return ReviewInputs(
            str(folder / entry['final']),
            {k: str(folder / v) for k, v in entry['sources'].items()},
            entry['ann_file'],
            entry['img_prefix'],
        )
    except (TypeError, KeyError, AttributeError):
        raise ConfigError(
            'this does not say what a report was made from',
            file=found[0],
            fix='delete the folder and run the pipeline again',
        ) from None
