"""The page in a real browser, against an emulator with real jobs: 'tox -e browser'.

Its short twin, which always runs, asks what the browser asks: test_interface and test_guard.
"""

from __future__ import annotations

import json
import shutil
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
from tests.lacking import skip_for
from tests.ui.browsing import Watched, chromium, picture, pictures_folder
from tests.ui.training import write_digits, write_scenario
from tests.ui.world import CLUSTER, SHARE, World

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.endurance

SHOUTS = r"""printf '\033[31mred\033[0m <b>bold?</b> <script>alert(1)</script>\n'
printf 'half \303 of a letter, nul \000 here\n'
printf 'old\rnew\n'
head -c 1000000 /dev/zero | tr '\0' x; echo
seq 1 100000 | sed 's/^/line number /'
mkdir -p $AZ_BATCHAI_OUTPUT_OUT/sub; echo inside > "$AZ_BATCHAI_OUTPUT_OUT/sub/it's <b>.txt"
printf '{"loss": NaN}\n{"loss": 2}\n{"loss": 1}\n' > $AZ_BATCHAI_OUTPUT_OUT/metrics.jsonl"""
SCROLL = """async box => {
  let worst = 0;
  for (let at = 0; at < 40; at += 1) {
    const begin = performance.now();
    box.scrollTop = box.scrollHeight * at / 40;
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    worst = Math.max(worst, performance.now() - begin);
  }
  return worst;
}"""
DROP = """([name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name));
  document.querySelector('.drop').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true }));
}"""
WAITS = "echo begun; while [ ! -e $AZ_BATCHAI_MOUNT_ROOT/afs/go-on ]; do sleep 0.1; done; echo ended"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def seen(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An emulator with a run, a job whose log is 100,000 lines and worse, and one that failed."""
    folder = tmp_path_factory.mktemp("seen")
    world = World(folder / "home", RecordedRuns(folder / "home"))
    world.start()
    world.make_cluster(
        2, setupTask={"commandLine": "echo set up", "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs"}
    )
    world.fine = world.submit("shouts", SHOUTS)
    world.broken = world.submit("broken", "echo no >&2; exit 3")
    scenario = write_scenario(folder / "falling")
    for epochs in ("4", "6"):
        arguments = ["--home", str(folder / "home"), "run", str(scenario), "--backend", "local", "--json"]
        assert main([*arguments, "--set", f"epochs={epochs}"]) == 0
    world.wait(world.fine)
    world.wait(world.broken)
    yield world
    world.stop(clean=True)


@pytest.fixture
def tab(browser: Any, seen: World) -> Iterator[Watched]:
    """A tab on the page, in which nothing may be complained of."""
    made = Watched(browser, seen.address)
    yield made
    made.close()


def views(world: World) -> dict[str, str]:
    newest, first = (run["id"] for run in RecordedRuns(world.home.root).runs())
    return {
        "overview": "",
        "cluster": f"cluster?{urlencode({'id': CLUSTER.lower()})}",
        "job": f"job?{urlencode({'id': world.fine})}",
        "metrics": f"metrics?run={newest}&run={first}&{urlencode({'job': world.fine})}",
        "runs": "runs",
        "files": f"files#{urlencode({'account': development.ACCOUNT, 'share': SHARE})}",
    }


WAIT_FOR = {"metrics": ".chart svg", "job": ".log .line", "files": "tbody tr", "runs": "tbody tr"}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1920])
def test_each_view_fits_and_breaks_no_rule_of_axe(
    browser: Any, seen: World, width: int, theme: str, request: pytest.FixtureRequest
) -> None:
    tab = Watched(browser, seen.address, width, theme)
    script = axe(request.config.rootpath / "build")
    folder = pictures_folder(request.config)
    for name, path in views(seen).items():
        page = tab.open(path)
        page.wait_for_selector(WAIT_FOR.get(name, "h2"))
        page.wait_for_timeout(300)  # what is read beside the first answer
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, name
        picture(tab, folder, f"{name}-{width}-{theme}")
        if script:
            found = page.evaluate(f"() => {{ {script}; return axe.run() }}")
            told = [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]]
            assert told == [], name
    tab.close()


def axe(folder: Path) -> str:
    """Give axe-core's script, from npm; empty where that cannot be had."""
    script = folder / "axe" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists() and shutil.which("npm"):
        command = [
            "npm",
            "install",
            "--silent",
            "--no-save",
            "--prefix",
            str(folder / "axe"),
            "axe-core@4.10.2",
        ]
        subprocess.run(command, check=False, timeout=120, capture_output=True)
    return script.read_text(encoding="utf-8") if script.exists() else ""


def test_axe_is_there(request: pytest.FixtureRequest, browser: Any) -> None:
    if not axe(request.config.rootpath / "build"):
        skip_for("axe-core", "npm is not installed, or has no axe-core: views were not held to its rules")


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
    took = log.evaluate(SCROLL)
    assert took < 2000  # a stuck page takes minutes


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
        tab.wait("document.querySelector('.keys')?.textContent.includes('0.6 (step 3)')")
    finally:
        held.unlink()
        run.join()
    tab.wait("document.querySelector('.keys')?.textContent.includes('0.125 (step 7)')")
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
    world.stop()
    page.locator(".connection.lost").wait_for()
    assert "scenario emulator serve" in page.locator("#connection").text_content()
    world.start()
    tab.wait("document.querySelector('#connection').textContent === ''")
    world.make_cluster(1)  # and it is live again
    page.get_by_role("link", name="crew").wait_for()
    world.stop(clean=True)
    tab.context.close()


def test_a_thousand_jobs_and_a_hundred_nodes_stay_quick(browser: Any, seen: World) -> None:
    """A page that is stuck fails."""
    tab = Watched(browser, seen.address)
    told = {
        "clusters": [crowd()],
        "jobs": [many(number) for number in range(1000)],
        "gone": [],
        "revision": 1,
        "whole": True,
    }
    overview = {"emulator": {"only": "", "startedAt": None, "gpus": "auto"}, "board": told, "hasRuns": True}
    tab.page.route(
        "**/ui/api/overview",
        lambda route: route.fulfill(body=json.dumps(overview), content_type="application/json"),
    )
    tab.page.route("**/ui/api/events*", lambda route: route.abort())
    page = tab.open("")
    tab.wait("document.querySelectorAll('tbody tr').length === 100")
    assert page.locator(".card .tiles li").count() == 100
    assert page.get_by_text("Show 500 more of 1000").is_visible()
    paint = page.evaluate("performance.getEntriesByType('paint').map(one => one.startTime)")
    assert max(paint) < 5000
    tab.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1920])
def test_a_report_opens_alone_and_breaks_no_rule_of_axe(
    browser: Any, seen: World, *, width: int, theme: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    file = tmp_path / "report.html"
    assert main(["--home", str(seen.home.root), "report", "last", "-o", str(file)]) == 0
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, offline=True)
    page = context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("request", lambda request: told.append(request.url))
    page.goto(file.as_uri())
    assert told == [file.as_uri()]
    assert page.locator("section svg .curve").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    folder = pictures_folder(pytestconfig)
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(folder / f"report-{width}-{theme}.png"), full_page=True)
    script = axe(pytestconfig.rootpath / "build")
    if script:
        found = page.evaluate(f"() => {{ {script}; return axe.run() }}")
        broken = [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]]
        assert broken == []
    context.close()


def test_the_page_of_readme_is_drawn(
    tab: Watched, seen: World, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """'cp build/pictures/page.png docs/pictures/' takes it into README."""
    scenario = write_digits(tmp_path / "digits")
    home = ["--home", str(seen.home.root)]
    for speed in ("6", "11"):
        run = ["run", str(scenario), "--backend", "local", "--json", "--set", f"speed={speed}"]
        assert main([*home, *run]) == 0
    newest, other = (run["id"] for run in RecordedRuns(seen.home.root).runs()[:2])
    page = tab.open(f"metrics?run={newest}&run={other}")
    tab.wait("document.querySelectorAll('.curve').length === 4")
    page.get_by_label("Find").fill("digits")
    page.wait_for_timeout(300)
    page.get_by_label("Find").blur()
    folder = pictures_folder(pytestconfig)
    folder.mkdir(parents=True, exist_ok=True)
    beside = {"x": 0, "y": 0, "width": 1280, "height": 690}  # its foot names a folder of this machine
    page.screenshot(path=str(folder / "page.png"), clip=beside)


def crowd() -> dict[str, Any]:
    states = ["idle", "running", "preparing", "unusable", "leaving"]
    nodes = [
        {"id": f"tvm-1_{n}-20180606t120000z", "state": states[n % 5], "address": "", "job": ""}
        for n in range(100)
    ]
    about = {
        "workspace": "ws",
        "group": "g",
        "state": "succeeded",
        "allocation": "steady",
        "vmSize": "S",
        "priority": "",
    }
    return {
        **about,
        "id": "/c",
        "name": '<b>"crowd"</b>',
        "engine": "process",
        "target": 100,
        "nodes": nodes,
        "errors": [],
    }


def many(number: int) -> dict[str, Any]:
    times = {
        "created": "2018-06-06T12:00:00Z",
        "started": "2018-06-06T12:00:00Z",
        "ended": "2018-06-06T12:01:00Z",
    }
    return {
        **times,
        "number": number,
        "id": f"/job-{number}",
        "name": f"<script>'job' {number}",
        "experiment": "e",
        "cluster": "/c",
        "state": "succeeded",
        "exitCode": 0,
        "nodes": [f"tvm-1_{number % 100}-20180606t120000z"],
        "errors": [],
    }
