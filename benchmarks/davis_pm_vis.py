"""PM-VIS on real video, from boxes alone.

Labels 12 sequences of DAVIS from their boxes (GrabCut, a salient-object
network on each box, optical flow, chosen among by SHQM), trains the small
PM-VIS on boxes and these masks, with a MobileNetV2 trained on ImageNet below,
and tests it on the same videos: how well it has learned what it was shown,
not how it would do on others. Finished stages are kept: the same command goes
on after an interruption.

``--data`` is a folder with ``JPEGImages/``, ``instances_box_only.json``,
``masks_isnet_from_box.json`` and, to judge only, ``instances.json``
(YouTube-VIS style). ``--weights`` has the names of torchvision.

    OMP_NUM_THREADS=1 python benchmarks/davis_pm_vis.py \
        --data davis_mini --weights mobilenet_v2.pth --out work_dirs/davis

The last line is one JSON object (``ap_pseudo``: AP of the masks themselves,
with the true boxes' classes); beside the stages, ``losses.png`` and the
videos ``overlay_masks/`` (what was trained on) and ``overlay_predictions/``.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List

import matplotlib
from _curves import last_layer_terms, read_losses
from mmengine.config import Config

from pmvis_mm.apis import Pipeline
from pmvis_mm.evaluation.functional import evaluate_tracks, measure_masks
from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations

matplotlib.use('Agg')

import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
CONVERTER = ROOT / 'tools/model_converters/torchvision_mobilenetv2.py'
CONFIG = 'pm_vis/pm-vis_mobilenet-v2_1xb4-2k_own-pseudo.py'
TRAIN_SCALE = 'train_dataloader.dataset.pipeline.1.transforms.2.scale'
TEST_SCALE = 'test_dataloader.dataset.pipeline.0.transforms.1.scale'


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--data', required=True)
    parser.add_argument('--weights', required=True)
    parser.add_argument('--out', default='work_dirs/davis_pm_vis')
    parser.add_argument('--iters', type=int, default=2000)
    parser.add_argument('--batch-size', type=int, default=4)
    parser.add_argument(
        '--scale',
        type=int,
        nargs=2,
        default=[320, 180],
        help='longer and shorter side that frames must fit in',
    )
    return parser.parse_args()


def label_stages(data: Path) -> List[dict]:
    """Stages that make masks from boxes."""
    names = ('grabcut', 'isnet', 'flow')
    return [
        dict(name='grabcut', type='label', config='labeling/grabcut_doob.py'),
        dict(
            name='isnet',
            type='label',
            config='labeling/import_doob.py',
            priors=dict(imported=str(data / 'masks_isnet_from_box.json')),
        ),
        dict(
            name='flow',
            type='label',
            config='labeling/flow_doob.py',
            priors=dict(predicted='@grabcut', prompted='@isnet'),
            options={'model.keyframe_interval': 10},
        ),
        dict(
            name='final',
            type='label',
            config='labeling/select_shqm.py',
            priors=dict(
                grabcut='@grabcut',
                isnet='@isnet',
                flow='@flow:stages/raw.json',
            ),
            options={
                'test_dataloader.dataset.priors._delete_': True,
                'model.name': names[0],
                'custom_hooks.0.candidates': f'[{",".join(names)}]',
            },
        ),
    ]


def model_stages(args: argparse.Namespace, backbone: Path) -> List[dict]:
    """Stages that train, test and draw."""
    scale = '({},{})'.format(*args.scale)
    train = {
        'model.detector.backbone.init_cfg.checkpoint': str(backbone),
        'model.mask_head.mask_losses.pairwise.warmup_iters': args.iters // 4,
        'train_cfg.max_iters': args.iters,
        'param_scheduler.1.end': args.iters,
        'param_scheduler.1.milestones': f'[{args.iters * 4 // 5}]',
        'train_dataloader.batch_size': args.batch_size,
        TRAIN_SCALE: scale,
    }
    return [
        dict(
            name='model',
            type='train',
            config=CONFIG,
            pseudo='@final',
            options=train,
        ),
        dict(
            name='test',
            type='test',
            config=CONFIG,
            checkpoint='@model',
            options={TEST_SCALE: scale},
        ),
        dict(name='overlay_masks', type='overlay', masks='@final'),
        dict(name='overlay_predictions', type='overlay', metrics='@test'),
    ]


def run(args: argparse.Namespace) -> Dict[str, str]:
    """Label, train, test and draw; returns outputs by stage."""
    data, out = Path(args.data).resolve(), Path(args.out).resolve()
    backbone = out / 'mobilenet_v2_mm.pth'
    command = [sys.executable, str(CONVERTER), args.weights, str(backbone)]
    subprocess.run(command, check=True)
    stages = label_stages(data) + model_stages(args, backbone)
    return Pipeline(
        Config(dict(stages=stages)),
        out,
        ann_file=data / 'instances_box_only.json',
        img_prefix=data / 'JPEGImages',
        truth_file=data / 'instances.json',
    ).run()


def ap_of_masks(masks: PseudoMaskSet, truth: VideoAnnotations) -> float:
    """AP of a prediction that repeats what was trained on."""
    predictions = [
        dict(
            video_id=track.video_id,
            category_id=track.category_id,
            score=1.0,
            segmentations=track.masks,
        )
        for tracks in masks.tracks.values()
        for track in tracks
    ]
    return evaluate_tracks(predictions, truth).summary()['AP']


def draw(out: Path) -> Path:
    """Draw the loss and the terms of the last decoder layer."""
    rows = read_losses(out / 'model')
    steps = [row['step'] for row in rows]
    names = ['loss', *last_layer_terms(rows)]
    figure, axes = plt.subplots(2, 5, figsize=(15, 5), squeeze=False)
    for axis, name in zip(axes.flat, names):
        axis.plot(steps, [row.get(name) for row in rows])
        axis.set(title=name, ylim=(0, None))
    for axis in axes.flat[len(names) :]:
        axis.axis('off')
    figure.tight_layout()
    path = out / 'losses.png'
    figure.savefig(path, dpi=100)
    plt.close(figure)
    return path


def main() -> None:
    """Run everything and print the figures."""
    args = parse_args()
    start = time.perf_counter()
    outputs = run(args)
    print(f'plot: {draw(Path(args.out))}')
    truth = VideoAnnotations.from_file(
        Path(args.data) / 'instances.json', with_masks=True
    )
    pseudo = PseudoMaskSet.load(outputs['final'])
    metrics = json.loads(Path(outputs['test']).read_text())
    result: Dict[str, Any] = dict(
        ap=metrics['vis/AP'],
        ap50=metrics['vis/AP50'],
        ap_pseudo=ap_of_masks(pseudo, truth),
        iters=args.iters,
        batch_size=args.batch_size,
        minutes=(time.perf_counter() - start) / 60,
        mask_iou_pseudo=measure_masks(pseudo, truth).summary()['miou'],
    )
    print(json.dumps(result))


if __name__ == '__main__':
    main()
