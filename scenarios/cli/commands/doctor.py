"""``scenario doctor``."""

from __future__ import annotations

import os
import platform
import shutil
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchai_scenario import __version__
from batchai_scenario.scenarios.cli.options import json_option, option
from batchai_scenario.scenarios.record.record import REMEDY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchai_scenario.backends.local import EngineProbe

_ROOM = 2_000_000_000
"""Bytes that a data set, a toolkit's environment and some outputs need."""

_LOG_LINES = 200
_CRASHES = 5

_NEEDED = ("custom", "cntk")
"""Toolkits of hello and mnist: a machine that lacks what another one needs is ready for these."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at: ``ok`` None means that it is not needed, or can be had when it is."""

    what: str
    ok: bool | None
    text: str
    remedy: str = ""


@click.command()
@option("--report", type=click.Path(path_type=Path), metavar="FILE", help="Write what a bug report needs.")
@json_option
@click.pass_obj
def doctor(shared: dict[str, Any], *, report: Path | None, as_json: bool) -> int:
    """Look at what this machine has and lacks, and say what would help.

    --report writes that to a text file, with the versions of all packages that count and the end of the
    emulator's log. It has no secret in it, but names of this machine's folders: read it before you send it.

    Exit code 3 if something is missing without which some jobs cannot run.
    """
    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.cli.saving import check_target, save_to

    console = Console(as_json=as_json)
    if report is not None:
        check_target(report, "--report", "scenario-report.txt")
    findings = list(_look(shared))
    ready = not any(finding.ok is False for finding in findings)
    if report is not None:
        save_to(_report(findings, shared["home"]), report, "--report")
    if as_json:
        console.json({"ready": ready, "findings": [asdict(finding) for finding in findings]})
        return 0 if ready else 3
    for finding in findings:
        mark, style = {True: ("ok", "green"), False: ("MISSING", "red"), None: ("-", "dim")}[finding.ok]
        console.line(f"{mark:8} {finding.what}: {finding.text}", style)
        if finding.remedy:
            console.line(f"{'':8} {finding.remedy}", "dim")
    console.line()
    console.line("ready: try 'scenario run hello'" if ready else "not ready: see what is MISSING", "bold")
    return 0 if ready else 3


def _report(findings: Sequence[Finding], home: Path) -> str:
    """Write what a bug report needs: versions, findings, the end of the emulator's log, names of crashes."""
    from batchai_scenario.backends import local

    lines = [f"scenario {__version__}, Python {platform.python_version()}, {platform.platform()}"]
    lines += ["", "packages:", *(f"  {name} {found}" for name, found in _packages())]
    words = {True: "ok", False: "MISSING", None: "-"}
    lines += ["", "doctor:", *(f"  {words[it.ok]:8} {it.what}: {it.text}" for it in findings)]
    log = deque(local.emulator_log(home), maxlen=_LOG_LINES)
    lines += ["", f"emulator's log, its last {len(log)} lines:", *(f"  {line}" for line in log)]
    crashes = sorted((home / "crashes").glob("*.txt"))[-_CRASHES:]
    lines += ["", "crashes (not shown here, as the text of an error may quote what it was about):"]
    lines += [f"  {file}" for file in crashes] or ["  none"]
    return "\n".join(lines) + "\n"


def _packages() -> Iterator[tuple[str, str]]:
    """Give the versions of this package and of what it depends on."""
    import re
    from importlib.metadata import PackageNotFoundError, requires, version

    for text in sorted(requires("batchai-scenario") or ()):
        name = re.split(r"[^-\w.]", text)[0]
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, "is not installed"


def _look(shared: dict[str, Any]) -> Iterator[Finding]:
    from batchai_scenario.backends import local
    from batchai_scenario.backends.settings import SETTINGS
    from batchai_scenario.scenarios.record.model import DETACHED
    from batchai_scenario.scenarios.record.record import read_runs

    yield Finding(
        "python", ok=True, text=f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    )
    home: Path = shared["home"]
    yield _home(home)
    engines = local.probe_engines(home)
    some = any(engine.available for engine in engines)
    for engine in engines:
        if engine.available:
            notes = "".join(f"; {note}" for note in engine.notes)
            yield Finding(f"engine {engine.name}", ok=True, text=f"{engine.version}{notes}")
        elif engine.name == "slurm" and not local.has_slurm_settings(home):
            yield Finding("engine slurm", None, "not set; docs/slurm.md tells how")
        else:
            yield Finding(f"engine {engine.name}", None if some else False, engine.problem, engine.remedy)
    yield from (Finding(**asdict(check)) for check in local.slurm_checks(home))
    yield from _gpus(engines)
    if some:
        yield from _toolkits(home)
    status = local.status(home)
    if status.silence is not None:
        yield Finding("emulator", ok=False, text=status.silence.message, remedy=status.silence.remedy)
    else:
        serves = f"serves at {status.url}, process {status.pid}"
        where = serves if status.serving else "none serves; a run starts its own"
        yield Finding("emulator", True if status.serving else None, where, "'scenario ui' opens its page")
    yield from _state(home)
    runs, unreadable = read_runs(home)
    for folder, reason in unreadable:
        yield Finding("runs", ok=False, text=f"{folder / 'run.json'}: {reason}", remedy=REMEDY)
    detached = [run.record for run in runs if run.state == DETACHED]
    if detached:
        remedy = "'scenario runs' completes their records"
        if any(record.sweep for record in detached):
            remedy += "; 'scenario sweep --resume RUN' goes on with a sweep"
        yield Finding("runs", None, f"detached: {', '.join(record.id for record in detached)}", remedy)
    environment = shared["environment"]
    missing = [
        item.variable for item in SETTINGS if item.default is None and not environment.get(item.variable)
    ]
    text = f"not set: {', '.join(missing)}" if missing else "all settings are there"
    yield Finding("backend azure", None if missing else True, text)


def _gpus(engines: Sequence[EngineProbe]) -> Iterator[Finding]:
    """Look at this machine's GPUs, and say how each engine would give them to jobs, or why it cannot."""
    from batchai_scenario.backends import local

    found = local.machine_gpus()
    for number, gpu in enumerate(found):
        yield Finding(f"gpu {number}", ok=True, text=gpu)
    if not found:
        yield Finding("gpus", None, "no driver of NVIDIA's lists one; jobs run on the CPU")
    for engine in engines:
        if engine.available:
            how = f"would give jobs {engine.gpu_note}" if engine.gpus else f"gives none: {engine.gpu_note}"
            yield Finding(f"gpus, engine {engine.name}", engine.gpus or None, how)


def _state(home: Path) -> Iterator[Finding]:
    """Look at the emulator's state."""
    from batchai_scenario.backends import local

    damages = local.damages(home)
    for damage in damages:
        yield Finding("state", ok=False, text=f"{damage.path}: {damage.reason}", remedy=damage.remedy)
    copy = local.last_copy(home)
    if copy is not None and not damages:
        yield Finding("state", ok=True, text=f"whole; last copy {copy.astimezone():%Y-%m-%d %H:%M}")


def _toolkits(home: Path) -> Iterator[Finding]:
    """Say for each toolkit whether a job could run here, and what a first run would fetch."""
    from batchai_scenario.backends import local
    from batchai_scenario.backends.errors import MachineError

    for name, lack in local.toolkits_lack(home, "auto"):
        what = f"toolkit {name}"
        if isinstance(lack, MachineError):
            ok = False if name in _NEEDED else None
            yield Finding(what, ok=ok, text=lack.message, remedy=lack.remedy)
        else:
            brought = local.framework_of_jobs(name)
            if brought:
                text = f"its jobs bring {brought} themselves, in their image or by preparation"
                yield Finding(what, ok=None, text=text)
                continue
            text = f"{lack}, on first use" if lack else "all that it needs is there"
            yield Finding(what, ok=None if lack else True, text=text)


def _home(home: Path) -> Finding:
    existing = home
    while not existing.exists():
        existing = existing.parent
    if not os.access(existing, os.W_OK):
        return Finding(
            "home", ok=False, text=f"{home} cannot be written", remedy="Name another with SCENARIO_HOME."
        )
    from batchai_scenario.scenarios.report.text import size

    free = shutil.disk_usage(existing).free
    text = f"{home}, {size(free)} free"
    if free < _ROOM:
        return Finding(
            "home", ok=False, text=text, remedy=f"Make room: {size(_ROOM)} are needed, or set SCENARIO_HOME."
        )
    return Finding("home", ok=True, text=text)
