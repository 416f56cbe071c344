"""See the product do its job: boxes in, masks, a model and a report out.

Without arguments it makes ShapesVIS, a small synthetic dataset, hides its
masks, and finds them again from the boxes.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from mmengine.config import Config

from pmvis_mm.apis import Pipeline
from pmvis_mm.datasets.shapes_vis import write_shapes_vis

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / 'configs/labeling/pipeline_weights-free.py'
SHAPES_MODEL = (
    'mask2former_video/mask2former-video_r18_1xb4-1k_shapesvis-pseudo.py'
)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', default=str(ROOT / 'demo_out'))
    parser.add_argument(
        '--num-videos', type=int, default=60, help='ShapesVIS to train on'
    )
    parser.add_argument('--teacher-iters', type=int, default=300)
    parser.add_argument('--student-iters', type=int, default=600)
    return parser.parse_args()


def main() -> None:
    """Make the data, run the pipeline, print where to look."""
    args = parse_args()
    start = time.perf_counter()
    out = Path(args.out)
    train, val = out / 'data/train', out / 'data/val'
    write_shapes_vis(train, args.num_videos, num_frames=8, seed=0)
    write_shapes_vis(val, max(args.num_videos // 3, 2), num_frames=8, seed=1)
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict(
        dict(
            train_config=SHAPES_MODEL,
            teacher_iters=args.teacher_iters,
            student_iters=args.student_iters,
        )
    )
    outputs = Pipeline(
        cfg,
        out,
        ann_file=train / 'boxes.json',
        img_prefix=train / 'JPEGImages',
        truth_file=train / 'instances.json',
        val_ann_file=val / 'instances.json',
        val_img_prefix=val / 'JPEGImages',
    ).run()
    metrics = json.loads(Path(outputs['evaluation']).read_text())
    print(f'\nDone in {(time.perf_counter() - start) / 60:.1f} minutes.')
    print('Model trained from boxes alone, on videos it never saw:')
    for key, value in metrics.items():
        if key.startswith('vis/'):
            print(f'  {key[4:]:5s} {value:.3f}')
    print('Look at:')
    print(f'  report               {outputs["report"]}')
    print(f'  pseudo masks         {outputs["final"]}')
    print(f'  videos with masks    {outputs["overlay_masks"]}')
    print(f'  predicted videos     {outputs["overlay_predictions"]}')
    print(f'  trained model        {outputs["student"]}')
    print('Accept, reject or exchange the masks of tracks in a browser:')
    print(
        f'  {sys.executable} tools/labeling/review.py run --work-dir {out} '
        f'--out {out}/review --open'
    )


if __name__ == '__main__':
    main()
