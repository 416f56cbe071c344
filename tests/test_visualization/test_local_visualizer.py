import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

pytest.importorskip('mmcv.ops', exc_type=ImportError)

import cv2
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks

from pmvis_mm.registry import VISUALIZERS
from pmvis_mm.structures.rle import encode
from pmvis_mm.visualization.local_visualizer import VISLocalVisualizer
from pmvis_mm.visualization.overlay import track_color

SIZE = (40, 60)
GREY = np.full((*SIZE, 3), 100, np.uint8)


def mask_of(*box):
    x0, y0, x1, y1 = box
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    return mask


MASKS = np.stack([mask_of(20, 22, 30, 36), mask_of(40, 22, 55, 36)])
FORMS = dict(
    rle=lambda: [encode(mask) for mask in MASKS],
    tensor=lambda: torch.from_numpy(MASKS),
    array=lambda: MASKS,
    bitmaps=lambda: BitmapMasks(MASKS.astype(np.uint8), *SIZE),
)


def instances(masks, scores=(0.9, 0.2), **kwargs):
    return InstanceData(
        instances_id=torch.tensor([3, 5]),
        labels=torch.tensor([1, 0]),
        scores=torch.tensor(scores),
        masks=masks,
        **kwargs,
    )


def painter(**kwargs):
    visualizer = VISLocalVisualizer(alpha=0.5, min_height=0, **kwargs)
    visualizer.dataset_meta = dict(classes=('bar', 'square'))
    return visualizer


def paint(tmp_path, found, **kwargs):
    """Paint on grey; returns the frame as RGB."""
    sample = DetDataSample(pred_track_instances=found)
    out = tmp_path / 'sub' / 'frame.png'
    kwargs = dict(dict(draw_gt=False, out_file=str(out)), **kwargs)
    painter().add_datasample('x', GREY, data_sample=sample, **kwargs)
    return cv2.imread(str(out))[..., ::-1]


@pytest.mark.parametrize('form', FORMS)
def test_masks_of_every_form_are_painted(form, tmp_path):
    painted = paint(tmp_path, instances(FORMS[form]()))
    assert painted.shape == (*SIZE, 3)
    # Inside of the mask: half grey, half the colour of track 3 (BGR there).
    expected = (100 + np.array(track_color(3)[::-1])) / 2
    assert np.abs(painted[30, 25] - expected).max() <= 1
    # The second instance is below the threshold of 0.3.
    assert (painted[22:36, 40:55] == 100).all()
    assert (painted[37:] == 100).all()


def test_all_forms_give_the_same_picture(tmp_path):
    pictures = [
        paint(tmp_path, instances(FORMS[form]()), pred_score_thr=0.1)
        for form in FORMS
    ]
    for picture in pictures[1:]:
        assert (picture == pictures[0]).all()
    assert (pictures[0][22:36, 40:55] != 100).any(-1).all()


@pytest.mark.parametrize('masks', [[], torch.zeros(0, *SIZE)])
def test_frame_without_instances_stays_as_it_is(masks, tmp_path):
    nothing = InstanceData(
        instances_id=torch.zeros(0, dtype=torch.long),
        labels=torch.zeros(0, dtype=torch.long),
        scores=torch.zeros(0),
        bboxes=torch.zeros(0, 4),
        masks=masks,
    )
    assert (paint(tmp_path, nothing) == GREY).all()
    assert (paint(tmp_path, InstanceData()) == GREY).all()


def test_boxes_and_empty_masks(tmp_path):
    empty = [encode(np.zeros(SIZE, bool))] * 2
    boxes = torch.tensor([[20.0, 22, 31, 37], [0, 0, 4, 4]])
    painted = paint(tmp_path, instances(empty, bboxes=boxes))
    color = track_color(3)[::-1]
    assert (painted[36, 20:31] == color).all()  # last row of the box
    assert (painted[24:36, 22:29] == 100).all()  # nothing inside
    without = paint(tmp_path, instances(empty))
    assert (without == GREY).all()  # no place for a text either


def test_instances_without_mask_are_painted_beside_others(tmp_path):
    boxes = torch.tensor([[20.0, 22, 31, 37], [40, 22, 55, 36]])
    found = instances([None, encode(MASKS[1])], (0.9, 0.9), bboxes=boxes)
    del found.labels
    painted = paint(tmp_path, found)
    assert (painted[30, 25] == 100).all()
    expected = (100 + np.array(track_color(5)[::-1])) / 2
    assert np.abs(painted[30, 50] - expected).max() <= 1


def test_text_names_class_track_and_score():
    visualizer = painter()
    found = instances(FORMS['rle']())
    assert visualizer._labels_of(found, [3, 5]) == [
        'square 3 0.90',
        'bar 5 0.20',
    ]
    visualizer.dataset_meta = dict(classes=('bar',))
    assert visualizer._labels_of(found, [3, 5])[0] == 'class 1 3 0.90'
    visualizer.dataset_meta = None
    del found.scores
    assert visualizer._labels_of(found, [3, 5]) == ['class 1 3', 'class 0 5']
    del found.labels
    assert visualizer._labels_of(found, [3, 5]) == ['3', '5']


def test_truth_beside_the_prediction(tmp_path):
    found = instances(FORMS['rle'](), scores=(0.9, 0.9))
    sample = DetDataSample(pred_track_instances=found)
    sample.gt_instances = InstanceData(
        instances_ids=torch.tensor([3, 5]),
        labels=torch.tensor([1, 0]),
        masks=FORMS['bitmaps'](),
    )
    out = tmp_path / 'frame.png'
    painter().add_datasample('x', GREY, sample, out_file=str(out))
    painted = cv2.imread(str(out))
    assert painted.shape == (SIZE[0], 2 * SIZE[1], 3)
    # Without the rows that their texts, with score or without, may cover.
    left, right = painted[:, :60], painted[:, 60:]
    for x in (25, 50):
        assert (left[22, x] != 100).any()
        assert (left[22, x] == right[22, x]).all()


def test_without_a_file_the_backends_get_the_frame(tmp_path):
    visualizer = VISLocalVisualizer(
        vis_backends=[dict(type='LocalVisBackend')], save_dir=str(tmp_path)
    )
    sample = DetDataSample(pred_track_instances=instances(FORMS['rle']()))
    visualizer.add_datasample('x', GREY, sample, draw_gt=False, step=7)
    (file,) = tmp_path.rglob('*.png')
    assert file.name == 'x_7.png'
    # 40 rows are enlarged sixfold, to 240.
    assert cv2.imread(str(file)).shape == (240, 360, 3)


def test_every_process_writes_its_frames(tmp_path, monkeypatch):
    monkeypatch.setattr(
        'mmengine.dist.utils.get_dist_info', lambda group=None: (1, 2)
    )
    painted = paint(tmp_path, instances(FORMS['rle']()))
    assert (painted[30, 25] != 100).any()
    visualizer = painter()
    assert visualizer.dataset_meta['classes'] == ('bar', 'square')
    sample = DetDataSample(pred_track_instances=instances(FORMS['rle']()))
    # What goes to the backends is the first one's business.
    visualizer.add_datasample('x', GREY, sample, draw_gt=False)


def test_default_runtime_builds_it(config_root):
    cfg = Config.fromfile(config_root / '_base_/default_runtime.py')
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        found = VISUALIZERS.build(dict(cfg.visualizer, vis_backends=[]))
    assert isinstance(found, VISLocalVisualizer)
