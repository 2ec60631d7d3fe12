"""A real browser for the tests of the web viewer: the system's Chromium without a window, driven by Playwright.

Playwright's own browsers are not needed: ``apt install chromium-headless-shell`` or ``chromium`` is enough. The shell
comes first: the same engine without the menus and the start page, which a browser without a window draws all the same,
for half of the processor time of these tests. AXONLIKE_CHROMIUM names another program.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["CHROMIUM", "MISSING", "a_browser"]

_PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = os.environ.get("AXONLIKE_CHROMIUM") or next(filter(None, map(shutil.which, _PROGRAMS)), "")


def _missing() -> str:
    if not CHROMIUM:
        return "no chromium here (Debian: apt install chromium)"
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "playwright is not installed (pip install playwright)"
    return ""


MISSING = _missing()
"""Why there is no browser; "" if there is one."""


@contextlib.contextmanager
def a_browser() -> Iterator[Browser]:
    """One that runs while the block does. Its parts are children of this process."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # No sandbox: it needs privileges that root in a container has not, and only our own page is opened.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()
