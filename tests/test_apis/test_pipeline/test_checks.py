"""What a dry run finds in the recipe of PM-VIS, all of it at once."""

import json
import shutil
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from pmvis_mm.apis.pipeline import Pipeline
from pmvis_mm.testing.tiny_idol import tiny_idol
from pmvis_mm.utils.errors import (
    AnnotationError,
    CheckpointError,
    ConfigError,
    FrameError,
)
from pmvis_mm.utils.fileio import dump_json


@pytest.fixture
def check(recipe_config, tmp_path):
    """Function that lists the problems of a config as (type, message)."""

    def run(**variables):
        cfg = recipe_config(**variables)
        found = Pipeline(cfg, tmp_path / 'work').check()
        return [(type(problem), str(problem)) for problem in found]

    return run


@pytest.fixture
def beside(world):
    """Function that names a checkpoint of the tiny world."""
    return lambda name: str(Path(world['hqsam_checkpoint']).with_name(name))


def changed(path, target, change):
    """Write a json, changed, as a new file."""
    content = json.loads(Path(path).read_text())
    change(content)
    dump_json(content, target)
    return str(target)


def rename_class(content):
    content['categories'][0]['name'] = 'unheard_of'


def test_nothing_is_wrong(check):
    assert check() == []
    assert check(supervision='pixel') == []


def test_missing_checkpoints(check):
    found = check(hqsam_checkpoint='no.pth', deaot_checkpoint='no2.pth')
    assert [kind for kind, _ in found] == [CheckpointError] * 2
    assert "stage 'hq-sam': checkpoint does not exist" in found[0][1]
    assert "stage 'track-multi': checkpoint does not exist" in found[1][1]
    assert 'no2.pth' in found[1][1]


def test_plain_sam_for_hq_sam(check, beside):
    ((kind, text),) = check(hqsam_checkpoint=beside('sam.pth'))
    assert kind is CheckpointError
    assert "stage 'hq-sam': a checkpoint of plain SAM" in text
    assert 'sam.pth' in text


def test_hq_sam_of_another_size(check):
    ((kind, text),) = check(hqsam_arch='vit_tiny')
    assert kind is CheckpointError
    assert 'lacks weights of the model: image_encoder' in text


def test_no_hq_sam_weights(check):
    ((kind, text),) = check(hqsam_checkpoint=None)
    assert kind is CheckpointError and 'weights would be random' in text


@pytest.mark.parametrize(
    'arch, file, message',
    [
        ('deaots', 'deaott.pth', 'lacks weights of the model: gpm.layers.1'),
        ('deaott', 'deaots.pth', "more layers than arch='deaott'"),
        ('deaott', 'idol.pth', 'lacks weights of the model'),
    ],
)
def test_deaot_of_another_variant(check, beside, arch, file, message):
    ((kind, text),) = check(deaot_arch=arch, deaot_checkpoint=beside(file))
    assert kind is CheckpointError
    assert text.startswith("stage 'track-multi': ") and message in text


def test_truncated_checkpoint(check, beside, tmp_path):
    path = tmp_path / 'cut.pth'
    path.write_bytes(Path(beside('hqsam.pth')).read_bytes()[:1000])
    ((kind, text),) = check(hqsam_checkpoint=str(path))
    assert kind is CheckpointError and 'not a checkpoint, or cut off' in text


def test_idol_boxinst(check, beside, world, tmp_path):
    assert check(boxinst_checkpoint=beside('idol.pth')) == []
    ((kind, text),) = check(boxinst_checkpoint=beside('deaott.pth'))
    assert kind is CheckpointError
    assert text.startswith("stage 'idol-boxinst-masks': ")
    # Trained on other classes, as many as the boxes have.
    model = tiny_idol(world['boxinst_config'])
    classes = ('a', 'b', 'c', 'd')
    meta = dict(dataset_meta=dict(classes=classes))
    path = tmp_path / 'other.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    ((kind, text),) = check(boxinst_checkpoint=str(path))
    assert kind is CheckpointError and 'knows other classes than' in text
    assert "not in the file ['a', 'b', 'c', 'd']" in text
    assert check(boxinst_checkpoint=str(path), check_classes=False) == []


def test_initial_weights_of_a_training(check):
    options = dict(load_from='nothing.pth')
    found = check(boxinst_options=options, final_options=options)
    assert [text.split(':')[0] for _, text in found] == [
        "stage 'idol-boxinst'",
        "stage 'pm-vis'",
    ]
    assert 'load_from=None in the options of this stage' in found[0][1]
    start = {
        'model.detector.backbone.init_cfg': dict(
            type='Pretrained', checkpoint='backbone.pth'
        )
    }
    ((kind, text),) = check(final_options=start)
    assert kind is CheckpointError
    assert 'starts from do not exist [file backbone.pth]' in text


def test_class_lists(check, world, config_root, tmp_path):
    # Boxes of other classes than the dataset of the config.
    version = {'train_dataloader.dataset.version': 'youtube_vis_2019'}
    found = check(boxinst_options=version)
    assert found[0][0] is AnnotationError
    assert 'categories are not those of youtube_vis_2019' in found[0][1]
    # A model with another number of classes.
    number = dict(num_classes_from_data=False)
    number['model.detector.bbox_head.num_classes'] = 7
    ((kind, text),) = check(boxinst_options=number)
    assert kind is ConfigError
    assert 'num_classes=7, but the training data have' in text
    # Videos to test on with other classes than those trained on.
    path = changed(world['val_ann_file'], tmp_path / 'v.json', rename_class)
    ((kind, text),) = check(val_ann_file=path)
    assert kind is ConfigError
    assert "stage 'evaluation': other classes than" in text
    assert "missing ['unheard_of']" in text


def test_missing_frames_are_counted(check, world, tmp_path):
    copy = tmp_path / 'frames'
    shutil.copytree(world['img_prefix'], copy)
    frame = sorted(copy.rglob('*.jpg'))[1]
    frame.unlink()
    ((kind, text),) = check(img_prefix=str(copy))
    assert kind is FrameError and str(frame) in text
    found = check(img_prefix=str(tmp_path / 'nowhere'))
    assert [kind for kind, _ in found] == [FrameError] * 4  # videos


def test_missing_configs(check):
    found = check(boxinst_config='a.py', pseudo_config='b.py')
    assert [kind for kind, _ in found] == [ConfigError] * 4
    names = [text.split("'")[1] for _, text in found]
    assert names[:3] == ['idol-boxinst', 'pm-vis', 'evaluation']
    assert 'config of the model not found' in found[3][1]


def test_broken_config(check, tmp_path):
    (tmp_path / 'c.py').write_text('x = 1 / 0\n')
    (kind, text), *_ = check(boxinst_config=str(tmp_path / 'c.py'))
    assert kind is ConfigError
    assert "stage 'idol-boxinst': ZeroDivisionError" in text


def test_annotations(check, world, tmp_path):
    def empty(content):
        content['annotations'] = []

    path = changed(world['ann_file'], tmp_path / 'e.json', empty)
    found = check(ann_file=path, truth_file=None)
    assert found == [
        (
            AnnotationError,
            f'no box in this file [file {path}]. Fix: add annotations',
        )
    ]
    # The weights are looked at all the same.
    both = check(ann_file=path, truth_file=None, hqsam_checkpoint='no.pth')
    assert [kind for kind, _ in both] == [AnnotationError, CheckpointError]


def test_truth(check, world, tmp_path):
    ((_, text),) = check(truth_file=world['val_ann_file'])
    assert 'other videos or instances than' in text
    ((_, text),) = check(truth_file=world['ann_file'])
    assert 'no masks in the file of real masks' in text
    ((kind, text),) = check(truth_file=None, supervision='pixel')
    assert kind is ConfigError and 'training on real masks needs some' in text


def test_selector_that_nobody_knows(check):
    hooks = [dict(type='GuessHook')]
    ((kind, text),) = check(
        choices=dict(
            recipe={'track-multi-shqm': dict(final_masks='@track-multi')},
            supervision=dict(
                box=dict(final_config='$pseudo_config', final_model='@pm-vis')
            ),
        ),
        select_hooks=hooks,
    )
    assert kind is ConfigError
    assert "stage 'track-multi': GuessHook is not in the registry" in text
