import numpy as np

from pmvis_mm.datasets.shapes_vis import ShapesVISGenerator
from pmvis_mm.labeling.selection.hard_scenes import harden


def make(index=0):
    video = ShapesVISGenerator(4, (64, 96), 0, 2).generate_video(index)
    return [frame[..., ::-1] for frame in video.frames], video.tracks


def separability(frames, tracks):
    """Share of the colours' variance that object and ground explain."""
    values = []
    for t, frame in enumerate(frames):
        mask = np.any([track.masks[t] for track in tracks], axis=0)
        if mask.any() and not mask.all():
            pixels = frame.reshape(-1, 3).astype(float)
            inside = mask.reshape(-1)
            between = pixels[inside].mean(0) - pixels[~inside].mean(0)
            share = inside.mean() * (1 - inside.mean())
            values.append(share * (between**2).sum() / pixels.var(0).sum())
    return np.mean(values)


def test_colour_tells_less():
    before, after = [], []
    for index in range(6):
        frames, tracks = make(index)
        hard = harden(frames, tracks, np.random.default_rng(index))
        before.append(separability(frames, tracks))
        after.append(separability(hard, tracks))
    assert np.mean(after) < 0.6 * np.mean(before)


def test_frames_keep_their_form_and_input():
    frames, tracks = make()
    copies = [frame.copy() for frame in frames]
    hard = harden(frames, tracks, np.random.default_rng(0))
    assert [(f.shape, f.dtype) for f in hard] == [
        ((64, 96, 3), np.dtype(np.uint8))
    ] * 4
    for frame, copy, other in zip(frames, copies, hard):
        np.testing.assert_array_equal(frame, copy)
        assert (frame != other).mean() > 0.5


def test_same_seed_same_pixels():
    frames, tracks = make()
    one, two = (
        harden(frames, tracks, np.random.default_rng(5)) for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)


def test_without_objects():
    frames, _ = make()
    assert len(harden(frames, [], np.random.default_rng(0))) == 4
