"""Classes of the public video instance segmentation datasets and COCO."""

import colorsys
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..utils.errors import AnnotationError, ConfigError

YOUTUBE_VIS_2019_CLASSES = (
    'person', 'giant_panda', 'lizard', 'parrot', 'skateboard', 'sedan',
    'ape', 'dog', 'snake', 'monkey', 'hand', 'rabbit', 'duck', 'cat', 'cow',
    'fish', 'train', 'horse', 'turtle', 'bear', 'motorbike', 'giraffe',
    'leopard', 'fox', 'deer', 'owl', 'surfboard', 'airplane', 'truck',
    'zebra', 'tiger', 'elephant', 'snowboard', 'boat', 'shark', 'mouse',
    'frog', 'eagle', 'earless_seal', 'tennis_racket',
)  # fmt: skip

# YouTube-VIS 2022 adds longer validation videos to the same classes.
YOUTUBE_VIS_2021_CLASSES = (
    'airplane', 'bear', 'bird', 'boat', 'car', 'cat', 'cow', 'deer', 'dog',
    'duck', 'earless_seal', 'elephant', 'fish', 'flying_disc', 'fox', 'frog',
    'giant_panda', 'giraffe', 'horse', 'leopard', 'lizard', 'monkey',
    'motorbike', 'mouse', 'parrot', 'person', 'rabbit', 'shark',
    'skateboard', 'snake', 'snowboard', 'squirrel', 'surfboard',
    'tennis_racket', 'tiger', 'train', 'truck', 'turtle', 'whale', 'zebra',
)  # fmt: skip

# 'Vehical' is how the official files spell it.
OVIS_CLASSES = (
    'Person', 'Bird', 'Cat', 'Dog', 'Horse', 'Sheep', 'Cow', 'Elephant',
    'Bear', 'Zebra', 'Giraffe', 'Poultry', 'Giant_panda', 'Lizard', 'Parrot',
    'Monkey', 'Rabbit', 'Tiger', 'Fish', 'Turtle', 'Bicycle', 'Motorcycle',
    'Airplane', 'Boat', 'Vehical',
)  # fmt: skip

# Of the segmentation tracking set, in the order of its bitmasks.
BDD100K_MOTS_CLASSES = (
    'pedestrian', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle',
    'bicycle',
)  # fmt: skip

# In the order of the ids of the official files, which leave numbers out.
COCO_CLASSES = (
    'person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train',
    'truck', 'boat', 'traffic light', 'fire hydrant', 'stop sign',
    'parking meter', 'bench', 'bird', 'cat', 'dog', 'horse', 'sheep', 'cow',
    'elephant', 'bear', 'zebra', 'giraffe', 'backpack', 'umbrella', 'handbag',
    'tie', 'suitcase', 'frisbee', 'skis', 'snowboard', 'sports ball', 'kite',
    'baseball bat', 'baseball glove', 'skateboard', 'surfboard',
    'tennis racket', 'bottle', 'wine glass', 'cup', 'fork', 'knife', 'spoon',
    'bowl', 'banana', 'apple', 'sandwich', 'orange', 'broccoli', 'carrot',
    'hot dog', 'pizza', 'donut', 'cake', 'chair', 'couch', 'potted plant',
    'bed', 'dining table', 'toilet', 'tv', 'laptop', 'mouse', 'remote',
    'keyboard', 'cell phone', 'microwave', 'oven', 'toaster', 'sink',
    'refrigerator', 'book', 'clock', 'vase', 'scissors', 'teddy bear',
    'hair drier', 'toothbrush',
)  # fmt: skip

DATASET_CLASSES: Dict[str, Tuple[str, ...]] = dict(
    youtube_vis_2019=YOUTUBE_VIS_2019_CLASSES,
    youtube_vis_2021=YOUTUBE_VIS_2021_CLASSES,
    youtube_vis_2022=YOUTUBE_VIS_2021_CLASSES,
    ovis=OVIS_CLASSES,
    bdd100k_mots=BDD100K_MOTS_CLASSES,
    coco=COCO_CLASSES,
)


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
