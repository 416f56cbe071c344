"""Defects of categories."""

import pytest

from pmvis_mm.utils.class_names import DATASET_CLASSES
from pmvis_mm.utils.errors import ConfigError


def rename(data, names):
    data['categories'] = [
        dict(id=i, name=name) for i, name in enumerate(names, 1)
    ]
    # One track of each, so that all are used.
    data['annotations'] = [
        dict(
            id=i,
            video_id=1 + i % 2,
            category_id=i,
            bboxes=[[i % 40, i % 20, 3, 3 + i % 7]] * 4,
        )
        for i in range(1, len(names) + 1)
    ]


@pytest.mark.parametrize('name', [None, '', 3])
def test_no_name(data, one, name):
    data['categories'][1]['name'] = name
    _, problem = one(data, 'category-unnamed')
    assert problem == 'category 2 has no name'


@pytest.mark.parametrize('name', [' square', 'square\t', ' '])
def test_blanks_around_a_name(data, one, name):
    data['categories'][1]['name'] = name
    _, problem = one(data, 'category-blanks')
    assert problem == f'category 2 is called {name!r}, with blanks around'


def test_one_name_twice(data, one):
    data['categories'][1]['name'] = 'square'
    _, problem = one(data, 'category-duplicate-name')
    assert problem == "categories 1 and 2 are both called 'square'"


def test_unused(data, one):
    data['categories'] += [dict(id=i, name=f'c{i}') for i in (3, 4, 5)]
    _, problem = one(data, 'category-unused')
    assert problem.endswith("have no annotation: 'c3', 'c4', 'c5'")
    assert problem.startswith('3 of 5 ')


def test_names_of_the_version(data, found_in):
    rename(data, DATASET_CLASSES['ovis'])
    found_in(data, version='ovis')


def test_spelling_of_ovis(data, one):
    names = list(DATASET_CLASSES['ovis'][:-1]) + ['Vehicle']
    rename(data, names)
    for options, code in (
        (dict(version='ovis'), 'category-not-in-version'),
        ({}, 'category-near-version'),
    ):
        _, problem = one(data, code, **options)
        assert problem == (
            "category 'Vehicle' is not one of ovis; it is spelled "
            "'Vehical' there"
        )


def test_classes_missing(data, found_in):
    rename(data, DATASET_CLASSES['ovis'][:20])
    found = found_in(data, 'category-not-in-version', version='ovis')
    assert found.of('category-not-in-version')[0].problem == (
        "categories of ovis missing: 'Bicycle', 'Motorcycle', 'Airplane', "
        "'Boat', 'Vehical'"
    )


def test_own_classes_are_no_version(data, found_in):
    found_in(data)


def test_unknown_version(data, found_in):
    with pytest.raises(ConfigError, match="unknown dataset version 'x'"):
        found_in(data, version='x')
