"""What the label review page shows, in a real browser."""

from pathlib import Path
from typing import Any, List

import numpy as np
import pytest

from pmvis_mm.structures import PseudoMaskSet
from pmvis_mm.structures.rle import decode
from pmvis_mm.testing.review_page import FRAMES, SIZE, ReviewPage

playwright = pytest.importorskip('playwright.sync_api')
expect = playwright.expect

# Squares that are 6, 4 and 2 columns beside the truth.
BY_AGREEMENT = [2, 6, 0]


def runs(dense: np.ndarray) -> List[int]:
    """Run lengths, column by column, background first."""
    flat = dense.T.ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *changes, flat.size]).tolist()
    return [0, *lengths] if flat[0] else lengths


# ------------------------------------------------------------------- masks
def test_masks_are_filled_pixel_by_pixel(review: ReviewPage) -> None:
    rng = np.random.default_rng(0)
    for density in (0.0, 0.2, 0.5, 0.9, 1.0):
        dense = rng.random((13, 17)) < density
        other = rng.random((13, 17)) < 0.5
        area, iou, drawn = review.page.evaluate(
            """async ([counts, other, height, width]) => {
              const m = await import('/static/masks.js');
              const canvas = new OffscreenCanvas(width, height);
              const context = canvas.getContext('2d');
              m.tracePath(context, m.traceLoops(counts, height));
              context.fill('evenodd');
              const data = context.getImageData(0, 0, width, height).data;
              return [m.maskArea(counts), m.maskIou(counts, other),
                Array.from(data)];
            }""",
            [runs(dense), runs(other), 13, 17],
        )
        alpha = np.array(drawn).reshape(13, 17, 4)[..., 3]
        np.testing.assert_array_equal(alpha, 255 * dense)
        assert area == dense.sum()
        union = (dense | other).sum()
        assert iou == pytest.approx((dense & other).sum() / union)


def test_an_outline_has_only_its_corners(review: ReviewPage) -> None:
    loops = review.page.evaluate(
        """async counts => (await import('/static/masks.js'))
          .traceLoops(counts, 4).map(loop => Array.from(loop))""",
        runs(np.pad(np.ones((2, 3), bool), 1)),
    )
    (loop,) = loops
    # Three columns and two rows from (1, 1) on.
    assert sorted(zip(loop[::2], loop[1::2])) == [
        (1, 1),
        (1, 3),
        (4, 1),
        (4, 3),
    ]


def test_the_mask_is_drawn_where_the_labels_have_it(
    review: ReviewPage, review_data: Path
) -> None:
    review.on_track(2, 0)
    review.page.uncheck('#box')
    review.page.uncheck('#contour')
    before = review.pixels()
    review.set_opacity(0)
    changed = (review.pixels() != before).any(2)
    height, width = changed.shape
    scale = min(width / SIZE[1], height / SIZE[0])
    rows, columns = np.nonzero(changed)
    x = (columns + 0.5 - (width - scale * SIZE[1]) / 2) / scale
    y = (rows + 0.5 - (height - scale * SIZE[0]) / 2) / scale
    final = PseudoMaskSet.load(review_data / 'final.json')
    mask = final.tracks[1][0].masks[0]
    assert mask is not None
    ys, xs = np.nonzero(decode(mask))
    found = (x.min(), x.max(), y.min(), y.max())
    there = (xs.min(), xs.max() + 1, ys.min(), ys.max() + 1)
    assert found == pytest.approx(there, abs=1 / scale)


# -------------------------------------------------------------------- list
def test_the_worst_track_is_first_and_sorting_follows(
    review: ReviewPage,
) -> None:
    page = review.page
    assert page.title() == 'Tiny review'
    review.on_track(2)
    page.select_option('#sort', 'agreement')
    expect(page.locator('#row-2')).to_have_attribute('data-id', '0')
    assert list(review.rows().values())[:3] == BY_AGREEMENT
    # 8 x 8 squares 6 columns apart: 2 of 14 columns.
    expect(page.locator('#row-0 .value')).to_have_text('0.14')
    page.click('#order')
    expect(page.locator('#row-7')).to_have_attribute('data-id', '2')
    assert list(review.rows().values())[-3:] == BY_AGREEMENT[::-1]
    page.select_option('#sort', 'id')
    expect(page.locator('#row-0')).to_have_attribute('data-id', '0')
    assert review.rows() == {i: i for i in range(8)}


def test_filters_by_status_category_and_text(review: ReviewPage) -> None:
    page = review.page
    foot = page.locator('#list-foot')
    page.press('#accept', 'Enter')
    review.on_track(6)
    review.show('accepted')
    expect(foot).to_have_text('1–1 of 1 tracks')
    assert review.rows() == {0: 2}
    review.show('all')
    page.select_option('#category', label='bar')
    expect(foot).to_contain_text('of 4 tracks')
    assert sorted(review.rows().values()) == [1, 3, 5, 7]
    page.fill('#search', 'v2')
    expect(foot).to_contain_text('of 1 tracks')
    assert review.rows() == {0: 5}
    page.fill('#search', 'nothing like it')
    expect(page.locator('#empty')).to_contain_text('No track fits')
    expect(foot).to_have_text('No track fits.')
    review.press('Escape', 'a')  # there is nothing to accept
    expect(page.locator('#progress-text')).to_contain_text('1 of 8')
    expect(page.locator('#failure')).to_be_hidden()


def test_a_track_can_be_opened_by_its_address(review: ReviewPage) -> None:
    review.page.click('#neighbours button')
    review.on_track(3)
    assert review.page.url.endswith('#track=3')
    review.page.reload()
    review.on_track(3)
    selected = review.page.locator('.row[aria-selected=true]')
    expect(selected).to_have_attribute('data-id', '3')
    expect(review.page.locator('#track-name')).to_have_text('v1 · bar #3')


# ------------------------------------------------------------------ player
def test_plays_steps_and_stops(review: ReviewPage) -> None:
    page = review.page
    page.select_option('#fps', '30')
    before = review.pixels()
    review.watch_frames(10)
    page.click('#play')
    expect(page.locator('#play')).to_contain_text('Pause')
    # In order, none left out, and again from the first.
    assert review.seen() == [1, 2, 3, 4, 5, 6, 7, 0, 1, 2]
    page.click('#play')
    expect(page.locator('#play')).to_contain_text('Play')
    review.press('End')
    review.on_track(2, FRAMES - 1)
    assert (review.pixels() != before).any(2).mean() > 0.01
    expect(page.locator('#frame-facts')).to_contain_text('frame 8 / 8')
    review.press('ArrowLeft')
    review.on_track(2, FRAMES - 2)
    review.press('Home')
    review.on_track(2, 0)
    np.testing.assert_array_equal(review.pixels(), before)


def test_another_track_stops_playing_and_starts_at_its_first_box(
    review: ReviewPage,
) -> None:
    page = review.page
    page.select_option('#fps', '30')
    review.watch_frames(3)
    review.press(' ')
    assert review.seen() == [1, 2, 3]
    review.press('j')
    review.on_track(6, 0)
    expect(page.locator('#play')).to_contain_text('Play')
    expect(page.locator('#frame-facts')).to_contain_text('frame 1 / 8')


def test_playing_stays_in_the_marked_range(review: ReviewPage) -> None:
    page = review.page
    page.select_option('#fps', '30')
    review.go_to(2)
    review.press('[')
    review.go_to(3)
    review.press(']')
    expect(page.locator('#scope')).to_have_text('for frames 3–4 only')
    review.watch_frames(6)
    review.press(' ')
    assert review.seen() == [2, 3] * 3
    review.press('Escape')
    expect(page.locator('#unmark')).to_be_hidden()
    expect(page.locator('#scope')).to_have_text('for the whole track')


def test_strip_seeks_and_marks(review: ReviewPage) -> None:
    page = review.page
    box: Any = page.locator('#strip').bounding_box()
    step, y = box['width'] / FRAMES, box['y'] + box['height'] / 2

    def at(frame: int) -> float:
        return float(box['x'] + (frame + 0.5) * step)

    page.mouse.click(at(5), y)
    review.on_track(2, 5)
    expect(page.locator('#scope')).to_have_text('for the whole track')
    page.mouse.move(at(6), y)
    page.mouse.down()
    page.mouse.move(at(4), y)
    page.mouse.move(at(3), y)
    page.mouse.up()
    review.on_track(2, 3)
    expect(page.locator('#scope')).to_have_text('for frames 4–7 only')


def test_zoom_shows_the_object_larger(review: ReviewPage) -> None:
    def red() -> float:
        rgb = review.pixels()[..., :3].astype(int)
        return float((rgb[..., 0] - rgb[..., 1:].max(2) > 90).mean())

    review.set_opacity(0)
    before = red()
    review.press('z')
    expect(review.page.locator('#zoom')).to_be_checked()
    assert red() > 4 * before > 0


def test_tiles_tell_the_sources_apart(review: ReviewPage) -> None:
    page = review.page
    review.on_track(2, 0)
    tiles = page.locator('.tile')
    expect(tiles).to_have_count(3)
    expect(page.locator('.tile .facts')).to_have_text(
        ['bad', 'IoU 0.14', 'IoU 1']
    )
    final, good = (
        review.pixels(f'.tile:nth-child({n}) canvas') for n in (1, 2)
    )
    assert (final != good).any(2).mean() > 0.01
    expect(tiles.nth(0)).to_have_attribute('aria-pressed', 'true')
    expect(tiles.nth(1)).to_have_attribute('aria-pressed', 'false')


# ------------------------------------------------------------------ layout
@pytest.mark.parametrize('size', [(1280, 720), (1920, 1080)])
def test_everything_is_on_the_screen(review: ReviewPage, size: Any) -> None:
    width, height = size
    review.page.set_viewport_size(dict(width=width, height=height))
    review.go_to(2)
    review.press('[')
    for selector in (
        '#player',
        '#list',
        '#accept',
        '#undo',
        '#unmark',
        '#strip',
        '#zoom',
        '.tile:last-child .caption',
        '#frame-facts',
    ):
        box: Any = review.page.locator(selector).bounding_box()
        assert box['x'] >= 0, selector
        assert box['y'] >= 0, selector
        assert box['x'] + box['width'] <= width, selector
        assert box['y'] + box['height'] <= height, selector
    # One line each, so that the picture has the room.
    for selector in ('.transport', '.decisions'):
        box = review.page.locator(selector).bounding_box()
        assert box['height'] < 56, selector
    player: Any = review.page.locator('#player').bounding_box()
    assert player['width'] * player['height'] > 0.2 * width * height


def test_every_control_has_a_name(review: ReviewPage) -> None:
    nameless = review.page.eval_on_selector_all(
        'button, input, select, canvas[role], [role=listbox]',
        """nodes => nodes.filter(n => n.checkVisibility()
          && !(n.textContent.trim() || n.getAttribute('aria-label')
            || n.labels?.length)).map(n => n.outerHTML)""",
    )
    assert nameless == []
