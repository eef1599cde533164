"""The system's Chromium, driven by playwright; tests are skipped where one of the two is missing."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.lacking import skip_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from batchai_scenario.emulator.server import Address

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = "a browser"
SECONDS = 30.0


@contextmanager
def chromium() -> Iterator[Any]:
    """Start a browser; skips the test, with the cause, where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        skip_for(BROWSER, "there is no Chromium: 'apt-get install chromium'")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        skip_for(BROWSER, "playwright is not installed: 'tox -e browser' has it")
    with sync_playwright() as driver:
        # As root there is no sandbox for it; what it opens is our own.
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=program, args=sandbox)
        yield browser
        browser.close()


class Watched:
    """A tab that remembers what went wrong in it, and every request that it made."""

    def __init__(self, browser: Any, address: Address, width: int = 1280, theme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
        self.context.set_default_timeout(20_000)
        self.page = self.context.new_page()
        self.address = address
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address.page_url)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def open(self, path: str) -> Any:
        """Open a view and wait until it has drawn itself; gives the page."""
        self.page.goto(f"{self.address.url}/ui/{path}")
        self.wait("!document.querySelector('#view').textContent.startsWith('Loading')")
        return self.page

    def wait(self, expression: str) -> None:
        """Wait until something is true; the driver's own way to do so is what the page's policy forbids."""
        deadline = time.monotonic() + SECONDS
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, f"it did not come to be: {expression}"
            self.page.wait_for_timeout(50)

    def check(self) -> None:
        """See that nothing was complained of, and nobody but the emulator was asked."""
        assert self.problems == []
        own = (f"{self.address.url}/ui", "blob:", "data:")
        others = [url for url in self.requests if not url.startswith(own)]
        assert others == []

    def close(self) -> None:
        self.check()
        self.context.close()


def picture(tab: Watched, folder: Path, name: str) -> None:
    """Keep a picture of the whole view."""
    folder.mkdir(parents=True, exist_ok=True)
    tab.page.screenshot(path=str(folder / f"{name}.png"), full_page=True)


def pictures_folder(config: pytest.Config) -> Path:
    """Where pictures of the views go: below the folder of the build, which CI keeps."""
    return config.rootpath / "build" / "pictures"
