"""Finding parts of a download that lie in a wrong place."""

import os
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

from .layouts import IN_VIDEO_FOLDERS, Part

_ARCHIVES = ('.zip', '.tar', '.tar.gz', '.tgz')
# Folders of videos have thousands of entries: a few say what they are.
_MOST = 40
_PROBES = 3


def sorted_entries(folder: Path) -> List[Path]:
    """List some entries of a folder, sorted, hidden ones left out."""
    try:
        with os.scandir(folder) as entries:
            names = []
            for entry in entries:
                if not entry.name.startswith('.'):
                    names.append(entry.name)
                if len(names) == _MOST:
                    break
    except OSError:
        return []
    return [folder / name for name in sorted(names)]


def holds_frames(folder: Path, part: Part) -> bool:
    """Whether images lie in a folder as a part has them."""
    entries = sorted_entries(folder)
    if part.frames == IN_VIDEO_FOLDERS:
        videos = [entry for entry in entries if entry.is_dir()][:_PROBES]
        return any(_has_image(video, part.suffix) for video in videos)
    return _has_image(folder, part.suffix)


def _has_image(folder: Path, suffix: str) -> bool:
    return any(entry.suffix == suffix for entry in sorted_entries(folder))


def misplaced(part: Part, root: Path) -> Optional[Tuple[str, str]]:
    """Look for a part that is missing where it should be.

    Args:
        part (Part): The part.
        root (Path): Folder of the dataset.

    Returns:
        tuple[str], optional: What is wrong, and the fix; None if it was
        not found.
    """
    target = root / part.path
    if not root.is_dir():
        archive = unpacked_fix(root.parent, root, part)
        if archive:
            return 'the archive is not unpacked', archive
        return None
    if (root.resolve().parent / part.path).exists():
        return (
            f'{root} is one level too deep',
            f'name {root.parent} instead',
        )
    for folder in _inner_folders(root):
        found = folder / part.path
        if found.exists():
            return (
                f'one level too deep: it is {found}',
                f'mv {found} {target}' if folder in target.parents else
                f'mv {folder}/* {root}/, or name {folder} instead',
            )  # fmt: skip
    found_case = _other_case(root, part.path)
    if found_case is not None:
        return f'it is called {found_case}', f'mv {found_case} {target}'
    level = _level_missing(part, root)
    if level is not None:
        return level
    archive = unpacked_fix(root, root, part) or unpacked_fix(
        root.parent, root, part
    )
    if archive:
        return 'the archive is not unpacked', archive
    return _other_json(part, root)


def _inner_folders(root: Path) -> Iterator[Path]:
    """Folders one and two levels below."""
    level = [entry for entry in sorted_entries(root) if entry.is_dir()]
    yield from level
    for folder in level:
        yield from (e for e in sorted_entries(folder) if e.is_dir())


def _other_case(root: Path, path: str) -> Optional[Path]:
    """Find a path whose letters differ in case only."""
    found = root
    for name in Path(path).parts:
        matches = [
            entry
            for entry in sorted_entries(found)
            if entry.name.lower() == name.lower()
        ]
        if not matches:
            return None
        found = matches[0]
    return found


def _level_missing(part: Part, root: Path) -> Optional[Tuple[str, str]]:
    """Find videos right in the folder above the one they belong in."""
    parent, _, name = part.path.rpartition('/')
    if part.frames is None or not parent:
        return None
    folder = root / parent
    if not holds_frames(folder, part):
        return None
    return (
        f'one level too high: the videos lie in {folder}',
        f'mv {folder} {root / name} && mkdir {folder} && '
        f'mv {root / name} {folder}/',
    )


def unpacked_fix(
    folder: Path, target: Path, part: Optional[Part] = None
) -> str:
    """Say how to unpack an archive that lies in a folder.

    Args:
        folder (Path): Where to look.
        target (Path): Where its content belongs.
        part (Part, optional): What to look for: an archive that its source
            names, or is named as its first folder. Defaults to None: any.

    Returns:
        str: A command; '' if there is no archive.
    """
    for entry in sorted_entries(folder):
        if not entry.name.lower().endswith(_ARCHIVES) or not entry.is_file():
            continue
        stem = entry.name.split('.')[0]
        first = '' if part is None else part.path.split('/')[0]
        if part is not None and not (
            entry.name in part.source or stem == first
        ):
            continue
        command = 'unzip -q' if entry.suffix == '.zip' else 'tar xf'
        option = '-d' if entry.suffix == '.zip' else '-C'
        # An archive may or may not hold the folder that it is named after.
        return (
            f'{command} {entry} {option} {target}, then check again; if its '
            'files came without their folder, move them into one'
        )
    return ''


def _other_json(part: Part, root: Path) -> Optional[Tuple[str, str]]:
    """Find a json of the same split under another name."""
    if not part.path.endswith('.json'):
        return None
    split = 'train' if 'train' in part.path else 'val'
    for folder in (root, *_inner_folders(root)):
        for entry in sorted_entries(folder):
            relative = entry.relative_to(root).as_posix()
            if entry.suffix == '.json' and split in relative:
                return (
                    f'there is {relative} instead',
                    f'if this is the file: mv {entry} {root / part.path}',
                )
    return None
