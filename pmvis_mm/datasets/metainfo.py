"""Classes of the public video instance segmentation datasets and COCO."""

import colorsys
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..utils.class_names import (
    BDD100K_MOTS_CLASSES,
    COCO_CLASSES,
    DATASET_CLASSES,
    OVIS_CLASSES,
    YOUTUBE_VIS_2019_CLASSES,
    YOUTUBE_VIS_2021_CLASSES,
)
from ..utils.errors import AnnotationError, ConfigError

__all__ = [
    'BDD100K_MOTS_CLASSES',
    'COCO_CLASSES',
    'DATASET_CLASSES',
    'OVIS_CLASSES',
    'YOUTUBE_VIS_2019_CLASSES',
    'YOUTUBE_VIS_2021_CLASSES',
    'class_palette',
    'resolve_categories',
]


def class_palette(num_classes: int) -> List[Tuple[int, int, int]]:
    """Choose well separated colours, always the same for the same class.

    Args:
        num_classes (int): Number of classes.

    Returns:
        list[tuple[int]]: RGB, 0 to 255.
    """
    step = 0.618033988749895  # hues in golden steps never meet again
    palette = []
    for i in range(num_classes):
        saturation = (0.9, 0.6)[i // 8 % 2]
        value = (0.95, 0.7)[i // 4 % 2]
        red, green, blue = (
            round(255 * v)
            for v in colorsys.hsv_to_rgb(i * step % 1.0, saturation, value)
        )
        palette.append((red, green, blue))
    return palette


def resolve_categories(
    categories: Sequence[Dict[str, Any]],
    classes: Optional[Sequence[str]] = None,
    version: Optional[str] = None,
    file: Optional[str] = None,
) -> Dict[str, Any]:
    """Decide which category of a file has which label.

    Args:
        categories (Sequence[dict]): ``categories`` of the file, with ``id``
            and ``name``.
        classes (Sequence[str], optional): Classes to use, in the order of
            the labels; the other ones are left out. All by default, in the
            order of their ids.
        version (str, optional): A key of ``DATASET_CLASSES`` that the names
            must agree with; it also gives the order of the labels.
        file (str, optional): For the messages.

    Returns:
        dict: ``classes`` (tuple[str]), ``palette`` (list of RGB) and
        ``category_ids`` (tuple[int]), each indexed by label.

    Raises:
        AnnotationError: If names are missing or twice in the file, or
            disagree with the version.
        ConfigError: If the version or a class is unknown.
    """
    ids = _ids_by_name(categories, file)
    if version is not None:
        _check_version(ids, version, file)
    if isinstance(classes, str):
        raise ConfigError(
            f'`classes` is the string {classes!r}',
            fix=f'write a tuple: classes=({classes!r}, )',
        )
    if classes is None:
        classes = list(ids) if version is None else DATASET_CLASSES[version]
    unknown = [name for name in classes if name not in ids]
    if unknown or len(set(classes)) != len(classes):
        raise ConfigError(
            f'unknown classes {unknown}'
            if unknown
            else f'`classes` names a class twice: {list(classes)}',
            file=file,
            fix=f'choose from the names in the file: {list(ids)}',
        )
    return dict(
        classes=tuple(classes),
        palette=class_palette(len(classes)),
        category_ids=tuple(ids[name] for name in classes),
    )


def _ids_by_name(
    categories: Sequence[Dict[str, Any]], file: Optional[str]
) -> Dict[str, int]:
    """Map names to ids in ascending order of the ids.

    Sorted, so that a train and a validation file that list the same
    categories in another order agree on the labels.
    """
    ids: Dict[str, int] = {}
    for category in sorted(categories, key=lambda c: c['id']):
        name = category.get('name')
        if not isinstance(name, str) or not name:
            raise AnnotationError(
                f'category {category["id"]} has no name',
                file=file,
                fix='give every category a "name"',
            )
        if name in ids:
            raise AnnotationError(
                f'categories {ids[name]} and {category["id"]} are both '
                f'called {name!r}',
                file=file,
                fix='give every category a name of its own',
            )
        ids[name] = category['id']
    return ids


def _check_version(
    ids: Dict[str, int], version: str, file: Optional[str]
) -> None:
    if version not in DATASET_CLASSES:
        raise ConfigError(
            f'unknown dataset version {version!r}',
            fix=f'choose from {sorted(DATASET_CLASSES)}, or leave it out to '
            'take the classes from the file',
        )
    expected = DATASET_CLASSES[version]
    missing = [name for name in expected if name not in ids]
    surplus = [name for name in ids if name not in expected]
    if missing or surplus:
        raise AnnotationError(
            f'categories are not those of {version}: missing {missing}, '
            f'not expected {surplus}',
            file=file,
            fix='name the right file or version, or set version=None to '
            'take the classes from the file',
        )
