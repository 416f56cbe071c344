"""Which class of a video dataset an object of COCO belongs to."""

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from ..utils.errors import ConfigError
from .metainfo import DATASET_CLASSES, class_palette

# Bicycles are taken for motorbikes and skis for snowboards, as in the joint
# training of the public Mask2Former-video and MaskFreeVIS.
COCO_TO_YOUTUBE_VIS_2019 = dict(
    {
        'car': 'sedan',
        'motorcycle': 'motorbike',
        'bicycle': 'motorbike',
        'skis': 'snowboard',
        'tennis racket': 'tennis_racket',
    },
    **{
        name: name
        for name in (
            'person', 'airplane', 'train', 'truck', 'boat', 'cat', 'dog',
            'horse', 'cow', 'elephant', 'bear', 'zebra', 'giraffe',
            'snowboard', 'skateboard', 'surfboard',
        )
    },
)  # fmt: skip

COCO_TO_YOUTUBE_VIS_2021 = dict(
    COCO_TO_YOUTUBE_VIS_2019, car='car', bird='bird', frisbee='flying_disc'
)

CATEGORY_MAPS: Dict[str, Dict[str, str]] = dict(
    youtube_vis_2019=COCO_TO_YOUTUBE_VIS_2019,
    youtube_vis_2021=COCO_TO_YOUTUBE_VIS_2021,
    youtube_vis_2022=COCO_TO_YOUTUBE_VIS_2021,
)


def map_categories(
    categories: Sequence[Dict[str, Any]],
    category_map: Union[str, Mapping[str, str]],
    classes: Optional[Sequence[str]] = None,
    file: Optional[str] = None,
) -> Tuple[Dict[str, Any], Dict[int, int]]:
    """Give categories of a file the labels of another dataset.

    Args:
        categories (Sequence[dict]): ``categories`` of the file, with ``id``
            and ``name``.
        category_map (str | Mapping[str, str]): A key of ``CATEGORY_MAPS``,
            or the class for each name of a category.
        classes (Sequence[str], optional): Classes in the order of the
            labels. Defaults to all of the named dataset or, with a mapping,
            to its classes in the order in which they come first.
        file (str, optional): For the messages.

    Returns:
        tuple: ``metainfo`` with ``classes``, ``palette`` and
        ``category_ids`` of the labels (official ids count the classes of
        the named dataset from 1), and a dict from ids of the file to labels.

    Raises:
        ConfigError: If the map is unknown, or names a category that is not
            in the file or a class that is not in ``classes``.
    """
    names, known = _parse_map(category_map)
    chosen = known if classes is None else list(classes)
    official = isinstance(category_map, str)
    by_name = {category['name']: category['id'] for category in categories}
    # Of an official map fewer classes may be chosen, and the file may be a
    # part of COCO; one's own says what is there.
    _check_names(
        'categories of the file',
        [] if official and set(names) & set(by_name) else list(names),
        list(by_name),
        file,
    )
    if official:
        _check_names('classes', chosen, known, file)
    else:
        _check_names('classes', list(names.values()), chosen, file)
    numbers = known if official else chosen
    metainfo = dict(
        classes=tuple(chosen),
        palette=class_palette(len(chosen)),
        category_ids=tuple(numbers.index(name) + 1 for name in chosen),
    )
    labels = {
        by_name[old]: chosen.index(new)
        for old, new in names.items()
        if old in by_name and new in chosen
    }
    return metainfo, dict(sorted(labels.items()))


def _parse_map(
    category_map: Union[str, Mapping[str, str]],
) -> Tuple[Dict[str, str], List[str]]:
    """Read the map, and all classes that there are."""
    if not isinstance(category_map, str):
        return dict(category_map), list(dict.fromkeys(category_map.values()))
    if category_map not in CATEGORY_MAPS:
        raise ConfigError(
            f'category_map={category_map!r} is unknown',
            fix=f'choose from {sorted(CATEGORY_MAPS)}, or write a dict from '
            'names in the file to names of classes',
        )
    return CATEGORY_MAPS[category_map], list(DATASET_CLASSES[category_map])


def _check_names(
    what: str, names: Sequence[str], known: Sequence[str], file: Optional[str]
) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(
            f'category_map: {unknown[:9]} are not among the {what}',
            file=file,
            fix=f'choose from {list(known)}',
        )
