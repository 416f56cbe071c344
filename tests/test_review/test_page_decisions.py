"""What one decides on the label review page, in a real browser."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from pmvis_mm.review import build_index, create_app
from pmvis_mm.structures import PseudoMaskSet
from pmvis_mm.testing.browser import serve_app
from pmvis_mm.testing.review_page import (
    FRAMES,
    ReviewPage,
    saved_decisions,
)
from pmvis_mm.testing.tiny_vis import write_tiny_vis

playwright = pytest.importorskip('playwright.sync_api')
expect = playwright.expect


def apply(
    root: Path, decisions: Path, data: Path, out: Path
) -> 'subprocess.CompletedProcess[str]':
    """Run the tool that makes the final set."""
    return subprocess.run(
        [sys.executable, str(root / 'tools' / 'labeling' / 'apply_review.py')]
        + [str(decisions), '--final', str(data / 'final.json')]
        + ['--sources', f'good={data / "good.json"}', '--out', str(out)],
        capture_output=True,
        text=True,
        check=True,
    )


def test_a_review_becomes_the_final_set(
    review: ReviewPage,
    review_data: Path,
    decisions: Path,
    tmp_path: Path,
    repo_root: Path,
) -> None:
    page = review.page
    review.on_track(2)
    page.click('#reject')  # the worst one, as a whole
    review.on_track(6)
    review.go_to(2)
    review.press('[')
    review.go_to(3)
    review.press(']')
    page.click('.tile[data-source=good]')
    status = page.locator('#track-status')
    expect(status).to_have_text('⇄ Changed')
    page.click('#accept')  # keeps the changes and goes on
    review.on_track(0)
    page.click('#reject')
    expect(page.locator('#row-2 .badge')).to_have_text('✕ Rejected')
    page.click('#undo')
    review.on_track(0)
    expect(status).to_have_text('○ Open')
    progress = page.locator('#progress-text')
    expect(progress).to_have_text('2 of 8 tracks decided')
    assert saved_decisions(decisions) == [
        dict(track=2, action='reject'),
        dict(track=6, action='choose', source='good', frames=[2, 3]),
    ]

    out = tmp_path / 'out.json'
    done = apply(repo_root, decisions, review_data, out)
    assert re.search(r"masks taken from 'good' +2\b", done.stdout)
    result = {t.id: t for t in PseudoMaskSet.load(out)}
    final, good = (
        {t.id: t for t in PseudoMaskSet.load(review_data / name)}
        for name in ('final.json', 'good.json')
    )
    assert sorted(result) == [0, 1, 3, 4, 5, 6, 7]
    parts = [good if t in (2, 3) else final for t in range(FRAMES)]
    expected = [part[6].masks[t] for t, part in enumerate(parts)]
    assert result[6].masks == expected != final[6].masks
    assert result[6].sources == ['bad'] * 2 + ['good'] * 2 + ['bad'] * 4
    assert result[0].masks == final[0].masks


def test_everything_by_keyboard(review: ReviewPage, decisions: Path) -> None:
    page = review.page
    review.on_track(2, 0)
    review.press('1')  # all frames from the first source
    status = page.locator('#track-status')
    expect(status).to_have_text('⇄ Changed')
    assert page.get_attribute('#player', 'data-source') == 'good'
    review.press('v')  # final labels instead of the result
    expect(page.locator('#frame-note')).to_have_text('Shows only: final')
    review.press('v', 'v', 'v')
    review.press('c')
    expect(status).to_have_text('○ Open')
    review.press('a')
    review.on_track(6)
    review.press('r')
    review.on_track(0)
    review.press('k')
    review.on_track(6)
    review.press('ArrowUp')
    review.on_track(2)
    review.press('Enter')  # the next one that is open
    review.on_track(0)
    review.press('j')
    page.wait_for_selector('#row-3[aria-selected=true]')
    review.press('/')
    expect(page.locator('#search')).to_be_focused()
    page.keyboard.type('v3')
    review.press('Enter')
    expect(page.locator('#list-foot')).to_contain_text('of 1 tracks')
    review.on_track(7)
    review.press('u')  # the rejection of track 6
    review.on_track(6)
    expect(status).to_have_text('○ Open')
    review.press('Shift+ArrowRight')
    review.on_track(6, FRAMES - 1)
    review.press('ArrowLeft', 'ArrowLeft', '[', 'r')
    expect(status).to_have_text('⇄ Changed')
    assert saved_decisions(decisions) == [
        dict(track=2, action='choose', source='good'),
        dict(track=2, action='clear'),
        dict(track=2, action='accept'),
        dict(track=6, action='reject', frames=[5, 7]),
    ]


def test_a_button_does_not_catch_the_space_bar(
    review: ReviewPage, decisions: Path
) -> None:
    review.page.uncheck('#advance')
    review.page.click('#accept')
    status = review.page.locator('#track-status')
    expect(status).to_have_text('✓ Accepted')
    review.page.select_option('#fps', '30')
    review.watch_frames(2)
    review.press(' ')
    assert review.seen() == [1, 2]
    assert len(saved_decisions(decisions)) == 1


def test_rejected_frames_have_no_mask_in_the_picture(
    review: ReviewPage,
) -> None:
    page = review.page
    review.on_track(2, 0)
    page.uncheck('#box')
    before = review.pixels()
    review.press(']', 'r')
    expect(page.locator('#frame-note')).to_contain_text('rejected, no mask')
    assert (review.pixels() != before).any(2).mean() > 0.005
    review.press('ArrowRight')
    review.on_track(2, 1)
    expect(page.locator('#frame-note')).to_have_text(
        'Shows the result: final labels'
    )


def test_list_keeps_its_rows_while_one_decides(review: ReviewPage) -> None:
    rows = review.rows()
    review.press('a')
    review.on_track(rows[1])
    review.press('r')
    review.on_track(rows[2])
    assert review.rows() == rows
    badges = review.page.locator('.row[data-id] .badge')
    texts = badges.all_text_contents()
    assert sorted(texts) == ['○ Open'] * 6 + ['✓ Accepted', '✕ Rejected']
    counts = review.page.locator('#statuses b')
    expect(counts).to_have_text(['6', '1', '1', '0', '8'])
    review.show('open')
    expect(review.page.locator('#list-foot')).to_contain_text('of 6 tracks')


def test_a_long_list_is_fetched_in_parts_and_stays_in_order(
    browser: Any, tmp_path: Path
) -> None:
    write_tiny_vis(tmp_path, 120, 1)
    build_index(
        tmp_path / 'review.sqlite',
        PseudoMaskSet.load(tmp_path / 'instances.json'),
        {},
        img_prefix=tmp_path / 'JPEGImages',
    )
    app = create_app(tmp_path / 'review.sqlite', tmp_path / 'review.json')
    asked = app.test_client().get('/api/tracks?sort=id&order=asc&limit=240')
    order = [row['id'] for row in asked.get_json()['rows']]
    seen: Dict[int, int] = {}
    context = browser.new_context(viewport=dict(width=1280, height=720))
    with serve_app(app) as address:
        review = ReviewPage(context.new_page(), address)
        review.open()
        review.page.select_option('#sort', 'id')
        review.on_track(0)
        # These leave the open ones on the server, but not in the list, also
        # before the second hundred has been asked for.
        for number in range(7):
            review.on_track(order[number])
            review.press('a')
        review.on_track(order[7])
        for index in (*range(0, 240, 9), 239):
            review.page.eval_on_selector(
                '#list', f'list => {{ list.scrollTop = 54 * {index - 4}; }}'
            )
            review.page.wait_for_selector(f'#row-{index}[data-id]')
            assert review.page.locator('.row').count() < 40
            seen.update(review.rows())
    context.close()
    assert seen == dict(enumerate(order))
    assert len(saved_decisions(tmp_path / 'review.json')) == 7


def test_the_last_open_track_ends_the_walk(review: ReviewPage) -> None:
    page = review.page
    for number in range(8):
        expect(page.locator('#progress-text')).to_contain_text(f'{number} of')
        key = int(page.get_attribute('#player', 'data-track'))
        review.press('a')
        expect(page.locator('#progress-text')).to_contain_text(
            f'{number + 1} of'
        )
        if number < 7:
            page.wait_for_selector(f'#player:not([data-track="{key}"])')
    expect(page.locator('#saved')).to_contain_text('No open track is left')


# ------------------------------------------------------------------ errors
def test_a_refused_decision_is_told_and_not_shown_as_made(
    review: ReviewPage, decisions: Path
) -> None:
    page = review.page
    refuse = dict(status=500, json=dict(error='the disk is full'))
    page.route('**/api/decisions', lambda route: route.fulfill(**refuse))
    review.press('a')
    failure = page.locator('#failure')
    expect(failure).to_contain_text('Decision NOT saved. the disk is full')
    expect(page.locator('#saved')).to_have_text('Not saved')
    review.on_track(2)
    expect(page.locator('#track-status')).to_have_text('○ Open')
    assert saved_decisions(decisions) == []
    page.unroute('**/api/decisions')
    review.press('a')
    expect(failure).to_be_hidden()
    review.on_track(6)
    assert saved_decisions(decisions) == [dict(track=2, action='accept')]


def test_a_server_that_is_gone_is_told(review: ReviewPage) -> None:
    page = review.page
    page.route('**/api/**', lambda route: route.abort())
    review.press('r')
    failure = page.locator('#failure')
    expect(failure).to_contain_text('does not answer')
    page.click('#failure-close')
    expect(failure).to_be_hidden()
    page.select_option('#sort', 'id')
    expect(failure).to_contain_text('The list cannot be loaded')


def test_the_typed_error_of_the_server_is_shown(review: ReviewPage) -> None:
    review.press('u')
    expect(review.page.locator('#failure')).to_contain_text(
        'Nothing was undone. there is no decision to undo'
    )


def test_a_missing_frame_is_told_and_the_rest_plays(
    review: ReviewPage,
) -> None:
    page = review.page
    gone = dict(status=404, json=dict(error='frame does not exist'))
    page.route('**/api/frames/3/2.jpg', lambda route: route.fulfill(**gone))
    review.press('j')
    review.on_track(6, 0)
    review.go_to(2)
    error = page.locator('#frame-error')
    expect(error).to_have_text('frame does not exist')
    review.press('ArrowRight')
    review.on_track(6, 3)
    expect(error).to_be_hidden()


def test_a_key_decides_nothing_about_a_track_that_is_not_seen(
    review: ReviewPage, decisions: Path
) -> None:
    page = review.page
    held: List[Any] = []
    page.route('**/api/tracks/6', lambda route: held.append(route))
    review.press('a')
    page.wait_for_selector('#row-1[aria-selected=true]')
    review.press('a', 'r', '1')
    expect(page.locator('#progress-text')).to_contain_text('1 of 8')
    assert saved_decisions(decisions) == [dict(track=2, action='accept')]
    held[0].continue_()
    review.on_track(6)
    review.press('r')
    expect(page.locator('#progress-text')).to_contain_text('2 of 8')


# ------------------------------------------------------------------ others
def test_help_lists_the_keys_and_closes(review: ReviewPage) -> None:
    page = review.page
    review.press('?')
    help_ = page.locator('#help')
    expect(help_).to_be_visible()
    expect(help_).to_contain_text('Use the source of this tile')
    review.press('a')  # does nothing below the help
    review.press('Escape')
    expect(help_).to_be_hidden()
    expect(page.locator('#progress-text')).to_contain_text('0 of 8')


def test_nothing_is_asked_of_other_hosts(browser: Any, address: str) -> None:
    asked: List[str] = []
    context = browser.new_context()
    context.on('request', lambda request: asked.append(request.url))
    review = ReviewPage(context.new_page(), address)
    review.open()
    review.press('?', 'Escape', 'z', 'a')
    review.on_track(6)
    context.close()
    assert len(asked) > 20
    own = (f'{address}/', 'data:', f'blob:{address}/')
    assert [url for url in asked if not url.startswith(own)] == []
