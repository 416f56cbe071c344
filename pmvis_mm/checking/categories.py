"""Names of the categories."""

import difflib
from typing import Any, Dict, List, Optional, Sequence, Set

from ..utils.class_names import DATASET_CLASSES
from ..utils.errors import ConfigError
from .content import Content, listed
from .findings import Findings

# Share of names in common from which on a file is taken for a dataset.
_NEAR = 0.9


def check_categories(
    content: Content, found: Findings, version: Optional[str] = None
) -> None:
    """Check names, use, and agreement with a public dataset.

    Args:
        content (Content): The usable part of a file.
        found (Findings): Gets what is wrong.
        version (str, optional): A key of ``DATASET_CLASSES`` that the names
            must agree with.

    Raises:
        ConfigError: If the version is unknown.
    """
    if version is not None and version not in DATASET_CLASSES:
        raise ConfigError(
            f'unknown dataset version {version!r}',
            fix=f'choose from {sorted(DATASET_CLASSES)}',
        )
    names = _check_names(content, found)
    _check_use(content, found)
    if version is not None:
        _compare(names, version, 'category-not-in-version', found)
    elif names:
        near = _nearest(names)
        if near is not None:
            _compare(names, near, 'category-near-version', found)


def _check_names(content: Content, found: Findings) -> List[str]:
    ids: Dict[str, Any] = {}
    for category in sorted(content.categories, key=lambda c: c['id']):
        name = category.get('name')
        if not isinstance(name, str) or not name:
            found.add(
                'category-unnamed', f'category {category["id"]} has no name'
            )
            continue
        if name != name.strip():
            found.add(
                'category-blanks',
                f'category {category["id"]} is called {name!r}, with blanks '
                'around',
            )
        if name in ids:
            found.add(
                'category-duplicate-name',
                f'categories {ids[name]} and {category["id"]} are both '
                f'called {name!r}',
            )
        else:
            ids[name] = category['id']
    return list(ids)


def _check_use(content: Content, found: Findings) -> None:
    used: Set[Any] = set()
    tracks = 0
    for track in content.tracks:
        tracks += 1
        category = track.entry.get('category_id')
        if isinstance(category, int):
            used.add(category)
    unused = [
        category.get('name') or category['id']
        for category in content.categories
        if category['id'] not in used
    ]
    # A few are usual in the smaller splits; the counts show them.
    if tracks and len(unused) > len(content.categories) / 2:
        found.add(
            'category-unused',
            f'{len(unused)} of {len(content.categories)} categories have no '
            f'annotation: {listed(unused)}',
        )


def _nearest(names: Sequence[str]) -> Optional[str]:
    """Find the dataset that a file is of, but for a spelling or two."""
    best, version = 0.0, None
    for key, classes in DATASET_CLASSES.items():
        common = len(set(names) & set(classes))
        share = common / max(len(classes), len(names))
        if share > best:
            best, version = share, key
    return version if _NEAR <= best < 1 else None


def _compare(
    names: Sequence[str], version: str, code: str, found: Findings
) -> None:
    expected = DATASET_CLASSES[version]
    missing = [name for name in expected if name not in names]
    for name in names:
        if name in expected:
            continue
        text = f'category {name!r} is not one of {version}'
        close = difflib.get_close_matches(name, missing, 1)
        if close:
            missing.remove(close[0])
            text += f'; it is spelled {close[0]!r} there'
        found.add(code, text)
    if missing and code == 'category-not-in-version':
        found.add(code, f'categories of {version} missing: {listed(missing)}')
