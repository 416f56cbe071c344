"""From clips of raw frames to what a VIS model takes."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from mmdet.models.data_preprocessors import TrackDataPreprocessor
from mmdet.structures import TrackDataSample
from torch import Tensor

from ...registry import MODELS
from ...utils.errors import ConfigError
from ..utils import color_similarity, neighbor_offsets

_SIMILARITY: Dict[str, Any] = dict(
    size=3,
    dilation=2,
    removed=10,
    swap_rb=False,
    stride=4,
    validity=True,
    num_frames=1,
)


@MODELS.register_module()
class VISDataPreprocessor(TrackDataPreprocessor):
    """Normalise and pad clips, and compare the colours of raw frames.

    Other than ``TrackDataPreprocessor``:

    - A frame is padding outside of its own ``img_shape``. Frames of a clip
      may differ in size; ``PackVISInputs`` has then padded them *before*
      normalisation, after which that padding is no longer zero.
    - In training, colour similarity is computed once per step and shared by
      whatever supervises masks (Eq. 4 of `BoxInst
      <https://arxiv.org/abs/2012.02310>`_).

    Args:
        similarity (dict, optional): Switches colour similarity on. Defaults
            to None: off. Keys, all optional:

            - size (int): Odd side of the neighbourhood. Defaults to 3.
            - dilation (int): Distance between neighbours, pixels at mask
              stride. Defaults to 2.
            - removed (int): Bottom rows that are similar to nothing, pixels
              at the size of the dataset; 0 for none. Not used without
              ``validity``. Defaults to 10.
            - swap_rb (bool): Take red for blue, as the released PM-VIS and
              MaskFreeVIS do. Defaults to False.
            - stride (int): Mask stride; must divide the padded size.
              Defaults to 4.
            - validity (bool): Padding is similar to nothing (BoxInst,
              PM-VIS). False: it counts as black (MaskFreeVIS). Defaults to
              True.
            - num_frames (int): First frames of each clip to compute it
              for; 1 is the key frame alone. Defaults to 1.
        bgr_to_rgb (bool): Whether frames come as BGR, as ``LoadVISFrame``
            gives them, and the model takes RGB. Without it, similarity
            takes frames for RGB. Defaults to False.
        kwargs: Passed to ``TrackDataPreprocessor``: ``mean``, ``std``,
            ``pad_size_divisor``, ... Masks are not padded unless
            ``pad_mask`` is set.

    Raises:
        ConfigError: If an option is unknown or cannot work.
    """

    def __init__(
        self,
        similarity: Optional[Dict[str, Any]] = None,
        bgr_to_rgb: bool = False,
        **kwargs: Any,
    ) -> None:
        for name in ('use_det_processor', 'batch_augments'):
            if kwargs.get(name):
                raise ConfigError(
                    f'{name} is for single images, this is for clips',
                    fix='remove it; augment in the pipeline',
                )
        super().__init__(bgr_to_rgb=bgr_to_rgb, **kwargs)
        self.bgr_to_rgb = bgr_to_rgb
        self.similarity = (
            None if similarity is None else _check_options(similarity)
        )

    def forward(
        self, data: Dict[str, Any], training: bool = False
    ) -> Dict[str, Any]:
        """Prepare a batch of clips.

        Args:
            data (dict): ``inputs``, a list of N tensors (T, 3, H_n, W_n),
                raw frames, and ``data_samples``, a list of N
                ``TrackDataSample`` or None.
            training (bool): Whether to compute similarity. Defaults to
                False.

        Returns:
            dict: On the device of the model

            - inputs (Tensor): float32, (N, T, 3, H, W), normalised;
              ``pad_value`` outside of the ``img_shape`` of each frame.
            - data_samples (list[TrackDataSample]): With
              ``batch_input_shape`` (H, W) in the metainfo of each frame.
            - similarity (Tensor): float32, (N, num_frames, K, H / stride,
              W / stride), K = size * size - 1, in the order of
              ``neighbor_offsets``; only in training and if switched on.

        Raises:
            ConfigError: If similarity is asked of frames that are not raw
                uint8, or of more frames than there are.
        """
        # Here already, so that raw frames travel to the device only once.
        raw = self.cast_data(data['inputs'])
        data = super().forward(dict(data, inputs=raw), training)
        if data['data_samples'] is None:
            return data
        _clear_padding(data['inputs'], data['data_samples'], self.pad_value)
        if training and self.similarity is not None:
            data['similarity'] = self._compute_similarity(
                raw, data['data_samples'], tuple(data['inputs'].shape[-2:])
            )
        return data

    @torch.no_grad()
    def _compute_similarity(
        self,
        clips: Sequence[Tensor],
        data_samples: Sequence[TrackDataSample],
        size: Tuple[int, ...],
    ) -> Tensor:
        """Compare the colours in the first frames of each clip.

        Args:
            clips (Sequence[Tensor]): uint8, N of (T, 3, H_n, W_n).
            data_samples (Sequence[TrackDataSample]): N clips.
            size (tuple[int]): Height and width of the padded batch.

        Returns:
            Tensor: float32, (N, num_frames, K, H / stride, W / stride).
        """
        options = dict(self.similarity or {})
        num_frames = options.pop('num_frames')
        validity = options.pop('validity')
        _check_clips(clips, num_frames)
        shapes = [
            sample[t].img_shape[:2]
            for sample in data_samples
            for t in range(num_frames)
        ]
        heights = [
            sample[t].ori_shape[0]
            for sample in data_samples
            for t in range(num_frames)
        ]
        frames = [clip[t] for clip in clips for t in range(num_frames)]
        similarity = color_similarity(
            self._stack_rgb(frames, shapes, size),
            shapes if validity else None,
            heights if validity else None,
            **options,
        )
        return similarity.unflatten(0, (len(clips), num_frames))

    def _stack_rgb(
        self,
        frames: List[Tensor],
        shapes: List[Tuple[int, int]],
        size: Tuple[int, ...],
    ) -> Tensor:
        """Crop raw frames to their content, pad with black, stack."""
        stacked = frames[0].new_zeros((len(frames), 3, *size))
        for target, frame, (height, width) in zip(stacked, frames, shapes):
            content = frame[:, :height, :width]
            if self.bgr_to_rgb:
                content = content.flip(0)
            target[:, :height, :width] = content
        return stacked


def _check_options(similarity: Dict[str, Any]) -> Dict[str, Any]:
    """Fill in defaults; refuse what cannot work."""
    unknown = sorted(set(similarity) - set(_SIMILARITY))
    if unknown:
        raise ConfigError(
            f'unknown options of similarity: {unknown}',
            fix=f'choose from {sorted(_SIMILARITY)}',
        )
    options = dict(_SIMILARITY, **similarity)
    neighbor_offsets(options['size'], options['dilation'])
    for key, least in (('stride', 1), ('num_frames', 1), ('removed', 0)):
        if not isinstance(options[key], int) or options[key] < least:
            raise ConfigError(
                f'{key} of similarity is {options[key]!r}',
                fix=f'use an integer of at least {least}',
            )
    return options


def _check_clips(clips: Sequence[Tensor], num_frames: int) -> None:
    """Refuse frames whose colours are not raw levels, and short clips."""
    for clip in clips:
        if clip.dtype != torch.uint8:
            raise ConfigError(
                f'colour similarity needs raw uint8 frames, got {clip.dtype}',
                fix='set to_float32=False of LoadVISFrame and normalise in '
                'the data preprocessor, not in the pipeline',
            )
        if len(clip) < num_frames:
            raise ConfigError(
                f'num_frames of similarity is {num_frames}, but a clip has '
                f'{len(clip)}',
                fix='lower num_frames, or sample more frames (num_ref_imgs)',
            )


def _clear_padding(
    inputs: Tensor, data_samples: Sequence[TrackDataSample], value: float
) -> None:
    """Set every frame to ``value`` outside of its content, in place."""
    for frames, sample in zip(inputs, data_samples):
        for t in range(len(sample)):
            height, width = sample[t].img_shape[:2]
            frames[t, :, height:] = value
            frames[t, :, :height, width:] = value
