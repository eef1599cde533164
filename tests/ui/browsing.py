"""The system's Chromium, driven by playwright; tests are skipped where one of the two is missing."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tests.lacking import skip_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchai_scenario.emulator.server import Address

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
BROWSER = "a browser"
FLAGS = ("--disable-gpu", "--disable-software-rasterizer")
"""Nothing is drawn but for pictures: no processor's time for what a graphics card would do."""
PATIENCE = 120_000
"""Milliseconds until what does not come is missing: for machines on which much else runs."""
WAIT = """([patience, expression]) => new Promise((done, fail) => {
  let clock = 0;
  const look = () => {
    if (!(CONDITION)) return;
    observer.disconnect();
    clearTimeout(clock);
    done();
  };
  const observer = new MutationObserver(look);
  clock = setTimeout(() => {
    observer.disconnect();
    fail(new Error(`it did not come to be: ${expression}`));
  }, patience);
  observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  look();
})"""


@contextmanager
def chromium() -> Iterator[Any]:
    """Start a browser; skips the test, with the cause, where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        _lacking("there is no Chromium: 'apt-get install chromium-headless-shell'")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _lacking("playwright is not installed: 'tox -e browser' has it")
    with sync_playwright() as driver:
        # As root there is no sandbox for it; what it opens is our own.
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=program, args=[*FLAGS, *sandbox], timeout=PATIENCE)
        yield browser
        browser.close()


def _lacking(reason: str) -> NoReturn:
    if os.environ.get("SCENARIO_REQUIRE_BROWSER"):
        pytest.fail(f"a browser is required here: {reason}")
    skip_for(BROWSER, reason)


class Watched:
    """A tab that remembers what went wrong in it, and every request that it made."""

    def __init__(self, browser: Any, address: Address, width: int = 1280) -> None:
        size = {"width": width, "height": 900}
        self.context = browser.new_context(viewport=size, reduced_motion="reduce")
        self.context.set_default_timeout(PATIENCE)
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
            self.problems.append(f"{message.text} {message.location.get('url', '')}")

    def open(self, path: str) -> Any:
        """Open a view and wait until it has drawn itself; gives the page."""
        self.page.goto(f"{self.address.url}/ui/{path}")
        self.wait("!document.querySelector('#view').textContent.startsWith('Loading')")
        return self.page

    def wait(self, expression: str) -> None:
        """Wait until something is true: the page looks again whenever something in it changes."""
        self.page.evaluate(WAIT.replace("CONDITION", expression), [PATIENCE, expression])

    def check(self) -> None:
        """See that nothing was complained of, and nobody but the emulator was asked."""
        assert self.problems == [], self.problems
        own = (f"{self.address.url}/ui", "blob:", "data:")
        others = [url for url in self.requests if not url.startswith(own)]
        assert others == [], others

    def close(self) -> None:
        self.check()
        self.context.close()


def fits(page: Any) -> bool:
    """Tell whether a view is no wider than the window."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return int(wide) <= 0


class Axe:
    """The rules of axe-core, by the script that a Python package ships."""

    def __init__(self) -> None:
        self._script = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")

    def violations(self, page: Any) -> list[tuple[str, list[str]]]:
        """Give the rules that a page breaks, each with the elements that do."""
        if not page.evaluate("'axe' in window"):
            page.evaluate(f"() => {{ {self._script} }}")
        found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
        return [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]]


def picture(page: Any, folder: Path, name: str, **more: Any) -> None:
    """Keep a picture of the whole view, or of the piece that ``clip`` names."""
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(folder / f"{name}.png"), **(more or {"full_page": True}))


def pictures_folder(config: pytest.Config) -> Path:
    """Where pictures of the views go: below the folder of the build, which CI keeps."""
    return config.rootpath / "build" / "pictures"
