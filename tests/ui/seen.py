"""What the browser looks at: an emulator with jobs that ran for real, and a board that is invented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from batchai_scenario.emulator.identity import development
from batchai_scenario.scenarios.cli import main
from batchai_scenario.scenarios.record.book import RecordedRuns
from tests.ui.training import write_scenario
from tests.ui.world import CLUSTER, SHARE, World

if TYPE_CHECKING:
    from pathlib import Path

SHOUTS = r"""printf '\033[31mred\033[0m <b>bold?</b> <script>alert(1)</script>\n'
printf 'half \303 of a letter, nul \000 here\n'
printf 'old\rnew\n'
head -c 1000000 /dev/zero | tr '\0' x; echo
seq 1 100000 | sed 's/^/line number /'
mkdir -p $AZ_BATCHAI_OUTPUT_OUT/sub; echo inside > "$AZ_BATCHAI_OUTPUT_OUT/sub/it's <b>.txt"
printf '{"loss": NaN}\n{"loss": 2}\n{"loss": 1}\n' > $AZ_BATCHAI_OUTPUT_OUT/metrics.jsonl"""


def seen_world(folder: Path) -> World:
    """Start an emulator with two runs, a job whose log is 100,000 lines and worse, and one that failed."""
    world = World(folder / "home", RecordedRuns(folder / "home"))
    world.start()
    world.make_cluster(
        2, setupTask={"commandLine": "echo set up", "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs"}
    )
    world.fine = world.submit("shouts", SHOUTS)
    world.broken = world.submit("broken", "echo no >&2; exit 3")
    scenario = write_scenario(folder / "falling")
    for epochs in ("4", "6"):
        run(world, scenario, "--set", f"epochs={epochs}")
    world.wait(world.fine)
    world.wait(world.broken)
    return world


def run(world: World, scenario: Path, *more: str) -> None:
    """Run a scenario on a world's emulator."""
    command = ["--home", str(world.home.root), "run", str(scenario), "--backend", "local", "--json", *more]
    assert main(command) == 0


def views(world: World) -> dict[str, str]:
    """Give the addresses of all views, by their names."""
    newest, first = (run["id"] for run in RecordedRuns(world.home.root).runs()[-2:])
    return {
        "overview": "",
        "cluster": f"cluster?{urlencode({'id': CLUSTER.lower()})}",
        "job": f"job?{urlencode({'id': world.fine})}",
        "metrics": f"metrics?run={newest}&run={first}&{urlencode({'job': world.fine})}",
        "runs": "runs",
        "files": f"files#{urlencode({'account': development.ACCOUNT, 'share': SHARE})}",
    }


READY = {
    "overview": (
        "document.querySelectorAll('tbody tr').length > 1 && document.querySelector('.card .tiles li') &&"
        "document.querySelector('.numbers').textContent.includes('iB') &&"
        "document.querySelector('[aria-labelledby=engine-title]').textContent.includes('process')"
    ),
    "cluster": (
        "document.querySelectorAll('main .tiles li').length > 1 &&"
        "document.querySelector('pre').textContent.includes('set up')"
    ),
    "job": (
        "document.querySelector('.log')?.textContent.includes('line number 100000') &&"
        "document.querySelector('[aria-labelledby=outputs-title]')?.textContent.includes('metrics.jsonl')"
    ),
    "metrics": "document.querySelectorAll('.chart svg .curve').length > 8",
    "runs": "document.querySelectorAll('tbody tr').length > 1",
    "files": "document.querySelector('tbody tr')",
}
"""What a view shows when all is there that it asked for."""


def crowded() -> dict[str, Any]:
    """Invent a board of 1,000 jobs on 100 nodes, with names that would be markup."""
    return {
        "clusters": [_crowd()],
        "jobs": [_many(number) for number in range(1000)],
        "gone": [],
        "revision": 1,
        "whole": True,
    }


def _crowd() -> dict[str, Any]:
    states = ["idle", "running", "preparing", "unusable", "leaving"]
    nodes = [
        {"id": f"tvm-1_{n}-20180606t120000z", "state": states[n % 5], "address": "", "job": ""}
        for n in range(100)
    ]
    about = {"workspace": "ws", "group": "g", "state": "succeeded", "allocation": "steady", "vmSize": "S"}
    more = {"priority": "", "engine": "process", "target": 100, "errors": []}
    return {**about, **more, "id": "/c", "name": '<b>"crowd"</b>', "nodes": nodes}


def _many(number: int) -> dict[str, Any]:
    started, ended = "2018-06-06T12:00:00Z", "2018-06-06T12:01:00Z"
    times = {"created": started, "started": started, "ended": ended}
    about = {"experiment": "e", "cluster": "/c", "state": "succeeded", "exitCode": 0, "errors": []}
    more = {"id": f"/job-{number}", "name": f"<script>'job' {number}", "number": number}
    return {**times, **about, **more, "nodes": [f"tvm-1_{number % 100}-20180606t120000z"]}
