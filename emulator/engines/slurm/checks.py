"""What ``doctor`` looks at before a job does: commands, partitions, and by a step what a node sees."""

from __future__ import annotations

import fcntl
import secrets
import shlex
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.slurm.commands import SlurmCommands
from batchai_scenario.emulator.engines.slurm.reasons import refused
from batchai_scenario.emulator.engines.slurm.settings import read_settings
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from batchai_scenario.emulator.engines.slurm.commands import Partition
    from batchai_scenario.emulator.engines.slurm.settings import SizeRow, SlurmSettings
    from batchai_scenario.emulator.state.home import Home

WAIT = 15
"""Seconds for which a step may wait for a node."""

CLOCK = 1.0
"""Seconds by which a node's clock may differ."""

_STEP = """
echo "node $SLURMD_NODENAME"
echo "clock $(date +%s)"
echo "read $(cat {asked} 2>/dev/null)"
cat {asked} 2>/dev/null >{answer}
echo "python $({python} -c 'import sys; print(*sys.version_info[:3], sep=".")' 2>/dev/null)"
"""

_LAUNCHER = """
said=$({launcher} version --format '{version}' 2>&1) && echo "launcher $said" || echo "lacks" $said
"""
_VERSIONS = {"docker": "{{.Server.Version}}", "podman": "{{.Client.Version}}"}
_UNTRIED = {"podman": "tried by hand, no test runs it"}


@dataclass(frozen=True, slots=True)
class SlurmCheck:
    """What was looked at; ``ok`` None: it could not be looked at now, or is not needed."""

    what: str
    ok: bool | None
    text: str
    remedy: str = ""


def checks(
    home: Home, environment: Mapping[str, str] | None = None, clock: Callable[[], float] = time.time
) -> Iterator[SlurmCheck]:
    """Look at the Slurm cluster that a home has settings for; nothing if it has none.

    Args:
        home: whose settings; the shared folder is tried in it.
        environment: what Slurm's commands inherit; None: this process's.
        clock: tells this machine's time, in seconds since 1970.
    """
    if not home.slurm_settings.exists():
        return
    try:
        settings = read_settings(home.slurm_settings, home.root)
    except EngineUnavailable as error:
        yield SlurmCheck("slurm settings", ok=False, text=error.problem.message, remedy=error.remedy)
        return
    rows = f"{len(settings.sizes)} row{'' if len(settings.sizes) == 1 else 's'} of sizes"
    yield SlurmCheck("slurm settings", ok=True, text=f"{settings.file}, {rows}")
    commands = SlurmCommands(settings.slurm_conf, environment)
    try:
        version = commands.version()
        partitions = commands.partitions()
    except EngineError as error:
        remedy = error.remedy if isinstance(error, EngineUnavailable) else ""
        yield SlurmCheck("slurm commands", ok=False, text=error.problem.message, remedy=remedy)
        return
    yield SlurmCheck("slurm commands", ok=True, text=f"{version}; partitions {', '.join(sorted(partitions))}")
    for pattern, row in settings.sizes.items():
        what = f"slurm sizes.{pattern}"
        partition = partitions.get(row.partition)
        wrong = _unfit(row, partition, partitions)
        if wrong or partition is None:
            remedy = f"Mend sizes.{pattern} in {settings.file}; 'sinfo' lists partitions."
            yield SlurmCheck(what, ok=False, text=wrong, remedy=remedy)
            continue
        yield SlurmCheck(what, ok=True, text=f"partition {row.partition}, {partition.nodes} nodes")
        yield from _on_a_node(what, home, settings, pattern, commands=commands, clock=clock)


def _unfit(row: SizeRow, partition: Partition | None, partitions: Mapping[str, Partition]) -> str:
    if partition is None:
        return f"there is no partition {row.partition}, but {', '.join(sorted(partitions)) or 'none'}"
    if partition.state != "up":
        return f"the partition {row.partition} is {partition.state}: it starts no jobs"
    return ""


def _on_a_node(
    what: str,
    home: Home,
    settings: SlurmSettings,
    pattern: str,
    *,
    commands: SlurmCommands,
    clock: Callable[[], float],
) -> Iterator[SlurmCheck]:
    """Look at one node by a step of a job that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=".slurm-check-", dir=home.root))
    try:
        asked, answer, word = folder / "asked", folder / "answer", secrets.token_hex(8)
        asked.write_text(word)
        yield from _locks(asked, settings)
        answer.touch()
        script = _STEP.format(
            asked=shlex.quote(str(asked)),
            answer=shlex.quote(str(answer)),
            python=shlex.quote(settings.python),
        )
        if settings.launcher in _VERSIONS:
            launcher = settings.launcher
            script += _LAUNCHER.format(launcher=launcher, version=_VERSIONS[launcher])
        began = clock()
        try:
            said = _said(_srun(commands, settings.sizes[pattern], script))
        except EngineUnavailable as error:
            yield SlurmCheck(what, ok=False, text=error.problem.message, remedy=error.remedy)
            return
        except EngineError as error:
            yield _no_node(what, error, settings, pattern)
            return
        yield from _findings(what, said, settings, (began, clock()), word, answer)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _locks(file: Path, settings: SlurmSettings) -> Iterator[SlurmCheck]:
    """Say if files of the shared folder cannot be locked, as the home's are; nothing if they can."""
    with file.open("rb") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            text = f"files below {settings.shared} cannot be locked: {error.strerror}"
            remedy = "Mount it with locks (Lustre: -o flock; NFS: version 4)."
            yield SlurmCheck("slurm shared folder", ok=False, text=text, remedy=remedy)


def _srun(commands: SlurmCommands, row: SizeRow, script: str) -> str:
    options = ["--nodes=1", "--ntasks=1", "--job-name=scenario-doctor", "--time=2", f"--immediate={WAIT}"]
    return commands.run("srun", *row.options(), *options, "/bin/sh", "-c", script, timeout=WAIT + 30)


def _said(text: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(" ") for line in text.splitlines())}


def _no_node(what: str, error: EngineError, settings: SlurmSettings, pattern: str) -> SlurmCheck:
    text = error.problem.message
    if "nodes are busy" in text or "Immediate" in text or "time limit exceeded" in text.lower():
        return SlurmCheck(what, None, f"no node was free within {WAIT} s; what nodes see was not looked at")
    return SlurmCheck(what, ok=False, text=refused(text, settings, pattern).message)


def _findings(  # noqa: PLR0917 - what was said, and what it is held to
    what: str,
    said: Mapping[str, str],
    settings: SlurmSettings,
    span: tuple[float, float],
    word: str,
    answer: Path,
) -> Iterator[SlurmCheck]:
    node = said.get("node", "")
    where = f"{what}, node {node}"
    if said.get("read") != word:
        yield SlurmCheck(
            where,
            ok=False,
            text=f"it does not see what is written here below {settings.shared}",
            remedy="Mount the same folder under the same path on all nodes (shared_folder).",
        )
    elif answer.read_text() != word:
        text = f"what it writes below {settings.shared} is not seen here"
        yield SlurmCheck(
            where, ok=False, text=text, remedy="See to it that your user may write there on nodes."
        )
    else:
        yield SlurmCheck(where, ok=True, text="sees what is written here, and the other way round")
    apart = _apart(said.get("clock", ""), span)
    if apart > CLOCK:
        text = f"its clock differs by at least {apart:.0f} s: times of jobs will be wrong"
        yield SlurmCheck(where, ok=False, text=text, remedy="Keep the clocks together, as with chrony.")
    if not said.get("python"):
        text = f"python: there is no {settings.python} that runs"
        remedy = f"Install Python 3 on nodes, or name it with 'python' in {settings.file}."
        yield SlurmCheck(where, ok=False, text=text, remedy=remedy)
    else:
        yield SlurmCheck(where, ok=True, text=f"Python {said['python']}")
    yield from _launcher(where, said, settings)


def _launcher(where: str, said: Mapping[str, str], settings: SlurmSettings) -> Iterator[SlurmCheck]:
    """Say whether a node can run containers; nothing where nobody asks it to."""
    launcher = settings.launcher
    if launcher not in _VERSIONS:
        return
    if found := said.get("launcher"):
        note = f"; {_UNTRIED[launcher]}" if launcher in _UNTRIED else ""
        yield SlurmCheck(where, ok=True, text=f"{launcher} {found}{note}")
        return
    text = f"launcher: {launcher} does not run there: {said.get('lacks') or 'it says nothing'}"
    remedy = (
        f"Let your user run '{launcher} run' on nodes, or leave 'launcher' out of {settings.file}: "
        "then images are not used."
    )
    yield SlurmCheck(where, ok=False, text=text, remedy=remedy)


def _apart(clock: str, span: tuple[float, float]) -> float:
    """Tell by how many seconds a node's clock is certainly off: it was read between two of ours."""
    if not clock.isdigit():
        return 0.0
    began, ended = span
    node = float(clock)
    return max(began - node - 1, node - ended, 0.0)  # it was cut to whole seconds
