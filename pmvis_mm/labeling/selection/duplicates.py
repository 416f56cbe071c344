"""One mask predicted under several classes is one prediction."""

from typing import Collection, Dict, FrozenSet, List, Sequence, Tuple

from ...structures import RLE


def merge_duplicates(
    masks: Sequence[RLE], labels: Sequence[Collection[int]]
) -> Tuple[List[RLE], List[FrozenSet[int]]]:
    """Merge equal masks of a frame; their classes are united.

    A model with multi-class output lists one mask several times, once for
    each class that it thinks possible (PM-VIS' IDOL-BoxInst does). In a
    one-to-one assignment the copies would compete with other masks for
    instances; merged, every mask serves one instance at most.

    Args:
        masks (Sequence[RLE]): N masks of one size.
        labels (Sequence[Collection[int]]): Classes of each.

    Returns:
        tuple: The different masks, in the order of their first copies, and
        the classes of each.

    Raises:
        ValueError: If there are not as many labels as masks.
    """
    if len(masks) != len(labels):
        raise ValueError(
            f'{len(masks)} masks have labels for {len(labels)} of them'
        )
    places: Dict[Tuple[int, int, str], int] = {}
    united: List[FrozenSet[int]] = []
    kept: List[RLE] = []
    for mask, own in zip(masks, labels):
        height, width = mask['size']
        place = places.setdefault((height, width, mask['counts']), len(kept))
        if place == len(kept):
            kept.append(mask)
            united.append(frozenset(own))
        else:
            united[place] |= frozenset(own)
    return kept, united
