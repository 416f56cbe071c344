"""What a stage depends on, by content: the reason to run it again or not."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

from mmengine.config import Config

from ...utils.errors import PMVISError
from ...utils.fileio import dump_json, file_sha256, load_json

# What each tool reads of a config, apart from what only changes the log.
_COMMON = (
    'default_scope',
    'custom_imports',
    'model',
    'custom_hooks',
    'load_from',
    'randomness',
    'env_cfg',
)
_TEST = (*_COMMON, 'test_dataloader', 'test_cfg', 'num_classes_from_data')
CONFIG_KEYS: Mapping[str, Sequence[str]] = dict(
    # The evaluator judges masks, it does not change them.
    label=_TEST,
    test=(*_TEST, 'test_evaluator'),
    train=(
        *_COMMON,
        'train_dataloader',
        'train_cfg',
        'optim_wrapper',
        'param_scheduler',
        'auto_scale_lr',
        'default_hooks',
        'data_preprocessor',
        'num_classes_from_data',
        'allow_partial_load',
        'runner_type',
    ),
)


def digest(value: Any) -> str:
    """Hash plain data; 16 hex digits."""
    text = json.dumps(value, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class ContentHashes:
    """SHA-256 of files, each computed once while size and time stay.

    Args:
        cache_file (Path): Where the hashes are kept from run to run.
    """

    def __init__(self, cache_file: Path) -> None:
        self.cache_file = cache_file
        self._known: Dict[str, List[Any]] = {}
        self._frames: Dict[str, str] = {}
        if cache_file.is_file():
            try:
                self._known = dict(load_json(cache_file))
            except (PMVISError, TypeError, ValueError):
                pass  # a broken cache costs time, nothing else

    def file(self, path: Any) -> str:
        """Hash a file; 64 hex digits.

        Configs count by what they and their bases say.
        """
        path = Path(path).resolve()
        if path.suffix == '.py':
            try:
                return digest(Config.fromfile(str(path)).to_dict())
            except Exception:  # Python, but no config
                pass
        stat = path.stat()
        entry = self._known.get(str(path))
        if entry is None or entry[:2] != [stat.st_size, stat.st_mtime_ns]:
            entry = [stat.st_size, stat.st_mtime_ns, file_sha256(path)]
            self._known[str(path)] = entry
            dump_json(self._known, self.cache_file)
        return entry[2]

    def frames(self, ann_file: str, img_prefix: str) -> str:
        """Hash names and sizes of the frames that a file lists."""
        name = f'{self.file(ann_file)} {img_prefix}'
        if name not in self._frames:
            self._frames[name] = digest(_sizes(ann_file, img_prefix))
        return self._frames[name]


def config_parts(
    cfg: Mapping[str, Any],
    keys: Sequence[str],
    hashes: ContentHashes,
    frame_folders: Sequence[str] = (),
) -> Dict[str, str]:
    """Hash the parts of a config and every file that they name.

    Args:
        cfg (Mapping): Resolved config.
        keys (Sequence[str]): Top-level keys that count.
        hashes (ContentHashes): Of files.
        frame_folders (Sequence[str]): Folders that count as a listing
            elsewhere; here their place does not matter.

    Returns:
        dict[str, str]: Hash by name: a top-level key, or the dotted path of
        a value that is a file.
    """
    files: Dict[str, str] = {}
    folders = [folder.rstrip('/') for folder in frame_folders]

    def plain(value: Any, name: str) -> Any:
        if isinstance(value, Mapping):
            return {str(k): plain(v, f'{name}.{k}') for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(v, f'{name}.{i}') for i, v in enumerate(value)]
        if isinstance(value, (str, Path)):
            if str(value).rstrip('/') in folders:
                return '<frames>'
            if is_file(value):
                files[name] = hashes.file(value)
                return '<file>'
        return value

    parts = {key: digest(plain(cfg[key], key)) for key in keys if key in cfg}
    return {**parts, **files}


def is_file(value: Any) -> bool:
    """Tell whether a value names a file that exists."""
    text = str(value)
    if os.sep not in text and '.' not in text:
        return False  # the type of a module, say
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long or with a NUL: not a path
        return False


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> List[str]:
    """Name what differs."""
    return sorted(n for n in {*old, *new} if old.get(n) != new.get(n))


def _sizes(ann_file: str, img_prefix: str) -> List[Any]:
    """List the frames with their sizes, None for one that is missing."""
    videos = load_json(ann_file)['videos']
    names = [name for video in videos for name in video['file_names']]
    sizes: Dict[str, Dict[str, int]] = {}
    for folder in {os.path.dirname(name) for name in names}:
        try:
            with os.scandir(os.path.join(img_prefix, folder)) as entries:
                sizes[folder] = {e.name: e.stat().st_size for e in entries}
        except OSError:
            sizes[folder] = {}
    return [
        [name, sizes[os.path.dirname(name)].get(os.path.basename(name))]
        for name in names
    ]
