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
from ..structures.rle import decode
from ..structures.video_annotations import Box
from ..utils.errors import FrameError
from .video_writer import CODECS, write_video

Mask = Union[RLE, np.ndarray]
Color = Tuple[int, int, int]

MIN_HEIGHT = 240
_GOLDEN = 0.618033988749895
_FONT = cv2.FONT_HERSHEY_SIMPLEX


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

    Args:
        image (np.ndarray): uint8, (H, W, 3), BGR; not changed.
        masks (Sequence): Per instance an RLE, a bool array (H, W), or None.
        ids (Sequence[int]): Per instance the id of its track, which chooses
            the colour.
        labels (Sequence[str], optional): Per instance a text. Defaults to
            None: no text.
        boxes (Sequence, optional): Per instance a half-open xyxy box in
            pixels, or None. Defaults to None: no boxes.
        alpha (float): Opacity of the masks in [0, 1]. Defaults to 0.5.
        min_height (int): A lower frame is enlarged by the least integer
            factor that reaches it, so that text is legible. Defaults to
            240; 0 keeps the size.

    Returns:
        np.ndarray: uint8, (f * H, f * W, 3), BGR.

    Raises:
        FrameError: If a mask is not of the size of the image.
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
    factor = upscale_factor(image.shape[0], min_height)
    canvas = _enlarge(image, factor)
    dense = [_to_dense(mask, image.shape[:2]) for mask in masks]
    for mask, track_id in zip(dense, ids):
        if mask is not None:
            _draw_mask(canvas, mask, track_color(track_id), alpha, factor)
    # Text and boxes last: no mask may cover them.
    for mask, box, track_id, label in zip(dense, boxes, ids, labels):
        color = track_color(track_id)
        if box is not None:
            _draw_box(canvas, box, color, factor)
        if label:
            anchor = _anchor(mask, box)
            if anchor is not None:
                _draw_label(canvas, anchor, label, color, factor)
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
            per 300 rows.
    """
    large = _enlarge(mask.astype(np.uint8), factor, cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(
        large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    if thickness is None:
        thickness = _thickness(canvas)
    cv2.drawContours(canvas, contours, -1, color, thickness, cv2.LINE_8)


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
def _thickness(canvas: np.ndarray) -> int:
    return max(1, round(canvas.shape[0] / 300))


def _enlarge(
    image: np.ndarray, factor: int, interpolation: int = cv2.INTER_CUBIC
) -> np.ndarray:
    if factor == 1:
        return image.copy()
    size = (image.shape[1] * factor, image.shape[0] * factor)
    return cv2.resize(image, size, interpolation=interpolation)


def _to_dense(
    mask: Optional[Mask], shape: Tuple[int, ...]
) -> Optional[np.ndarray]:
    if mask is None:
        return None
    dense = decode(mask) if isinstance(mask, dict) else np.asarray(mask)
    if dense.shape != shape:
        raise FrameError(
            f'a mask is {dense.shape[1]}x{dense.shape[0]} pixels, but the '
            f'frame is {shape[1]}x{shape[0]}',
            fix='use the frames that the masks were made from',
        )
    return dense.astype(bool) if dense.any() else None


def _draw_mask(
    canvas: np.ndarray,
    mask: np.ndarray,
    color: Color,
    alpha: float,
    factor: int,
) -> None:
    large = _enlarge(mask.astype(np.uint8), factor, cv2.INTER_NEAREST) > 0
    mixed = (1 - alpha) * canvas[large] + alpha * np.array(color)
    canvas[large] = np.rint(mixed).astype(np.uint8)
    draw_contour(canvas, mask, color, factor)


def _draw_box(canvas: np.ndarray, box: Box, color: Color, factor: int) -> None:
    x0, y0, x1, y1 = (round(v * factor) for v in box)
    # The box is half-open: its last column is x1 - 1.
    corner = (x1 - 1, y1 - 1)
    cv2.rectangle(canvas, (x0, y0), corner, color, _thickness(canvas))


def _anchor(
    mask: Optional[np.ndarray], box: Optional[Box]
) -> Optional[Tuple[float, float]]:
    if box is not None:
        return box[0], box[1]
    if mask is None:
        return None
    columns = np.flatnonzero(mask.any(axis=0))
    rows = np.flatnonzero(mask.any(axis=1))
    return float(columns[0]), float(rows[0])


def _draw_label(
    canvas: np.ndarray,
    anchor: Tuple[float, float],
    label: str,
    color: Color,
    factor: int,
) -> None:
    """Write text on a plate above its anchor, inside the image."""
    height, width = canvas.shape[:2]
    # At scale 1 a capital letter is about 21 pixels high.
    scale = max(0.035 * height, 9) / 21
    stroke = max(1, round(1.5 * scale))
    (text_w, text_h), below = cv2.getTextSize(label, _FONT, scale, stroke)
    x = int(min(max(anchor[0] * factor, 0), max(width - text_w - 4, 0)))
    bottom = int(min(max(anchor[1] * factor, text_h + below + 2), height))
    plate = (x + text_w + 3, bottom - 1)
    cv2.rectangle(canvas, (x, bottom - text_h - below - 2), plate, color, -1)
    blue, green, red = color
    dark = 0.114 * blue + 0.587 * green + 0.299 * red > 140
    ink = (0, 0, 0) if dark else (255, 255, 255)
    spot = (x + 2, bottom - below)
    cv2.putText(canvas, label, spot, _FONT, scale, ink, stroke, cv2.LINE_AA)


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
