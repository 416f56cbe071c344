"""Temporal KNN-patch loss: matched pixels of two frames, equal labels."""

from dataclasses import replace
from typing import Any, Dict, List, Sequence, Tuple, Union

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn

from ...registry import MODELS
from ...structures.mask_targets import MaskTargets
from ...structures.temporal_matches import RowPairs, TemporalMatches
from ...utils.errors import ConfigError, PMVISError
from .temporal_pairs import REGIONS, pair_sum, select_pairs
from .utils import at_least_float32, check_rows, sync_count, zero_loss

Connections = List[Tuple[int, int]]
_NAMES = ('cyclic', 'sequential', 'dense', 'release3')
_NORMALIZERS = ('pairs', 'pixels')
# Processes may have clips of other lengths, but must count as many numbers:
# those of all 16 frames, densely connected, fit.
_SLOTS = 128


def temporal_connections(
    num_frames: int, connection: Union[str, Sequence[Sequence[int]]]
) -> Connections:
    """List which frames of a clip are matched.

    Args:
        num_frames (int): T, frames of the clip, in their order there.
        connection (str | list[tuple[int]]): See :class:`TKLoss`.

    Returns:
        list[tuple[int]]: Pairs (a, b): pixels of frame b look for partners
        in frame a. Empty for a single frame.

    Raises:
        ConfigError: If the connection does not go with so many frames.
    """
    pairs = [] if connection in _NAMES else _check_pairs(connection)
    if num_frames < 2:
        return []
    last = num_frames - 1
    chain = [(t, t + 1) for t in range(last)]
    every = [(a, b) for a in range(last) for b in range(a + 1, num_frames)]
    if connection == 'sequential':
        return chain
    if connection == 'cyclic':
        return [*chain, (last, 0)]
    if connection == 'dense':
        return every
    if connection == 'release3':
        if num_frames != 3:
            raise ConfigError(
                f"connection='release3' is for 3 frames, not {num_frames}",
                fix="sample 3 frames, or use 'cyclic' or 'dense'",
            )
        return every
    for pair in pairs:
        if max(pair) > last:
            raise ConfigError(
                f'connection {pair} needs {max(pair) + 1} frames, but clips '
                f'have {num_frames}',
                fix='sample more frames, or connect others',
            )
    return pairs


@MODELS.register_module()
class TKLoss(nn.Module):
    """Temporal term of `MaskFreeVIS <https://arxiv.org/abs/2303.15904>`_.

    Pixels of two frames that show the same point should get the same label
    (Eq. 1 to 4). Goes with any detector that predicts masks in several
    frames: once per step ``targets = loss.prepare(targets)`` finds the
    matches, then each decoder layer calls the loss with its own rows.

    Args:
        loss_weight (float): Weight of the term. Defaults to 0.5: 0.1, which
            multiplies the term in the paper, by 5.0, which multiplies all
            mask losses in the released code.
        matcher (dict | nn.Module, optional): A ``TemporalMatcher`` or its
            config. Defaults to None: ``dict(type='PatchMatcher')``.
        connection (str | list[tuple[int]]): Which frames are matched.
            'cyclic': each with the next one, and the last with the first.
            'sequential': without the latter. 'dense': all with all later
            ones. 'release3': the (0, 1), (0, 2), (1, 2) of the released
            joint training, only for clips of 3 frames. Or pairs (a, b):
            pixels of frame b look for partners in frame a. Their terms are
            added up. Defaults to 'cyclic'.
        region (str): Where the centre of a pair must lie. 'tube': where
            the boxes of all frames, at mask stride, add up to at least 1
            (released code). 'center': in the box of its frame. 'pair': so,
            and the partner in the box of its own frame. 'all': anywhere
            (paper). Defaults to 'tube'.
        normalizer (str): 'pairs': each connection is divided by the number
            of pairs of all rows, at least 1 (released code); by the sum of
            their weights, if they have some. 'pixels': all is divided by
            the number of rows and of pixels per map (the 1 / HW of the
            paper), several times as many. Defaults to 'pairs'.
        sync_avg_factor (bool): Whether several processes train as one with
            all their rows, so that they count over all. False counts in
            each process, as the released code does. Defaults to True.
        warmup_iters (int): Iterations over which ``LossWarmupHook`` ramps
            the loss up; without that hook it has no effect. The released
            code counts 2000 calls of 10 layers. Defaults to 200.

    Attributes:
        warmup_factor (float): Multiplies the loss; the hook sets it before
            each iteration. 1.0 at first.
        needs_masks (bool): False; boxes are enough.
        needs_similarity (bool): False.
        needs_lab (bool): True; the data preprocessor computes the colours.
        needs_images (bool): Whether the matcher needs raw frames.
        needs_tube (bool): True; targets hold all frames of a clip.

    Raises:
        ConfigError: If an option is out of range.
    """

    needs_masks = False
    needs_similarity = False
    needs_lab = True
    needs_tube = True

    def __init__(
        self,
        loss_weight: float = 0.5,
        matcher: Union[Dict[str, Any], nn.Module, None] = None,
        connection: Union[str, Sequence[Sequence[int]]] = 'cyclic',
        region: str = 'tube',
        normalizer: str = 'pairs',
        sync_avg_factor: bool = True,
        warmup_iters: int = 200,
    ) -> None:
        super().__init__()
        for name, value, choices in (
            ('region', region, list(REGIONS)),
            ('normalizer', normalizer, list(_NORMALIZERS)),
        ):
            if value not in choices:
                raise ConfigError(
                    f'{name}={value!r} is unknown',
                    fix=f'use one of {choices}',
                )
        if warmup_iters < 0:
            raise ConfigError(
                f'warmup_iters={warmup_iters} is negative',
                fix='use the number of iterations, or 0 for no warm-up',
            )
        self.loss_weight = loss_weight
        if not isinstance(matcher, nn.Module):
            matcher = MODELS.build(matcher or dict(type='PatchMatcher'))
        assert isinstance(matcher, nn.Module)
        self.matcher = matcher
        known = isinstance(connection, str) and connection in _NAMES
        self.connection = connection if known else _check_pairs(connection)
        self.region = region
        self.normalizer = normalizer
        self.sync_avg_factor = sync_avg_factor
        self.warmup_iters = warmup_iters
        self.warmup_factor = 1.0

    @property
    def needs_images(self) -> bool:
        """Whether the matcher needs raw frames."""
        return bool(getattr(self.matcher, 'needs_images', False))

    def prepare(self, targets: MaskTargets) -> MaskTargets:
        """Find the pairs of all instances, once per step.

        Args:
            targets (MaskTargets): All rows, before ``gather``. Uses
                ``lab``, ``box_masks``, ``clip_index`` and, if
                ``needs_images``, ``images``.

        Returns:
            MaskTargets: The same, with ``pairs``.

        Raises:
            ConfigError: If the colours or images are missing, if the frames
                do not suit the connection, or if another loss has stored
                its pairs.
            PMVISError: If clips and rows, or matches and clips, differ.
        """
        if targets.pairs is not None:
            raise ConfigError(
                'these targets hold pairs across frames already',
                fix='prepare them once per step, and have one TKLoss only',
            )
        frames = targets.box_masks.size(1)
        # Without rows, clips may have any length: joint training has some
        # that are trained on masks.
        connections = (
            temporal_connections(frames, self.connection)
            if len(targets)
            else []
        )
        if connections:
            self._check_frames(targets)
            assert targets.lab is not None
            matches = self.matcher(targets.lab, connections, targets.images)
            _check_matches(matches, targets, connections)
        else:
            matches = _no_matches(targets, connections)
        assert targets.clip_index is not None
        pairs = select_pairs(
            matches, targets.box_masks, targets.clip_index, self.region
        )
        return replace(targets, pairs=pairs)

    def forward(self, mask_logits: Tensor, targets: MaskTargets) -> Tensor:
        """Compute the loss.

        Args:
            mask_logits (Tensor): float, (num_pos, T, h, w), before sigmoid.
            targets (MaskTargets): Rows matched to the predictions, gathered
                from what :meth:`prepare` returned. Uses ``pairs``.

        Returns:
            Tensor: Scalar; 0 with a gradient path if ``num_pos`` is 0 or T
            is 1.

        Raises:
            PMVISError: If logits and targets differ in shape, or if the
                targets were not prepared.
        """
        check_rows(mask_logits, targets)
        pairs = targets.pairs
        if pairs is None:
            raise PMVISError(
                'TKLoss finds no pairs across frames in these targets',
                fix='call targets = loss.prepare(targets) once per step, '
                'before targets.gather(...)',
            )
        # Before any early return: all processes must count.
        count = self._count(pairs, mask_logits)
        loss = zero_loss(mask_logits)
        if len(pairs) and pairs.matches.connections:
            loss = pair_sum(at_least_float32(mask_logits), pairs, 1 / count)
        # Of a matcher that learns, but has found nothing: DDP waits for all.
        for parameter in self.matcher.parameters():
            if parameter.requires_grad:
                loss = loss + parameter.sum() * 0
        return self.loss_weight * self.warmup_factor * loss

    def _count(self, pairs: RowPairs, mask_logits: Tensor) -> Tensor:
        """What the sum of each connection is divided by, (C, )."""
        number = len(pairs.matches.connections)
        if self.normalizer == 'pixels':
            per_map = mask_logits.size(-2) * mask_logits.size(-1)
            counts = mask_logits.new_tensor(
                [len(pairs) * per_map], dtype=torch.float32
            )
            return sync_count(counts, self.sync_avg_factor).expand(number)
        counts = pairs.totals[pairs.rows].sum(0)
        if not self.sync_avg_factor or get_world_size() == 1:
            return sync_count(counts, False)
        if number > _SLOTS:
            raise ConfigError(
                f'{number} connections cannot be counted over all processes',
                fix=f'use at most {_SLOTS}, or sync_avg_factor=False',
            )
        slots = counts.new_zeros(_SLOTS)
        slots[:number] = counts
        return sync_count(slots, True)[:number]

    def _check_frames(self, targets: MaskTargets) -> None:
        """Refuse targets without what the matcher reads."""
        for name, needed, option in (
            ('lab', self.needs_lab, 'dict()'),
            ('images', self.needs_images, 'dict(images=True)'),
        ):
            if needed and getattr(targets, name) is None:
                raise ConfigError(
                    f'TKLoss needs the {name} of all frames, but these '
                    'targets have none',
                    fix=f'set temporal={option} of the data preprocessor, '
                    'and let the head pass it to the targets',
                )
        assert targets.lab is not None and targets.clip_index is not None
        if len(targets) and int(targets.clip_index.max()) >= len(targets.lab):
            raise PMVISError(
                f'rows of clip {int(targets.clip_index.max())}, but lab of '
                f'{len(targets.lab)} clips',
                fix='build rows and colours from the same batch',
            )

    def extra_repr(self) -> str:
        """Show the options when the model is printed."""
        return (
            f'loss_weight={self.loss_weight}, '
            f'connection={self.connection!r}, region={self.region!r}, '
            f'normalizer={self.normalizer!r}, '
            f'sync_avg_factor={self.sync_avg_factor}, '
            f'warmup_iters={self.warmup_iters}'
        )


def _check_pairs(
    connection: Union[str, Sequence[Sequence[int]]],
) -> Connections:
    """Refuse unknown names, and pairs that are none or come twice."""
    if not isinstance(connection, str) and connection:
        pairs = [(int(pair[0]), int(pair[-1])) for pair in connection]
        two = all(len(pair) == 2 for pair in connection)
        if (
            two
            and all(a != b and min(a, b) >= 0 for a, b in pairs)
            and len(set(pairs)) == len(pairs)
        ):
            return pairs
    raise ConfigError(
        f'connection={connection!r} is unknown',
        fix=f'use one of {list(_NAMES)}, or list pairs of two different '
        'frames, each pair once',
    )


def _check_matches(
    matches: TemporalMatches, targets: MaskTargets, connections: Connections
) -> None:
    """Refuse matches of other frames than the targets have."""
    assert targets.lab is not None
    expected = (tuple(targets.box_masks.shape[1:]), len(targets.lab))
    got = (tuple(matches.shape), matches.counts.size(0))
    same = [tuple(pair) for pair in matches.connections] == connections
    if got != expected or not same:
        raise PMVISError(
            f'the matcher found pairs in {got[1]} clips of shape {got[0]} '
            f'along {matches.connections}; asked for were {expected[1]} of '
            f'{expected[0]} along {connections}',
            fix='return what TemporalMatcher.forward is asked for',
        )


def _no_matches(
    targets: MaskTargets, connections: Connections
) -> TemporalMatches:
    """Matches where there is nothing to match."""
    assert targets.clip_index is not None
    none = targets.clip_index[:0]
    clips = int(targets.clip_index.max()) + 1 if len(targets) else 1
    frames, height, width = targets.box_masks.shape[1:]
    return TemporalMatches(
        (frames, height, width),
        connections,
        none.new_zeros((clips, len(connections))),
        none,
        none[:, None],
    )
