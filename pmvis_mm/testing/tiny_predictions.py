"""Two tiny videos with two classes, and made-up predictions of them.

Video 0 shows a bar in both frames and a square in the first one, video 5 a
square. A prediction of a frame is a tuple (id, label, score, mask); masks
are bool, (8, 10).
"""

import json
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import numpy as np
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.structures import InstanceData

from ..structures.rle import box_rle, encode

Found = Tuple[int, int, float, np.ndarray]
Change = Callable[[int, int, List[Found]], List[Found]]

SIZE = (8, 10)
# Ids neither contiguous nor sorted: label 0 is category 7.
CATEGORIES = [dict(id=7, name='bar'), dict(id=3, name='square')]
META = dict(classes=('bar', 'square'))
LABELS = dict(bar=0, square=1)
REAL: Dict[Tuple[int, int], Dict[int, Tuple[str, Tuple[int, ...]]]] = {
    (0, 0): {0: ('bar', (0, 0, 2, 8)), 1: ('square', (4, 1, 8, 5))},
    (0, 1): {0: ('bar', (1, 0, 3, 8))},
    (5, 0): {2: ('square', (2, 2, 6, 6))},
    (5, 1): {2: ('square', (3, 2, 7, 6))},
}


def dense(*box: int) -> np.ndarray:
    """Fill a half-open box, xyxy: bool, (8, 10)."""
    x0, y0, x1, y1 = box
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def write_truth(folder: Union[str, Path]) -> str:
    """Write the real tracks as YouTube-VIS json; returns its path."""
    annotations = []
    for key, video, name in (
        (0, 0, 'bar'),
        (1, 0, 'square'),
        (2, 5, 'square'),
    ):
        boxes = [REAL[video, t].get(key, (None, None))[1] for t in range(2)]
        annotations.append(
            dict(
                id=key,
                video_id=video,
                category_id={c['name']: c['id'] for c in CATEGORIES}[name],
                bboxes=[
                    b and [b[0], b[1], b[2] - b[0], b[3] - b[1]] for b in boxes
                ],
                segmentations=[b and box_rle(b, *SIZE) for b in boxes],
            )
        )
    videos = [
        dict(
            id=video,
            width=SIZE[1],
            height=SIZE[0],
            file_names=[f'{video}/{t}.png' for t in range(2)],
        )
        for video in (0, 5)
    ]
    path = Path(folder, 'real.json')
    data = dict(videos=videos, categories=CATEGORIES, annotations=annotations)
    path.write_text(json.dumps(data))
    return str(path)


def frame(
    video: int, t: int, found: Sequence[Found], as_rle: bool = False
) -> DetDataSample:
    """Make the data sample of a frame."""
    sample = DetDataSample(
        metainfo=dict(video_id=video, frame_id=t, ori_video_length=2)
    )
    masks: Any = [mask for *_, mask in found]
    if as_rle:
        masks = [encode(mask) for mask in masks]
    else:
        masks = torch.from_numpy(np.array(masks).reshape(-1, *SIZE))
    sample.pred_track_instances = InstanceData(
        bboxes=torch.zeros(len(found), 4),
        scores=torch.tensor([score for _, _, score, _ in found]),
        labels=torch.tensor([label for _, label, *_ in found]).long(),
        instances_id=torch.tensor([key for key, *_ in found]).long(),
        masks=masks,
    )
    return sample


def perfect(video: int, t: int, score: float = 0.9) -> List[Found]:
    """Predict what is real."""
    return [
        (key, LABELS[name], score, dense(*box))
        for key, (name, box) in REAL[video, t].items()
    ]


def clip(*frames: DetDataSample) -> TrackDataSample:
    """Make the data sample of a clip."""
    sample = TrackDataSample()
    sample.video_data_samples = list(frames)
    return sample


def whole(
    change: Optional[Change] = None, as_rle: bool = False
) -> List[TrackDataSample]:
    """Predict both videos.

    Args:
        change (Callable, optional): Gives the predictions of a frame, from
            video, frame and the perfect ones. Defaults to None.
        as_rle (bool): Whether masks are RLE. Defaults to False.

    Returns:
        list[TrackDataSample]: One clip for each video.
    """
    clips = []
    for video in (0, 5):
        samples = []
        for t in range(2):
            found = perfect(video, t)
            if change is not None:
                found = change(video, t, found)
            samples.append(frame(video, t, found, as_rle))
        clips.append(clip(*samples))
    return clips


def judged(
    video: int, rows: Sequence[Tuple[int, int, int, float]]
) -> TrackDataSample:
    """Predict a video, with what the model says of its tracks.

    Args:
        video (int): 0 or 5.
        rows (Sequence[tuple]): Id, first frame that counts, label, score.

    Returns:
        TrackDataSample: The clip.
    """
    sample = clip(*(frame(video, t, perfect(video, t)) for t in range(2)))
    ids, starts, labels, scores = (torch.tensor(c) for c in zip(*rows))
    sample.pred_tracks = InstanceData(
        instances_id=ids, start_frames=starts, labels=labels, scores=scores
    )
    return sample


def evaluate(
    metric: BaseMetric,
    clips: Sequence[TrackDataSample],
    meta: Mapping[str, Any] = META,
) -> Dict[str, float]:
    """Run a metric over clips, as a test loop does."""
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = meta
    for sample in clips:
        evaluator.process(data_samples=[sample], data_batch=None)
    return evaluator.evaluate(2)  # a dataset of two videos


def written(
    metric: BaseMetric,
    clips: Sequence[TrackDataSample],
    meta: Mapping[str, Any] = META,
) -> Tuple[Dict[str, float], List[Dict[str, Any]]]:
    """Run ``VISMetric``; returns metrics and the tracks of its file."""
    metrics = evaluate(metric, clips, meta)
    with open(f'{metric.outfile_prefix}.results.json') as file:
        return metrics, json.load(file)
