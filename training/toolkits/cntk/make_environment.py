"""Makes an environment in which CNTK runs without a container, from wheels and a Python of this machine or a fetched one.

    python make_environment.py --cache DIR [--python PATH] [--check] [--json]

CNTK's last wheels (2.7.post2) are for Python 3.6, 3.5 and 2.7. The environment lies in
``<cache>/toolkits/cntk/<key>``, with CNTK, NumPy, SciPy and Open MPI in versions that are known to work
together. It is laid on the Python that is named, else on one that ``interpreters.py`` finds, else on a Python
2.7 that is fetched (``training/support/python27.py``). It is made once for each of them, tried with a small
computation, and only then takes its name. The last event is::

    {"event": "done", "python": ".../bin/python", "bin": [...], "library_path": [...], "version": "2.7", ...}

``bin``: folders to put before PATH (``python`` and ``mpirun`` are in there). ``library_path``: folders to put
before LD_LIBRARY_PATH. Nothing else needs to be set. With ``--check`` nothing is made, and the last event says
what would be fetched, in bytes: none if the environment stands::

    {"event": "done", "what": "CNTK 2.7 and Python 2.7", "fetch": 129000000, "room": 606000000}

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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.support.events import Events, Trouble, run
from training.support.files import only_one
from training.support.machine import check_libraries, check_place, check_platform
from training.support.openmpi import OPEN_MPI
from training.support.wheels import Wheel, fetch, unpack
from training.toolkits.cntk.bases import Base, FetchedPython, FoundPython, bare_environment, run_here
from training.toolkits.cntk.install import add_mpi, add_pip, add_python, wheels_table
from training.toolkits.cntk.interpreters import choose

_RECIPE = 3  # goes up when environments that were made before must be made again
_READY = "environment.json"
_UNPACKED_BYTES = 480_000_000  # of a whole environment
_TRIAL = (
    "import cntk, numpy; x = cntk.input_variable(2); y = cntk.reduce_sum(cntk.relu(2 * x - 1)); "
    "assert y.eval({x: numpy.array([[1, 2]], numpy.float32)}).item() == 4.0; print(cntk.__version__)"
)


class Environment:
    """The environment of one base: where it stands, what it needs, how it is made."""

    def __init__(self, cache: Path, base: Base) -> None:
        table = wheels_table()
        self.base = base
        self._root = cache.absolute() / "toolkits" / "cntk"
        self._wheels: list[Wheel] = [
            *table[base.abi],
            OPEN_MPI,
            *table["pip"],
        ]  # CNTK 2.7 imports pip
        self._wheels += [wheel for name in base.needs for wheel in table[name]]
        parts = [str(_RECIPE), *base.identity, *[wheel["sha256"] for wheel in self._wheels]]
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        first = self._wheels[0]
        self._place = self._root / f"{first['name']}-{first['version']}-{base.abi}-{digest[:12]}"

    def stands(self) -> bool:
        """Tell if it is there and its Python still runs."""
        if not (self._place / _READY).is_file():
            return False
        command = [str(self._place / "bin" / "python"), "-c", ""]
        return (
            subprocess.run(command, check=False, capture_output=True, env=bare_environment()).returncode == 0
        )

    def needs(self) -> dict[str, int]:
        """Say how many bytes making it would ``fetch``, and for how many it takes ``room`` on the disk."""
        if self.stands():
            return {"fetch": 0, "room": 0}
        kept = self._root / "wheels"
        wheels = sum(wheel["size"] for wheel in self._wheels if not (kept / wheel["file"]).exists())
        bytes_ = wheels + self.base.bytes_to_fetch()
        return {"fetch": bytes_, "room": bytes_ + _UNPACKED_BYTES}

    def make(self, events: Events) -> None:
        """Make it unless it stands; ends with a ``done`` event.

        Raises:
            Trouble: no wheels, no room, or CNTK does not run in what was made.
        """
        with only_one(self._root, events):
            if not self.stands():
                check_place(self._root, self.needs()["room"])
                self._build(fetch(self._wheels, self._root / "wheels", events), events)
                for wheel in self._wheels:
                    (self._root / "wheels" / wheel["file"]).unlink(missing_ok=True)
        events.done(**{**json.loads((self._place / _READY).read_bytes()), **self._where(self._place)})

    def _where(self, place: Path) -> dict[str, object]:
        """Say where it stands: not written into it, for a cache may be moved."""
        return {
            "python": str(place / "bin" / "python"),
            "bin": [str(place / folder) for folder in self.base.bin],
            "library_path": [str(place / folder) for folder in self.base.library_path],
        }

    def _build(self, wheels: list[Path], events: Events) -> None:
        """Make the environment under another name, try it, and give it its name."""
        draft = self._place.with_name(self._place.name + ".new")
        for leftover in (draft, self._place):
            shutil.rmtree(leftover, ignore_errors=True)
        try:
            self.base.lay(draft, wheels, events)
            site = draft / self.base.site
            for number, wheel in enumerate(wheels, start=1):
                if not wheel.name.startswith("virtualenv-"):
                    unpack(wheel, site, draft)
                events.progress(f"unpacking {self.base.abi}", number, len(wheels))
            add_mpi(site, draft, "sys.prefix")
            add_python(site, self.base.abi)
            add_pip(draft / "bin", self.base.version[0])
            description = {
                "version": self._try(draft),
                "interpreter": self.base.title,
                "interpreter_version": ".".join(map(str, self.base.version)),
            }
            (draft / _READY).write_text(json.dumps(description, indent=1) + "\n")
            draft.rename(self._place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _try(self, folder: Path) -> str:
        """Let CNTK compute something; give its version."""
        environment = bare_environment()
        before = [environment["LD_LIBRARY_PATH"]] if environment.get("LD_LIBRARY_PATH") else []
        if paths := [*(str(folder / path) for path in self.base.library_path), *before]:
            environment["LD_LIBRARY_PATH"] = ":".join(paths)
        output = run_here(
            [str(folder / "bin" / "python"), "-c", _TRIAL], environment, "CNTK does not run here"
        )
        return output.strip().splitlines()[-1]


def environment_here(cache: Path, python: Path | None) -> Environment:
    """Give the environment that this machine can have: on the named Python, a found one, or a fetched one.

    Raises:
        Trouble: this machine cannot run CNTK, or the named Python does not fit.
    """
    check_platform("CNTK's wheels are")
    check_libraries()
    found = choose(python, {**os.environ, "HOME": os.environ.get("HOME") or _home()})
    base: Base = FetchedPython(cache.absolute()) if found is None else FoundPython(found)
    return Environment(cache, base)


def make(cache: Path, python: Path | None, events: Events) -> None:
    """Make the environment unless it is there; ends with a ``done`` event.

    Raises:
        Trouble: no wheels, no room, or CNTK does not run in what was made.
    """
    environment_here(cache, python).make(events)


def check(cache: Path, python: Path | None, events: Events) -> None:
    """Say what making the environment would fetch; makes nothing.

    Raises:
        Trouble: it cannot be made here.
    """
    environment = environment_here(cache, python)
    needs = environment.needs()
    if needs["room"]:
        check_place(cache, needs["room"])
    fetched = isinstance(environment.base, FetchedPython)
    events.done(what="CNTK 2.7 and Python 2.7" if fetched else "CNTK 2.7", **needs)


def _home() -> str:
    """Give this user's home folder where the environment does not; empty if there is none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # a user id without an entry, as in many containers
        return ""


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
    parser.add_argument("--check", action="store_true", help="make nothing, say what would be fetched")
    parser.add_argument("--json", action="store_true", help="report as JSON lines")
    options = parser.parse_args()
    events = Events(as_json=options.json)
    work = check if options.check else make
    run(events, lambda: work(options.cache, options.python, events))


if __name__ == "__main__":
    main()
