"""Comparing what is on disk with the download of a public dataset."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Optional, Tuple, Union

from ..utils.errors import ConfigError, PMVISError
from ..utils.fileio import load_json
from .layout_search import (
    holds_frames,
    misplaced,
    sorted_entries,
    unpacked_fix,
)
from .layouts import LAYOUTS, Layout, Part, get_layout
from .metainfo import DATASET_CLASSES
from .vos_folders import read_names

# From good to bad; the last two make a check fail.
STATES = ('ok', 'note', 'not there', 'missing', 'wrong')


@dataclass(frozen=True)
class Finding:
    """What was found of one part of a dataset.

    Attributes:
        part (Part): The part.
        state (str): 'ok'; 'note': usable, but look at it; 'not there': a
            part that nobody must have; 'missing'; 'wrong': there, but not
            as it should be.
        problem (str): What is wrong; '' if nothing is.
        fix (str): What to do about it.
    """

    part: Part
    state: str
    problem: str = ''
    fix: str = ''

    @property
    def failed(self) -> bool:
        """Whether the shipped configs would stop."""
        return self.state in ('missing', 'wrong')


def check_layout(
    name: str, root: Optional[Union[str, Path]] = None
) -> List[Finding]:
    """Compare a folder with the download of a dataset.

    Reads the annotation files, and looks for the frames of the first, the
    middle and the last of their videos. Usual mistakes are named: archives
    that were not unpacked, a folder too many or too few, files of another
    year, split or dataset.

    Args:
        name (str): A key of ``layouts.LAYOUTS``.
        root (str | Path, optional): Folder of the dataset. Defaults to
            None: where the shipped configs expect it.

    Returns:
        list[Finding]: One for each part, in the order of the layout.

    Raises:
        ConfigError: If there is no such dataset, or the root is a file.
    """
    layout = get_layout(name)
    folder = Path(layout.root if root is None else root)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(
            'this is a file, not a folder',
            file=folder,
            fix='name the folder that holds the unpacked dataset',
        )
    return [_check_part(layout, part, folder) for part in layout.parts]


def _check_part(layout: Layout, part: Part, root: Path) -> Finding:
    path = root / part.path
    if not path.exists():
        return _absent(layout, part, root)
    if part.frames is not None:
        problem, fix = _check_folder(part, path)
        return Finding(part, 'wrong' if problem else 'ok', problem, fix)
    try:
        if path.suffix == '.json':
            return _check_json(layout, part, root)
        return _check_list(part, root)
    except PMVISError as error:
        return Finding(part, 'wrong', error.problem, error.fix or '')


def _absent(layout: Layout, part: Part, root: Path) -> Finding:
    """Tell where a missing part is, or where to get it."""
    if part.instead is not None and (root / part.instead).exists():
        return Finding(part, 'not there', f'{part.instead} is there instead')
    state = 'missing' if part.required else 'not there'
    found = misplaced(part, root)
    if found is not None:
        return Finding(part, 'missing', *found)
    if part.source.startswith('python '):
        return Finding(part, state, 'not made yet', part.get(root))
    how = 'unpack it so that this is'
    if part.source.startswith(Path(part.path).name):  # no archive
        how = 'put it at'
    return Finding(
        part,
        state,
        'does not exist',
        f'get {part.source} from {layout.url} and {how} {root / part.path}',
    )


def _check_folder(part: Part, path: Path) -> Tuple[str, str]:
    """Say what is wrong with a folder of images: problem and fix."""
    if not path.is_dir():
        return 'this is a file, not a folder', f'unpack {part.source} here'
    if holds_frames(path, part):
        return '', ''
    if not sorted_entries(path):
        return 'the folder is empty', f'unpack {part.source} here'
    archive = unpacked_fix(path, path)
    if archive:
        return 'the archive is not unpacked', archive
    for inner in sorted_entries(path):
        if inner.is_dir() and holds_frames(inner, part):
            return (
                f'one level too deep: the images are in {inner.name}/',
                f'mv {inner}/* {path}/',
            )
    if any(entry.suffix == part.suffix for entry in sorted_entries(path)):
        return (
            'the images lie in this folder, not in one folder per video',
            f'unpack {part.source} again, with its folders',
        )
    return f'no {part.suffix} images in it', f'unpack {part.source} again'


# ------------------------------------------------------------- json files
def _check_json(layout: Layout, part: Part, root: Path) -> Finding:
    path = root / part.path
    data = load_json(path)
    key = 'images' if layout.version == 'coco' else 'videos'
    entries = data.get(key) if isinstance(data, dict) else None
    if not entries or not isinstance(entries, (list, dict)):
        return Finding(
            part,
            'wrong',
            f'"{key}" is missing or empty',
            f'this is not the file of {layout.title}; {part.get(root)}',
        )
    problem = _check_content(layout, part, data)
    fix = part.get(root)
    if not problem and part.images is not None:
        problem, fix = _check_frames(part, entries, root)
    if problem:
        return Finding(part, 'wrong', problem, fix)
    return _count(part, len(entries), key, root)


def _check_content(layout: Layout, part: Part, data: Any) -> str:
    """Compare classes and annotations with those of the official file."""
    if layout.version is None:  # YouTube-VOS tells classes by object
        return ''
    names = {
        str(entry.get('name'))
        for entry in data.get('categories') or ()
        if isinstance(entry, dict)
    }
    if names != set(DATASET_CLASSES[layout.version]):
        return (
            f'its {len(names)} classes are those of {_owner(names)}, not of '
            f'{layout.title}'
        )
    if part.labelled and not data.get('annotations'):
        return 'it has no annotations: the file of a validation or test set'
    return ''


def _owner(names: set) -> str:
    """Tell which datasets have these classes."""
    titles = [
        layout.title
        for layout in LAYOUTS.values()
        if layout.version and names == set(DATASET_CLASSES[layout.version])
    ]
    return ' or '.join(titles) or 'another dataset'


def _check_frames(part: Part, entries: Any, root: Path) -> Tuple[str, str]:
    """Look for first and last frames of some videos."""
    assert part.images is not None
    folder = root / part.images
    if not folder.is_dir():
        return '', ''  # said of that part
    for index in sorted({0, len(entries) // 2, len(entries) - 1}):
        entry = entries[index]
        if not isinstance(entry, dict):
            return f'entry number {index} is {entry!r:.40}', part.get(root)
        names = entry.get('file_names') or [entry.get('file_name')]
        if not isinstance(names, list):
            names = [names]
        for name in (names[0], names[-1]):
            if not isinstance(name, str) or not (folder / name).is_file():
                return (
                    f'its frame {name} is not in {part.images}/',
                    'unpack the archive of the same year and split as the '
                    'json; file names are relative to that folder',
                )
    return '', ''


def _check_list(part: Part, root: Path) -> Finding:
    """Check a text file of names."""
    return _count(part, len(read_names(str(root / part.path))), 'videos', root)


def _count(part: Part, found: int, what: str, root: Path) -> Finding:
    """Compare the number of videos with that of the official file."""
    if part.number in (None, found):
        return Finding(part, 'ok')
    others = [
        f'{layout.title}, {other.path}'
        for layout in LAYOUTS.values()
        for other in layout.parts
        if other.number == found
    ]
    hint = f', that of {others[0]} too' if others else ''
    return Finding(
        part,
        'note',
        f'{found} {what}{hint}; the official file has {part.number}',
        f'fine if you made it so; else {part.get(root)}',
    )
