"""Memory and protocol of the propagator, with closed-form weights."""

import numpy as np
import pytest
import torch

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.models.vos import merge_groups, resize_labels
from pmvis_mm.models.vos.deaot_propagator import DeAOTPropagator
from pmvis_mm.testing.closed_form import vos_frame, vos_label
from pmvis_mm.testing.golden_deaot import golden_propagator
from pmvis_mm.utils.errors import ConfigError, PMVISError

SIZE = (33, 49)
N = 3 * 4  # tokens


@pytest.fixture(scope='module')
def propagator():
    """Two layers, which make all that several layers can."""
    return golden_propagator('deaots', long_term_gap=5)


@pytest.fixture(scope='module')
def features(propagator):
    def get(t):
        with torch.no_grad():
            return propagator.network.extract_feat(vos_frame(t, *SIZE))

    return [get(t) for t in range(6)]


@pytest.fixture(autouse=True)
def _reset(propagator):
    yield
    propagator.long_term_gap, propagator.max_frames = 5, 20


def labels(num_objects):
    return vos_label(*SIZE, num_objects)[0, 0].long()


def frames_in_memory(state):
    found = {
        layer.key.size(1) / N
        for memory in state.memories
        for layer in memory.long
    }
    assert len(found) == 1  # all layers and groups of these tests agree
    return found.pop()


def walk(propagator, state, features, steps):
    """Step over frames 1 ... steps, again and again."""
    for t in range(1, steps + 1):
        logits, state = propagator.step(state, features[t % 6])
    return logits, state


# ---------------------------------------------------------------- aggregation
def test_case_7_soft_aggregation():
    a = torch.cat((torch.tensor([0.5, 2, -1]), torch.linspace(-3, -1, 8)))
    b = torch.cat((torch.tensor([1, 0.2, -0.3]), torch.full((8,), -1e10)))
    logits = merge_groups(torch.stack((a, b))[..., None, None])[:, 0, 0]
    assert len(logits) == 21
    expected = {
        0: -2.32353,
        1: 0.79214,
        2: -3.33868,
        3: -5.36890,
        11: -1.04101,
        12: -1.67110,
        13: -11.51292,
        20: -11.51292,
    }
    for place, value in expected.items():
        assert logits[place].item() == pytest.approx(value, abs=1e-5)
    prob = logits.softmax(0)
    assert prob.argmax() == 1
    found = [prob[i].item() for i in (0, 1, 11, 12)]
    expected = [0.032541, 0.733751, 0.117334, 0.062485]
    assert found == pytest.approx(expected, abs=1e-5)


def test_one_group_keeps_its_logits():
    logits = torch.randn(1, 11, 2, 2)
    assert torch.equal(merge_groups(logits), logits[0])


@pytest.mark.parametrize(
    ('count', 'channels'), [(1, 11), (10, 11), (11, 21), (23, 31)]
)
def test_case_9_groups(propagator, features, count, channels):
    state = propagator.start(features[0], labels(count), count)
    assert state.num_groups == (channels - 1) // 10
    logits, _ = propagator.step(state, features[1])
    assert logits.shape == (channels, *SIZE)
    prob = logits.softmax(0).amax((1, 2))
    # Places without an object get nothing, or the floor of the merge.
    assert (prob[1 + count :] < 1e-4).all()
    assert (prob[: 1 + count] > 1e-3).all()


def test_groups_in_one_batch_equal_groups_alone(propagator, features):
    """The second group of 13 objects sees the first as background."""
    given = labels(13)
    state = propagator.start(features[0], given)
    both, _ = propagator.predict(state, features[1])
    alone = []
    for first, last in ((1, 10), (11, 13)):
        own = (given - first + 1) * ((given >= first) & (given <= last))
        single = propagator.start(features[0], own, last - first + 1)
        alone.append(propagator.predict(single, features[1])[0].softmax(0))
    merged = torch.cat(
        ((alone[0][0] * alone[1][0])[None], alone[0][1:], alone[1][1:])
    )
    expected = merged.clamp(1e-5, 1 - 1e-5).logit()
    torch.testing.assert_close(both, expected, atol=1e-4, rtol=1e-4)


# ------------------------------------------------------------------- protocol
@pytest.mark.parametrize('count', [3, 13])
def test_case_10_memory_grows_every_fifth_step(propagator, features, count):
    state = propagator.start(features[0], labels(count))
    sizes = [frames_in_memory(state)]
    for t in range(1, 12):
        _, state = propagator.step(state, features[t % 6])
        sizes.append(frames_in_memory(state))
    assert sizes == [1] * 5 + [2] * 5 + [3] * 2
    marks = state.memories[0].marks
    assert [mark.step for mark in marks] == [10, 5, 0]
    assert [mark.is_reference for mark in marks] == [False, False, True]


def test_case_10_reference_in_mid_video(propagator, features):
    state = propagator.start(features[0], labels(2))
    sizes = []
    for t in range(1, 9):
        given = labels(3) if t == 3 else None
        _, state = propagator.step(state, features[t % 6], given)
        sizes.append(frames_in_memory(state))
    assert sizes == [1, 1, 2, 2, 2, 2, 2, 3]
    assert state.num_objects == 3
    marks = [(m.step, m.is_reference) for m in state.memories[0].marks]
    assert marks == [(8, False), (3, True), (0, True)]


def test_case_10_bounded_memory_keeps_references(propagator, features):
    propagator.long_term_gap, propagator.max_frames = 1, 3
    state = propagator.start(features[0], labels(2))
    first = state.memories[0].long
    _, state = walk(propagator, state, features, 6)
    assert frames_in_memory(state) == 3
    assert [m.step for m in state.memories[0].marks] == [6, 5, 0]
    for layer, before in zip(state.memories[0].long, first):
        for now, then in zip(layer, before):
            assert torch.equal(now[:, -N:], then)
    for t in (7, 8, 9):  # references beyond the limit
        _, state = propagator.step(state, features[t % 6], labels(2))
    assert [m.step for m in state.memories[0].marks] == [9, 8, 7, 0]
    _, state = propagator.step(state, features[4])
    assert [m.step for m in state.memories[0].marks] == [9, 8, 7, 0]
    assert frames_in_memory(state) == 4


def test_memory_of_one_frame_is_the_reference(propagator, features):
    propagator.max_frames = 1
    state = propagator.start(features[0], labels(2))
    _, state = walk(propagator, state, features, 7)
    assert [m.step for m in state.memories[0].marks] == [0]
    propagator.long_term_gap = 9999
    other = propagator.start(features[0], labels(2))
    _, other = walk(propagator, other, features, 7)
    logits, _ = propagator.step(state, features[2])
    expected, _ = propagator.step(other, features[2])
    assert torch.equal(logits, expected)


def same(a, b):
    assert [m.marks for m in a.memories] == [m.marks for m in b.memories]
    for one, two in zip(a.memories, b.memories):
        for name in ('long', 'short'):
            for x, y in zip(getattr(one, name), getattr(two, name)):
                assert all(torch.equal(p, q) for p, q in zip(x, y))
    return True


@pytest.mark.parametrize('steps', [3, 4, 9])
@pytest.mark.parametrize('max_frames', [2, 20])
def test_case_10_committing_twice(propagator, features, steps, max_frames):
    propagator.max_frames = max_frames
    state = propagator.start(features[0], labels(2))
    _, state = walk(propagator, state, features, steps)
    logits, seen = propagator.predict(state, features[5])
    found = logits.argmax(0)
    wrong = propagator.commit(state, seen, labels(2))
    once = propagator.commit(state, seen, found)
    assert same(propagator.commit(once, seen, found), once)
    if max_frames == 20:  # nothing was dropped for the wrong one
        assert same(propagator.commit(wrong, seen, found), once)
    assert once.step == steps + 1


def test_commit_of_another_step_is_refused(propagator, features):
    state = propagator.start(features[0], labels(2))
    _, seen = propagator.predict(state, features[1])
    _, later = walk(propagator, state, features, 2)
    with pytest.raises(PMVISError, match='step 1 cannot follow step 2'):
        propagator.commit(later, seen, labels(2))


def test_states_are_values(propagator, features):
    """A state may be used again, whatever was made from it."""
    state = propagator.start(features[0], labels(13))
    first, _ = walk(propagator, state, features, 6)
    again, _ = walk(propagator, state, features, 6)
    assert torch.equal(first, again)


def test_step_is_predict_and_commit(propagator, features):
    state = propagator.start(features[0], labels(2))
    logits, stepped = propagator.step(state, features[1])
    expected, seen = propagator.predict(state, features[1])
    assert torch.equal(logits, expected)
    assert same(stepped, propagator.commit(state, seen, logits.argmax(0)))


def test_absent_objects_are_not_remembered(propagator, features):
    state = propagator.start(features[0], labels(2))
    logits, stepped = propagator.step(state, features[1], absent=[1])
    _, seen = propagator.predict(state, features[1])
    found = logits.argmax(0)
    assert (found == 1).any()
    found[found == 1] = 0
    assert same(stepped, propagator.commit(state, seen, found))


# ----------------------------------------------------------------- references
def test_annotation_overrules_where_it_is_not_background(propagator, features):
    state = propagator.start(features[0], labels(2))
    given = torch.zeros(SIZE, dtype=torch.long)
    given[:10, :10] = 2
    logits, stepped = propagator.step(state, features[1], given)
    merged = logits.argmax(0)
    merged[:10, :10] = 2
    expected = propagator.add_reference(state, features[1], merged, 2)
    assert same(stepped, expected)
    assert stepped.step == 1


def test_reference_does_not_depend_on_memory(propagator, features):
    """It is matched with itself (as in the public code)."""
    start = propagator.start(features[1], labels(2))
    state = propagator.start(features[0], labels(2))
    _, state = walk(propagator, state, features, 3)
    state = propagator.add_reference(state, features[1], labels(2))
    for new, alone in zip(state.memories[0].short, start.memories[0].short):
        assert all(torch.equal(x, y) for x, y in zip(new, alone))


def test_reference_replaces_a_commit_of_its_step(propagator, features):
    state = propagator.start(features[0], labels(2))
    _, before = walk(propagator, state, features, 4)
    _, after = propagator.step(before, features[5])
    assert [m.step for m in after.memories[0].marks] == [5, 0]
    late = propagator.add_reference(after, features[5], labels(2), step=5)
    early = propagator.add_reference(before, features[5], labels(2))
    assert same(late, early)


def test_new_group_has_a_history_of_its_own(propagator, features):
    state = propagator.start(features[0], labels(10))
    state = walk(propagator, state, features, 2)[1]
    _, state = propagator.step(state, features[3], labels(13))
    assert [m.num_groups for m in state.memories] == [1, 1]
    assert [len(m.marks) for m in state.memories] == [2, 1]
    # The newcomers know this frame only: as if tracking began with it.
    given = labels(13)
    own = (given - 10).clamp(min=0)
    alone = propagator.start(features[3], own)
    for new, expected in zip(state.memories[1].long, alone.memories[0].long):
        for x, y in zip(new, expected):
            torch.testing.assert_close(x, y, atol=1e-5, rtol=1e-4)
    logits, state = propagator.step(state, features[4])
    assert logits.shape == (21, *SIZE)
    assert logits.isfinite().all()


# ----------------------------------------------------------------- directions
def test_case_11_any_start_and_direction(propagator, features):
    """Only the order of the frames counts, not their numbers."""
    state = propagator.start(features[3], labels(2))
    back = state
    for t in (2, 1, 0):
        logits, back = propagator.step(back, features[t])
    for t in (4, 5):  # from the same start, after the other way
        forward, state = propagator.step(state, features[t])
    mirrored = propagator.start(features[::-1][2], labels(2))
    for t in (3, 4, 5):
        expected, mirrored = propagator.step(mirrored, features[::-1][t])
    assert torch.equal(logits, expected)
    alone = propagator.start(features[3], labels(2))
    for t in (4, 5):
        expected, alone = propagator.step(alone, features[t])
    assert torch.equal(forward, expected)


# ------------------------------------------------------------ images, options
def test_encode_resizes_and_answers_at_the_size_of_the_frame(propagator):
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    features = propagator.encode(image)
    assert features.input_shape == (33, 65)
    assert features.ori_shape == (40, 60)
    given = np.zeros((40, 60), np.uint8)
    given[10:30, 20:40] = 1
    state = propagator.start(features, given)
    logits, _ = propagator.step(state, features)
    assert logits.shape == (11, 40, 60)
    # Labels of the network's size do as well.
    small = resize_labels(torch.from_numpy(given).long(), (33, 65))
    again, _ = propagator.step(propagator.start(features, small), features)
    assert torch.equal(again, logits)


@pytest.mark.parametrize('shape', [(4, 5), (4, 5, 4), (0, 5, 3)])
def test_no_image(propagator, shape):
    with pytest.raises(PMVISError, match='is no colour image'):
        propagator.encode(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    'option', ['long_term_gap', 'max_frames', 'max_long', 'max_short', 'scale']
)
def test_options_must_be_positive(option):
    with pytest.raises(ConfigError, match=f'{option}=0 is not positive'):
        DeAOTPropagator(dict(type='DeAOT'), **{option: 0})


@pytest.mark.parametrize(
    ('change', 'count', 'message'),
    [
        (lambda x: x * 0, None, 'no object to track'),
        (lambda x: x * 0 + 255, None, 'no object to track'),
        (lambda x: x - 1, None, 'labels -1 to 1 for 1 objects'),
        (lambda x: x, 1, 'labels 0 to 2 for 1 objects'),
        (lambda x: x * 150, None, 'labels 0 to 300 for 300 objects'),
        (lambda x: x[:-1], None, r'labels of shape \(32, 49\)'),
        (lambda x: x[None], None, r'labels of shape \(1, 33, 49\)'),
    ],
)
def test_bad_labels(propagator, features, change, count, message):
    with pytest.raises(PMVISError, match=message):
        propagator.start(features[0], change(labels(2)), count)


def test_labels_255_are_no_object(propagator, features):
    given = labels(2)
    given[:5] = 255
    state = propagator.start(features[0], given)
    assert state.num_objects == 2


def test_frames_of_another_size(propagator, features):
    state = propagator.start(features[0], labels(2))
    with torch.no_grad():
        other = propagator.network.extract_feat(vos_frame(0, 33, 33))
    message = r'a frame of \(33, 33\) pixels.*began with \(33, 49\)'
    with pytest.raises(PMVISError, match=message):
        propagator.step(state, other)
