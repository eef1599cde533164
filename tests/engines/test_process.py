"""What is special about processes."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.engines.proc import marked
from batchai_scenario.emulator.engines.process.engine import ProcessEngine
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable, Problem
from batchai_scenario.emulator.state.home import Home
from tests.lacking import needs_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batchai_scenario.emulator.launch.plan import NodeTask

ROOT = Path(__file__).parents[2]
KINDS = ["process", "process-plain"]


@pytest.fixture(params=KINDS)
def lab(request: pytest.FixtureRequest, lab_of: Callable[..., Any]) -> Any:
    return lab_of(request.param)


def wait_for_output(lab: Any, task: Any) -> str:
    file: Path = lab.logs(task) / "stdout.txt"
    while not (file.exists() and file.read_text().endswith("\n")):
        time.sleep(0.01)
    return file.read_text()


def test_programs_that_a_node_had_and_this_machine_lacks_are_told(lab: Any, tmp_path: Path) -> None:
    for name in ("sh", "python3", "env", "curl", "git", "ssh", "sudo", "wget"):
        (tmp_path / name).symlink_to(shutil.which(name) or "/bin/true")
    lab.run("true", variables={"PATH": f"{tmp_path}"})
    assert "this machine lacks programs that the service's nodes had: ping, unzip" in lab.announced
    for name in ("ping", "unzip"):
        (tmp_path / name).symlink_to("/bin/true")
    lab.announced.clear()
    lab.run("true", variables={"PATH": f"{tmp_path}"})
    assert [line for line in lab.announced if "lacks" in line] == []


def test_what_a_job_shut_is_open_to_its_owner(lab: Any) -> None:
    make = 'cd "$AZ_BATCHAI_OUTPUT_OUT"; mkdir d; echo x >d/f; ln -s f d/l; '
    assert lab.run(make + 'chmod 0 d/f d . "$AZ_BATCHAI_MOUNT_ROOT/share"').end.exit_code == 0
    if os.geteuid():  # root opens what is shut
        assert [path.read_text() for path in lab.share.rglob("f")] == ["x\n"]
        assert {path.lstat().st_mode & 0o600 for path in lab.share.rglob("*")} == {0o600}


def test_open_mpi_keeps_to_the_loopback_of_nodes_without_a_network(lab: Any) -> None:
    said = lab.run("echo ${OMPI_MCA_btl_tcp_if_include-none} ${OMPI_MCA_pml-none}").text()
    assert said == ("lo ob1\n" if lab.place.address.startswith("127.") else "none none\n")
    assert lab.run("echo $OMPI_MCA_pml", variables={"OMPI_MCA_pml": "ucx"}).text() == "ucx\n"


def test_a_profile_that_ends_the_shell_is_no_success_of_the_command(lab: Any) -> None:
    if shutil.which("bash") is None:
        pytest.skip("there is no bash, and so no profile")
    assert lab.run("echo $GREETING; exit 3", preparation="echo 'GREETING=hi' >~/.bashrc").text() == "hi\n"
    trapped = lab.run("echo ran", preparation="echo \"trap 'echo bye' EXIT\" >~/.bashrc")
    assert trapped.text() == "ran\nbye\n"
    for end, code in (("exit 0", 126), ("exit 4", 4)):
        outcome = lab.run("echo ran", preparation=f"echo '{end}' >~/.bashrc")
        assert (outcome.end.exit_code, outcome.text()) == (code, "")
        assert "~/.bashrc ended the shell: the command did not run" in outcome.text("stderr.txt")
        following = lab.run("true").end  # on the same node, with the same home
        assert (following.phase, following.exit_code) == ("main", code)
        (lab.place.disk / "home" / ".bashrc").unlink()


def test_an_image_that_is_not_used_is_announced(lab: Any) -> None:
    lab.run("true", containerSettings={"imageSourceRegistry": {"image": "acme/x:1"}})
    assert any("acme/x:1" in line and "directly" in line for line in lab.announced)


def test_a_node_that_cannot_be_placed_leaves_nothing_and_one_that_was_keeps_its_disk(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def join(*_: object) -> None:
        raise EngineError(Problem("InternalError", "no network"))

    kept = lab.place.disk / "home" / "kept"
    kept.touch()
    monkeypatch.setattr(lab.engine, "_no_network", "")
    monkeypatch.setattr(lab.engine._networks, "join", join)
    monkeypatch.setattr(lab.engine, "_subnet", lambda _: "10.0.0.0/24")
    for cluster, node in ((lab.cluster, "tvm-1_2"), ("another", "tvm-2_1"), (lab.cluster, lab.place.node)):
        with pytest.raises(EngineError, match="no network"):
            lab.engine.place_node(cluster, node)
    assert sorted(lab.home.nodes.glob("*/*")) == [lab.place.disk]
    assert kept.exists()


def test_nothing_of_the_emulators_environment_leaks(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "leak")
    outcome = lab.run("env; echo $HOME >&2")
    assert "leak" not in outcome.text()
    assert outcome.text("stderr.txt") == f"{lab.place.disk / 'home'}\n"


def test_a_killed_supervisor_is_no_success_and_its_job_ends(lab: Any) -> None:
    task = lab.task("echo $$; sleep 300")
    lab.start(task)
    wait_for_output(lab, task)
    mine = [process for process in marked() if process.marker.endswith(task.id)]
    supervisor = next(process for process in mine if process.command[1].endswith("supervisor.sh"))
    os.kill(supervisor.pid, signal.SIGKILL)
    end = lab.engine.wait(task.id)
    assert end.problem is not None
    assert end.exit_code == 137
    assert [process for process in marked() if process.marker.endswith(task.id)] == []
    lab.engine.remove(task.id)


def test_a_job_that_kills_its_supervisor_is_no_success(lab: Any) -> None:
    end = lab.run("kill -9 $PPID; sleep 0.3; exit 3").end
    assert end.exit_code in (3, 137)


def test_sweep_kills_processes_of_homes_that_are_gone(lab: Any, tmp_path: Path) -> None:
    gone = Home(tmp_path / "gone")
    gone.make()
    engine = ProcessEngine(gone, namespaces=lab.kind == "process")
    place = engine.place_node("gone-cluster", "n1")
    other = type(lab)(lab.kind, engine, gone, "", "gone-cluster", place)
    other.share.mkdir(parents=True)
    task = other.task("echo up; sleep 300")
    other.start(task)
    wait_for_output(other, task)  # before that it makes its folders
    assert lab.engine.sweep(frozenset({lab.cluster})) == []
    shutil.rmtree(gone.root)
    deadline = time.monotonic() + 10
    while any(process.marker.endswith(task.id) for process in marked()):
        lab.engine.sweep(frozenset({lab.cluster}))
        assert time.monotonic() < deadline


def test_a_home_with_spaces_gives_paths_that_need_no_quotes(lab_of: Callable[..., Any]) -> None:
    lab = lab_of("process-plain")
    assert " " in str(lab.place.disk)
    assert " " not in str(lab.place.root)
    link = Path(lab.place.root).parent
    assert link.readlink() == lab.place.disk
    lab.place.disk.rename(lab.home.root / "moved")
    assert f"link {link}" in lab.engine.sweep(frozenset({lab.cluster}))
    assert not link.is_symlink()


def test_this_machines_mnt_is_left_alone_and_stays_visible(lab_of: Callable[..., Any]) -> None:
    before = sorted(path.name for path in Path("/mnt").iterdir())
    lab = lab_of("process")
    task = lab.task("ls -A /mnt; sleep 0.2")
    lab.start(task)
    inside = wait_for_output(lab, task).split()
    assert sorted(path.name for path in Path("/mnt").iterdir()) == before
    lab.finish(task)
    assert sorted(inside) == sorted([*before, "batch"])


FAKE = """
import json, sys
def say(**event): print(json.dumps(event), flush=True)
say(event="progress", file="cntk.whl", done=1, total=2)
say(event="note", message="a note")
print("not json")
{rest}
"""


def script_of(lab: Any, settings: dict[str, Any], program: str) -> NodeTask:
    """A task of a toolkit whose environment is made by a program that ends so."""
    file = lab.home.root / "make_environment.py"
    file.write_text(FAKE.format(rest=program))
    task: NodeTask = lab.task("", customToolkitSettings=None, cntkSettings=settings)
    return dataclasses.replace(task, environment_program=file)


def test_the_toolkits_environment_is_made_and_comes_first(lab: Any, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "python").write_text("#!/bin/sh\necho my python: $*\n")
    (tools / "python").chmod(0o755)
    settings = {"pythonScriptFilePath": "train.py", "commandLineArgs": "-e 2; echo $LD_LIBRARY_PATH"}
    task = script_of(
        lab,
        settings,
        f"say(event='done', python='{tools}/python', bin=['{tools}'], library_path=['/lib1'], version='2.7')",
    )
    lab.start(task)
    assert lab.finish(task).text().startswith("my python: train.py -e 2\n/lib1")
    assert "environment of toolkit cntk: a note" in lab.announced
    assert f"environment: cntk 2.7 of {tools}/python" in lab.announced


def test_an_environment_that_cannot_be_made_leaves_nothing(lab: Any) -> None:
    error = "say(event='error', message='no Python', remedy='Get it.'); sys.exit(3)"
    with pytest.raises(EngineUnavailable, match=r"no Python Get it\."):
        lab.start(script_of(lab, {"pythonScriptFilePath": "x.py"}, error))
    assert lab.engine.tasks() == []
    assert [path for path in (lab.place.disk / "control").iterdir() if path.is_dir()] == []


def test_a_program_that_breaks_says_how(lab: Any) -> None:
    with pytest.raises(EngineError, match=r"exit code 1\. it broke"):
        lab.start(script_of(lab, {"pythonScriptFilePath": "x.py"}, "sys.exit('it broke')"))


def test_gpus_that_are_required_and_not_there(lab: Any) -> None:
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has a GPU driver")
    with pytest.raises(EngineUnavailable, match="--gpus none"):
        lab.start(lab.task("true", gpus="required"))
    outcome = lab.run("echo $AZ_BATCHAI_NUM_GPUS", gpus="auto")
    assert outcome.text() == "0\n"
    assert "gpus: none was found; the job runs on the CPU" in lab.announced


SCRIPT = """
import os, pathlib, sys
root, kind, where, command, user = sys.argv[1:]
sys.path[:0] = [root, root + "/tests/engines"]
from batchai_scenario.training.toolkits.registry import delivered
from tests.engines import conftest
home = conftest.Home(pathlib.Path(where))
delivered()
if user:  # only now: the interpreter may be where that user cannot look
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
home.make()
engine = conftest.make_engine(kind, home)
lab = conftest.Lab(kind, engine, home, "", "c1", engine.place_node("c1", "n1"))
lab.share.mkdir(parents=True)
try:
    task = lab.task(command)
    lab.start(task)
    end = engine.wait(task.id)
    print(end.phase, end.exit_code, end.problem and end.problem.message)
    print(sorted({p.lstat().st_uid for p in home.root.rglob("*")}))
    out = lab.logs(task) / "stdout.txt"
    print(out.read_text() if out.exists() else "")
finally:
    engine.remove_node("c1", "n1")
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="scenario-test-") as name:
        os.chown(name, 65534, 65534)
        yield Path(name)


def run_script(
    folder: Path, kind: str, command: str, *, prefix: tuple[str, ...] = (), user: str = ""
) -> list[str]:
    arguments = [sys.executable, "-c", SCRIPT, str(ROOT), kind, str(folder / "home"), command, user]
    told = subprocess.run(
        [*prefix, *arguments], capture_output=True, text=True, check=False, cwd="/", timeout=60
    )
    assert told.returncode == 0, told.stderr
    lines: list[str] = told.stdout.splitlines()
    return lines


@needs_root
@pytest.mark.parametrize("kind", KINDS)
def test_another_users_jobs_are_that_users(kind: str, open_folder: Path) -> None:
    lines = run_script(
        open_folder,
        kind,
        'id -u; mkdir $AZ_BATCHAI_OUTPUT_OUT/x; echo "$AZ_BATCHAI_MOUNT_ROOT"',
        user="65534",
    )
    assert lines[:3] == ["main 0 None", "[65534]", "65534"]
    if kind == "process":
        assert lines[3] == "/mnt/batch/tasks/shared/LS_root/mounts"


@needs_root
@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_loses_no_exit_code(kind: str, open_folder: Path) -> None:
    mount = f'mount -t tmpfs -o size=400k disk "{open_folder}" && exec "$@"'
    lines = run_script(
        open_folder,
        kind,
        "dd if=/dev/zero of=$AZ_BATCHAI_OUTPUT_OUT/big bs=1024 count=1000 && exit 0; exit 28",
        prefix=("unshare", "--mount", "sh", "-c", mount, "sh"),
    )
    assert lines[0] == "main 28 None"


@needs_root
def test_roots_jobs_change_a_layer_of_their_node_and_not_the_machine(lab_of: Any) -> None:
    lab = lab_of("process")
    if any("change this machine" in note for note in lab.engine.info().notes):
        pytest.skip("there is no layer here")
    mark = Path("/etc/scenario-was-here")
    assert lab.run(f"touch {mark}; rm /etc/hostname; mkdir /opt/new").end.exit_code == 0
    assert not mark.exists()
    assert Path("/etc/hostname").exists()
    found = lab.run(f"ls -d {mark} /opt/new; ls /etc/hostname || echo removed")  # the node's next job
    assert found.text() == f"{mark}\n/opt/new\nremoved\n"


def test_what_a_job_installs_stays_on_its_node(lab: Any, tmp_path: Path) -> None:
    package = tmp_path / "click-0.0.1-py3-none-any.whl"
    with zipfile.ZipFile(package, "w") as wheel:
        wheel.writestr("click.py", "__version__ = '0.0.1'\n")
        wheel.writestr(
            "click-0.0.1.dist-info/METADATA", "Metadata-Version: 2.1\nName: click\nVersion: 0.0.1\n"
        )
        wheel.writestr("click-0.0.1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr("click-0.0.1.dist-info/RECORD", "")
    where = lab.place.disk / "python" / "lib"
    install = f"pip install -q --no-index --no-deps {package}"
    ask = 'python -c "import click, yaml; print(click.__file__)"'
    outcome = lab.run(f"{install} && {ask}; command -v python")
    assert outcome.end.exit_code == 0, outcome.text("stderr.txt")
    imported, program = outcome.text().splitlines()
    assert Path(imported).is_relative_to(where)
    assert program == str(lab.place.disk / "python" / "bin" / "python")
    import click

    assert importlib.metadata.version("click") != "0.0.1"
    assert not Path(click.__file__).is_relative_to(where)
