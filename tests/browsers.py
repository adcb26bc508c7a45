"""Chromium without a window, for what people see in a browser."""

import shutil
from contextlib import contextmanager

#: As root, and without anything that calls home.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium_page(width: int, height: int, limit_s: float):
    """Give a page of so many pixels, each step of which may take so many seconds."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(_ARGUMENTS))
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(1000 * limit_s)
            yield page
        finally:
            browser.close()
