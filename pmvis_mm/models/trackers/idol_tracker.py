"""Online association of IDOL: embeddings against a short memory."""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Union

import torch
import torch.nn.functional as F
from torch import Tensor

from ...registry import MODELS
from ...utils.errors import ConfigError, FrameError, PMVISError

NO_TRACK = -1

_METRICS = ('bisoftmax', 'softmax', 'cosine')


def mask_nms(mask_logits: Tensor, iou_thr: float) -> Tensor:
    """Drop masks that overlap a better one, whatever their class.

    Greedy in the order given. Two empty masks overlap fully: IoU is
    ``(intersection + 1e-6) / (union + 1e-6)``.

    Args:
        mask_logits (Tensor): float, (n, h, w), before sigmoid, best first.
        iou_thr (float): A mask is dropped if its IoU with a kept one is
            larger.

    Returns:
        Tensor: int64, (num_kept, ), on CPU. Ascending indices of the masks
        that stay.
    """
    with _full_precision(mask_logits):
        masks = (mask_logits.float().sigmoid() > 0.5).flatten(1).float()
        # Counts are exact in float32 up to 2 ** 24 pixels.
        inter = masks @ masks.t()
        area = masks.sum(1)
        union = area[:, None] + area - inter
        overlaps = ((inter + 1e-6) / (union + 1e-6) > iou_thr).cpu()
    dropped = torch.zeros(len(overlaps), dtype=torch.bool)
    kept: List[int] = []
    for index in range(len(overlaps)):
        if not dropped[index]:
            kept.append(index)
            dropped |= overlaps[index]
    return torch.tensor(kept, dtype=torch.long)


def temporal_embedding(embeds: Tensor, scores: Tensor) -> Tensor:
    """Average a track's embeddings; confident and recent ones weigh more.

    The i-th of m (oldest first) has the weight ``score_i + i / m``.

    Args:
        embeds (Tensor): float32, (m, C), oldest first.
        scores (Tensor): float32, (m, ), in [0, 1].

    Returns:
        Tensor: float32, (C, ).
    """
    count = len(scores)
    recency = torch.arange(1, count + 1, device=scores.device) / count
    weights = (scores + recency)[:, None]
    return (weights * embeds).sum(0) / weights.sum()


@dataclass
class _Track:
    """What is remembered of a live track."""

    memory: Tensor  # float32, (C, ): what detections are compared with
    embeds: Tensor  # float32, (m, C), the last ones; m = 0 if not needed
    scores: Tensor  # float32, (m, )
    last_frame: int
    hits: int = 1


@MODELS.register_module()
class IDOLTracker:
    """Tracker of `IDOL <https://arxiv.org/abs/2207.10661>`_ (Sec. 3.3).

    Detections are linked by embedding only: neither class nor position
    matters. Per frame: mask NMS; similarity of each detection to the memory
    of each live track; detections choose in the order of their score, each
    track once; what is left and confident starts a track. It reproduces the
    public code (VNext). A plain object: no parameters, and memory only for
    the tracks of the last ``memory_frames`` frames.

    Args:
        init_score_thr (float): While no track is alive, detections of a
            higher score start one. Defaults to 0.2.
        new_score_thr (float): The same while some are. The public code has
            0.3 for OVIS. Defaults to 0.2.
        mask_nms_thr (float): Mask IoU above which the worse of two
            detections is dropped. The public code has 0.3 for OVIS.
            Defaults to 0.5.
        match_score_thr (float): Similarity above which a detection may
            continue a track. Defaults to 0.5.
        memory_frames (int): A track dies when it was last seen this many
            frames ago. Defaults to 10.
        memory_len (int): Embeddings kept per track, used with
            ``temporal_weight``. Defaults to 3.
        temporal_weight (bool): Compare with :func:`temporal_embedding` of
            those; otherwise with a moving average. INFERENCE_TW of the
            public code. Defaults to True.
        frame_weight (bool): If several tracks are similar enough, prefer
            the longer ones: similarities are multiplied by the number of
            frames in which a track was seen. It is INFERENCE_TW or
            INFERENCE_FW of the public code. Defaults to True.
        match_metric (str): 'bisoftmax': mean of the softmax of the dot
            products over tracks and over detections. 'softmax': over tracks
            only. 'cosine': cosine similarity. Defaults to 'bisoftmax'.
        memory_momentum (float): Weight of the newest embedding in the
            moving average. Defaults to 0.8.

    Raises:
        ConfigError: If an option is out of range.
    """

    def __init__(
        self,
        init_score_thr: float = 0.2,
        new_score_thr: float = 0.2,
        mask_nms_thr: float = 0.5,
        match_score_thr: float = 0.5,
        memory_frames: int = 10,
        memory_len: int = 3,
        temporal_weight: bool = True,
        frame_weight: bool = True,
        match_metric: str = 'bisoftmax',
        memory_momentum: float = 0.8,
    ) -> None:
        _check_range('init_score_thr', init_score_thr)
        _check_range('new_score_thr', new_score_thr)
        _check_range('mask_nms_thr', mask_nms_thr)
        _check_range('match_score_thr', match_score_thr)
        _check_range('memory_momentum', memory_momentum)
        _check_count('memory_frames', memory_frames)
        _check_count('memory_len', memory_len)
        if match_metric not in _METRICS:
            raise ConfigError(
                f'match_metric={match_metric!r} is unknown',
                fix=f'use one of {list(_METRICS)}',
            )
        self.init_score_thr = init_score_thr
        self.new_score_thr = new_score_thr
        self.mask_nms_thr = mask_nms_thr
        self.match_score_thr = match_score_thr
        self.memory_frames = memory_frames
        self.memory_len = memory_len
        self.temporal_weight = temporal_weight
        self.frame_weight = frame_weight
        self.match_metric = match_metric
        self.memory_momentum = memory_momentum
        self.reset()

    def reset(self) -> None:
        """Forget everything; call it before the first frame of a video."""
        # Order of creation, which decides ties.
        self._tracks: Dict[int, _Track] = {}
        self._next_id = 0
        self._last_frame: Optional[int] = None

    @property
    def live_ids(self) -> List[int]:
        """list[int]: Ids that a detection of the next frame may get."""
        return list(self._tracks)

    @torch.no_grad()
    def track(
        self,
        frame_id: int,
        scores: Tensor,
        embeds: Tensor,
        mask_logits: Tensor,
    ) -> Tensor:
        """Give the detections of the next frame their track ids.

        Args:
            frame_id (int): 0-based index in the video; must grow. Gaps
                count as frames without detections.
            scores (Tensor): float, (n, ), in [0, 1], descending.
            embeds (Tensor): float, (n, C), re-id embeddings.
            mask_logits (Tensor): float, (n, h, w), before sigmoid, on the
                padded canvas at mask stride.

        Returns:
            Tensor: int64, (n, ). Ids count from 0 in a video and are never
            reused; -1 without a track, be it a duplicate (mask NMS) or a
            detection too weak to start one.

        Raises:
            FrameError: If the frame does not come after the last one.
            PMVISError: If the tensors do not fit together, or scores are
                not sorted.
        """
        self._check_frame(frame_id)
        _check_detections(frame_id, scores, embeds, mask_logits)
        kept = mask_nms(mask_logits, self.mask_nms_thr)
        index = kept.to(scores.device)
        kept_scores = scores[index].float()
        kept_embeds = embeds[kept.to(embeds.device)].float()
        # After the previous frame, if there was one; here for gaps.
        self._drop_stale(frame_id - 1)
        with _full_precision(embeds):
            found = self._match(kept_embeds)
            found = self._start_tracks(found, kept_scores)
            self._update(frame_id, found, kept_scores, kept_embeds)
        self._drop_stale(frame_id)
        self._last_frame = frame_id
        ids = scores.new_full((len(scores),), NO_TRACK, dtype=torch.long)
        ids[index] = torch.tensor(found, dtype=torch.long).to(ids.device)
        return ids

    def state_dict(self) -> Dict[str, Any]:
        """Tell what a tracker must know to go on with the video.

        Returns:
            dict: Numbers, lists and tensors on CPU, copies of its own.
        """
        tracks = self._tracks.values()
        return dict(
            next_id=self._next_id,
            last_frame=self._last_frame,
            ids=list(self._tracks),
            memory=[track.memory.cpu().clone() for track in tracks],
            embeds=[track.embeds.cpu().clone() for track in tracks],
            scores=[track.scores.cpu().clone() for track in tracks],
            last_frames=[track.last_frame for track in tracks],
            hits=[track.hits for track in tracks],
        )

    def load_state_dict(
        self, state: Mapping[str, Any], device: Union[str, torch.device]
    ) -> None:
        """Go on where another tracker with the same options has stopped.

        Args:
            state (Mapping): From :meth:`state_dict`.
            device (str | torch.device): Of the embeddings to come.
        """
        self._next_id = state['next_id']
        self._last_frame = state['last_frame']
        columns = [
            [tensor.to(device, copy=True) for tensor in state[name]]
            for name in ('memory', 'embeds', 'scores')
        ]
        rows = zip(*columns, state['last_frames'], state['hits'])
        self._tracks = {
            track_id: _Track(*row) for track_id, row in zip(state['ids'], rows)
        }

    def _check_frame(self, frame_id: int) -> None:
        if self._last_frame is not None and frame_id <= self._last_frame:
            raise FrameError(
                f'frame {frame_id} comes after frame {self._last_frame}',
                frame=frame_id,
                fix='pass frames in order, and call reset() before the '
                'first one of a video',
            )

    def _match(self, embeds: Tensor) -> List[int]:
        """Let detections choose live tracks in their order, -1 for none."""
        ids = list(self._tracks)
        found = [NO_TRACK] * len(embeds)
        if not ids or not found:
            return found
        memory = torch.stack([t.memory for t in self._tracks.values()])
        # Small, and read entry by entry: not on the GPU.
        similarity = self._similarity(embeds, memory).cpu()
        hits = torch.tensor([float(t.hits) for t in self._tracks.values()])
        for row in range(len(found)):
            choice = similarity[row]
            likely = choice > self.match_score_thr
            if self.frame_weight and int(likely.sum()) > 1:
                # The public code multiplies the unlikely ones by the mean
                # of the likely ones' hits: they can never win.
                choice = choice * hits * likely
            best = int(choice.argmax())
            if choice[best] > self.match_score_thr:
                found[row] = ids[best]
                similarity[:, best] = 0
        return found

    def _similarity(self, embeds: Tensor, memory: Tensor) -> Tensor:
        """Compare (n, C) with (num_tracks, C) as ``match_metric`` says."""
        if self.match_metric == 'cosine':
            return F.normalize(embeds, dim=1) @ F.normalize(memory, dim=1).t()
        products = embeds @ memory.t()
        over_tracks = products.softmax(1)
        if self.match_metric == 'softmax':
            return over_tracks
        return (over_tracks + products.softmax(0)) / 2

    def _start_tracks(self, found: List[int], scores: Tensor) -> List[int]:
        """Replace -1 by a new id where the score is high enough."""
        thr = self.new_score_thr if self._tracks else self.init_score_thr
        # As float32, where a score equal to the threshold is not above it.
        confident = (scores > thr).tolist()
        ids = list(found)
        for row, above in enumerate(confident):
            if above and ids[row] == NO_TRACK:
                ids[row] = self._next_id
                self._next_id += 1
        return ids

    def _update(
        self, frame_id: int, ids: List[int], scores: Tensor, embeds: Tensor
    ) -> None:
        """Remember the detections that have a track."""
        for row, track_id in enumerate(ids):
            if track_id == NO_TRACK:
                continue
            # A copy: a view would keep the whole frame's tensor.
            embed = embeds[row : row + 1].detach().clone()
            score = scores[row : row + 1].detach().to(embed.device, copy=True)
            track = self._tracks.get(track_id)
            if track is None:
                self._tracks[track_id] = self._new(frame_id, embed, score)
            else:
                self._extend(track, frame_id, embed, score)

    def _drop_stale(self, frame_id: int) -> None:
        """Drop the tracks that the frame's end leaves unseen for too long."""
        self._tracks = {
            track_id: track
            for track_id, track in self._tracks.items()
            if frame_id - track.last_frame < self.memory_frames
        }

    def _new(self, frame_id: int, embed: Tensor, score: Tensor) -> _Track:
        count = 1 if self.temporal_weight else 0
        return _Track(embed[0], embed[:count], score[:count], frame_id)

    def _extend(
        self, track: _Track, frame_id: int, embed: Tensor, score: Tensor
    ) -> None:
        if self.temporal_weight:
            length = self.memory_len
            track.embeds = torch.cat([track.embeds, embed])[-length:]
            track.scores = torch.cat([track.scores, score])[-length:]
            track.memory = temporal_embedding(track.embeds, track.scores)
        else:
            momentum = self.memory_momentum
            track.memory = (1 - momentum) * track.memory + momentum * embed[0]
        track.hits += 1
        track.last_frame = frame_id


def _full_precision(tensor: Tensor) -> torch.autocast:
    """Switch autocast off: products in half precision change ids."""
    return torch.autocast(device_type=tensor.device.type, enabled=False)


def _check_range(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ConfigError(
            f'{name}={value!r} is out of range', fix='use 0 to 1'
        )


def _check_count(name: str, value: int) -> None:
    if not isinstance(value, int) or value < 1:
        raise ConfigError(
            f'{name}={value!r} is out of range', fix='use 1, 2, 3, ...'
        )


def _check_detections(
    frame_id: int, scores: Tensor, embeds: Tensor, mask_logits: Tensor
) -> None:
    """Refuse what would be linked wrongly in silence."""
    dims = (scores.dim(), embeds.dim(), mask_logits.dim())
    same = len(scores) == len(embeds) == len(mask_logits) if all(dims) else 0
    if dims != (1, 2, 3) or not same:
        raise PMVISError(
            f'scores {tuple(scores.shape)}, embeds {tuple(embeds.shape)} and '
            f'mask logits {tuple(mask_logits.shape)} do not fit together',
            frame=frame_id,
            fix='pass (n, ), (n, C) and (n, h, w)',
        )
    if bool((scores[1:] > scores[:-1]).any()):
        raise PMVISError(
            'scores are not sorted',
            frame=frame_id,
            fix='pass the best detection first, as select_queries does',
        )
