"""The CNTK environment: which Python it takes, what it puts into it, and that it is whole or absent."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import training.toolkits.chainer.make_environment as chainer
import training.toolkits.cntk.make_environment as program
import training.toolkits.custommpi.make_environment as open_mpi
import training.toolkits.horovod.make_environment as horovod
from training.support.bases import bare_environment, run_here
from training.support.events import RequirementError
from training.support.interpreters import Interpreter, candidates, choose, look_at


def fake_python(
    path: Path, version: tuple[int, int, int], *, unicode: int = 0x10FFFF, kind: str = "CPython"
) -> Path:
    """Write a program that answers as a Python of this version would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    answer = json.dumps([list(version), unicode, kind, "x86_64", "Linux", str(path)])
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return path


def chosen(environment: dict[str, str], named: Path | None = None) -> Interpreter:
    found = choose(named, environment)
    assert found is not None
    return found


# Which Python --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "abi"),
    [
        ((3, 6, 15), "cp36m"),
        ((3, 5, 2), "cp35m"),
        ((2, 7, 18), "cp27mu"),
        ((3, 7, 0), None),
        ((3, 13, 0), None),
    ],
)
def test_versions_that_have_wheels(tmp_path: Path, version: tuple[int, int, int], abi: str | None) -> None:
    found = look_at(fake_python(tmp_path / "python", version))
    assert (found.abi if found else None) == abi


def test_what_is_no_fitting_python_is_passed_over(tmp_path: Path) -> None:
    narrow = fake_python(tmp_path / "narrow", (2, 7, 18), unicode=0xFFFF)
    pypy = fake_python(tmp_path / "pypy", (3, 6, 9), kind="PyPy")
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho nonsense; exit 1\n")
    broken.chmod(0o755)
    for path in (narrow, pypy, broken, tmp_path / "missing"):
        assert look_at(path) is None


def test_files_where_a_user_works_are_not_taken_for_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('not this one')\n")
    fake = fake_python(tmp_path / "bin" / "python3.6", (3, 6, 15))
    answer = fake.read_text().partition("echo ")[2]
    fake.write_text(f"#!/bin/sh\n'{sys.executable}' -c 'import json' && echo {answer}")
    monkeypatch.chdir(tmp_path)
    for named in (fake, fake.relative_to(tmp_path)):
        found = look_at(named)
        assert found is not None
        assert found.abi == "cp36m"
    asked = [sys.executable, "-c", "import json; print(json.dumps(1))"]
    assert run_here(asked, bare_environment(), "it does not run").strip() == "1"


def test_the_newest_fitting_python_is_taken(tmp_path: Path) -> None:
    fake_python(tmp_path / "bin" / "python2.7", (2, 7, 18))
    environment = {"PATH": str(tmp_path / "bin"), "HOME": ""}
    assert chosen(environment).abi == "cp27mu"
    fake_python(tmp_path / "bin" / "python3", (3, 5, 9))
    assert chosen(environment).abi == "cp35m"
    fake_python(tmp_path / "bin" / "python", (3, 6, 1))
    assert chosen(environment).abi == "cp36m"


@pytest.mark.parametrize("how", ["PYENV_ROOT", "shims", "HOME"])
def test_pyenv_is_found_without_its_shell_functions(tmp_path: Path, how: str) -> None:
    root = tmp_path / ".pyenv"
    fake_python(root / "versions" / "3.6.15" / "bin" / "python3.6", (3, 6, 15))
    slow = fake_python(root / "shims" / "python3.6", (3, 6, 15))
    environment = {
        "PYENV_ROOT": {"PYENV_ROOT": str(root), "PATH": "/nowhere"},
        "shims": {"PATH": f"/nowhere:{root / 'shims'}"},
        "HOME": {"HOME": str(tmp_path), "PATH": "/nowhere"},
    }[how]
    found = chosen(environment)
    assert found.path == (root / "versions" / "3.6.15" / "bin" / "python3.6").resolve()
    assert slow not in list(candidates(environment))


def test_a_named_python_must_fit(tmp_path: Path) -> None:
    named = fake_python(tmp_path / "python3.5", (3, 5, 2))
    assert chosen({}, named).path == named
    with pytest.raises(RequirementError, match=r"is not a CPython 3\.6, 3\.5 or 2\.7"):
        choose(Path(sys.executable), {})


def test_without_such_a_python_one_is_fetched(tmp_path: Path) -> None:
    nothing = {"PATH": str(tmp_path), "PYENV_ROOT": str(tmp_path), "HOME": str(tmp_path)}
    assert choose(None, nothing) is None
    events = _events(tmp_path / "cache", "--check", environment=nothing)
    assert events[-1]["what"] == "CNTK 2.7 and Python 2.7"
    assert events[-1]["fetch"] > 120_000_000
    assert not (tmp_path / "cache").exists(), "nothing was made"


def test_chainer_fetches_a_python_of_its_own_whatever_is_found(tmp_path: Path) -> None:
    fake_python(tmp_path / "python3.6", (3, 6, 15))
    command = [sys.executable, chainer.__file__, "--cache", str(tmp_path / "cache"), "--check", "--json"]
    found = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": str(tmp_path)})
    assert json.loads(found.stdout.splitlines()[-1])["what"] == "Chainer 4.5 and Python 3.9"
    assert not (tmp_path / "cache").exists(), "nothing was made"


def test_horovod_needs_a_compiler_and_says_so_before_anything_is_made(tmp_path: Path) -> None:
    fake_python(tmp_path / "bin" / "python3.6", (3, 6, 15))
    command = [sys.executable, horovod.__file__, "--cache", str(tmp_path / "cache"), "--json", "--check"]
    here = {"PATH": str(tmp_path / "bin"), "HOME": ""}
    asked = subprocess.run(command, capture_output=True, text=True, check=False, env=here)
    said = json.loads(asked.stdout.splitlines()[-1])
    assert (asked.returncode, said["event"]) == (3, "error")
    assert said["message"].startswith("Horovod 0.13 on TensorFlow 1.8 is compiled on this machine")
    assert "g++" in said["remedy"]
    (tmp_path / "bin" / "g++").symlink_to("/bin/true")
    asked = subprocess.run(command, capture_output=True, text=True, check=True, env=here)
    assert json.loads(asked.stdout.splitlines()[-1])["event"] == "done"
    assert not (tmp_path / "cache").exists(), "nothing was made"


def test_a_python_that_is_found_needs_no_other(tmp_path: Path) -> None:
    fake_python(tmp_path / "python3.6", (3, 6, 15))
    events = _events(tmp_path / "cache", "--check", environment={"PATH": str(tmp_path)})
    assert events[-1]["what"] == "CNTK 2.7"


# The real thing ------------------------------------------------------------------------------------------


NO_PYTHON = {"PATH": "/nowhere", "PYENV_ROOT": "", "HOME": "/nowhere"}


def _make(
    cache: Path, *more: str, environment: dict[str, str], maker: str = program.__file__
) -> subprocess.Popen[str]:
    command = [sys.executable, maker, "--cache", str(cache), "--json", *more]
    cache_of_pip = os.environ.get("PIP_CACHE_DIR") or str(Path.home() / ".cache" / "pip")
    variables = {**os.environ, "PIP_CACHE_DIR": cache_of_pip, "HOME": "", **environment}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables)


def _events(
    cache: Path, *more: str, environment: dict[str, str], maker: str = program.__file__
) -> list[dict[str, Any]]:
    """Run it to the end; gives the events."""
    with _make(cache, *more, environment=environment, maker=maker) as process:
        events = [json.loads(line) for line in process.stdout or ()]
    assert events[-1]["event"] == "done", events[-1]
    return events


def without_ssh(folder: Path) -> Path:
    """Make a folder that leads to this machine's programs, but for those that reach other machines."""
    folder.mkdir()
    for tool in (*Path("/bin").iterdir(), *Path("/usr/bin").iterdir()):
        if tool.name not in {"ssh", "rsh", "mpirun"} and not os.path.lexists(folder / tool.name):
            (folder / tool.name).symlink_to(tool)
    return folder


@pytest.mark.network
@pytest.mark.timeout(300)
def test_an_open_mpi_starts_processes_on_a_machine_without_ssh(tmp_path: Path) -> None:
    bare = {"PATH": str(without_ssh(tmp_path / "system"))}
    command = [sys.executable, open_mpi.__file__, "--cache", str(tmp_path / "cache"), "--json"]
    made = subprocess.run(command, env=bare, capture_output=True, text=True, check=True)
    done = json.loads(made.stdout.splitlines()[-1])
    environment = {
        "PATH": ":".join([*done["bin"], bare["PATH"]]),
        "LD_LIBRARY_PATH": ":".join(done["library_path"]),
        **done["variables"],
    }
    command = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2", "sh", "-c"]
    command += ["echo of $OMPI_COMM_WORLD_SIZE"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.stdout.splitlines() == ["of 2", "of 2"], ran.stderr


SMALL = """\
import sys

sys.path.insert(0, HERE)

from training.support.environment import Recipe, main
from training.support.openmpi import OPEN_MPI, lead_to
from training.toolkits.cntk.make_environment import RECIPE

TABLE = {
    name: [wheel for wheel in wheels if wheel["name"] not in ("cntk", "scipy")]
    for name, wheels in RECIPE.table.items()
}
main(
    Recipe(
        toolkit="small",
        title="NumPy and Open MPI",
        number=1,
        table=TABLE,
        more=(OPEN_MPI, *TABLE["pip"]),
        unpacked=150_000_000,
        trial="import numpy; assert numpy.ones(3).sum() == 3; print('1')",
        finish=lambda site, draft, base: lead_to(site, draft, "sys.prefix"),
        variable="SCENARIO_SMALL_PYTHON",
    )
)
"""
"""Makes what CNTK's environment is, without CNTK: the same bases, the same MPI, a tenth of the bytes."""

SMALL_WORK = """\
import ctypes, hashlib, numpy, os, ssl
mpi = ctypes.CDLL(os.environ["MPI4PY_LIBMPI"], ctypes.RTLD_GLOBAL)
assert mpi.MPI_Init(None, None) == 0
count, world = ctypes.c_int(), ctypes.c_char.in_dll(mpi, "ompi_mpi_comm_world")
mpi.MPI_Comm_size(ctypes.byref(world), ctypes.byref(count))
print(int(numpy.ones(count.value).sum()))
mpi.MPI_Finalize()
"""
CNTK_WORK = """\
import cntk, ctypes, hashlib, ssl, os
print(cntk.Communicator.num_workers())
cntk.Communicator.finalize()
"""


def _computes_by_two(done: dict[str, Any], code: str, moved: Path, bare: Path, cwd: Path) -> None:
    """Check that an environment lies in ``moved`` alone, and that two processes of it find one another."""
    assert all(Path(folder).is_relative_to(moved) for folder in done["bin"])
    command = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2"]
    command += ["python", "-W", "ignore", "-c", code]
    environment = {
        "PATH": ":".join([*done["bin"], str(bare)]),
        "LD_LIBRARY_PATH": ":".join(done["library_path"]),
    }
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=cwd)
    assert ran.stdout.split() == ["2", "2"], ran.stderr


@pytest.mark.cntk
@pytest.mark.network
@pytest.mark.timeout(900)
@pytest.mark.parametrize("machine", [{}, NO_PYTHON], ids=["as it is", "without an old Python"])
@pytest.mark.parametrize("kind", ["small", pytest.param("cntk", marks=pytest.mark.endurance)])
def test_an_environment_that_was_killed_half_made_is_made_and_computes_also_when_moved(
    tmp_path: Path, machine: dict[str, str], kind: str
) -> None:
    cache, maker = tmp_path / "cache", program.__file__
    if kind == "small":
        maker = str(tmp_path / "make_small.py")
        Path(maker).write_text(SMALL.replace("HERE", repr(str(Path(program.__file__).parents[3]))))
    with _make(cache, environment=machine, maker=maker) as first:
        for line in first.stdout or ():
            event = json.loads(line)
            if event["event"] == "error":
                pytest.fail(event["message"])
            if event.get("file", "").startswith("unpacking"):
                first.kill()
    root = cache / "toolkits" / kind
    assert not list(root.glob("*/environment.json"))
    made = _events(cache, environment=machine, maker=maker)[-1]
    assert made["version"] == {"small": "1", "cntk": "2.7"}[kind]
    assert [entry.name for entry in root.iterdir() if entry.suffix == ".new"] == []

    moved = cache.rename(tmp_path / "moved")
    events = _events(moved, environment=machine, maker=maker)
    assert {event["event"] for event in events} == {"done"}, "nothing is made again"
    assert _events(moved, "--check", environment=machine, maker=maker)[-1]["fetch"] == 0
    work = {"small": SMALL_WORK, "cntk": CNTK_WORK}[kind]
    _computes_by_two(events[-1], work, moved, without_ssh(tmp_path / "system"), tmp_path)


@pytest.mark.cntk
@pytest.mark.network
@pytest.mark.timeout(900)
def test_cntk_computes_where_its_environment_was_moved(tmp_path: Path, made_cache: Path) -> None:
    """The environment that the run's tests of CNTK share, at another place; the first of them makes it."""
    made = _events(made_cache, environment={})[-1]
    assert made["version"] == "2.7"
    place = Path(made["python"]).parents[1]
    moved = tmp_path / "moved"
    shutil.copytree(place, moved / place.relative_to(made_cache), symlinks=True)
    events = _events(moved, environment={})
    assert {event["event"] for event in events} == {"done"}, "nothing is made again"
    _computes_by_two(events[-1], CNTK_WORK, moved, without_ssh(tmp_path / "system"), tmp_path)
