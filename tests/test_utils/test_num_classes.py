"""The annotation file decides how many classes a model has."""

import pytest
from mmengine.config import Config

from pmvis_mm.utils.errors import AnnotationError
from pmvis_mm.utils.fileio import dump_json
from pmvis_mm.utils.num_classes import set_num_classes, sync_num_classes


def config(dataset, switch=True, **kwargs):
    return Config(
        dict(
            num_classes_from_data=switch,
            model=dict(
                type='Any',
                num_classes=80,
                roi_head=dict(
                    bbox_head=[dict(num_classes=80), dict(num_classes=80)]
                ),
                neck=dict(channels=64),
            ),
            train_dataloader=dict(dataset=dataset),
            **kwargs,
        )
    )


def numbers(cfg):
    heads = cfg.model.roi_head.bbox_head
    return [cfg.model.num_classes, *(head.num_classes for head in heads)]


def write(path, number=3):
    dump_json(dict(categories=[dict(id=k) for k in range(number)]), path)
    return str(path)


def test_off_unless_asked_for(tmp_path):
    dataset = dict(ann_file=str(tmp_path / 'none.json'))
    silent = config(dataset)
    silent.pop('num_classes_from_data')
    for cfg in (config(dataset, switch=False), silent):
        assert sync_num_classes(cfg) is None
        assert numbers(cfg) == [80] * 3


def test_every_num_classes_follows(tmp_path):
    cfg = config(dict(ann_file=write(tmp_path / 'a.json')))
    assert sync_num_classes(cfg) == 3
    assert numbers(cfg) == [3] * 3
    assert cfg.model.neck == dict(channels=64)


def test_data_root_stands_before_relative_paths(tmp_path):
    absolute = write(tmp_path / 'a.json', 2)
    root = str(tmp_path)
    for dataset in (
        dict(data_root=root, ann_file='a.json'),
        dict(data_root='elsewhere', ann_file=absolute),
        dict(data_root=None, ann_file=absolute),
    ):
        cfg = config(dataset)
        assert sync_num_classes(cfg) == 2 and numbers(cfg) == [2] * 3


def test_wrapped_dataset(tmp_path):
    inner = dict(ann_file=write(tmp_path / 'a.json'))
    cfg = config(dict(type='A', dataset=dict(type='B', dataset=inner)))
    assert sync_num_classes(cfg) == 3


def test_classes_of_the_config_win(tmp_path):
    metainfo = dict(classes=('cat', 'dog'))
    for extra in ({}, dict(ann_file=str(tmp_path / 'none.json'))):
        cfg = config(dict(metainfo=metainfo, **extra))
        assert sync_num_classes(cfg) == 2 and numbers(cfg) == [2] * 3
    for metainfo in (None, {}):
        dataset = dict(metainfo=metainfo, ann_file=write(tmp_path / 'a.json'))
        assert sync_num_classes(config(dataset)) == 3


def test_training_data_counts_before_test_data(tmp_path):
    one = dict(ann_file=write(tmp_path / 'one.json', 1))
    four = dict(ann_file=write(tmp_path / 'four.json', 4))
    cfg = config(one, test_dataloader=dict(dataset=four))
    assert sync_num_classes(cfg) == 1
    cfg.train_dataloader = None
    assert sync_num_classes(cfg) == 4 and numbers(cfg) == [4] * 3
    gone = dict(ann_file=str(tmp_path / 'gone.json'))
    cfg = config(gone, test_dataloader=dict(dataset=four))
    assert sync_num_classes(cfg) == 4


def test_class_weights_follow():
    head = dict(num_classes=4, loss_cls=dict(class_weight=[1.0] * 4 + [0.1]))
    plain = dict(num_classes=4, loss_cls=dict(class_weight=2.0))
    model = dict(a=[head, (plain, dict(num_classes=4, loss_cls=None))])
    assert set_num_classes(model, 2) == 3
    assert head['num_classes'] == 2
    assert head['loss_cls']['class_weight'] == [1.0, 1.0, 0.1]
    assert plain == dict(num_classes=2, loss_cls=dict(class_weight=2.0))
    assert set_num_classes(dict(channels=3), 2) == 0


def test_missing_file_is_named(tmp_path):
    path = str(tmp_path / 'none.json')
    # Both data sets are named.
    test = dict(dataset=dict(ann_file='gone.json'))
    match = r'none\.json nor gone\.json\]\. Fix: check'
    with pytest.raises(AnnotationError, match=match):
        sync_num_classes(config(dict(ann_file=path), test_dataloader=test))
    with pytest.raises(AnnotationError, match='no annotation file') as info:
        sync_num_classes(config(dict(ann_file=path)))
    assert path in str(info.value)


def test_class_weights_without_no_object_and_of_other_length():
    plain = dict(num_classes=2, loss_cls=dict(class_weight=[0.5, 0.5]))
    other = dict(num_classes=2, loss_cls=dict(class_weight=[1.0]))
    assert set_num_classes([plain, other], 3) == 2
    assert plain['loss_cls']['class_weight'] == [0.5, 0.5, 0.5]
    assert other['loss_cls']['class_weight'] == [1.0]
