import math

import pytest
import torch
import torch.nn.functional as F

from pmvis_mm.models.temporal_matchers import (
    PatchMatcher,
    patch,
    patch_similarity,
    search_offsets,
)
from pmvis_mm.registry import MODELS
from pmvis_mm.utils.errors import ConfigError, PMVISError

GRID = dict(kernel=3, dilation=3)


def random_lab(*shape, scale=4.0):
    generator = torch.Generator().manual_seed(5)
    return torch.rand(*shape, generator=generator) * scale + 20


def read(frame, row, col, size):
    """Patch around a pixel, zero outside, (3, size, size)."""
    half = size // 2
    padded = F.pad(frame, (half, half, half, half))
    return padded[:, row : row + size, col : col + size].double()


def similarity_of_two(a, b, metric):
    if metric == 'l2':
        return math.exp(-(a - b).norm().item() / 2)
    if metric == 'l1':
        scale = 2 * math.sqrt(a.numel())
        return math.exp(-(a - b).abs().sum().item() / scale)
    a = a - a.mean((1, 2), keepdim=True)
    b = b - b.mean((1, 2), keepdim=True)
    norm = a.norm() * b.norm()
    return ((a * b).sum() / norm).item() if norm > 0 else 0.0


def one_by_one(lab_a, lab_b, offsets, size, metric):
    """Similarity (offsets, h, w), patch after patch."""
    _, height, width = lab_b.shape
    found = torch.zeros(len(offsets), height, width)
    for k, (dy, dx) in enumerate(offsets):
        for row in range(height):
            for col in range(width):
                center = read(lab_b, row, col, size)
                y, x = row + dy, col + dx
                inside = 0 <= y < height and 0 <= x < width
                partner = torch.zeros_like(center)
                if inside:
                    partner = read(lab_a, y, x, size)
                found[k, row, col] = similarity_of_two(partner, center, metric)
    return found


def as_lists(matches):
    partners = matches.partners[:, 0].tolist()
    return list(zip(matches.centers.tolist(), partners))


def test_g2_order_of_candidates():
    maps = 10 * torch.arange(9)[:, None] + torch.arange(9)

    def values(row, col):
        found = []
        for dy, dx in search_offsets(GRID):
            y, x = row + dy, col + dx
            inside = 0 <= y < 9 and 0 <= x < 9
            found.append(maps[y, x].item() if inside else 0)
        return found

    assert values(4, 4) == [11, 14, 17, 41, 44, 47, 71, 74, 77]
    assert values(0, 0) == [0, 0, 0, 0, 0, 3, 0, 30, 33]


@pytest.mark.parametrize('radius, count', [(1, 5), (3, 29), (5, 81), (7, 149)])
def test_size_of_discs(radius, count):
    offsets = search_offsets(dict(radius=radius))
    assert len(set(offsets)) == count
    assert search_offsets(radius) == offsets
    assert offsets == sorted(offsets)
    assert max(math.hypot(*offset) for offset in offsets) == radius
    assert search_offsets(radius) == offsets


def test_g4_thresholds():
    # A patch that differs in one number by d is similar by exp(-d / 2).
    for threshold, distance in (
        (0.05, 5.991465),
        (0.1, 4.605170),
        (0.2, 3.218876),
        (0.3, 2.407946),
    ):
        for factor, count in ((0.99999, 1), (1.00001, 0)):
            lab = torch.zeros(1, 2, 3, 1, 1)
            lab[0, 1, 1] = distance * factor
            matcher = PatchMatcher(
                1, dict(kernel=1, dilation=1), 1, threshold=threshold
            )
            assert len(matcher(lab, [(0, 1)])) == count


def test_g10_the_most_similar_candidates_are_kept():
    matcher = PatchMatcher()
    similarity = torch.arange(0.9, 0.05, -0.1).view(1, 9, 1, 1)
    keep = matcher._nearest(similarity)
    assert keep.flatten().tolist() == [True] * 5 + [False] * 4
    # Whatever their order; and fewer where fewer are similar enough.
    assert matcher._nearest(similarity.flip(1)).flatten().tolist() == (
        [False] * 4 + [True] * 5
    )
    similarity[0, 2:] = 0.04
    assert matcher._nearest(similarity).sum() == 2
    assert matcher._nearest(torch.full((1, 9, 1, 1), 0.04)).sum() == 0


def test_g15_metrics():
    a = torch.tensor([10.0, 12, 14, 11, 13, 15, 12, 14, 16])

    def compare(values, metric):
        lab = torch.zeros(2, 1, 3, 3, 3)
        lab[0, 0, 0], lab[1, 0, 0] = a.view(3, 3), values.view(3, 3)
        found = patch_similarity(lab[0], lab[1], [(0, 0)], 3, metric)
        return found[0, 0, 1, 1].item()

    for values, l2, l1, ncc, similarity in (
        (a + 1, 3.0, 9.0, 1.0, 0.223130),
        (a.flip(0), 10.954451, 28.0, -1.0, 0.004181),
    ):
        assert compare(values, 'l2') == pytest.approx(similarity, abs=1e-6)
        assert -2 * math.log(compare(values, 'l2')) == pytest.approx(l2)
        scale = 2 * math.sqrt(27)
        assert -scale * math.log(compare(values, 'l1')) == pytest.approx(l1)
        assert compare(values, 'ncc') == pytest.approx(ncc, abs=1e-6)


@pytest.mark.parametrize('metric', ['l2', 'l1', 'ncc'])
@pytest.mark.parametrize('size', [1, 3, 5])
@pytest.mark.parametrize(
    'search', [GRID, dict(kernel=5, dilation=1), dict(radius=2)]
)
def test_similarity_is_that_of_patches(metric, size, search):
    lab = random_lab(2, 3, 5, 6)
    lab[:, :, :3, :3] = 21  # flat: no correlation
    offsets = search_offsets(search)
    found = patch_similarity(lab[:1], lab[1:], offsets, size, metric)[0]
    expected = one_by_one(lab[0], lab[1], offsets, size, metric)
    assert torch.allclose(found, expected, atol=1e-5)
    if (metric, size) != ('ncc', 1):  # a single number has no variance
        assert expected.abs().max() > 0.3
    # Rows can be worked on apart.
    part = patch_similarity(
        lab[:1], lab[1:], offsets, size, metric, slice(1, 4)
    )
    assert torch.equal(part[0], found[:, 1:4])


def test_candidates_outside_are_black_even_where_they_overlap():
    lab = torch.zeros(2, 3, 1, 2)
    lab[0, 0, 0, 0] = 5  # would be in the patch of (0, -1)
    found = patch_similarity(lab[:1], lab[1:], [(0, -1)], 3)
    assert found[0, 0, 0, 0] == 1


@pytest.mark.parametrize('num_neighbors', [1, 5, None])
def test_matches_by_hand(num_neighbors):
    lab = random_lab(2, 3, 3, 5, 6, scale=1.5)
    connections = [(0, 1), (2, 0)]
    matcher = PatchMatcher(3, GRID, num_neighbors)
    matches = matcher(lab, connections)
    assert matches.shape == (3, 5, 6)
    assert matches.connections == connections
    expected, counts = [], []
    for clip in lab:
        for a, b in connections:
            similarity = one_by_one(
                clip[a], clip[b], matcher.offsets, 3, 'l2'
            ).flatten(1)
            before = len(expected)
            for pixel in range(30):
                order = similarity[:, pixel].argsort(descending=True)
                best = order[: matcher.num_neighbors].tolist()
                for k in sorted(best):
                    if similarity[k, pixel] < 0.05:
                        continue
                    dy, dx = matcher.offsets[k]
                    y, x = pixel // 6 + dy, pixel % 6 + dx
                    inside = 0 <= y < 5 and 0 <= x < 6
                    partner = a * 30 + y * 6 + x if inside else -1
                    expected.append((b * 30 + pixel, partner))
            counts.append(len(expected) - before)
    assert as_lists(matches) == expected
    assert matches.counts.flatten().tolist() == counts
    assert min(counts) > 5
    assert matches.weights is None
    assert matches.mix is None


def test_work_in_parts_changes_nothing(monkeypatch):
    lab = random_lab(2, 4, 3, 7, 5, scale=2)
    connections = [(0, 1), (1, 2), (3, 0)]
    matcher = PatchMatcher(3, dict(radius=2), 4)
    found = []
    # All at once, some pairs of frames, one, and some rows of one.
    for chunk in (1 << 30, 2 * 13 * 35, 13 * 35, 13 * 5 * 2, 1):
        monkeypatch.setattr(patch, '_CHUNK', chunk)
        found.append(matcher(lab, connections))
    for other in found[1:]:
        assert as_lists(other) == as_lists(found[0])
        assert torch.equal(other.counts, found[0].counts)
    assert len(found[0]) > 50


def test_black_partners_outside_match_dark_pixels():
    lab = torch.zeros(1, 2, 3, 2, 2)
    matches = PatchMatcher(num_neighbors=9)(lab, [(0, 1)])
    # All 9 candidates of all 4 pixels, but only the middle is inside.
    assert matches.counts.tolist() == [[36]]
    assert (matches.partners >= 0).sum() == 4
    assert matches.centers.unique().tolist() == [4, 5, 6, 7]


def test_a_search_larger_than_the_frame():
    lab = random_lab(1, 2, 3, 2, 2, scale=1)  # 8 x 8 pixels at stride 4
    matches = PatchMatcher(3, dict(radius=9), None)(lab, [(0, 1)])
    assert (matches.partners < 4).all()
    assert len(matches) >= 4
    assert len(PatchMatcher(7, dict(radius=5))(lab, [(0, 1)])) <= 20


def test_no_connections_no_clips_no_matches():
    matches = PatchMatcher()(torch.zeros(2, 1, 3, 4, 4), [])
    assert len(matches) == 0
    assert matches.counts.shape == (2, 0)
    none = PatchMatcher()(torch.zeros(0, 3, 3, 4, 4), [(0, 1)])
    assert none.counts.shape == (0, 1)
    nothing = PatchMatcher()(
        torch.arange(4.0).view(1, 4, 1, 1, 1).expand(1, 4, 3, 4, 4) * 50,
        [(0, 1), (3, 2)],
    )
    assert nothing.counts.tolist() == [[0, 0]]


def test_autocast_and_gradients_do_not_matter():
    lab = random_lab(1, 2, 3, 6, 6, scale=1.5)
    expected = PatchMatcher()(lab, [(0, 1)])
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = PatchMatcher()(lab.clone().requires_grad_(), [(0, 1)])
    assert as_lists(found) == as_lists(expected)
    assert len(expected) > 20


def test_options_are_shown_and_built_from_a_config(default_scope):
    matcher = MODELS.build(dict(type='PatchMatcher', metric='ncc'))
    assert "metric='ncc', threshold=0.7" in repr(matcher)
    assert PatchMatcher().threshold == 0.05
    assert PatchMatcher(metric='l1').threshold == 0.11
    assert 'search=5, num_neighbors=5' in repr(PatchMatcher(search=5))
    assert PatchMatcher(num_neighbors=None).num_neighbors == 9
    assert not matcher.needs_images


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(patch_size=2), 'patch_size=2 has no middle.*odd'),
        (dict(patch_size=0), 'patch_size=0'),
        (dict(metric='l3'), r"metric='l3' is unknown.*'ncc'"),
        (dict(num_neighbors=10), 'num_neighbors=10, but .* has 9 candidates'),
        (dict(num_neighbors=0), 'use 1 to 9, or None for all'),
        (dict(search=dict(radius=1), num_neighbors=6), '5 candidates'),
        (dict(threshold=0), 'threshold=0 is no similarity.*0.05'),
        (dict(threshold=2, metric='ncc'), "such as 0.7 for 'ncc'"),
        (dict(search=dict(kernel=4, dilation=1)), 'no search is .*odd kernel'),
        (dict(search=dict(kernel=3)), 'no search is'),
        (dict(search=dict(radius=0)), 'no search is'),
        (dict(search=0), 'no search is'),
        (dict(search=dict(radius=2.5)), 'no search is'),
        (dict(search=dict(radius=2, kernel=3)), 'no search is'),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        PatchMatcher(**options)


def test_colours_of_another_shape_are_refused():
    with pytest.raises(PMVISError, match=r'\(N, T, 3, h, w\).*\(2, 3, 4, 4\)'):
        PatchMatcher()(torch.zeros(2, 3, 4, 4), [(0, 1)])
