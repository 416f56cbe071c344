import numpy as np
import pytest

from pmvis_mm.formats.readers import interpolate_boxes


def test_corners_move_evenly():
    boxes = {2: (0.0, 10.0, 20.0, 30.0), 6: (8.0, 6.0, 40.0, 30.0)}
    assert interpolate_boxes(boxes) == {
        3: (2.0, 9.0, 25.0, 30.0),
        4: (4.0, 8.0, 30.0, 30.0),
        5: (6.0, 7.0, 35.0, 30.0),
    }


def test_nothing_before_after_or_out_of_view():
    box = (0.0, 0.0, 4.0, 4.0)
    assert interpolate_boxes({}) == {}
    assert interpolate_boxes({5: box}) == {}
    assert interpolate_boxes({5: box, 8: None, 11: box}) == {}
    # The mark ends the first stretch, the second one is filled.
    marked = {9: box, 0: box, 2: box, 4: None, 7: box}
    assert list(interpolate_boxes(marked)) == [1, 8]
    assert interpolate_boxes({3: box, 4: box, 5: None}) == {}


@pytest.mark.parametrize(
    'max_gap, frames', [(None, [1, 2, 3, 5]), (3, [1, 2, 3, 5]), (2, [5])]
)
def test_long_gaps_stay(max_gap, frames):
    boxes = {t: (0.0, 0.0, 4.0, 4.0) for t in (0, 4, 6)}
    assert list(interpolate_boxes(boxes, max_gap)) == frames


def random_boxes(frames):
    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(0, 100, (len(frames), 2, 2)), axis=1)
    return dict(zip(frames, map(tuple, corners.reshape(-1, 4).tolist())))


def test_as_numpy_interpolates():
    frames = [0, 3, 4, 11, 40]
    boxes = random_boxes(frames)
    filled = interpolate_boxes(boxes)
    missing = [t for t in range(41) if t not in frames]
    assert list(filled) == missing
    corners = np.array([boxes[t] for t in frames])
    expected = [np.interp(missing, frames, column) for column in corners.T]
    np.testing.assert_allclose(
        np.array(list(filled.values())), np.transpose(expected), atol=1e-12
    )


def test_as_label_studio_interpolates():
    tools = pytest.importorskip('label_studio_tools.postprocessing.video')
    frames = [1, 4, 9, 10, 15]
    boxes = random_boxes(frames)
    sequence = [
        dict(
            frame=t,
            enabled=True,
            rotation=0,
            time=t / 10,
            x=x0,
            y=y0,
            width=x1 - x0,
            height=y1 - y0,
        )
        for t, (x0, y0, x1, y1) in boxes.items()
    ]
    value = dict(sequence=sequence, framesCount=15, duration=1.5)
    result = dict(type='videorectangle', value=value)
    theirs = {
        key['frame']: key
        for key in tools.extract_key_frames([result])[0]['value']['sequence']
        if key.get('auto')
    }
    ours = interpolate_boxes(boxes)
    assert sorted(ours) == sorted(theirs)
    for frame, (x0, y0, x1, y1) in ours.items():
        key = theirs[frame]
        assert (x0, y0) == pytest.approx((key['x'], key['y']))
        assert (x1 - x0, y1 - y0) == pytest.approx(
            (key['width'], key['height'])
        )
