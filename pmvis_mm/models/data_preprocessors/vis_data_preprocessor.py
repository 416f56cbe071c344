"""From clips of raw frames to what a VIS model takes."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from mmdet.models.data_preprocessors import TrackDataPreprocessor
from mmdet.structures import DetDataSample, TrackDataSample
from torch import Tensor

from ...registry import MODELS
from ...utils.errors import ConfigError
from ..utils import color_similarity, lab_features, neighbor_offsets
from ..utils.clips import common_length

_SIMILARITY: Dict[str, Any] = dict(
    size=3,
    dilation=2,
    removed=10,
    swap_rb=False,
    stride=4,
    validity=True,
    num_frames=1,
    gate=None,
)
_GATE: Dict[str, Any] = dict(canvas=(1024, 1024), low=0.25, high=0.75)
_TEMPORAL: Dict[str, Any] = dict(stride=4, swap_rb=False, images=False)


@MODELS.register_module()
class VISDataPreprocessor(TrackDataPreprocessor):
    """Normalise and pad clips, and compare the colours of raw frames.

    Other than ``TrackDataPreprocessor``:

    - A frame is padding outside of its own ``img_shape``. Frames of a clip
      may differ in size; ``PackVISInputs`` has then padded them *before*
      normalisation, after which that padding is no longer zero.
    - In training, colour similarity is computed once per step and shared by
      whatever supervises masks (Eq. 4 of `BoxInst
      <https://arxiv.org/abs/2012.02310>`_); so are the colours that matches
      across frames are found with (`MaskFreeVIS
      <https://arxiv.org/abs/2303.15904>`_).

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
            - num_frames (int, optional): First frames of each clip to
              compute it for; 1 is the key frame alone, None all that
              there are. Defaults to 1.
            - gate (dict, optional): Frames whose content does not cover
              more than ``low`` and less than ``high`` of a ``canvas``
              (height, width) are similar to nothing. The box pre-training
              of MaskFreeVIS on COCO has ``canvas=(1024, 1024)``, ``low=
              0.25`` and ``high=0.75``, the defaults. Defaults to None.
        temporal (dict, optional): Switches the colours of all frames on,
            for losses between frames. Defaults to None: off. Keys, all
            optional:

            - stride (int): Mask stride. Defaults to 4.
            - swap_rb (bool): As above. Defaults to False.
            - images (bool): Whether to keep the raw frames as well, for
              matchers that need them. Defaults to False.
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
        temporal: Optional[Dict[str, Any]] = None,
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
            None if similarity is None else _check_similarity(similarity)
        )
        self.temporal = None if temporal is None else _check_temporal(temporal)

    def forward(
        self, data: Dict[str, Any], training: bool = False
    ) -> Dict[str, Any]:
        """Prepare a batch of clips.

        Args:
            data (dict): ``inputs``, a list of N tensors (T, 3, H_n, W_n),
                raw frames, and ``data_samples``, a list of N
                ``TrackDataSample`` or None.
            training (bool): Whether to compute colour features. Defaults
                to False.

        Returns:
            dict: On the device of the model

            - inputs (Tensor): float32, (N, T, 3, H, W), normalised;
              ``pad_value`` outside of the ``img_shape`` of each frame.
            - data_samples (list[TrackDataSample]): With
              ``batch_input_shape`` (H, W) in the metainfo of each frame.
            - similarity (Tensor): float32, (N, num_frames, K, H / stride,
              W / stride), K = size * size - 1, in the order of
              ``neighbor_offsets``; only in training and if switched on.
            - lab (Tensor): float32, (N, T, 3, H / stride, W / stride), see
              ``lab_features``; only in training, with ``temporal``.
            - images (Tensor): uint8, (N, T, 3, H, W), RGB, black outside
              of the content; only with ``temporal=dict(images=True)``.

        Raises:
            ConfigError: If colour features are asked of frames that are
                not raw uint8, or of more frames than there are, or if
                clips differ in length.
        """
        # Here already, so that raw frames travel to the device only once.
        raw = self.cast_data(data['inputs'])
        common_length([len(clip) for clip in raw])
        data = super().forward(dict(data, inputs=raw), training)
        if data['data_samples'] is None:
            return data
        _clear_padding(data['inputs'], data['data_samples'], self.pad_value)
        if training and (self.similarity or self.temporal):
            size = tuple(data['inputs'].shape[-2:])
            data.update(self._features(raw, data['data_samples'], size))
        return data

    @torch.no_grad()
    def _features(
        self,
        clips: Sequence[Tensor],
        data_samples: Sequence[TrackDataSample],
        size: Tuple[int, ...],
    ) -> Dict[str, Tensor]:
        """Compute what losses read from raw frames.

        Args:
            clips (Sequence[Tensor]): uint8, N of (T, 3, H_n, W_n).
            data_samples (Sequence[TrackDataSample]): N clips.
            size (tuple[int]): Height and width of the padded batch.

        Returns:
            dict[str, Tensor]: See :meth:`forward`.
        """
        wanted = (self.similarity or {}).get('num_frames')
        _check_clips(clips, wanted or 1)
        if wanted is None or self.temporal:
            num_frames = len(clips[0])
        else:
            num_frames = wanted
        metas = [
            [sample[t] for t in range(num_frames)] for sample in data_samples
        ]
        rgb = self._stack_rgb(
            [clip[t] for clip in clips for t in range(num_frames)],
            [meta.img_shape[:2] for metas_n in metas for meta in metas_n],
            size,
        ).unflatten(0, (len(clips), num_frames))
        features: Dict[str, Tensor] = {}
        if self.temporal:
            features['lab'] = lab_features(
                rgb, self.temporal['stride'], self.temporal['swap_rb']
            )
            if self.temporal['images']:
                features['images'] = rgb
        if self.similarity:
            features['similarity'] = self._compute_similarity(
                rgb[:, : wanted or num_frames], metas, features.get('lab')
            )
        return features

    def _compute_similarity(
        self,
        rgb: Tensor,
        metas: Sequence[Sequence[DetDataSample]],
        lab: Optional[Tensor],
    ) -> Tensor:
        """Compare the colours in the first frames of each clip.

        Args:
            rgb (Tensor): uint8, (N, T, 3, H, W).
            metas (Sequence[Sequence[DetDataSample]]): Of at least these
                frames.
            lab (Tensor, optional): Colours of at least these frames, where
                they are known.

        Returns:
            Tensor: float32, (N, T, K, H / stride, W / stride).
        """
        options = dict(self.similarity or {})
        for key in ('num_frames', 'validity', 'gate'):
            options.pop(key)
        frames = [meta for clip in metas for meta in clip[: rgb.size(1)]]
        shapes = [frame.img_shape[:2] for frame in frames]
        heights = [frame.ori_shape[0] for frame in frames]
        validity = (self.similarity or {})['validity']
        if lab is not None and self._same_colours():
            lab = lab[:, : rgb.size(1)].flatten(0, 1)
        else:
            lab = None
        similarity = color_similarity(
            rgb.flatten(0, 1),
            shapes if validity else None,
            heights if validity else None,
            lab=lab,
            **options,
        )
        similarity = self._gate(similarity, shapes)
        return similarity.unflatten(0, tuple(rgb.shape[:2]))

    def _same_colours(self) -> bool:
        """Whether both features are made of the same colours."""
        return all(
            (self.similarity or {})[key] == (self.temporal or {})[key]
            for key in ('stride', 'swap_rb')
        )

    def _gate(
        self, similarity: Tensor, shapes: Sequence[Tuple[int, int]]
    ) -> Tensor:
        """Zero frames that cover too little or too much of the canvas."""
        gate = (self.similarity or {})['gate']
        if gate is None:
            return similarity
        area = gate['canvas'][0] * gate['canvas'][1]
        kept = [
            gate['low'] < height * width / area < gate['high']
            for height, width in shapes
        ]
        return similarity * similarity.new_tensor(kept).view(-1, 1, 1, 1)

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


def _with_defaults(
    name: str, given: Dict[str, Any], defaults: Dict[str, Any]
) -> Dict[str, Any]:
    """Fill in defaults; refuse unknown options."""
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise ConfigError(
            f'unknown options of {name}: {unknown}',
            fix=f'choose from {sorted(defaults)}',
        )
    return dict(defaults, **given)


def _check_least(
    name: str, options: Dict[str, Any], least: Dict[str, int]
) -> None:
    """Refuse what is no integer, or too small."""
    for key, value in least.items():
        if not isinstance(options[key], int) or options[key] < value:
            raise ConfigError(
                f'{key} of {name} is {options[key]!r}',
                fix=f'use an integer of at least {value}',
            )


def _check_similarity(similarity: Dict[str, Any]) -> Dict[str, Any]:
    """Fill in defaults; refuse what cannot work."""
    options = _with_defaults('similarity', similarity, _SIMILARITY)
    neighbor_offsets(options['size'], options['dilation'])
    least = dict(stride=1, num_frames=1, removed=0)
    if options['num_frames'] is None:
        del least['num_frames']
    _check_least('similarity', options, least)
    if options['gate'] is not None:
        gate = _with_defaults('gate', options['gate'], _GATE)
        if not 0 <= gate['low'] < gate['high']:
            raise ConfigError(
                f'gate of similarity lets shares from {gate["low"]} to '
                f'{gate["high"]} pass, which are none',
                fix='set low below high, such as 0.25 and 0.75',
            )
        options['gate'] = gate
    return options


def _check_temporal(temporal: Dict[str, Any]) -> Dict[str, Any]:
    """Fill in defaults; refuse what cannot work."""
    options = _with_defaults('temporal', temporal, _TEMPORAL)
    _check_least('temporal', options, dict(stride=1))
    return options


def _check_clips(clips: Sequence[Tensor], num_frames: int) -> None:
    """Refuse frames whose colours are not raw levels, and short clips."""
    for clip in clips:
        if clip.dtype != torch.uint8:
            raise ConfigError(
                f'colour features need raw uint8 frames, got {clip.dtype}',
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
