"""Check that the installed OpenMMLab packages fit."""

import re
from importlib import metadata
from typing import Dict, Optional, Sequence, Tuple

# import name -> (distributions that provide it, lowest, first unfit version)
WINDOWS: Dict[str, Tuple[Sequence[str], str, str]] = {
    'mmengine': (
        ('onedl-mmengine', 'mmengine', 'mmengine-lite'),
        '0.10.3',
        '1.0.0',
    ),
    'mmcv': (('onedl-mmcv', 'mmcv', 'mmcv-lite'), '2.1.0', '3.0.0'),
    'mmdet': (('onedl-mmdetection', 'mmdet'), '3.3.0', '4.0.0'),
}


def _digits(version: str) -> Tuple[int, ...]:
    """Turn '3.5.1rc2' into (3, 5, 1)."""
    match = re.match(r'\d+(\.\d+)*', version)
    return tuple(int(p) for p in match.group().split('.')) if match else (0,)


def _installed(name: str) -> Optional[str]:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_openmmlab_versions() -> None:
    """Compare the installed packages with the supported windows.

    A package that is absent is not an error here: the offline half works
    without mmcv's ops.

    Raises:
        ImportError: If a package is installed in a version that does not
            fit; the message names the window and the command that helps.
    """
    for module, (names, lowest, limit) in WINDOWS.items():
        for name in names:
            version = _installed(name)
            if version is None:
                continue
            if not _digits(lowest) <= _digits(version) < _digits(limit):
                raise ImportError(
                    f'pmvis_mm needs {module}>={lowest},<{limit}, but '
                    f'{name}=={version} is installed. Fix: pip install '
                    f'"{name}>={lowest},<{limit}"'
                )
