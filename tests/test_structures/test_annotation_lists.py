"""The lists of an annotation file."""

import pytest

from pmvis_mm.structures.annotation_lists import index_by_id, index_lists
from pmvis_mm.utils.errors import AnnotationError

VIDEOS, CATEGORIES = [dict(id=4), dict(id=0)], [dict(id=9, name='cat')]


def test_entries_by_id_in_the_order_of_the_file():
    data = dict(videos=VIDEOS, categories=CATEGORIES, annotations=None)
    videos, categories, annotations = index_lists(data, 'a.json')
    assert list(videos.items()) == [(4, dict(id=4)), (0, dict(id=0))]
    assert categories == {9: dict(id=9, name='cat')} and annotations == {}


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        ([], 'expected a json object, got list'),
        (dict(categories=CATEGORIES), '"videos" is missing or empty'),
        (dict(videos=VIDEOS, categories=[]), '"categories" is missing'),
        (
            dict(videos=VIDEOS, categories=CATEGORIES, annotations={1: 2}),
            '"annotations" is dict, not a list',
        ),
        (dict(videos=VIDEOS * 2, categories=CATEGORIES), 'video id 4'),
    ],
)
def test_malformed_lists(data, message):
    with pytest.raises(AnnotationError, match=message) as info:
        index_lists(data, 'a.json')
    assert info.value.file == 'a.json' and info.value.fix


@pytest.mark.parametrize('key', [None, '1', True, 2**63])
def test_ids_are_integers_of_64_bits(key):
    with pytest.raises(AnnotationError, match='video'):
        index_by_id([dict(id=key)], 'video', None)
