import pytest
import torch
from mmengine.structures import InstanceData

from pmvis_mm.models.vis.clip_linker import ClipLinker
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.errors import ConfigError

A = (0, 0, 10, 10)
B = (20, 0, 30, 10)
NONE = (0, 0, 0, 0)


def frame(*rows):
    """Rows (id, label, box)."""
    return InstanceData(
        instances_id=torch.tensor([r[0] for r in rows], dtype=torch.long),
        labels=torch.tensor([r[1] for r in rows], dtype=torch.long),
        masks=[box_rle(r[2], 20, 40) for r in rows],
    )


def ids(frames):
    return [found.instances_id.tolist() for found in frames]


def test_ids_go_on_where_masks_agree():
    linker = ClipLinker(2)
    first = [frame((0, 0, A), (1, 1, B)) for _ in range(4)]
    assert ids(linker.link(first)) == [[0, 1]] * 4
    assert linker.num_kept == 2
    # The order of the queries differs in the next clip.
    second = [frame((0, 1, B), (1, 0, A)) for _ in range(5)]
    assert ids(linker.link(second)) == [[1, 0]] * 5


def test_new_ones_get_new_ids_and_lost_ones_stay_lost():
    linker = ClipLinker(1)
    linker.link([frame((0, 0, A)), frame((0, 0, A))])
    found = linker.link([frame((0, 0, B)), frame((0, 0, A))])
    assert ids(found) == [[1], [1]]  # at A only after the shared frame
    assert ids(linker.link([frame((0, 0, A))])) == [[1]]
    assert ids(linker.link([frame((4, 0, B), (2, 0, A))])) == [[2, 1]]


def test_mean_over_frames_where_one_is_visible():
    # IoU 1/3 in frame 0; in frame 1 both are empty, which says nothing.
    half = (5, 0, 15, 10)
    for thr, expected in ((0.33, 0), (0.34, 1)):
        linker = ClipLinker(2, thr)
        linker.link([frame((0, 0, A)), frame((0, 0, NONE))])
        found = linker.link([frame((0, 0, half)), frame((0, 0, NONE))])
        assert ids(found) == [[expected]] * 2
    # Visible in one clip only in frame 1: the mean is (1 + 0) / 2.
    for thr, expected in ((0.5, 0), (0.51, 1)):
        linker = ClipLinker(2, thr)
        linker.link([frame((0, 0, A)), frame((0, 0, B))])
        found = linker.link([frame((0, 0, A)), frame((0, 0, NONE))])
        assert ids(found) == [[expected]] * 2


def test_common_labels_decide_between_equal_masks():
    """One query of Mask2Former stands for several classes."""
    linker = ClipLinker(1)
    linker.link([frame((0, 2, A), (1, 5, A))])
    assert ids(linker.link([frame((0, 5, A), (1, 2, A))])) == [[1, 0]]
    # But a label alone links nothing.
    assert ids(linker.link([frame((0, 5, B))])) == [[2]]


def test_one_to_one_for_the_best_sum():
    # new 0: IoU 0.9 with old 0 and 0.8 with old 1; new 1: 0.89, 0.
    linker = ClipLinker(1, 0.3)
    linker.link([frame((0, 0, (0, 0, 10, 10)), (1, 0, (2, 0, 10, 10)))])
    found = linker.link([frame((0, 0, (1, 0, 10, 10)), (1, 0, A))])
    assert ids(found) == [[1, 0]]


def test_ids_that_appear_later_and_empty_frames():
    linker = ClipLinker(1)
    found = linker.link([frame(), frame((7, 0, A))])
    assert ids(found) == [[], [0]]
    found = linker.link([frame(), frame((3, 0, A)), frame()])
    assert ids(found) == [[], [1], []]
    assert ids(linker.link([frame(), frame((0, 0, A))])) == [[], [2]]


def test_no_overlap_changes_nothing():
    linker = ClipLinker(0)
    found = linker.link([frame((7, 0, A))])
    assert ids(found) == [[7]] and linker.num_kept == 0


def test_state_lets_another_linker_go_on():
    linker = ClipLinker(2)
    linker.link([frame((0, 0, A), (1, 1, B)) for _ in range(3)])
    other = ClipLinker(2)
    other.load_state_dict(linker.state_dict())
    clip = [(0, 1, B), (1, 0, A), (2, 0, (10, 10, 20, 20))]
    one = linker.link([frame(*clip), frame(*clip)])
    two = other.link([frame(*clip), frame(*clip)])
    assert ids(one) == ids(two) == [[1, 0, 2]] * 2


def test_bad_input():
    with pytest.raises(ConfigError, match=r'link_thr=1.5 is out of range'):
        ClipLinker(1, 1.5)
    nameless = InstanceData(masks=[])
    with pytest.raises(ConfigError, match=r'"instances_id" \[frame 4\]'):
        ClipLinker(1).link([nameless], 4)
