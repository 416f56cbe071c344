"""Turns the decisions of a label review into the final masks."""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from ..structures import MaskTrack, PseudoMaskSet
from ..utils.errors import ReviewError
from .decisions import (
    STATUSES,
    Decision,
    apply_marks,
    check_range,
    track_status,
)
from .index import Source, check_videos, load_source

KEEP_REJECTED = ('drop', 'keep-empty')
ON_MISSING = ('error', 'skip')
Marks = Dict[int, List[Optional[str]]]


@dataclass
class ApplyCounts:
    """What applying decisions did.

    Attributes:
        tracks (dict[str, int]): Number of tracks by status.
        without_masks (int): Tracks that were accepted or rejected although
            the final set has no mask of them: nothing is to be done.
        tracks_out (int): Tracks of the new set.
        masks_in (int): Masks of the final set.
        masks_out (int): Masks of the new set.
        rejected_masks (int): Masks removed from tracks that stay.
        chosen_masks (dict[str, int]): Masks taken from each source.
        skipped (int): Decisions about tracks that no longer exist.
    """

    tracks: Dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(STATUSES, 0)
    )
    without_masks: int = 0
    tracks_out: int = 0
    masks_in: int = 0
    masks_out: int = 0
    rejected_masks: int = 0
    chosen_masks: Dict[str, int] = field(default_factory=dict)
    skipped: int = 0

    def rows(self) -> List[Tuple[str, int]]:
        """List the numbers with what they count."""
        rows = [(f'tracks {name}', n) for name, n in self.tracks.items()]
        rows += [
            ('tracks decided that have no mask', self.without_masks),
            ('tracks written', self.tracks_out),
            ('masks before', self.masks_in),
            ('masks rejected in tracks that stay', self.rejected_masks),
        ]
        rows += [
            (f'masks taken from {name!r}', n)
            for name, n in sorted(self.chosen_masks.items())
        ]
        return rows + [
            ('masks written', self.masks_out),
            ('decisions skipped', self.skipped),
        ]


def apply_decisions(
    final: PseudoMaskSet,
    decisions: Sequence[Decision],
    sources: Mapping[str, Source],
    rejected: str = 'drop',
    only_accepted: bool = False,
    missing: str = 'error',
    file: Any = None,
) -> Tuple[PseudoMaskSet, ApplyCounts]:
    """Apply the decisions of a review.

    Where a source was chosen, its masks replace those of ``final`` with its
    name and scores; where it has none, there is none afterwards. Rejected
    frames lose their mask. Everything else stays as it is.

    Args:
        final (PseudoMaskSet): The masks that were reviewed; not changed.
        decisions (Sequence[Decision]): The oldest first.
        sources (Mapping[str, PseudoMaskSet | str | Path]): Candidates, or
            their files, by the names that the review had for them; only
            those that were chosen are read, one at a time.
        rejected (str): 'drop' tracks that were rejected as a whole, or
            'keep-empty': keep them without masks. Defaults to 'drop'.
        only_accepted (bool): Drop tracks that are still open. Defaults to
            False.
        missing (str): What to do about decisions on tracks that no longer
            exist: 'error' or 'skip'. Defaults to 'error'.
        file (str | Path, optional): The review json, for messages.

    Returns:
        tuple[PseudoMaskSet, ApplyCounts]: The new set, and what was done.

    Raises:
        ReviewError: If a track, source or frame of a decision does not
            exist, or a chosen source was not given.
        MaskSetError: If a source is malformed or of other videos.
        ValueError: If ``rejected`` or ``missing`` is none of the above.
    """
    _check_option('rejected', rejected, KEEP_REJECTED)
    _check_option('missing', missing, ON_MISSING)
    counts = ApplyCounts(masks_in=final.num_masks)
    tracks = {track.id: track.copy() for track in final}
    by_track: Dict[int, List[Decision]] = {}
    for decision in decisions:
        by_track.setdefault(decision.track, []).append(decision)
    _check_sources(by_track, sources, file)
    chosen = _read_chosen(final, by_track, sources)
    added = {}  # annotated, but without any final mask
    for (_, key), candidate in chosen.items():
        if key not in tracks:
            added[key] = MaskTrack.empty_like(candidate)
    tracks.update(added)
    counts.without_masks = _drop_maskless(by_track, tracks, final)
    counts.skipped = _drop_missing(by_track, tracks, missing, final, file)

    result = PseudoMaskSet.empty_like(final, f'{final.name}, reviewed')
    for track in tracks.values():
        made = by_track.get(track.id, [])
        for decision in made:
            check_range(decision, len(track.masks), file)
        marks = apply_marks(made, len(track.masks))
        status = track_status(marks, _matters(track))
        counts.tracks[status] += 1
        if status == 'rejected' and rejected == 'drop':
            continue
        if status == 'open' and (only_accepted or track.id in added):
            continue
        _apply_marks(track, marks, chosen, counts)
        result.tracks[track.video_id].append(track)
        counts.tracks_out += 1
    counts.masks_out = result.num_masks
    return result, counts


def _check_option(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(
            f'`{name}` must be one of {list(allowed)}, got {value!r}'
        )


def _check_sources(
    by_track: Mapping[int, List[Decision]],
    sources: Mapping[str, Source],
    file: Any,
) -> None:
    for made in by_track.values():
        for decision in made:
            name = decision.source
            if name is not None and name not in sources:
                raise ReviewError(
                    f'a decision chooses the source {name!r}, which was not '
                    'given',
                    file=file,
                    video=decision.video,
                    instance=decision.track,
                    fix=f'give --sources "{name}=PATH"',
                )


def _read_chosen(
    final: PseudoMaskSet,
    by_track: Mapping[int, List[Decision]],
    sources: Mapping[str, Source],
) -> Dict[Tuple[str, int], MaskTrack]:
    """Read the tracks that were chosen, one source after the other."""
    wanted: Dict[str, Set[int]] = {}
    for key, made in by_track.items():
        for decision in made:
            if decision.source is not None:
                wanted.setdefault(decision.source, set()).add(key)
    chosen = {}
    for name, keys in wanted.items():
        candidates = load_source(name, sources[name])
        check_videos(candidates, final)
        for track in candidates:
            if track.id in keys and track.video_id in final.videos:
                chosen[name, track.id] = track
    return chosen


def _drop_maskless(
    by_track: Dict[int, List[Decision]],
    tracks: Mapping[int, MaskTrack],
    final: PseudoMaskSet,
) -> int:
    """Remove verdicts on tracks that never had a mask; on how many?"""
    maskless = [
        key
        for key, made in by_track.items()
        if key not in tracks
        and made[0].video in final.videos
        and all(d.no_masks and d.source is None for d in made)
    ]
    for key in maskless:
        del by_track[key]
    return len(maskless)


def _drop_missing(
    by_track: Dict[int, List[Decision]],
    tracks: Mapping[int, MaskTrack],
    missing: str,
    final: PseudoMaskSet,
    file: Any,
) -> int:
    """Remove decisions about tracks that do not exist; how many?"""
    lost = [
        key
        for key, made in by_track.items()
        if key not in tracks or made[0].video != tracks[key].video_id
    ]
    if lost and missing == 'error':
        raise ReviewError(
            f'{len(lost)} tracks with decisions do not exist in '
            f'{final.name}, such as {sorted(lost)[:5]}',
            file=file,
            video=by_track[lost[0]][0].video,
            instance=lost[0],
            fix='name the final masks that were reviewed, or skip such '
            'decisions with --missing skip',
        )
    return sum(len(by_track.pop(key)) for key in lost)


def _matters(track: MaskTrack) -> List[bool]:
    return [
        box is not None or mask is not None
        for box, mask in zip(track.boxes, track.masks)
    ]


def _apply_marks(
    track: MaskTrack,
    marks: Sequence[Optional[str]],
    chosen: Mapping[Tuple[str, int], MaskTrack],
    counts: ApplyCounts,
) -> None:
    for t, mark in enumerate(marks):
        if mark is None or mark == 'accept':
            continue
        if mark == 'reject':
            counts.rejected_masks += track.masks[t] is not None
            track.set(t, None, mark)
            continue
        candidate = chosen.get((mark, track.id))
        number = counts.chosen_masks.setdefault(mark, 0)
        if candidate is None:
            track.set(t, None, mark)
            continue
        track.set(t, candidate.masks[t], mark, candidate.scores[t])
        counts.chosen_masks[mark] = number + (candidate.masks[t] is not None)
