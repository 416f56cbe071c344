"""Helpers for pages: what is missing is said, servers come and go."""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from pmvis_mm.structures import PseudoMaskSet
from pmvis_mm.testing.browser import find_chromium, open_browser, serve_app
from pmvis_mm.testing.review_page import (
    SHIFTS,
    saved_decisions,
    write_tiny_review,
)
from pmvis_mm.utils.errors import ConfigError


def test_a_missing_browser_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip('playwright')
    monkeypatch.setenv('PATH', str(tmp_path))
    assert find_chromium() is None
    with pytest.raises(ConfigError, match='no Chromium was found'):
        with open_browser():
            pass


def test_a_browser_on_the_path_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / 'chromium'
    program.write_text('#!/bin/sh\n')
    program.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path))
    assert find_chromium() == str(program)


def test_missing_playwright_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'playwright.sync_api', None)
    with pytest.raises(ConfigError, match='pip install playwright'):
        with open_browser():
            pass


def test_serves_until_it_is_left() -> None:
    flask = pytest.importorskip('flask')
    app = flask.Flask('test')
    app.add_url_rule('/', view_func=lambda: 'hello')
    with serve_app(app) as address:
        assert address.startswith('http://127.0.0.1:')
        with urllib.request.urlopen(f'{address}/') as answer:
            assert answer.read() == b'hello'
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f'{address}/', timeout=5)


def test_tiny_review_is_as_described(tmp_path: Path) -> None:
    write_tiny_review(tmp_path)
    good, bad = (
        PseudoMaskSet.load(tmp_path / name)
        for name in ('good.json', 'bad.json')
    )
    assert (tmp_path / 'final.json').read_bytes() == (
        tmp_path / 'bad.json'
    ).read_bytes()
    assert (tmp_path / 'review.sqlite').stat().st_size > 0
    for video, shift in enumerate(SHIFTS):
        square, bar = bad.tracks[video]
        assert (square.id, bar.id) == (2 * video, 2 * video + 1)
        assert bar.masks == good.tracks[video][1].masks
        same = square.masks == good.tracks[video][0].masks
        assert same == (shift == 0)


def test_saved_decisions_leave_out_video_and_time(tmp_path: Path) -> None:
    path = tmp_path / 'review.json'
    assert saved_decisions(path) == []
    entry = dict(track=3, video=1, action='accept', time='now')
    path.write_text(json.dumps(dict(decisions=[entry])))
    assert saved_decisions(path) == [dict(track=3, action='accept')]
