"""What all tests share: the engines that they may use, and proof that nothing is left behind.

Locally a test that needs Docker or Slurm is skipped, with the reason, where there is none. Where the variable
``SCENARIO_REQUIRE_ENGINES`` lists ``docker`` or ``slurm`` (as in CI) it fails instead: nothing is skipped in
silence.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from batchai_scenario.emulator.engines.docker.api import connect
from batchai_scenario.emulator.engines.slurm.sandbox import slurm_sandbox
from batchai_scenario.emulator.errors import EngineUnavailable
from tests.lacking import ENGINE, need_slurm, required_engines, skip_for, summary

if TYPE_CHECKING:
    from collections.abc import Iterator

TEST_IMAGE = "scenario-test:busybox"
"""The small image that tests run: built here from the static busybox of this machine."""

APPLETS = (
    "sh ls cat echo sleep mkdir mv cp rm env true false kill chown chmod find date id tail head printf "
    "test seq stat touch wc sort grep sed awk dd tr cut ps hostname mount ln readlink basename dirname "
    "expr tee yes xargs"
)

# How long an example takes is a matter of what else the machine does.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

_exercised: set[str] = set()
_left: list[str] = []


def docker_missing() -> str:
    """Say why Docker cannot be used here; empty if it can."""
    try:
        connect().close()
    except EngineUnavailable as error:
        return error.problem.message
    return ""


@pytest.fixture(scope="session")
def docker_reason() -> str:
    """Why Docker cannot be used here; empty if it can."""
    return docker_missing()


@pytest.fixture(autouse=True)
def _need_docker(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("docker") is None:
        return
    reason: str = request.getfixturevalue("docker_reason")
    if not reason:
        request.node.user_properties.append(("engine", "docker"))
    elif "docker" in required_engines():
        pytest.fail(f"a Docker engine is required here: {reason}")
    else:
        skip_for(ENGINE, reason)


@pytest.fixture(autouse=True)
def _need_slurm(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("slurm") is None:
        return
    need_slurm()
    request.node.user_properties.append(("engine", "slurm"))


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[Path]:
    """A Slurm cluster of two nodes on this machine, for all tests; gives the path of its configuration."""
    need_slurm()  # a fixture of the session comes before a test's marker is looked at
    with slurm_sandbox(2) as sandbox:
        yield sandbox.folder / "slurm.conf"


@pytest.fixture
def exercise_process(request: pytest.FixtureRequest) -> None:
    """Note that the process engine was exercised."""
    request.node.user_properties.append(("engine", "process"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Hear which engine a test exercised, from whichever process ran it."""
    if report.when == "call":
        _exercised.update(str(value) for name, value in report.user_properties if name == "engine")


@pytest.fixture(scope="session")
def docker_image(docker_reason: str) -> str:
    """Build the small test image once; gives its reference."""
    import docker  # type: ignore[import-untyped, unused-ignore]

    if docker_reason:
        skip_for(ENGINE, docker_reason)
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.fail("busybox is not installed: 'apt-get install busybox-static'")
    client = docker.from_env()
    try:
        client.images.get(TEST_IMAGE)
    except docker.errors.ImageNotFound:
        client.api.import_image_from_data(busybox_root(Path(busybox)), *_reference(TEST_IMAGE))
    finally:
        client.close()
    return TEST_IMAGE


@pytest.fixture(scope="session")
def made_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a home's cache that the whole run has in common, all its workers too.

    It holds environments of toolkits and data sets, each made once. Their makers lock what they work on, so
    tests that want the same wait for one another. ``SCENARIO_TEST_CACHE`` names a home that keeps it.
    """
    kept = os.environ.get("SCENARIO_TEST_CACHE")
    base = tmp_path_factory.getbasetemp()
    common = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = (Path(kept) if kept else common / "made") / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _reference(image: str) -> tuple[str, str]:
    repository, tag = image.split(":")
    return repository, tag


def busybox_root(busybox: Path) -> bytes:
    """Make the root file system of the small test image, as a tar file."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for folder in ("bin", "tmp", "root", "etc", "usr", "usr/bin", "mnt"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        binary = busybox.resolve().read_bytes()
        entry = tarfile.TarInfo("bin/busybox")
        entry.size, entry.mode = len(binary), 0o755
        tar.addfile(entry, io.BytesIO(binary))
        for applet in APPLETS.split():
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        link = tarfile.TarInfo("usr/bin/env")
        link.type, link.linkname = tarfile.SYMTYPE, "/bin/busybox"
        tar.addfile(link)
    return data.getvalue()


def _left_below(folder: Path) -> list[str]:
    """List containers, networks and processes of homes below a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        ours = any(mark in environment for mark in (b"SCENARIO_TASK=", b"SCENARIO_NETWORK="))
        if ours and (str(folder) in command or os.fsencode(folder) in environment):
            found.append(f"process {process.name}: {command}")
    if not docker_missing():
        import docker

        client = docker.from_env()
        label: dict[str, Any] = {"label": "scenario.home"}
        for item in [
            *client.containers.list(all=True, filters=label, ignore_removed=True),
            *client.networks.list(filters=label),
        ]:
            labels = item.attrs.get("Labels") or item.attrs.get("Config", {}).get("Labels", {})
            if labels.get("scenario.home", "").startswith(str(folder)):
                found.append(f"{type(item).__name__.lower()} {item.short_id}")
        client.close()
    return found


def pytest_addoption(parser: pytest.Parser) -> None:
    """Have tests of endurance run only where somebody asked for them."""
    parser.addoption("--endurance", action="store_true", help="run tests that take many minutes each, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests of endurance, each of which has a shorter twin, unless they are wanted."""
    if not config.getoption("--endurance"):
        for item in items:
            if item.get_closest_marker("endurance") is not None:
                item.add_marker(pytest.mark.skip(reason="takes many minutes: only with --endurance"))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a session that leaves a container, a network or a process of ours behind."""
    factory: pytest.TempPathFactory | None = getattr(session.config, "_tmp_path_factory", None)
    if factory is None or hasattr(session.config, "workerinput"):
        return
    _left.extend(_left_below(factory.getbasetemp()))
    if _left and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left behind, and which engines the tests exercised."""
    for item in _left:
        terminalreporter.write_line(f"left behind: {item}", red=True)
    names = ", ".join(sorted(_exercised)) or "none"
    terminalreporter.write_line(f"engines exercised: {names}")
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())]
    for line in summary(skipped):
        terminalreporter.write_line(line)
