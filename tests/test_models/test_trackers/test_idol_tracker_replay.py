"""Case 13: the tracker against the same rules in plain loops."""

from typing import Dict, List

import numpy as np
import pytest
import torch

from pmvis_mm.models import IDOLTracker


class _Replay:
    """The rules of the public code once more, in numpy and plain loops."""

    def __init__(self, temporal: bool, weight: bool) -> None:
        self.temporal, self.weight = temporal, weight
        self.tracks: Dict[int, dict] = {}
        self.next_id = 0

    def step(self, frame, scores, embeds, masks):
        ids = [-1] * len(scores)
        kept: List[int] = []
        for j in range(len(scores)):
            if all(self._iou(masks[i], masks[j]) <= 0.5 for i in kept):
                kept.append(j)
        names = list(self.tracks)
        if names:
            similar = self._similarity(embeds[kept])
            for row, j in enumerate(kept):
                best, value = self._choose(similar[row])
                if value > 0.5:
                    ids[j] = names[best]
                    own = similar[row, best]
                    similar[:, best] = 0
                    similar[row, best] = own
        for j in kept:
            if ids[j] < 0 and scores[j] > 0.2:
                ids[j] = self.next_id
                self.next_id += 1
            if ids[j] >= 0:
                self._remember(ids[j], frame, scores[j], embeds[j])
        for name in list(self.tracks):
            if frame - self.tracks[name]['frame'] >= 10:
                del self.tracks[name]
        return ids

    @staticmethod
    def _iou(a, b):
        return ((a & b).sum() + 1e-6) / ((a | b).sum() + 1e-6)

    def _similarity(self, embeds):
        memory = []
        for track in self.tracks.values():
            if self.temporal:
                n = len(track['embeds'])
                weights = [s + (i + 1) / n for i, s in enumerate(track['s'])]
                memory.append(np.average(track['embeds'], 0, weights))
            else:
                memory.append(track['ema'])
        exp = np.exp(embeds @ np.stack(memory).T)
        over_tracks = (exp / exp.sum(1, keepdims=True)).astype(np.float32)
        # In float32: (1 + 1e-9) / 2 must not be above 0.5.
        return (over_tracks + (exp / exp.sum(0)).astype(np.float32)) / 2

    def _choose(self, row):
        likely = row > 0.5
        if self.weight and likely.sum() >= 2:
            hits = np.array([t['hits'] for t in self.tracks.values()], float)
            row = row * np.where(likely, hits, hits[likely].mean())
        return int(row.argmax()), row.max()

    def _remember(self, name, frame, score, embed):
        track = self.tracks.setdefault(
            name, dict(embeds=[], s=[], hits=0, ema=embed)
        )
        track['ema'] = 0.2 * track['ema'] + 0.8 * embed
        track['embeds'] = [*track['embeds'], embed][-3:]
        track['s'] = [*track['s'], score][-3:]
        track.update(hits=track['hits'] + 1, frame=frame)


def _random_video(seed: int, num_frames: int = 40) -> List[tuple]:
    """Look-alikes, births, gaps and duplicates of eight objects."""
    rng = np.random.RandomState(seed)
    base = rng.standard_normal((8, 16))
    base[1] = base[0] + 0.3 * rng.standard_normal(16)
    frames = []
    for frame in range(num_frames):
        # Each object is away for 13 frames out of 26.
        here = [obj for obj in range(8) if (frame // 13 + obj) % 2]
        who = rng.choice(here, rng.randint(0, 9))
        noise = rng.standard_normal((len(who), 16))
        embeds = base[who] + 0.7 * noise
        scores = np.sort(rng.uniform(0.05, 1, len(who)))[::-1].copy()
        masks = np.zeros((len(who), 8, 12), bool)
        for mask, obj in zip(masks, who):
            left = obj + rng.randint(0, 2)
            mask[:, left : left + 3] = rng.rand() > 0.1
        frames.append((scores, embeds, masks))
    return frames


@pytest.mark.parametrize('temporal', [True, False])
@pytest.mark.parametrize('weight', [True, False])
def test_case_13_replay(temporal, weight):
    births = 0
    for seed in range(10):
        tracker = IDOLTracker(temporal_weight=temporal, frame_weight=weight)
        replay = _Replay(temporal, weight)
        for frame, (scores, embeds, masks) in enumerate(_random_video(seed)):
            ids = tracker.track(
                frame,
                torch.from_numpy(scores).float(),
                torch.from_numpy(embeds).float(),
                torch.from_numpy(masks).float() * 8 - 4,
            )
            expected = replay.step(frame, scores, embeds, masks)
            assert ids.tolist() == expected, f'seed {seed}, frame {frame}'
        assert tracker.live_ids == list(replay.tracks)
        births += replay.next_id
    # More than there are objects: tracks expire.
    assert births > 10 * 8


def test_replayed_videos_depend_on_both_options():
    found = set()
    for temporal, weight in ((True, True), (True, False), (False, True)):
        replay = _Replay(temporal, weight)
        ids = [
            replay.step(frame, *arrays)
            for seed in range(10)
            for frame, arrays in enumerate(_random_video(seed), 100 * seed)
        ]
        found.add(str(ids))
    assert len(found) == 3


def test_autocast_changes_nothing():
    for seed in range(3):
        plain, auto = IDOLTracker(), IDOLTracker()
        for frame, arrays in enumerate(_random_video(seed)):
            scores, embeds, masks = (torch.from_numpy(a) for a in arrays)
            args = (scores.float(), embeds.float(), masks.float() * 8 - 4)
            expected = plain.track(frame, *args)
            with torch.autocast('cpu', dtype=torch.bfloat16):
                assert torch.equal(auto.track(frame, *args), expected)
        for one, two in zip(plain._tracks.values(), auto._tracks.values()):
            assert torch.equal(one.memory, two.memory)
