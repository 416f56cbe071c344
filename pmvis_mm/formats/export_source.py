"""What can be exported: masks and boxes of files, as tracks."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Union

import numpy as np

from ..evaluation.functional.results_check import load_results
from ..structures import (
    BoxTrack,
    MaskTrack,
    PseudoMaskSet,
    VideoAnnotations,
    VideoInfo,
    parse_annotations,
)
from ..structures.rle import area, tight_boxes
from ..structures.video_track import VideoTrack
from ..utils.errors import ConfigError
from ..utils.fileio import load_json

PathLike = Union[str, Path]

# What only a set of pseudo masks has in its annotations.
_SET_KEYS = ('sources', 'scores', 'annotated_bboxes')


@dataclass(frozen=True)
class ExportSource:
    """Videos and what is known of their instances.

    Attributes:
        videos (dict[int, VideoInfo]): By id.
        categories (list[dict]): With ``id`` and ``name``; the label of a
            track is a position in this list.
        read (Callable): Gives the tracks of a video, by its id, by
            ascending id of the track.
        name (str): For messages.
        has_masks (bool): Whether there are masks; else boxes only.
    """

    videos: Dict[int, VideoInfo]
    categories: List[Dict[str, Any]]
    read: Callable[[int], List[VideoTrack]] = field(repr=False)
    name: str = 'annotations'
    has_masks: bool = True

    @property
    def classes(self) -> List[str]:
        """Names of the categories; ids of those without a name."""
        return [str(c.get('name', c['id'])) for c in self.categories]

    def above(self, score_thr: float) -> 'ExportSource':
        """Leave out tracks of a lower score.

        Args:
            score_thr (float): Unknown scores count as 1.

        Returns:
            ExportSource: The rest.
        """

        def read(video_id: int) -> List[VideoTrack]:
            tracks = self.read(video_id)
            return [t for t in tracks if t.scores[0] >= score_thr]

        return replace(self, read=read)


def from_mask_set(
    masks: PseudoMaskSet, with_boxes: bool = True
) -> ExportSource:
    """Show a set of pseudo masks.

    The score of a track is the mean of what is known of its frames, 1 if
    that is nothing.

    Args:
        masks (PseudoMaskSet): The set.
        with_boxes (bool): Whether annotated boxes of frames without a mask
            are shown. Defaults to True.

    Returns:
        ExportSource: The same videos and tracks.
    """
    labels = _labels(masks.categories)

    def read(video_id: int) -> List[VideoTrack]:
        found = []
        for track in _by_id(masks.tracks[video_id]):
            boxes = track.boxes if with_boxes else [None] * len(track.masks)
            shown = _shown(track.masks, boxes)
            made = _track(track, labels, shown, track.masks, track.boxes)
            scores = [track.scores[t] for t in shown]
            known = [score for score in scores if score is not None]
            made.scores = (float(np.mean(known)) if known else 1.0,)
            made.frame_scores = np.array(
                [np.nan if score is None else score for score in scores]
            )
            made.sources = tuple(track.sources[t] for t in shown)
            found.append(made)
        return found

    return ExportSource(masks.videos, masks.categories, read, masks.name)


def from_annotations(annotations: VideoAnnotations) -> ExportSource:
    """Show annotations by people: boxes, and masks if they were read.

    Args:
        annotations (VideoAnnotations): Read with ``with_masks=True`` if
            masks are wanted.

    Returns:
        ExportSource: The same videos and tracks, scores unknown.
    """
    labels = _labels(annotations.categories)

    def read(video_id: int) -> List[VideoTrack]:
        found = []
        for track in _by_id(annotations.tracks[video_id]):
            masks = track.segmentations or [None] * len(track.boxes)
            shown = _shown(masks, track.boxes)
            found.append(_track(track, labels, shown, masks, track.boxes))
        return found

    tracks = list(annotations)
    return ExportSource(
        annotations.videos,
        annotations.categories,
        read,
        annotations.file or 'annotations',
        any(t.segmentations is not None for t in tracks) or not tracks,
    )


def from_results(
    path: PathLike, annotations: VideoAnnotations
) -> ExportSource:
    """Show results of a model.

    Neighbouring entries with the same masks are one track with several
    classes, as models write it that judge tracks. Tracks are numbered from
    1 on through the file.

    Args:
        path (str | Path): A results.json, or a zip with it.
        annotations (VideoAnnotations): Lists the videos and categories;
            needs no tracks.

    Returns:
        ExportSource: Videos and categories of the annotations.

    Raises:
        ResultsError: If the file is malformed or does not fit.
    """
    labels = _labels(annotations.categories)
    tracks: Dict[int, List[VideoTrack]] = {
        key: [] for key in annotations.videos
    }
    last: Any = None
    number = 0
    for entry in load_results(path, annotations):
        label, score = labels[int(entry['category_id'])], float(entry['score'])
        same = last is not None and all(
            last[key] == entry[key] for key in ('video_id', 'segmentations')
        )
        last = entry
        found = tracks[entry['video_id']]
        if same:
            verdicts = sorted(
                [*zip(found[-1].scores, found[-1].labels), (score, label)],
                key=lambda verdict: -verdict[0],
            )
            found[-1].scores = tuple(s for s, _ in verdicts)
            found[-1].labels = tuple(n for _, n in verdicts)
            continue
        number += 1
        found.append(_result_track(entry, number, label, score))
    return ExportSource(
        annotations.videos, annotations.categories, tracks.__getitem__,
        str(path),
    )  # fmt: skip


def _result_track(
    entry: Dict[str, Any], number: int, label: int, score: float
) -> VideoTrack:
    masks = entry['segmentations']
    shown = _shown(masks, [None] * len(masks))
    rles = tuple(masks[t] for t in shown)
    return VideoTrack(
        id=number,
        labels=(label,),
        scores=(score,),
        start_frame=0,
        frames=np.array(shown, np.int64),
        masks=rles,
        bboxes=tight_boxes(rles),
        frame_scores=np.full(len(shown), score),
    )


def load_source(
    path: PathLike, ann_file: Optional[PathLike] = None
) -> ExportSource:
    """Read what is to be exported from a file.

    Args:
        path (str | Path): A set of pseudo masks, a YouTube-VIS json with
            masks or with boxes only, or results (a json list, or a zip).
        ann_file (str | Path, optional): Annotations that list the videos
            and categories of results; masks in them are not read. Defaults
            to None.

    Returns:
        ExportSource: Videos and tracks.

    Raises:
        ConfigError: If results come without annotations, or others with.
        PMVISError: If a file is malformed.
    """
    if _is_results(Path(path)):
        if ann_file is None:
            raise ConfigError(
                'results name neither videos nor categories',
                file=path,
                fix='name the annotation file too (--ann)',
            )
        truth = VideoAnnotations.from_file(ann_file, clip_boxes=True)
        return from_results(path, truth)
    data = load_json(path)
    if ann_file is not None:
        raise ConfigError(
            'this is no list of results: it holds videos and categories',
            file=path,
            fix='leave the annotation file (--ann) out',
        )
    if _is_mask_set(data):
        return from_mask_set(PseudoMaskSet.from_json(data, str(path)))
    return from_annotations(
        parse_annotations(data, str(path), with_masks=True, clip_boxes=True)
    )


def _is_mask_set(data: Any) -> bool:
    entries = data.get('annotations') if isinstance(data, dict) else None
    if not isinstance(entries, list):
        return False
    return all(
        isinstance(e, dict) and e.get('segmentations') for e in entries
    ) and any(key in entry for entry in entries for key in _SET_KEYS)


def _is_results(path: Path) -> bool:
    """Tell results by the first character: a list, or a zip."""
    try:
        with open(path, 'rb') as file:
            head = file.read(4096).lstrip(b'\xef\xbb\xbf \t\r\n')
    except OSError:
        return False  # said by those who read the file
    return head[:1] == b'[' or head[:2] == b'PK'


def _labels(categories: List[Dict[str, Any]]) -> Dict[int, int]:
    return {entry['id']: label for label, entry in enumerate(categories)}


def _by_id(tracks: List[Any]) -> Iterator[Any]:
    return iter(sorted(tracks, key=lambda track: track.id))


def _shown(masks: List[Any], boxes: List[Any]) -> List[int]:
    """Frames with a mask that has a pixel, or with a box."""
    return [
        t
        for t, (mask, box) in enumerate(zip(masks, boxes))
        if box is not None or (mask is not None and area(mask))
    ]


def _track(
    track: Union[BoxTrack, MaskTrack],
    labels: Dict[int, int],
    shown: List[int],
    masks: List[Any],
    boxes: List[Any],
) -> VideoTrack:
    rles = tuple(
        m if m and area(m) else None for m in (masks[t] for t in shown)
    )
    corners = tight_boxes(rles)
    marks = track.interpolated
    for i, t in enumerate(shown):
        if boxes[t] is not None:
            corners[i] = boxes[t]
    return VideoTrack(
        id=track.id,
        labels=(labels[track.category_id],),
        scores=(1.0,),
        start_frame=0,
        frames=np.array(shown, np.int64),
        masks=rles,
        bboxes=corners,
        frame_scores=np.full(len(shown), np.nan),
        iscrowd=track.iscrowd,
        interpolated=None if marks is None else {*np.flatnonzero(marks)},
    )
