"""Walking over a video with a model, clip by clip; it can be interrupted."""

import io
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.structures import InstanceData

from ...structures.rle import encode
from ...utils.errors import ConfigError
from .clip_linker import ClipLinker
from .video_state import (
    finish_video,
    forget_masks,
    load_video_state,
    video_state,
)

PRECISIONS: Dict[str, torch.dtype] = dict(
    fp32=torch.float32, fp16=torch.float16, bf16=torch.bfloat16
)

# What PyTorch and mmcv say of operations that lack a data type.
_MISSING = ('not implemented for', 'expected scalar type', 'dtype')


@dataclass
class ClipPrediction:
    """What a model says after one forward.

    Attributes:
        start (int): 0-based index of the first frame of the clip.
        frames (list[InstanceData]): Per frame, on the CPU, at the size of
            the frame: ``bboxes`` (N, 4), half-open xyxy, pixels; ``scores``
            (N, ); ``labels`` (N, ); ``instances_id`` (N, ) and ``masks``, a
            list of N compressed RLE.
        tracks (InstanceData, optional): What the whole video says about the
            tracks, with its last clip and from models that judge tracks
            (IDOL): ``instances_id``, ``labels``, ``scores`` and
            ``start_frames``, (M, ) each; one track may have several rows,
            one for each class. See ``TrackRecords.finish``.
    """

    start: int
    frames: List[InstanceData]
    tracks: Optional[InstanceData] = None


class ClipWalk:
    """One walk of a model over one video.

    Memory is that of a clip, whatever the length of the video. A model has
    the state of one video: do not walk over two in turns.

    Args:
        model (BaseModel): From ``init_vis_model``.
        pipeline (Callable): From ``build_frame_pipeline``.
        clip_length (int, optional): Frames per forward; None gives the
            whole video at once. Defaults to 1.
        clip_overlap (int): Frames that a clip shares with the one before;
            instances are linked by their masks there, see
            :class:`ClipLinker`. What the earlier clip said of them stands.
            For models that reason over clips, not for online models.
            Defaults to 0: ids are as the model gives them.
        link_thr (float): See :class:`ClipLinker`. Defaults to 0.3.
        precision (str): 'fp32', or 'fp16' or 'bf16' by autocast. Defaults
            to 'fp32'.

    Attributes:
        next_frame (int): The first frame without a prediction.

    Raises:
        ConfigError: If an option is out of range, or 'fp16' is asked for
            on a CPU.
    """

    def __init__(
        self,
        model: BaseModel,
        pipeline: Callable[[dict], dict],
        clip_length: Optional[int] = 1,
        clip_overlap: int = 0,
        link_thr: float = 0.3,
        precision: str = 'fp32',
    ) -> None:
        _check_windows(clip_length, clip_overlap)
        self._device = next(model.parameters()).device
        check_precision(precision, self._device)
        self.model = model
        self.pipeline = pipeline
        self.clip_length = clip_length
        self.clip_overlap = clip_overlap
        self.precision = precision
        self.next_frame = 0
        self._linker = ClipLinker(clip_overlap, link_thr)

    @property
    def first_needed(self) -> int:
        """int: Index of the frame that :meth:`run` wants first."""
        return self.next_frame - self._linker.num_kept

    def run(
        self, frames: Iterable[np.ndarray], total: Optional[int] = None
    ) -> Iterator[ClipPrediction]:
        """Predict, from :attr:`next_frame` on.

        Args:
            frames (Iterable[np.ndarray]): uint8, (H, W, 3), BGR, beginning
                with frame :attr:`first_needed`; asked for when needed.
            total (int, optional): Number of frames of the video, if known
                for sure.

        Yields:
            ClipPrediction: Of the next frames. If ``total`` is not known,
            the last one has no frames but ``tracks``, from models that
            judge tracks.

        Raises:
            ConfigError: If the model predicts no tracks with masks, or
                cannot work in this precision.
        """
        source = iter(frames)
        images = list(islice(source, self._linker.num_kept))
        while True:
            shared, room = len(images), self.clip_length
            images += islice(source, None if room is None else room - shared)
            if len(images) == shared:
                break
            clip = self._forward(self.next_frame - shared, images, total)
            clip.frames = self._linker.link(clip.frames, clip.start)
            if self.clip_overlap:
                clip.tracks = None  # about ids of one clip
            del clip.frames[:shared]
            clip.start = self.next_frame
            self.next_frame += len(images) - shared
            del images[: max(len(images) - self.clip_overlap, 0)]
            yield clip
        verdict = finish_video(self.model) if self.next_frame else None
        if verdict is not None:
            yield ClipPrediction(self.next_frame, [], verdict.to('cpu'))

    def state(self) -> Optional[bytes]:
        """Tell what another walk must know to go on from here.

        Returns:
            bytes, optional: None if the model keeps something that only it
            knows.
        """
        known = video_state(self.model)
        if known is None:
            return None
        buffer = io.BytesIO()
        torch.save(
            dict(
                next_frame=self.next_frame,
                model=known,
                linker=self._linker.state_dict(),
            ),
            buffer,
        )
        return buffer.getvalue()

    def load_state(self, state: bytes) -> None:
        """Go on where another walk has stopped.

        Args:
            state (bytes): From :meth:`state`, of the same model and
                options.
        """
        known = torch.load(io.BytesIO(state), 'cpu', weights_only=True)
        self.next_frame = known['next_frame']
        self._linker.load_state_dict(known['linker'])
        load_video_state(self.model, known['model'])

    def _forward(
        self, start: int, images: List[np.ndarray], total: Optional[int]
    ) -> ClipPrediction:
        """Give a clip to the model."""
        indices = range(start, start + len(images))
        shapes = [image.shape[:2] for image in images]
        results: Dict[str, Any] = dict(
            img=list(images),
            img_id=[t + 1 for t in indices],
            img_path=[''] * len(images),
            img_shape=list(shapes),
            ori_shape=list(shapes),
            scale_factor=[(1.0, 1.0)] * len(images),
            frame_id=list(indices),
            video_id=[0] * len(images),
        )
        if total is not None:
            results['video_length'] = [total] * len(images)
            results['ori_video_length'] = [total] * len(images)
        packed = self.pipeline(results)
        with torch.no_grad(), autocast(self.precision, self._device):
            (result,) = self.model.test_step(pseudo_collate([packed]))
        forget_masks(self.model)
        tracks = result.get('pred_tracks')
        samples = list(result.video_data_samples)
        del result, packed, results  # dense masks go as they are encoded
        samples.reverse()
        return ClipPrediction(
            start,
            [_prediction(samples.pop(), t) for t in indices],
            None if tracks is None else tracks.to('cpu'),
        )


def _prediction(sample: Any, frame: int) -> InstanceData:
    found = sample.get('pred_track_instances')
    if found is None or 'masks' not in found:
        raise ConfigError(
            'the model predicts no tracks with masks',
            frame=frame,
            fix='give a video instance segmentation model',
        )
    found = found.to('cpu')
    masks = found.pop('masks')
    for name in ('scores', 'bboxes'):
        if name in found:  # half precision does not go into NumPy
            found.set_field(found.get(name).float(), name)
    found.masks = [
        mask if isinstance(mask, dict) else encode(np.asarray(mask))
        for mask in masks
    ]
    return found


def _check_windows(length: Optional[int], overlap: int) -> None:
    if length is not None and length < 1:
        raise ConfigError(
            f'clip_length={length} is not positive',
            fix='give a number of frames, or None for the whole video',
        )
    if overlap and (length is None or not 0 < overlap < length):
        raise ConfigError(
            f'clip_overlap={overlap} does not fit clip_length={length}',
            fix='let clips have more frames than they share, at least 0',
        )


def check_precision(precision: str, device: torch.device) -> None:
    """Refuse what a device cannot do.

    Args:
        precision (str): One of ``PRECISIONS``.
        device (torch.device): Of the model.

    Raises:
        ConfigError: If it is unknown, or 'fp16' on a CPU.
    """
    if precision not in PRECISIONS:
        raise ConfigError(
            f'precision={precision!r} is unknown',
            fix=f'choose from {list(PRECISIONS)}',
        )
    if precision == 'fp16' and device.type == 'cpu':
        raise ConfigError(
            "precision='fp16' does not work on a CPU",
            fix="set precision='bf16' or 'fp32', or device='cuda'",
        )


@contextmanager
def autocast(precision: str, device: torch.device) -> Iterator[None]:
    """Compute in another precision, where that is sound.

    Args:
        precision (str): One of ``PRECISIONS``.
        device (torch.device): Of the model.

    Raises:
        ConfigError: If an operation of the model does not exist in it.
    """
    if precision == 'fp32':
        yield
        return
    try:
        with torch.autocast(device.type, PRECISIONS[precision]):
            yield
    except RuntimeError as reason:
        text = str(reason)
        if not any(sign in text for sign in _MISSING):
            raise
        raise ConfigError(
            f'this model does not work in {precision} on {device.type}: '
            f'{text.splitlines()[0]}',
            fix="set precision='fp32'",
        ) from reason
