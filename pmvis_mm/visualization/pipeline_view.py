"""Pictures and summaries of samples, at any stage of a pipeline."""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import torch
from mmdet.structures.mask import BaseInstanceMasks
from mmengine.structures import BaseDataElement

from ..structures.video_annotations import Box
from ..testing.leak import find_masks
from .overlay import MIN_HEIGHT, draw_instances
from .overlay_labels import font_size, render_text

_IGNORED = 255
_COLUMNS = 5
_GAP = 8
_BACKGROUND = 40
_PAPER = 255


@dataclass
class FrameView:
    """What a sample has of one frame.

    Attributes:
        image (np.ndarray, optional): uint8, (H, W, 3), BGR; None before the
            frame is loaded.
        title (str): Which frame it is.
        ids (list[int]): Per instance the id of its track.
        labels (list[str]): Per instance class and id.
        boxes (list[Box | None]): Per instance half-open xyxy, pixels.
        masks (list[np.ndarray | None]): Per instance bool, (H, W).
    """

    image: Optional[np.ndarray] = None
    title: str = ''
    ids: List[int] = field(default_factory=list)
    labels: List[str] = field(default_factory=list)
    boxes: List[Optional[Box]] = field(default_factory=list)
    masks: List[Optional[np.ndarray]] = field(default_factory=list)


@dataclass
class ClipView:
    """What a sample is at a stage: its frames and a summary in lines."""

    frames: List[FrameView]
    summary: List[str]


def view_sample(
    results: Any,
    classes: Optional[Sequence[str]] = None,
    single: bool = False,
) -> ClipView:
    """Look at a sample, packed or not; nothing of it is kept.

    Args:
        results (dict): Of a transform: lists over the frames of a clip, one
            frame, or ``inputs`` and ``data_samples``.
        classes (Sequence[str], optional): Names of the labels.
        single (bool): Whether it is one frame of a clip. Defaults to False.

    Returns:
        ClipView: With copies of images and masks.
    """
    summary = summarize(results)
    if 'data_samples' in results:
        frames = _view_packed(results, classes)
    elif single or not isinstance(results.get('img'), list):
        frames = [_view_frame(results, classes)]
    else:
        count = len(results['img'])
        frames = [
            _view_frame(_take_frame(results, t, count), classes)
            for t in range(count)
        ]
    return ClipView(frames, summary)


def _take_frame(results: Mapping, t: int, count: int) -> Dict[str, Any]:
    return {
        key: value[t]
        for key, value in results.items()
        if isinstance(value, list) and len(value) == count
    }


# ------------------------------------------------------------ before packing
def _view_frame(
    results: Mapping[str, Any], classes: Optional[Sequence[str]]
) -> FrameView:
    image = results.get('img')
    if image is None:
        return FrameView(None, _title(results))
    view = FrameView(_as_image(image), _title(results))
    if results.get('gt_seg_map') is not None:
        _add_label_map(view, np.asarray(results['gt_seg_map']))
        return view
    flags = results.get('gt_ignore_flags')
    _add_instances(
        view,
        dict(
            bboxes=results.get('gt_bboxes'),
            masks=results.get('gt_masks'),
            labels=results.get('gt_bboxes_labels'),
            ids=results.get('gt_instances_ids'),
        ),
        classes,
        None if flags is None else np.asarray(flags).astype(bool),
    )
    return view


def _title(results: Mapping[str, Any]) -> str:
    parts = []
    if results.get('frame_id') is not None:
        parts.append(f'frame {results["frame_id"]}')
    if results.get('key_frame_flags') is True:
        parts.append('key')
    if results.get('flip'):
        parts.append('flipped')
    return ', '.join(parts)


def _as_image(image: Any) -> np.ndarray:
    """Copy an image of any type as uint8, (H, W, 3)."""
    image = np.asarray(image)
    if image.dtype != np.uint8:
        image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    if image.ndim == 2:
        image = image[..., None]
    if image.shape[2] == 1:
        image = np.repeat(image, 3, axis=2)
    return np.array(image, order='C')


def _add_label_map(view: FrameView, labels: np.ndarray) -> None:
    """Add the objects of a map: 0 background, 255 not to be judged."""
    for number in np.unique(labels):
        if number == 0:
            continue
        ignored = number == _IGNORED
        view.ids.append(int(number))
        view.labels.append('ignored' if ignored else str(number))
        view.boxes.append(None)
        view.masks.append(labels == number)


def _add_instances(
    view: FrameView,
    found: Mapping[str, Any],
    classes: Optional[Sequence[str]],
    ignored: Optional[np.ndarray] = None,
) -> None:
    """Add instances of one frame; what a stage has not yet is left out."""
    boxes, masks = found.get('bboxes'), found.get('masks')
    given = [v for v in (boxes, masks, found.get('labels')) if v is not None]
    if not given or view.image is None:
        return
    count = len(given[0])
    ids = found.get('ids')
    # Images have no tracks: their instances are counted.
    view.ids += _numbers(np.arange(count) if ids is None else ids)
    names = _names(found.get('labels'), count, classes)
    crowd = [False] * count if ignored is None else ignored.tolist()
    view.labels += [
        ' '.join(filter(None, [name, str(key), 'crowd' if flag else '']))
        for name, key, flag in zip(names, view.ids[-count:], crowd)
    ]
    view.boxes += _as_boxes(boxes, count)
    view.masks += _as_masks(masks, count, view.image.shape[:2])


def _numbers(values: Any) -> List[int]:
    return [int(value) for value in values]


def _names(
    labels: Any, count: int, classes: Optional[Sequence[str]]
) -> List[str]:
    if labels is None:
        return [''] * count
    return [
        str(classes[n]) if classes and n < len(classes) else f'class {n}'
        for n in _numbers(labels)
    ]


def _as_boxes(boxes: Any, count: int) -> List[Optional[Box]]:
    if boxes is None:
        return [None] * count
    # mmdet's box structures hold a tensor.
    array = np.asarray(getattr(boxes, 'tensor', boxes)).reshape(-1, 4)
    return [(box[0], box[1], box[2], box[3]) for box in array.tolist()]


def _as_masks(
    masks: Any, count: int, size: Tuple[int, int]
) -> List[Optional[np.ndarray]]:
    """Copy masks; images may be padded, bottom and right, masks not."""
    if masks is None:
        return [None] * count
    if isinstance(masks, BaseInstanceMasks):
        masks = masks.to_ndarray()
    dense: List[Optional[np.ndarray]] = []
    for mask in np.asarray(masks).astype(bool):
        padded = np.zeros(size, bool)
        height, width = np.minimum(mask.shape, size)
        padded[:height, :width] = mask[:height, :width]
        dense.append(padded)
    return dense


# ------------------------------------------------------------- after packing
def _view_packed(
    results: Mapping[str, Any], classes: Optional[Sequence[str]]
) -> List[FrameView]:
    inputs, sample = results['inputs'], results['data_samples']
    clip = inputs if inputs.ndim == 4 else inputs[None]
    images = [_as_image(frame.permute(1, 2, 0).numpy()) for frame in clip]
    if 'gt_label_maps' in sample:
        ids = sample.frame_ids
        views = [FrameView(im, f'frame {t}') for im, t in zip(images, ids)]
        for view, labels in zip(views, sample.gt_label_maps.data):
            _add_label_map(view, labels.numpy())
        return views
    samples = list(sample) if hasattr(sample, '__len__') else [sample]
    keys = sample.get('key_frames_inds')
    views = []
    for t, (image, one) in enumerate(zip(images, samples)):
        meta = dict(
            one.metainfo, key_frame_flags=keys is not None and t in keys
        )
        view = FrameView(image, _title(meta) + _padding(meta, image))
        for part in ('gt_instances', 'ignored_instances'):
            found = one.get(part)
            if found is None or not len(found):
                continue
            ignored = np.full(len(found), part == 'ignored_instances')
            values = dict(found.items(), ids=found.get('instances_ids'))
            _add_instances(view, values, classes, ignored)
        views.append(view)
    return views


def _padding(meta: Mapping[str, Any], image: np.ndarray) -> str:
    """Tell the size of a frame that was padded."""
    height, width = meta.get('img_shape', image.shape)[:2]
    if (height, width) == image.shape[:2]:
        return ''
    return f', {width}x{height} in'


# --------------------------------------------------------------- the picture
def draw_clip(
    frames: Sequence[FrameView],
    title: str,
    alpha: float = 0.5,
    min_height: int = MIN_HEIGHT,
) -> Optional[np.ndarray]:
    """Draw the frames of a clip side by side, five in a row.

    Args:
        frames (Sequence[FrameView]): Of the clip.
        title (str): Above all.
        alpha (float): Opacity of the masks. Defaults to 0.5.
        min_height (int): As of ``draw_instances``. Defaults to 240.

    Returns:
        np.ndarray, optional: uint8, (H, W, 3), BGR; None if no frame has an
        image yet.
    """
    cells = [
        _draw_cell(frame, alpha, min_height)
        for frame in frames
        if frame.image is not None
    ]
    if not cells:
        return None
    columns = min(len(cells), _COLUMNS)
    height = max(cell.shape[0] for cell in cells) + _GAP
    width = max(cell.shape[1] for cell in cells) + _GAP
    heading = _text_strip(title, columns * width + _GAP, height, _PAPER)
    top = heading.shape[0] + _GAP
    rows = -(-len(cells) // columns)
    canvas = np.full(
        (top + rows * height, columns * width + _GAP, 3), _BACKGROUND, np.uint8
    )
    canvas[: heading.shape[0]] = heading
    for i, cell in enumerate(cells):
        y, x = top + i // columns * height, _GAP + i % columns * width
        canvas[y : y + cell.shape[0], x : x + cell.shape[1]] = cell
    return canvas


def _draw_cell(frame: FrameView, alpha: float, min_height: int) -> np.ndarray:
    """Draw a frame below its title and size."""
    image = frame.image
    assert image is not None
    painted = draw_instances(
        image,
        frame.masks,
        frame.ids,
        frame.labels,
        frame.boxes,
        alpha=alpha,
        min_height=min_height,
    )
    size = f'{image.shape[1]}x{image.shape[0]}'
    text = f'{frame.title}  {size}'.strip()
    strip = _text_strip(text, painted.shape[1], painted.shape[0], 200)
    return np.vstack([strip, painted])


def _text_strip(text: str, width: int, height: int, paper: int) -> np.ndarray:
    """Write dark on a light strip; letters as large as those of labels."""
    size = font_size(height, width)
    ink = render_text(text, size)
    if ink.shape[1] > width:  # a narrow picture
        size = max(6, size * width // ink.shape[1])
        ink = render_text(text, size)
    strip = np.full((ink.shape[0], width, 3), paper, np.uint8)
    ink = ink[:, :width, None]
    strip[:, : ink.shape[1]] = paper * (1 - ink / 255.0)
    return strip


# --------------------------------------------------------------- the summary
def summarize(results: Mapping[str, Any]) -> List[str]:
    """Describe a sample: keys, shapes and types, and whether it has masks.

    Args:
        results (Mapping): As of :func:`view_sample`.

    Returns:
        list[str]: One line per key, those of data samples below them, and
        at last where masks are, or 'masks: none'.
    """
    lines: List[str] = []
    for key in results:
        _describe(key, results[key], '', lines)
    places = find_masks(results)
    # Label maps are masks, too.
    if 'gt_seg_map' in results:
        places.append('gt_seg_map')
    if 'gt_label_maps' in results.get('data_samples', ()):
        places.append('data_samples.gt_label_maps')
    more = f' and {len(places) - 3} more' if len(places) > 3 else ''
    lines.append(f'masks: {", ".join(places[:3]) or "none"}{more}')
    return lines


def _describe(key: str, value: Any, indent: str, lines: List[str]) -> None:
    if isinstance(value, BaseDataElement):
        lines.append(f'{indent}{key}: {type(value).__name__}')
        for name, entry in value.all_items():
            _describe(name, entry, indent + '  ', lines)
        return
    if isinstance(value, list) and value:
        if isinstance(value[0], BaseDataElement):
            lines.append(f'{indent}{key}: list of {len(value)}')
            _describe('[0]', value[0], indent + '  ', lines)
            return
        kinds = list(dict.fromkeys(_kind(entry) for entry in value))
        text = f'list of {len(value)}: {", ".join(kinds[:5])}'
        lines.append(f'{indent}{key}: {text}')
        return
    lines.append(f'{indent}{key}: {_kind(value)}')


def _kind(value: Any) -> str:
    """Type, and shape or value, in a few words."""
    if isinstance(value, (np.ndarray, torch.Tensor)):
        dtype = str(value.dtype).replace('torch.', '')
        return f'{type(value).__name__} {dtype} {tuple(value.shape)}'
    if isinstance(value, BaseInstanceMasks):
        size = (len(value), value.height, value.width)
        return f'{type(value).__name__} {size}'
    if hasattr(value, 'tensor'):
        return f'{type(value).__name__} {tuple(value.tensor.shape)}'
    if isinstance(value, (list, tuple, dict)) and len(str(value)) > 60:
        return f'{type(value).__name__} of {len(value)}'
    return repr(value)
