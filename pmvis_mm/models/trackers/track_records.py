"""What the tracks of a video add up to: classes and scores."""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Tuple

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from ...utils.errors import ConfigError, FrameError, PMVISError

# Up to this frame index nothing is deleted.
_LAST_FRAME_KEPT = 8
_MIN_HITS = 3
_MISSES = 2

_TEMPORAL = ('mean', 'max')


@dataclass
class _Record:
    """Running totals of one track."""

    start: int
    last: int
    hits: int
    total: Tensor  # float64, (K, )
    highest: Tensor  # float64, (K, )


class TrackRecords:
    """Collect the class scores of tracks frame by frame.

    From the tenth frame of a video on, tracks that are not seen in the last
    two frames and were seen in less than three are deleted after each frame
    (public code of IDOL). The tracker does not learn of it: if it finds such
    a track again, a new record begins, at the end of the order, and its
    earlier frames do not count. Memory is that of the tracks, whatever the
    length of the video.
    """

    def __init__(self) -> None:
        self._records: Dict[int, _Record] = {}
        self._num_frames = 0
        self._num_classes = -1

    @property
    def ids(self) -> List[int]:
        """list[int]: Ids of the tracks that count at present, in order.

        Masks of others may be thrown away.
        """
        return list(self._records)

    def add(self, frame_id: int, ids: Tensor, class_scores: Tensor) -> None:
        """Add the next frame; also one without tracks.

        Args:
            frame_id (int): 0-based index in the video, without gaps.
            ids (Tensor): int64, (n, ), negative where there is no track.
            class_scores (Tensor): float, (n, K), after sigmoid.

        Raises:
            FrameError: If a frame is left out or out of order.
            PMVISError: If shapes do not fit or an id comes twice.
        """
        self._check(frame_id, ids, class_scores)
        track_ids = ids.tolist()
        _check_unique(frame_id, track_ids)
        self._num_frames += 1
        self._num_classes = class_scores.size(1)
        # Sums in float64 do not drift.
        rows = class_scores.detach().cpu().double()
        for track_id, row in zip(track_ids, rows):
            if track_id >= 0:
                self._add_hit(frame_id, track_id, row)
        if frame_id > _LAST_FRAME_KEPT:
            self._clean_up(frame_id)

    def _check(self, frame_id: int, ids: Tensor, class_scores: Tensor) -> None:
        if frame_id != self._num_frames:
            raise FrameError(
                f'frame {frame_id} where frame {self._num_frames} is next',
                frame=frame_id,
                fix='add every frame in order, with empty tensors if it has '
                'no detection, and use new TrackRecords for each video',
            )
        if class_scores.dim() != 2 or ids.shape != class_scores.shape[:1]:
            raise PMVISError(
                f'ids {tuple(ids.shape)} and class scores '
                f'{tuple(class_scores.shape)} do not fit together',
                frame=frame_id,
                fix='pass (n, ) and (n, K)',
            )
        if self._num_classes not in (-1, class_scores.size(1)):
            raise PMVISError(
                f'{class_scores.size(1)} classes where earlier frames have '
                f'{self._num_classes}',
                frame=frame_id,
                fix='use one model for the whole video',
            )

    def _add_hit(self, frame_id: int, track_id: int, row: Tensor) -> None:
        record = self._records.get(track_id)
        if record is None:
            self._records[track_id] = _Record(
                frame_id, frame_id, 1, row.clone(), row.clone()
            )
            return
        record.last = frame_id
        record.hits += 1
        record.total += row
        record.highest = torch.maximum(record.highest, row)

    def _clean_up(self, frame_id: int) -> None:
        self._records = {
            track_id: record
            for track_id, record in self._records.items()
            if frame_id - record.last < _MISSES or record.hits >= _MIN_HITS
        }

    def state_dict(self) -> Dict[str, Any]:
        """Tell what other records must know to go on with the video.

        Returns:
            dict: Numbers, lists and two tensors, float64, (n, K).
        """
        records = list(self._records.values())
        none = torch.zeros(0, max(self._num_classes, 0), dtype=torch.float64)
        totals = [none, *(r.total[None] for r in records)]
        highest = [none, *(r.highest[None] for r in records)]
        return dict(
            num_frames=self._num_frames,
            num_classes=self._num_classes,
            ids=list(self._records),
            spans=[(r.start, r.last, r.hits) for r in records],
            total=torch.cat(totals),
            highest=torch.cat(highest),
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where other records have stopped.

        Args:
            state (Mapping): From :meth:`state_dict`.
        """
        self._num_frames = state['num_frames']
        self._num_classes = state['num_classes']
        sums = zip(state['total'].clone(), state['highest'].clone())
        self._records = {
            track_id: _Record(start, last, hits, total, highest)
            for track_id, (start, last, hits), (total, highest) in zip(
                state['ids'], state['spans'], sums
            )
        }

    def finish(
        self,
        multi_class: bool = True,
        score_thr: float = 0.05,
        temporal: str = 'mean',
    ) -> InstanceData:
        """Turn records into results; the records stay as they are.

        Args:
            multi_class (bool): One result for each class above
                ``score_thr``, several per track; otherwise the best class
                of each track, whatever its score. Defaults to True.
            score_thr (float): Defaults to 0.05.
            temporal (str): A class's score is the 'mean' or the 'max' over
                the frames with the track. Defaults to 'mean'.

        Returns:
            InstanceData: M results on CPU, in the order of the records,
            then of the classes:

            - instances_id (Tensor): int64, (M, ), the tracker's ids.
            - start_frames (Tensor): int64, (M, ), first frame that counts;
              masks of the track before it do not belong to the result.
            - labels (Tensor): int64, (M, ).
            - scores (Tensor): float32, (M, ).

        Raises:
            ConfigError: If an option is out of range.
        """
        if temporal not in _TEMPORAL:
            raise ConfigError(
                f'temporal={temporal!r} is unknown',
                fix=f'use one of {list(_TEMPORAL)}',
            )
        if not 0 <= score_thr <= 1:
            raise ConfigError(
                f'score_thr={score_thr!r} is out of range', fix='use 0 to 1'
            )
        rows: List[Tuple[int, int, int]] = []
        scores: List[Tensor] = []
        for track_id, record in self._records.items():
            by_class = _class_scores(record, temporal)
            if multi_class:
                labels = (by_class > score_thr).nonzero().flatten()
            else:
                labels = by_class.argmax().reshape(1)
            rows += [(track_id, record.start, n) for n in labels.tolist()]
            scores.append(by_class[labels])
        table = torch.tensor(rows, dtype=torch.long).reshape(-1, 3)
        return InstanceData(
            instances_id=table[:, 0],
            start_frames=table[:, 1],
            labels=table[:, 2],
            scores=torch.cat(scores) if scores else torch.zeros(0),
        )


def _class_scores(record: _Record, temporal: str) -> Tensor:
    """Return float32, (K, )."""
    if temporal == 'max':
        return record.highest.float()
    return (record.total / record.hits).float()


def _check_unique(frame_id: int, track_ids: List[int]) -> None:
    tracks = [track_id for track_id in track_ids if track_id >= 0]
    if len(set(tracks)) != len(tracks):
        raise PMVISError(
            f'ids {track_ids} name a track twice',
            frame=frame_id,
            fix='give each track to one detection per frame',
        )
