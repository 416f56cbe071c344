"""The annotation file decides on the number of classes."""

import pytest
from mmengine.config import Config

from pmvis_mm.utils.errors import AnnotationError
from pmvis_mm.utils.fileio import dump_json
from pmvis_mm.utils.num_classes import set_num_classes, sync_num_classes


def config(tmp_path, **changes):
    categories = [dict(id=k, name=str(k)) for k in range(3)]
    dump_json(dict(categories=categories), tmp_path / 'boxes.json')
    cfg = dict(
        num_classes_from_data=True,
        model=dict(
            head=dict(
                num_classes=80,
                loss_cls=dict(class_weight=[1.0] * 80 + [0.1]),
            ),
            stages=[dict(num_classes=80), dict(other=1)],
        ),
        train_dataloader=dict(
            dataset=dict(data_root=str(tmp_path), ann_file='boxes.json')
        ),
    )
    cfg.update(changes)
    return Config(cfg)


def test_all_parts_of_the_model_follow(tmp_path):
    cfg = config(tmp_path)
    assert sync_num_classes(cfg) == 3
    assert cfg.model.head.num_classes == 3
    assert cfg.model.stages[0].num_classes == 3
    assert cfg.model.head.loss_cls.class_weight == [1.0, 1.0, 1.0, 0.1]


def test_nothing_happens_unasked(tmp_path):
    cfg = config(tmp_path, num_classes_from_data=False)
    assert sync_num_classes(cfg) is None
    assert cfg.model.head.num_classes == 80


def test_wrapped_dataset_and_chosen_classes(tmp_path):
    inner = dict(ann_file='gone.json', metainfo=dict(classes=('a', 'b')))
    wrapped = dict(dataset=dict(type='RepeatDataset', dataset=inner))
    cfg = config(tmp_path, train_dataloader=wrapped)
    assert sync_num_classes(cfg) == 2


def test_test_dataset_counts_where_the_other_is_not_there(tmp_path):
    gone = dict(dataset=dict(ann_file=str(tmp_path / 'gone.json')))
    here = dict(dataset=dict(ann_file=str(tmp_path / 'boxes.json')))
    cfg = config(tmp_path, train_dataloader=gone, test_dataloader=here)
    assert sync_num_classes(cfg) == 3


def test_no_annotation_file_at_all(tmp_path):
    gone = dict(dataset=dict(ann_file=str(tmp_path / 'gone.json')))
    with pytest.raises(AnnotationError, match=r'gone\.json.*Fix: check'):
        sync_num_classes(config(tmp_path, train_dataloader=gone))


def test_plain_dicts_work():
    model = dict(a=[dict(num_classes=1), (dict(num_classes=1),)])
    assert set_num_classes(model, 5) == 2
    assert model == dict(a=[dict(num_classes=5), (dict(num_classes=5),)])
