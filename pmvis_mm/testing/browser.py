"""A headless browser and a local server, for pages that need both."""

import logging
import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Iterator, Optional

from ..utils.errors import ConfigError

if TYPE_CHECKING:
    from flask import Flask

# Nothing is drawn by a graphics card, nothing is asked for from elsewhere.
ARGUMENTS = (
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
)


def find_chromium() -> Optional[str]:
    """Find an installed Chromium or Chrome; None without one."""
    for name in ('chromium', 'chromium-browser', 'google-chrome'):
        path = shutil.which(name)
        if path:
            return path
    return None


@contextmanager
def open_browser() -> Iterator[Any]:
    """Start a headless Chromium.

    Yields:
        playwright.sync_api.Browser: Closed afterwards.

    Raises:
        ConfigError: If Playwright or Chromium is not installed.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise ConfigError(
            'Playwright is not installed', fix='pip install playwright'
        ) from None
    program = find_chromium()
    if program is None:
        raise ConfigError(
            'no Chromium was found',
            fix='install the chromium of your system, on the PATH',
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=list(ARGUMENTS)
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def serve_app(app: 'Flask') -> Iterator[str]:
    """Serve an application from a thread, on a free port of this machine.

    Args:
        app (flask.Flask): See :func:`~pmvis_mm.review.server.create_app`.

    Yields:
        str: Address without a slash at its end.
    """
    from ..review.server import serve

    # One line per frame would bury everything else.
    logging.getLogger('werkzeug').setLevel(logging.WARNING)
    server = serve(app, port=0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f'http://127.0.0.1:{server.port}'
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
