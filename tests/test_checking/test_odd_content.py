"""Whatever a file holds, the checker ends and misses no error of reading."""

import copy
import math
import random

import pytest

from pmvis_mm.checking import check_annotations, count, fix_annotations
from pmvis_mm.structures import parse_annotations
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.errors import AnnotationError

ODD = [
    None, True, 0, -1, 1, 2, 47.5, 1e300, math.nan, math.inf, 2**70, '', '1',
    'ä\\b/../c.png', [], [1], [1, 2, 3, 4], ['1', 2, 3, 4], [None] * 4,
    [[8, 6, 16, 6, 16, 14]], [[0] * 8], {}, {'size': [32, 48]},
    {'size': [32.0, 48], 'counts': 'a'}, {'size': [32, 48], 'counts': ''},
    {'size': [32, 48], 'counts': '²'}, {'size': [32, 48], 'counts': [1, 2]},
    {'size': [32, 48], 'counts': [2**70]}, {'id': 1}, {'id': [1]},
    10**400, [[0, 0, 10**400, 0, 4, 4]], [[0, 0, 1e308, 0, 4, 4]], '\ud800',
]  # fmt: skip
ODD.append(dict(box_rle((1, 1, 4, 4), 32, 48), size=[32.0, 48.0]))


def places(node, path=()):
    """Paths of all values inside of lists and dicts."""
    items = []
    if isinstance(node, dict):
        items = list(node.items())
    elif isinstance(node, list):
        items = list(enumerate(node))
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def spoil(data, rng):
    """Replace or remove a value somewhere."""
    *path, last = rng.choice(list(places(data)))
    node = data
    for key in path:
        node = node[key]
    if rng.random() < 0.2:
        del node[last]
    else:
        node[last] = copy.deepcopy(rng.choice(ODD))


@pytest.mark.parametrize('seed', range(6))
def test_odd_values(data, seed):
    rng = random.Random(seed)
    for _ in range(30):
        odd = copy.deepcopy(data)
        for _ in range(rng.choice([1, 1, 2, 5])):
            spoil(odd, rng)
        for box_only in (False, True):
            found, content = check_annotations(odd, box_only=box_only)
            [finding.to_json() for finding in found]
            count(content, box_only).tables()
            try:
                parse_annotations(odd, with_masks=not box_only)
            except AnnotationError as error:
                # Reading looks at the length of lists of masks either way.
                if not (box_only and 'segmentations' in error.problem):
                    assert found.num_errors, error
        fix_annotations(odd)
        fixed = repr(odd)
        assert fix_annotations(odd) == []
        assert repr(odd) == fixed
