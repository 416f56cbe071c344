"""A tiny review in a headless browser."""

from pathlib import Path
from typing import Any, Iterator

import pytest


@pytest.fixture(scope='module')
def review_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames, final labels, two sources, and the index of the review."""
    from pmvis_mm.testing.review_page import write_tiny_review

    root = tmp_path_factory.mktemp('review')
    write_tiny_review(root)
    return root


@pytest.fixture(scope='module')
def browser() -> Iterator[Any]:
    """A headless Chromium; skips where a user has none."""
    from pmvis_mm.testing.browser import find_chromium, open_browser

    pytest.importorskip('flask', reason='the page is served by Flask')
    pytest.importorskip('playwright', reason='it drives the browser')
    if find_chromium() is None:
        pytest.skip('no Chromium is installed')
    with open_browser() as browser:
        yield browser


@pytest.fixture
def decisions(tmp_path: Path) -> Path:
    """Where the review saves what is decided."""
    return tmp_path / 'review.json'


@pytest.fixture
def client(review_data: Path, decisions: Path) -> Any:
    """Flask's test client of a fresh review."""
    from pmvis_mm.review import create_app

    return create_app(review_data / 'review.sqlite', decisions).test_client()


@pytest.fixture
def address(browser: Any, review_data: Path, decisions: Path) -> Iterator[str]:
    """Of a server of a fresh review."""
    from pmvis_mm.review import create_app
    from pmvis_mm.testing.browser import serve_app

    app = create_app(review_data / 'review.sqlite', decisions)
    with serve_app(app) as address:
        yield address


@pytest.fixture
def review(browser: Any, address: str) -> Iterator[Any]:
    """The page with its first track drawn; no script of it may fail."""
    from pmvis_mm.testing.review_page import ReviewPage

    context = browser.new_context(viewport=dict(width=1280, height=720))
    context.set_default_timeout(15000)
    page = ReviewPage(context.new_page(), address)
    page.open()
    yield page
    context.close()
    assert page.problems == []
