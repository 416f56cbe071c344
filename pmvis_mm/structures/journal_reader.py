"""Reading frames and tracks out of the tables of a journal."""

from contextlib import closing
from sqlite3 import Connection
from typing import Any, Dict, Iterator, NamedTuple, Optional, Tuple

import numpy as np
import torch
from mmengine.structures import InstanceData

from .rle import RLE
from .video_track import VideoTrack

# Most frames decide about the class; ties: the higher mean score.
_RANKED = """
SELECT label, COUNT(*) AS number, SUM(score) AS total FROM found
WHERE track = ? GROUP BY label
ORDER BY number DESC, total / number DESC, label
"""


class _Verdict(NamedTuple):
    labels: Tuple[int, ...]
    scores: Tuple[float, ...]
    start: int


def read_instances(connection: Connection, frame: int) -> InstanceData:
    """Read what was found in a frame.

    Args:
        connection (Connection): To the journal.
        frame (int): 0-based.

    Returns:
        InstanceData: As given to ``TrackJournal.add``; empty where there
        is nothing.
    """
    table = connection.execute(
        'SELECT track, label, score, x0, y0, x1, y1, height, width, counts '
        'FROM found WHERE frame = ? ORDER BY place',
        (frame,),
    ).fetchall()
    boxes = torch.tensor([row[3:7] for row in table], dtype=torch.float32)
    return InstanceData(
        instances_id=torch.tensor([r[0] for r in table], dtype=torch.long),
        labels=torch.tensor([r[1] for r in table], dtype=torch.long),
        scores=torch.tensor([r[2] for r in table], dtype=torch.float32),
        bboxes=boxes.reshape(-1, 4),
        masks=[_mask(*row[7:10]) for row in table],
    )


def read_tracks(connection: Connection, judged: bool) -> Iterator[VideoTrack]:
    """Read whole tracks, one at a time; see ``TrackJournal.iter_tracks``.

    Args:
        connection (Connection): To the journal.
        judged (bool): Whether the model has given verdicts.

    Yields:
        VideoTrack: By ascending id.
    """
    connection.execute(
        'CREATE INDEX IF NOT EXISTS by_track ON found (track, frame)'
    )
    table = 'verdicts' if judged else 'found'
    with closing(
        connection.execute(f'SELECT DISTINCT track FROM {table} ORDER BY 1')
    ) as cursor:
        for (key,) in cursor:
            track = _read_track(connection, key, judged)
            if track is not None:
                yield track


def _read_track(
    connection: Connection, key: int, judged: bool
) -> Optional[VideoTrack]:
    verdict = (_given if judged else _derived)(connection, key)
    # By frame: of several in a frame the last one counts, as in VISMetric.
    rows: Dict[int, Tuple[Any, ...]] = {}
    for frame, time, score, x0, y0, x1, y1, *mask in connection.execute(
        'SELECT frame, seconds, score, x0, y0, x1, y1, height, width, counts '
        'FROM found LEFT JOIN clock USING (frame) '
        'WHERE track = ? AND frame >= ? AND NOT empty '
        'ORDER BY frame, place',
        (key, verdict.start),
    ):
        rows[frame] = (time, score, (x0, y0, x1, y1), _mask(*mask))
    if not rows:
        return None
    times, scores, boxes, masks = zip(*rows.values())
    return VideoTrack(
        key,
        *verdict,
        np.array(list(rows), np.int64),
        masks,
        np.array(boxes, np.float32),
        np.array(scores, np.float32),
        None if None in times else np.array(times, np.float64),
    )


def _given(connection: Connection, key: int) -> _Verdict:
    """Read what the model says of a track."""
    labels, scores, starts = zip(
        *connection.execute(
            'SELECT label, score, start FROM verdicts WHERE track = ? '
            'ORDER BY score DESC, place',
            (key,),
        )
    )
    return _Verdict(labels, scores, starts[0])


def _derived(connection: Connection, key: int) -> _Verdict:
    """Judge a track by its frames."""
    ranked = connection.execute(_RANKED, (key,)).fetchall()
    number = sum(row[1] for row in ranked)
    total = sum(row[2] for row in ranked)
    return _Verdict((ranked[0][0],), (total / number,), 0)


def _mask(height: Any, width: Any, counts: str) -> RLE:
    return dict(size=[height, width], counts=counts)
