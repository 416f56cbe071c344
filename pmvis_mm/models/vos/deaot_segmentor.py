"""Training of DeAOT on clips."""

from typing import Any, Dict, Iterator, List, Optional, Sequence, Union

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor

from ...registry import MODELS
from ...utils.errors import ConfigError
from ..losses.utils import at_least_float32, hide_channels
from .clip_labels import ClipLabels, clip_labels
from .deaot import FrameFeatures
from .deaot_memory import GroupMemory, Mark

_FOREVER = 9999
_CE = dict(type='BootstrappedCrossEntropyLoss', loss_weight=0.5)
_JACCARD = dict(type='SoftJaccardLoss', loss_weight=0.5)
# What the recipe adds to the network of inference.
_TRAINING = dict(trainable=True, drop_path=0.1, dropout=0.1)

Samples = Sequence[BaseDataElement]
Output = Union[Dict[str, Tensor], Tensor, List[BaseDataElement]]


@MODELS.register_module()
class DeAOTSegmentor(BaseModel):
    """Trains `DeAOT <https://arxiv.org/abs/2210.09782>`_ on short clips.

    The recipe of the public code (github.com/yoxu515/aot-benchmark): the
    first frame of a clip is remembered with its labels, the network tracks
    them through the others. Clips lie side by side in the batch, where
    inference has groups of objects.

    - The channels of the ten identities are shuffled for each clip.
    - In the first part of the training, true labels go into memory; from
      ``predicted_from`` on, predicted ones, and the identity bank is
      frozen: it gets no gradient at all, so that the optimizer leaves it
      alone. Distributed training therefore needs
      ``find_unused_parameters=True``.
    - An object that is not in the first frame is background, as in
      inference; its channel must say so. Channels beyond the number of
      objects are not part of the softmax.
    - The loss of the first frame itself helps at first: its weight falls
      from ``aux_weight`` to 0.

    ``state_dict`` has the weights of the network under ``network.``;
    :func:`~pmvis_mm.apis.load_deaot_checkpoint` takes such files.

    Args:
        network (dict): Config of a :class:`DeAOT`. It is ``trainable`` with
            ``drop_path=0.1`` and ``dropout=0.1`` unless it says otherwise.
            The public code also freezes the backbone up to stride 4:
            ``backbone=dict(frozen_stages=1)``.
        loss_ce (dict): Takes logits, labels and the progress. Defaults to
            BootstrappedCrossEntropyLoss of weight 0.5.
        loss_jaccard (dict): Takes logits and labels. Defaults to
            SoftJaccardLoss of weight 0.5.
        aux_weight (float): Weight of both losses for the first frame when
            training begins. Defaults to 1.0.
        predicted_from (float): Part of the training after which predicted
            labels are remembered. Defaults to 0.5.
        long_term_gap (int, optional): Every so many frames one is
            remembered for long. Defaults to None: 2 if the network has a
            gap at all, else the first frame only.
        shuffle_ids (bool): Whether identities are shuffled. Defaults to
            True.
        data_preprocessor (dict, optional): Defaults to
            :class:`DeAOTDataPreprocessor`.
        init_cfg (dict, optional): See mmengine. Defaults to None.

    Attributes:
        progress (float): Finished part of the training, in [0, 1].
            ``TrainingProgressHook`` sets it before each iteration. 0.0 at
            first.

    Raises:
        ConfigError: If an option is out of range.
    """

    def __init__(
        self,
        network: Dict[str, Any],
        loss_ce: Dict[str, Any] = _CE,
        loss_jaccard: Dict[str, Any] = _JACCARD,
        aux_weight: float = 1.0,
        predicted_from: float = 0.5,
        long_term_gap: Optional[int] = None,
        shuffle_ids: bool = True,
        data_preprocessor: Optional[Dict[str, Any]] = None,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        if data_preprocessor is None:
            data_preprocessor = dict(type='DeAOTDataPreprocessor')
        # Ours, also where no default scope says whose name it is.
        super().__init__(MODELS.build(data_preprocessor), init_cfg)
        _check_options(aux_weight, predicted_from, long_term_gap)
        self.network = MODELS.build({**_TRAINING, **network})
        self.loss_ce = MODELS.build(loss_ce)
        self.loss_jaccard = MODELS.build(loss_jaccard)
        self.aux_weight = aux_weight
        self.predicted_from = predicted_from
        if long_term_gap is None:
            keeps = self.network.long_term_gap < _FOREVER
            long_term_gap = 2 if keeps else _FOREVER
        self.long_term_gap: int = long_term_gap
        self.shuffle_ids = shuffle_ids
        self.progress = 0.0

    # ---------------------------------------------------------------- modes
    def forward(
        self,
        inputs: Tensor,
        data_samples: Optional[Samples] = None,
        mode: str = 'tensor',
    ) -> Output:
        """Track the labels of the first frame through clips.

        Args:
            inputs (Tensor): float, (B, T, 3, H, W), normalised RGB; sides
                of 16k + 1 pixels, or 16k without ``align_corners``.
            data_samples (Sequence[BaseDataElement]): B of them, with

                - gt_label_maps (PixelData): ``data`` integers, (T, H, W):
                  0 background, 1 ... 10 objects, 255 ignored. Only
                  ``loss`` reads more than the first frame.
                - num_objects (int, optional): In the metainfo. Defaults to
                  the largest label.
            mode (str): 'loss', 'predict' or 'tensor'. Defaults to 'tensor'.

        Returns:
            dict | list | Tensor:

            - loss: See :meth:`loss`.
            - predict: The samples, with ``pred_label_maps`` (PixelData,
              ``data`` int64, (T, H, W)); the first map is the given one.
            - tensor: float, (B, T, 11, H, W), logits of background and
              objects.

        Raises:
            PMVISError: If clips are too short, too small or not labelled as
                above.
            ConfigError: If ``mode`` is unknown.
        """
        if mode not in ('loss', 'predict', 'tensor'):
            raise ConfigError(
                f'mode={mode!r} is unknown',
                fix="use 'loss', 'predict' or 'tensor'",
            )
        labels = clip_labels(inputs, data_samples, self.network)
        if mode == 'loss':
            return self.loss(inputs, labels)
        assert data_samples is not None
        logits = list(self._track(inputs, labels, given=False))
        if mode == 'tensor':
            return torch.stack(logits, 1)
        maps = torch.stack([frame.argmax(1) for frame in logits], 1)
        maps[:, 0] = labels.maps[:, 0]
        for sample, own in zip(data_samples, maps):
            sample.pred_label_maps = PixelData(data=own)
        return list(data_samples)

    def loss(self, inputs: Tensor, labels: ClipLabels) -> Dict[str, Tensor]:
        """Compute the losses of a batch.

        Args:
            inputs (Tensor): See :meth:`forward`.
            labels (ClipLabels): Of the clips.

        Returns:
            dict[str, Tensor]: Scalars: ``loss_ce`` and ``loss_jaccard``,
            means over all frames but the first, and ``loss_aux``, of the
            first one.
        """
        given = self.progress < self.predicted_from
        terms = []
        for number, logits in enumerate(self._track(inputs, labels, given)):
            truth = labels.maps[:, number]
            ce = self.loss_ce(logits, truth, progress=self.progress)
            terms.append((ce, self.loss_jaccard(logits, truth)))
        ces, jaccards = (torch.stack(each) for each in zip(*terms))
        weight = self.aux_weight * max(0.0, 1 - self.progress)
        return dict(
            loss_ce=ces[1:].mean(),
            loss_jaccard=jaccards[1:].mean(),
            loss_aux=weight * (ces[0] + jaccards[0]),
        )

    # ------------------------------------------------------------- tracking
    def _track(
        self, inputs: Tensor, labels: ClipLabels, given: bool
    ) -> Iterator[Tensor]:
        """Go through the frames of all clips at once.

        Args:
            inputs (Tensor): See :meth:`forward`.
            labels (ClipLabels): Of the clips.
            given (bool): Whether to remember all labels as given, not as
                predicted but for the first frame.

        Yields:
            Tensor: Per frame, float, (B, 11, H, W), logits.
        """
        network, num_clips = self.network, len(inputs)
        channels = self._channels(num_clips, inputs.device)
        memory: Any = None
        for step, frame in enumerate(self._encode(inputs)):
            if memory is None:
                embed = self._embed(labels.maps[:, 0], channels, given)
                x, views = network.gpm(frame.x, id_embed=embed)
            else:
                x, views = network.gpm(frame.x, (memory.long, memory.short))
            logits = self._decode(x, frame, channels, labels.valid)
            yield logits
            if memory is None:
                own = network.gpm.remember(views, embed)
                marks = (Mark(0, True),)
                memory = GroupMemory(own, own, marks, num_clips)
            elif step < inputs.size(1) - 1:
                known = labels.maps[:, step] if given else logits.argmax(1)
                embed = self._embed(known, channels, given)
                own = network.gpm.remember(views, embed)
                is_due = step - memory.last >= self.long_term_gap
                mark = Mark(step, False) if is_due else None
                memory = memory.advanced(own, mark, inputs.size(1))

    def _encode(self, inputs: Tensor) -> Iterator[FrameFeatures]:
        """Encode all frames in one batch, then take them one by one."""
        features = self.network.extract_feat(inputs.flatten(0, 1))
        clips = (len(inputs), inputs.size(1))
        x = features.x.unflatten(0, clips)
        pyramid = [level.unflatten(0, clips) for level in features.pyramid]
        for step in range(inputs.size(1)):
            yield features._replace(
                x=x[:, step],
                pyramid=tuple(level[:, step] for level in pyramid),
            )

    def _channels(self, num_clips: int, device: torch.device) -> Tensor:
        """Choose the channel of each label, int64, (B, 11)."""
        number = self.network.max_objects
        order = torch.arange(number + 1).repeat(num_clips, 1)
        if self.training and self.shuffle_ids:
            for row in order:
                row[1:] = 1 + torch.randperm(number)
        return order.to(device)

    def _embed(self, labels: Tensor, channels: Tensor, learn: bool) -> Tensor:
        """Embed label maps (B, H, W) with their shuffled identities."""
        bank = self.network.id_bank
        hot = torch.cat([bank.one_hot(own, 1) for own in labels])
        places = channels.argsort(1)[:, :, None, None].expand_as(hot)
        embed = bank.embed(hot.gather(1, places))
        return embed if learn else embed.detach()

    def _decode(
        self, x: Tensor, frame: FrameFeatures, channels: Tensor, valid: Tensor
    ) -> Tensor:
        """Decode to logits at the size of the input, in order of labels."""
        logits = self.network.mask_head(x, frame.pyramid)
        logits = at_least_float32(logits)
        places = channels[:, :, None, None]
        logits = logits.gather(1, places.expand_as(logits))
        return F.interpolate(
            hide_channels(logits, valid),
            size=frame.input_shape,
            mode='bilinear',
            align_corners=self.network.align_corners,
        )


def _check_options(
    aux_weight: float, predicted_from: float, long_term_gap: Optional[int]
) -> None:
    for name, value, is_right, fix in (
        ('aux_weight', aux_weight, aux_weight >= 0, 'use 0 or more'),
        (
            'predicted_from',
            predicted_from,
            predicted_from >= 0,
            'use a part of the training, 0 ... 1, or more than 1 for never',
        ),
        (
            'long_term_gap',
            long_term_gap,
            long_term_gap is None or long_term_gap > 0,
            'use a number of frames, or leave it out',
        ),
    ):
        if not is_right:
            raise ConfigError(f'{name}={value} of DeAOTSegmentor', fix=fix)
