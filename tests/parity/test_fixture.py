"""The fixture ``batchai``, as another project uses it: quick, isolated, parallel, and gone afterwards."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends.base import ClusterSpec, JobSpec, JobState, Place
from batchai_scenario.backends.pytest_batchai import emulated

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
HUNDRED = 100

TIMES = """
    import os, threading, time
    import pytest

    BEGUN = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(fixturedef, request):
        begin = time.perf_counter()
        result = yield
        if fixturedef.argname == "batchai":
            with open(os.environ["TIMES"], "a") as file:
                file.write(f"{time.perf_counter() - begin:.4f}\\n")
        return result

    def counts():
        sockets = [link for link in map(readlink, os.scandir("/proc/self/fd")) if "socket:" in link]
        return len(sockets), sum("emulator" in it.name or "http" in it.name for it in threading.enumerate())

    def readlink(entry):
        try:
            return os.readlink(entry.path)
        except OSError:
            return ""

    def pytest_sessionstart(session):
        BEGUN["counts"] = counts()

    def pytest_sessionfinish(session):
        sockets, threads = counts()
        with open(os.environ["TIMES"] + ".left", "a") as file:
            file.write(f"{sockets - BEGUN['counts'][0]} sockets {threads - BEGUN['counts'][1]} threads\\n")
"""


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., str]:
    """Run pytest in a project of its own; gives what it printed."""

    def run(tests: str, *arguments: str, ini: str = "", failing: bool = False) -> str:
        folder = tmp_path / "project"
        folder.mkdir()
        (folder / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
        (folder / "conftest.py").write_text(dedent(TIMES))
        (folder / "test_mine.py").write_text(dedent(tests))
        plugin = ["-p", "batchai_scenario.backends.pytest_batchai", "-p", "no:cacheprovider"]
        found = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *plugin, f"--basetemp={tmp_path / 'base'}", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "TIMES": str(tmp_path / "times")},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert (found.returncode != 0) == failing, found.stdout + found.stderr
        return found.stdout + found.stderr

    return run


def test_a_hundred_in_a_row_leave_nothing_behind(
    project: Callable[..., str], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    project(
        f"""
        import pytest

        @pytest.mark.parametrize("number", range({HUNDRED}))
        def test_alone(batchai, number):
            batchai.backend.ensure_share("only")
            assert [share.name for share in batchai.files.list_shares()] == ["only"]
        """,
        *("-n", "2"),
    )
    times = sorted(float(line) for line in (tmp_path / "times").read_text().split())
    assert len(times) == HUNDRED
    median = statistics.median(times)
    record_property("median start of the fixture in seconds", median)
    print(f"median start of the fixture: {median:.3f} s, slowest {times[-1]:.3f} s")  # noqa: T201 - for -s
    assert median < 1.0
    left = (tmp_path / "times.left").read_text().splitlines()
    assert sorted(set(left)) == ["0 sockets 0 threads"]
    assert not [path for path in (tmp_path / "base").rglob("*") if "batchai" in str(path)]
    assert not processes_of(tmp_path)


def processes_of(folder: Path) -> list[str]:
    """List processes whose command or environment names a folder, this one's aside."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in text and int(process.name) != os.getpid():
            found.append(process.name)
    return found


def test_one_emulator_may_serve_a_session(project: Callable[..., str], tmp_path: Path) -> None:
    out = project(
        """
        def test_one(batchai):
            batchai.backend.ensure_share("kept")

        def test_two(batchai):
            assert [share.name for share in batchai.files.list_shares()] == ["kept"]
        """,
        ini="batchai_scope = session",
    )
    assert "2 passed" in out
    assert len((tmp_path / "times").read_text().split()) == 1


def test_a_scope_that_does_not_exist_is_a_clear_error(project: Callable[..., str]) -> None:
    out = project("def test_one(batchai): ...", ini="batchai_scope = forever", failing=True)
    assert re.search("batchai_scope = 'forever': choose one of function", out)


def test_a_job_that_still_runs_is_ended(tmp_path: Path, exercise_process: None) -> None:
    home = tmp_path / "home"
    with emulated(home) as batchai:
        place = Place("group", "eastus", "workspace", "experiment")
        backend = batchai.backend
        backend.ensure_place(place)
        backend.ensure_share("share")
        mount = {
            "accountName": "$STORAGE_ACCOUNT",
            "azureFileUrl": "$STORAGE_URL/share",
            "credentials": {"accountKey": "$STORAGE_KEY"},
            "relativeMountPath": "files",
        }
        cluster = {
            "vmSize": "STANDARD_D1",
            "scaleSettings": {"manual": {"targetNodeCount": 1}},
            "userAccountSettings": {"adminUserName": "me", "adminUserPassword": "aA1!aA1!"},
            "nodeSetup": {"mountVolumes": {"azureFileShares": [mount]}},
        }
        backend.create_cluster(ClusterSpec(place, "nodes", cluster))
        body = {
            "nodeCount": 1,
            "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/files",
            "customToolkitSettings": {"commandLine": "sleep 4242"},
        }
        job = backend.submit(JobSpec(place, "sleeper", "nodes", body))
        while (job := backend.get_job(job.id)).state is not JobState.RUNNING:
            assert not job.state.final, job
        assert batchai.client.jobs.get("group", "workspace", "experiment", "sleeper").name == "sleeper"
        assert batchai.environment["AZURE_RESOURCE_MANAGER"] == batchai.url
        while not processes_of(home):  # a job runs from when its node is readied for it
            assert not backend.get_job(job.id).state.final
    assert not processes_of(home)
    assert not home.exists()
