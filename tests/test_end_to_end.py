"""The whole way: boxes in, masks, a trained model and a report out."""

import json
import subprocess
import sys

import cv2
import pytest

from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations


@pytest.fixture(scope='module')
def demo(tmp_path_factory):
    """Output folder of the demo, cut down to seconds of training."""
    from pathlib import Path

    root = Path(__file__).resolve().parents[1]
    out = tmp_path_factory.mktemp('demo')
    command = [sys.executable, str(root / 'demo/run_demo.py')]
    command += ['--out', str(out), '--num-videos', '4']
    command += ['--teacher-iters', '4', '--student-iters', '4']
    done = subprocess.run(
        command, cwd=out, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out, done.stdout


@pytest.mark.slow
def test_demo_says_where_to_look(demo):
    out, text = demo
    for name in ('AP50', str(out / 'report/report.html'), 'iter_4.pth'):
        assert name in text


@pytest.mark.slow
def test_demo_labels_from_boxes_only(demo):
    out, _ = demo
    boxes = json.loads((out / 'data/train/boxes.json').read_text())
    assert not any('segmentations' in a for a in boxes['annotations'])
    annotations = VideoAnnotations.from_file(out / 'data/train/boxes.json')
    final = PseudoMaskSet.load(out / 'final/masks.json')
    final.validate(annotations)
    assert final.num_masks == annotations.num_boxes
    assert set(final.source_counts()) <= {'prompted', 'predicted', 'flow'}


@pytest.mark.slow
def test_demo_filters_trains_and_evaluates(demo):
    out, _ = demo
    stats = json.loads((out / 'filtered/stats.json').read_text())
    assert stats['missing_data']['before'] > 0
    assert (out / 'student/iter_4.pth').is_file()
    metrics = json.loads((out / 'evaluation/metrics.json').read_text())
    assert {'vis/AP', 'vis/AP50', 'vis/AP75', 'vis/AR1', 'vis/AR10'} <= set(
        metrics
    )


@pytest.mark.slow
def test_demo_shows_masks(demo):
    out, _ = demo
    html = (out / 'report/report.html').read_text()
    assert 'http://' not in html and 'src="data:image' in html
    video = cv2.VideoCapture(str(next((out / 'overlay_masks').glob('*.mp4'))))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 8
