"""The page in a real browser, against an emulator with real jobs: 'tox -e browser'.

What is asked without a browser stands in test_interface and test_guard.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from batchai_scenario.emulator.identity import development
from batchai_scenario.scenarios.cli import main
from batchai_scenario.scenarios.record.book import RecordedRuns
from tests.ui.browsing import Axe, Watched, chromium, fits, picture, pictures_folder
from tests.ui.seen import READY, crowded, run, seen_world, views
from tests.ui.training import write_digits, write_scenario
from tests.ui.world import CLUSTER, World

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.browser

SCROLL = """async box => {
  const seen = [];
  for (let at = 0; at < 40; at += 1) {
    box.scrollTop = box.scrollHeight * at / 40;
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    const middle = box.scrollTop + box.clientHeight / 2;
    const lines = [...box.querySelectorAll('.line')];
    seen.push([lines.length, lines.some(line => {
      const around = line.getBoundingClientRect(), shown = box.getBoundingClientRect();
      return around.bottom >= shown.top && around.top <= shown.bottom;
    })]);
  }
  return seen;
}"""
DROP = """([name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name));
  document.querySelector('.drop').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true }));
}"""
WAITS = "echo begun; while [ ! -e $AZ_BATCHAI_MOUNT_ROOT/afs/go-on ]; do sleep 0.1; done; echo ended"
FAINT = """() => {
  const light = colour => {
    const parts = colour.match(/[0-9.]+/g).slice(0, 3).map(part => part / 255);
    const even = part => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4;
    const [red, green, blue] = parts.map(even);
    return .2126 * red + .7152 * green + .0722 * blue + .05;
  };
  return [...document.querySelectorAll('button:disabled')].filter(button => {
    const { color, backgroundColor } = getComputedStyle(button), two = [light(color), light(backgroundColor)];
    return Math.max(...two) / Math.min(...two) < 4.5;
  }).map(button => button.textContent);
}"""
LOOKS = (("light", 360), ("dark", 360), ("dark", 1920), ("light", 1920))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def axe(browser: Any) -> Axe:
    """The rules for whoever cannot see, or not well."""
    return Axe()


@pytest.fixture(scope="module")
def seen(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The emulator that most tests look at."""
    world = seen_world(tmp_path_factory.mktemp("seen"))
    yield world
    world.stop(clean=True)


@pytest.fixture
def tab(browser: Any, seen: World) -> Iterator[Watched]:
    """A tab on the page, in which nothing may be complained of."""
    made = Watched(browser, seen.address)
    yield made
    made.close()


@pytest.mark.parametrize("view", READY)
def test_a_view_fits_and_breaks_no_rule_of_axe(
    browser: Any, seen: World, axe: Axe, view: str, pytestconfig: pytest.Config
) -> None:
    tab = Watched(browser, seen.address, 360)
    page = tab.open(views(seen)[view])
    tab.wait(READY[view])
    look_at(page, view, axe, pictures_folder(pytestconfig))
    tab.close()


def look_at(page: Any, name: str, axe: Axe, folder: Path) -> None:
    """See that a page fits a phone and a large screen, and keep pictures; hold each theme to axe's rules."""
    for number, (theme, width) in enumerate(LOOKS):
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(
            "() => new Promise(requestAnimationFrame).then(() => new Promise(requestAnimationFrame))"
        )
        assert fits(page), (theme, width)
        assert page.evaluate(FAINT) == [], theme  # what axe leaves out, as nobody can press it
        picture(page, folder, f"{name}-{width}-{theme}")
        if number % 2 == 0:
            assert axe.violations(page) == [], (theme, width)


def test_a_log_of_a_hundred_thousand_lines_is_shown_searched_and_wrapped(tab: Watched, seen: World) -> None:
    page = tab.open(f"job?{urlencode({'id': seen.fine})}")
    log = page.locator(".log")
    tab.wait("document.querySelector('.log').textContent.includes('line number 100000')")
    assert page.locator(".log .line").count() < 100  # only what is seen is there
    log.evaluate("box => { box.scrollTop = 0 }")
    tab.wait("document.querySelector('.log').textContent.includes('bold?')")
    first = page.locator(".log .line").nth(0)
    assert "red <b>bold?</b> <script>alert(1)</script>" in first.text_content()
    assert first.locator(".ansi-red").text_content() == "red"
    text = log.text_content()
    assert "half \ufffd of a letter, nul \u2400 here" in text
    assert "3new4" in text  # what was drawn over is gone
    assert "980,000 characters more" in text
    assert not page.get_by_label("Follow").is_checked()  # who scrolls away is not carried along
    page.get_by_label("Search").fill("NUMBER 77777")
    page.keyboard.press("Enter")
    tab.wait("document.querySelector('.log mark.now')?.textContent === 'number 77777'")
    assert page.get_by_text("1 of 1 lines").is_visible()
    page.get_by_label("Wrap").check()
    page.get_by_label("Follow").check()
    tab.wait("document.querySelector('.log').textContent.includes('line number 100000')")
    for count, shown in log.evaluate(SCROLL):  # wherever one goes, what is there is drawn, and little else
        assert shown
        assert count < 100


def test_a_job_is_followed_live_and_terminated_after_a_question(tab: Watched, seen: World) -> None:
    held = "while [ ! -e $AZ_BATCHAI_MOUNT_ROOT/afs/prepared ]; do sleep 0.1; done"
    live = seen.submit("live", WAITS, jobPreparation={"commandLine": held})
    page = tab.open(f"job?{urlencode({'id': live})}")
    tab.wait("document.querySelector('.log').textContent.includes('INFO')")  # the service's own log alone
    (seen.share / "prepared").touch()
    tab.wait("document.querySelector('.log').textContent.includes('begun')")
    (seen.share / "go-on").touch()
    tab.wait("document.querySelector('.log').textContent.includes('ended')")
    page.wait_for_selector(".state.succeeded")
    (seen.share / "go-on").unlink()
    other = seen.submit("other", "sleep 200")
    seen.wait(other, "running")
    page = tab.open(f"job?{urlencode({'id': other})}")
    page.get_by_role("button", name="Terminate ...").click()
    page.keyboard.press("Escape")  # no is no
    assert seen.ask("GET", other)["properties"]["executionState"] == "running"
    page.get_by_role("button", name="Terminate ...").click()
    page.get_by_role("button", name="Terminate the job").click()
    page.wait_for_selector(".state.failed")
    seen.wait(other, "failed")
    page.get_by_role("button", name="Delete ...").click()
    page.get_by_role("button", name="Delete the job").click()
    page.get_by_text("There is no such job (any more).").wait_for()
    tab.problems = [text for text in tab.problems if "404" not in text]  # asked for until it was gone


def test_a_cluster_is_resized_with_the_keyboard(tab: Watched, seen: World) -> None:
    page = tab.open(f"cluster?{urlencode({'id': CLUSTER.lower()})}")
    page.get_by_role("button", name="Resize ...").focus()
    page.keyboard.press("Enter")
    page.get_by_role("spinbutton", name="Nodes").fill("3")
    page.keyboard.press("Enter")
    tab.wait("document.querySelectorAll('main .tiles li').length === 3")
    assert len(seen.ask("GET", CLUSTER)["properties"]["nodeStateCounts"]) > 0
    seen.until(lambda: seen.ask("GET", CLUSTER)["properties"]["currentNodeCount"] == 3)
    assert "set up" in page.get_by_label("Output of the setup task").text_content()


def test_files_are_dropped_into_a_share(tab: Watched, seen: World) -> None:
    page = tab.open(views(seen)["files"])
    page.wait_for_selector("tbody tr")
    page.evaluate(DROP, ["dropped 'it'.txt", "content"])
    page.get_by_text("1 file is there.").wait_for()
    assert (seen.share / "dropped 'it'.txt").read_text() == "content"
    with page.expect_download() as saved:
        page.get_by_label("Save dropped 'it'.txt").click()
    assert Path(saved.value.path()).read_text() == "content"
    page.evaluate(DROP, ["dropped 'it'.txt", "other"])
    page.get_by_role("button", name="Cancel").click()
    page.evaluate(DROP, ["dropped 'it'.txt", "other"])
    page.get_by_role("button", name="Replace it").click()
    page.get_by_text("1 file is there.").wait_for()
    assert (seen.share / "dropped 'it'.txt").read_text() == "other"


def test_curves_are_drawn_read_and_saved(tab: Watched, seen: World) -> None:
    page = tab.open(views(seen)["metrics"])
    tab.wait("document.querySelectorAll('.chart')[0]?.querySelectorAll('.curve').length === 5")
    chart = page.locator("section", has=page.get_by_role("heading", name="loss", exact=True))
    assert chart.locator(".curve").count() == 5  # two runs, an event file of each, and the job's own file
    assert "no finite number" in chart.text_content()
    chart.locator(".chart svg").focus()
    page.keyboard.press("ArrowRight")
    assert "0.8 (step 1)" in chart.locator(".keys").text_content()
    page.get_by_label("Log scale").check()
    page.get_by_label("Over").select_option("time")
    page.get_by_label("Smoothing").fill("0.5")
    assert chart.locator(".raw").count() == 5
    with page.expect_download() as saved:
        page.get_by_label("Save the values of loss").click()
    rows = Path(saved.value.path()).read_text().splitlines()
    assert rows[0] == "curve,step,seconds,loss"
    assert sum(row.endswith(",nan") for row in rows) == 5
    with page.expect_download() as saved:
        page.get_by_label("Save the picture of loss").click()
    assert Path(saved.value.path()).read_bytes().startswith(b"\x89PNG")
    page.set_viewport_size({"width": 360, "height": 900})
    tab.wait("document.querySelector('.chart svg').viewBox.baseVal.width < 360")
    assert chart.locator("text[text-anchor=middle]").count() > 2


def test_a_loss_falls_live(tab: Watched, seen: World, tmp_path: Path) -> None:
    held = seen.home.storage / development.ACCOUNT / "shared" / "wait"
    held.touch()
    scenario = write_scenario(tmp_path / "falling")
    codes: list[int] = []
    arguments = ["--home", str(seen.home.root), "run", str(scenario), "--backend", "local", "--json"]
    command = [sys.executable, "-m", "batchai_scenario.scenarios", *arguments]
    run = threading.Thread(
        target=lambda: codes.append(
            subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode
        )
    )
    run.start()
    try:
        seen.until(lambda: [one for one in RecordedRuns(seen.home.root).runs() if one["state"] == "running"])
        tab.open("metrics")
        tab.wait(
            "[...document.querySelectorAll('.keys')].some(keys => keys.textContent.includes('0.6 (step 3)'))"
        )
    finally:
        held.unlink()
        run.join()
    tab.wait(
        "[...document.querySelectorAll('.keys')].some(keys => keys.textContent.includes('0.125 (step 7)'))"
    )
    assert codes == [0]


def test_runs_are_sorted_filtered_and_compared(tab: Watched, seen: World) -> None:
    page = tab.open("runs")
    page.wait_for_selector("tbody tr")
    page.get_by_label("Find").fill("epochs 4")
    assert page.locator("section").first.locator("tbody tr").count() == 1
    page.get_by_label("Find").fill("")
    page.get_by_role("button", name="Parameters").click()
    assert page.get_by_role("columnheader", name="Parameters").get_attribute("aria-sort") == "ascending"
    assert "epochs 4" in page.locator("tbody tr").first.text_content()
    for row in (0, 1):
        page.locator("tbody tr input").nth(row).check()
    page.get_by_role("button", name="Compare these two").click()
    page.get_by_role("heading", name="Where they differ").wait_for()
    assert page.locator("tr.differs").count() > 0
    page.locator("tbody tr button").first.click()
    page.get_by_role("link", name="Curves of this run").wait_for()


def test_an_emulator_that_ends_is_told_and_comes_back(browser: Any, tmp_path: Path) -> None:
    world = World(tmp_path / "home")
    world.start()
    tab = Watched(browser, world.address)
    page = tab.open("")
    with socket.socket() as kept:  # nobody else gets the port meanwhile
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        world.stop()
        kept.bind(("127.0.0.1", world.address.port))
        page.locator(".connection.lost").wait_for()
        assert "scenario emulator serve" in page.locator("#connection").text_content()
        world.start()
    tab.wait("document.querySelector('#connection').textContent === ''")
    world.make_cluster(1)  # and it is live again
    page.get_by_role("link", name="crew").wait_for()
    world.stop(clean=True)
    tab.context.close()


def test_a_thousand_jobs_and_a_hundred_nodes_stay_quick(browser: Any, seen: World) -> None:
    """It draws what is seen at first, whatever there is; how long that takes tells 'benchmarks/page.py'."""
    tab = Watched(browser, seen.address)
    emulator = {"only": "", "startedAt": None, "gpus": "auto"}
    overview = {"emulator": emulator, "board": crowded(), "hasRuns": True}
    tab.page.route(
        "**/ui/api/overview",
        lambda route: route.fulfill(body=json.dumps(overview), content_type="application/json"),
    )
    tab.page.route("**/ui/api/events*", lambda route: route.abort())
    page = tab.open("")
    tab.wait("document.querySelectorAll('tbody tr').length === 100")
    assert page.locator(".card .tiles li").count() == 100
    assert page.get_by_text("Show 500 more of 1000").is_visible()
    assert page.locator(".timeline .row").count() < 100
    assert page.evaluate("document.querySelectorAll('*').length") < 4000
    tab.context.close()


def test_a_report_opens_alone_and_breaks_no_rule_of_axe(
    browser: Any, seen: World, axe: Axe, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    file = tmp_path / "report.html"
    assert main(["--home", str(seen.home.root), "report", "last", "-o", str(file)]) == 0
    context = browser.new_context(viewport={"width": 360, "height": 900}, offline=True)
    page = context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("request", lambda request: told.append(request.url))
    page.goto(file.as_uri())
    assert told == [file.as_uri()]
    assert page.locator("section svg .curve").first.is_visible()
    wide = "[...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth)"
    assert page.evaluate(f"{wide}.map(box => box.ariaLabel)") == []
    look_at(page, "report", axe, pictures_folder(pytestconfig))
    context.close()


def test_the_page_of_readme_is_drawn(
    tab: Watched, seen: World, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """'cp build/pictures/page.png docs/pictures/' takes it into README."""
    scenario = write_digits(tmp_path / "digits")
    for speed in ("6", "11"):
        run(seen, scenario, "--set", f"speed={speed}")
    newest, other = (run["id"] for run in RecordedRuns(seen.home.root).runs()[:2])
    page = tab.open(f"metrics?run={newest}&run={other}")
    tab.wait("document.querySelectorAll('.curve').length === 4")
    page.get_by_label("Find").fill("digits")
    page.get_by_label("Find").blur()
    beside = {"x": 0, "y": 0, "width": 1280, "height": 690}  # its foot names a folder of this machine
    picture(page, pictures_folder(pytestconfig), "page", clip=beside)
