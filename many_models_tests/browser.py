"""A real browser for tests: Debian's Chromium, headless, which loads from this machine alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

WIDTH, HEIGHT = 1240, 900
_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


def find_chromium() -> str:
    """Where Chromium is; without one tests are skipped on a desk, and fail in CI."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        said = "Chromium is needed to open pages: apt install chromium"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)
    return found


@contextmanager
def running_browser() -> Iterator[Browser]:
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


class Watched:
    """A page that remembers what went wrong: on the console, in scripts, in what it loads."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        page.set_default_timeout(15_000)
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        page.on("requestfailed", lambda request: self.problems.append(f"failed: {request.url}"))

    def _console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.problems.append(f"{kind}: {text}")

    def open(self, address: str) -> float:
        """Open a page and wait until its charts are drawn; milliseconds since navigation began."""
        self.page.goto(address)
        return self.wait()

    def wait(self) -> float:
        self.page.wait_for_selector("html[data-drawn]", state="attached", timeout=20_000)
        drawn: float = self.page.evaluate("performance.getEntriesByName('drawn')[0].startTime")
        return drawn

    def charts(self) -> list[str]:
        """Whether each chart is drawn: it says yes, and holds marks."""
        found: list[str] = self.page.evaluate(
            "[...document.querySelectorAll('figure.chart')].map(figure => "
            "figure.dataset.drawn === 'yes' && figure.querySelector('svg g.role-mark path[d]') "
            "? 'drawn' : 'no')"
        )
        return found
