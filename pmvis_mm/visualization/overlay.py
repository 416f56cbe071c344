"""Drawing instances into frames, and frames into videos."""

import colorsys
from pathlib import Path
from typing import (
    Dict,
    Iterable,
    Iterator,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import cv2
import numpy as np

from ..structures import RLE, MaskTrack
from ..structures.rle_crop import decode_tight
from ..structures.video_annotations import Box
from ..utils.errors import FrameError
from .overlay_labels import Color, Label, draw_labels
from .video_writer import CODECS, write_video

Mask = Union[RLE, np.ndarray]

MIN_HEIGHT = 240
_GOLDEN = 0.618033988749895


class FrameInstances(NamedTuple):
    """What to draw into one frame; see :func:`draw_instances`."""

    masks: Sequence[Optional[Mask]]
    ids: Sequence[int]
    labels: Optional[Sequence[str]] = None
    boxes: Optional[Sequence[Optional[Box]]] = None


def track_color(track_id: int) -> Color:
    """Choose the colour of a track: the same in every frame and run.

    Args:
        track_id (int): Id of the track.

    Returns:
        tuple[int, int, int]: BGR in 0 ... 255. Ids that follow one another
        get hues far apart.
    """
    hue = (track_id * _GOLDEN + 0.05) % 1.0
    # Hues repeat nearly after 13 steps; then the tone differs.
    value = (1.0, 0.75)[track_id // 13 % 2]
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.8, value)
    return round(255 * blue), round(255 * green), round(255 * red)


def upscale_factor(height: int, min_height: int = MIN_HEIGHT) -> int:
    """Find the integer factor that brings a frame to a legible height."""
    return max(1, -(-min_height // height))


def draw_instances(
    image: np.ndarray,
    masks: Sequence[Optional[Mask]],
    ids: Sequence[int],
    labels: Optional[Sequence[str]] = None,
    boxes: Optional[Sequence[Optional[Box]]] = None,
    alpha: float = 0.5,
    min_height: int = MIN_HEIGHT,
) -> np.ndarray:
    """Draw the instances of one frame.

    Large instances are drawn first, so that small ones stay visible. One
    of a few pixels gets a ring around it.

    Args:
        image (np.ndarray): uint8, (H, W, 3), BGR, or grey, (H, W) or
            (H, W, 1); not changed.
        masks (Sequence): Per instance an RLE, a bool array (H, W), or None.
        ids (Sequence[int]): Per instance the id of its track, which chooses
            the colour.
        labels (Sequence[str], optional): Per instance a text, see
            :func:`~pmvis_mm.visualization.overlay_labels.draw_labels`.
            Defaults to None: no text.
        boxes (Sequence, optional): Per instance a half-open xyxy box in
            pixels, or None. Defaults to None: no boxes.
        alpha (float): Opacity of the masks in [0, 1]. Defaults to 0.5.
        min_height (int): A lower frame is enlarged by the least integer
            factor that reaches it, so that text is legible. Defaults to
            240; 0 keeps the size.

    Returns:
        np.ndarray: uint8, (f * H, f * W, 3), BGR.

    Raises:
        FrameError: If the image is none, or a mask is not of its size.
        ValueError: If the sequences differ in length.
    """
    count = len(ids)
    labels = [''] * count if labels is None else labels
    boxes = [None] * count if boxes is None else boxes
    for name, values in (
        ('masks', masks),
        ('labels', labels),
        ('boxes', boxes),
    ):
        if len(values) != count:
            raise ValueError(f'{count} ids but {len(values)} {name}')
    image = _as_color(image)
    factor = upscale_factor(image.shape[0], min_height)
    canvas = _enlarge(image, factor)
    patches = [_cut_patch(mask, image.shape[:2]) for mask in masks]
    order = sorted(range(count), key=lambda i: -_area(patches[i]))
    for i in order:
        patch = patches[i]
        if patch is not None:
            _draw_mask(canvas, patch, track_color(ids[i]), alpha, factor)
    # Text and boxes last: no mask may cover them.
    plates = []
    for patch, box, track_id, label in zip(patches, boxes, ids, labels):
        color = track_color(track_id)
        target = _target(canvas, patch, box, factor)
        if box is not None:
            _draw_box(canvas, box, color, factor)
        if label and target is not None:
            plates.append(Label(label, str(track_id), color, target))
    if plates:
        draw_labels(canvas, plates)
    return canvas


def draw_contour(
    canvas: np.ndarray,
    mask: np.ndarray,
    color: Color,
    factor: int = 1,
    thickness: Optional[int] = None,
) -> None:
    """Draw the outline of a mask, in place.

    Args:
        canvas (np.ndarray): uint8, (f * H, f * W, 3), BGR.
        mask (np.ndarray): bool, (H, W).
        color (tuple[int, int, int]): BGR.
        factor (int): How much larger the canvas is. Defaults to 1.
        thickness (int, optional): Pixels of the canvas. Defaults to one
            per 300 of its shorter side.
    """
    patch = _cut_patch(mask, mask.shape)
    if patch is not None:
        _draw_outline(canvas, patch, color, factor, thickness)


def frame_instances(
    tracks: Sequence[MaskTrack],
    frame: int,
    names: Optional[Dict[int, str]] = None,
    with_boxes: bool = False,
) -> FrameInstances:
    """Collect what pseudo masks say of one frame.

    Args:
        tracks (Sequence[MaskTrack]): Tracks of one video.
        frame (int): 0-based index.
        names (dict[int, str], optional): Names of the categories, for the
            labels. Defaults to None: ids only.
        with_boxes (bool): Whether to draw the annotated boxes. Defaults to
            False.

    Returns:
        FrameInstances: One entry per track with a mask or box there.
    """
    shown = [
        track
        for track in tracks
        if track.masks[frame] is not None
        or (with_boxes and track.boxes[frame] is not None)
    ]
    labels = []
    for track in shown:
        label = f'{(names or {}).get(track.category_id, "")} {track.id}'
        score = track.scores[frame]
        labels.append(
            label.strip() if score is None else f'{label.strip()} {score:.2f}'
        )
    return FrameInstances(
        [track.masks[frame] for track in shown],
        [track.id for track in shown],
        labels,
        [track.boxes[frame] for track in shown] if with_boxes else None,
    )


def write_overlay_video(
    path: Union[str, Path],
    frames: Iterable[np.ndarray],
    instances: Optional[Iterable[FrameInstances]] = None,
    fps: float = 10.0,
    alpha: float = 0.5,
    codecs: Sequence[str] = CODECS,
) -> int:
    """Write a video, frame by frame; it appears only when complete.

    Args:
        path (str | Path): Target, an mp4 file.
        frames (Iterable[np.ndarray]): uint8, (H, W, 3), BGR, all of one
            size; asked for one at a time and not kept.
        instances (Iterable[FrameInstances], optional): What to draw into
            each. Defaults to None: nothing.
        fps (float): Frames per second. Defaults to 10.
        alpha (float): Opacity of the masks. Defaults to 0.5.
        codecs (Sequence[str]): Four-character codes, tried in this order.
            Defaults to VP9, then MPEG-4 part 2.

    Returns:
        int: Number of frames written.

    Raises:
        FrameError: If frames differ in size.
        OutputError: If there is no frame, no codec works, the folder cannot
            be written or the file does not read back.
    """
    return write_video(
        path, _draw_all(frames, instances, alpha), fps=fps, codecs=codecs
    )


# ---------------------------------------------------------------- drawing
class _Patch(NamedTuple):
    """The tight box of a mask: upper left corner, uint8 (h, w) in {0, 1}."""

    x: int
    y: int
    mask: np.ndarray


def _thickness(canvas: np.ndarray) -> int:
    return max(1, round(min(canvas.shape[:2]) / 300))


def _enlarge(
    image: np.ndarray, factor: int, interpolation: int = cv2.INTER_CUBIC
) -> np.ndarray:
    if factor == 1:
        return image.copy()
    size = (image.shape[1] * factor, image.shape[0] * factor)
    return cv2.resize(image, size, interpolation=interpolation)


def _as_color(image: np.ndarray) -> np.ndarray:
    """Give a grey image three channels."""
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3) or not image.size:
        raise FrameError(
            f'{image.shape} is no shape of an image',
            fix='give (height, width, 3), BGR, or (height, width), grey',
        )
    if image.dtype != np.uint8:
        raise FrameError(
            f'the image is {image.dtype}, not uint8',
            fix='give values of 0 ... 255 as uint8',
        )
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


def _cut_patch(
    mask: Optional[Mask], shape: Tuple[int, ...]
) -> Optional[_Patch]:
    """Cut out what a mask covers: of large frames it is the least part."""
    if mask is None:
        return None
    if isinstance(mask, dict):
        _check_size(mask['size'], shape)
        found = decode_tight(mask)
    else:
        dense = np.asarray(mask)
        _check_size(dense.shape, shape)
        found = _cut_dense(dense)
    if found is None:
        return None
    x, y, tight = found
    return _Patch(x, y, (tight != 0).astype(np.uint8, 'C'))


def _cut_dense(dense: np.ndarray) -> Optional[Tuple[int, int, np.ndarray]]:
    rows = np.flatnonzero(dense.any(axis=1))
    if not len(rows):
        return None
    y0, y1 = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(dense[y0:y1].any(axis=0))
    x0, x1 = int(columns[0]), int(columns[-1]) + 1
    return x0, y0, dense[y0:y1, x0:x1]


def _check_size(size: Sequence[int], shape: Sequence[int]) -> None:
    if tuple(size) != tuple(shape):
        raise FrameError(
            f'a mask is {size[1]}x{size[0]} pixels, but the frame is '
            f'{shape[1]}x{shape[0]}',
            fix='use the frames that the masks were made from',
        )


def _area(patch: Optional[_Patch]) -> int:
    return 0 if patch is None else int(np.count_nonzero(patch.mask))


def _draw_mask(
    canvas: np.ndarray, patch: _Patch, color: Color, alpha: float, factor: int
) -> None:
    x, y = patch.x * factor, patch.y * factor
    large = _enlarge(patch.mask, factor, cv2.INTER_NEAREST)
    height, width = large.shape
    region = canvas[y : y + height, x : x + width]
    levels = np.arange(256)[:, None]
    table = np.rint((1 - alpha) * levels + alpha * np.array(color))
    mixed = cv2.LUT(region, table.astype(np.uint8)[:, None])
    cv2.copyTo(mixed, large, region)
    _draw_outline(canvas, patch, color, factor)
    radius = _ring_radius(canvas, patch, factor)
    if radius:
        center = (x + width // 2, y + height // 2)
        thickness = _thickness(canvas)
        cv2.circle(canvas, center, radius, color, thickness, cv2.LINE_AA)


def _ring_radius(canvas: np.ndarray, patch: _Patch, factor: int) -> int:
    """Radius of a ring round what is easily missed, else 0."""
    least = min(canvas.shape[:2]) / 60
    if max(patch.mask.shape) * factor > least:
        return 0
    return round(1.5 * least) + 2


def _draw_outline(
    canvas: np.ndarray,
    patch: _Patch,
    color: Color,
    factor: int,
    thickness: Optional[int] = None,
) -> None:
    large = _enlarge(patch.mask, factor, cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(
        large,
        cv2.RETR_CCOMP,
        cv2.CHAIN_APPROX_NONE,
        offset=(patch.x * factor, patch.y * factor),
    )
    if thickness is None:
        thickness = _thickness(canvas)
    cv2.drawContours(canvas, contours, -1, color, thickness, cv2.LINE_8)


def _draw_box(canvas: np.ndarray, box: Box, color: Color, factor: int) -> None:
    x0, y0, x1, y1 = (round(v * factor) for v in box)
    # The box is half-open: its last column is x1 - 1.
    corner = (x1 - 1, y1 - 1)
    cv2.rectangle(canvas, (x0, y0), corner, color, _thickness(canvas))


def _target(
    canvas: np.ndarray,
    patch: Optional[_Patch],
    box: Optional[Box],
    factor: int,
) -> Optional[Box]:
    """Where an instance is on the canvas, half-open xyxy."""
    if box is not None:
        x0, y0, x1, y1 = (factor * v for v in box)
        return x0, y0, x1, y1
    if patch is None:
        return None
    height, width = patch.mask.shape
    x0, y0 = factor * patch.x, factor * patch.y
    x1, y1 = x0 + factor * width, y0 + factor * height
    ring = _ring_radius(canvas, patch, factor)
    return x0 - ring, y0 - ring, x1 + ring, y1 + ring


# ------------------------------------------------------------------ video
def _draw_all(
    frames: Iterable[np.ndarray],
    instances: Optional[Iterable[FrameInstances]],
    alpha: float,
) -> Iterator[np.ndarray]:
    entries = None if instances is None else iter(instances)
    for frame in frames:
        entry = FrameInstances([], [])
        if entries is not None:
            entry = next(entries, entry)
        yield draw_instances(frame, *entry, alpha=alpha)
