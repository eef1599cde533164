"""Makes a toolkit's environment of wheels, for nodes without a container.

The environment lies in ``<cache>/toolkits/<toolkit>/<key>``. It is laid on the Python that is named, else on one
that ``interpreters.py`` finds, else on a Python 2.7 that is fetched (``python27.py``). It is made once for each
of them, tried with a small computation, and only then takes its name. The last event is::

    {"event": "done", "python": ".../bin/python", "bin": [...], "library_path": [...], "version": "2.7", ...}

``bin``: folders to put before PATH. ``library_path``: folders to put before LD_LIBRARY_PATH. Nothing else needs to
be set. With ``--check`` nothing is made, and the last event says what would be fetched, in bytes: none if the
environment stands::

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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.support.bases import (
    Base,
    FetchedPython,
    FetchedPython39,
    FoundPython,
    bare_environment,
    run_here,
)
from training.support.events import Events, run
from training.support.files import only_one
from training.support.interpreters import choose
from training.support.machine import check_libraries, check_place, check_platform, check_programs
from training.support.wheels import Wheel, add_pip, fetch, join_packages, unpack

_READY = "environment.json"


@dataclass(frozen=True)
class Recipe:
    """What a toolkit's environment is made of.

    ``toolkit``: its tool type. ``title``: what is fetched, for people. ``number``: goes up when environments that
    were made before must be made again. ``table``: known wheels by ABI, and by the names that bases need.
    ``more``: wheels beside those. ``unpacked``: bytes of a whole environment. ``trial``: a Python program that
    computes something and prints the toolkit's version. ``variable``: names a Python. ``finish``: gets
    site-packages, the environment's folder and its base once the wheels are unpacked, and adds what these lack.
    ``programs``: those that it is made with, beside wheels.
    """

    toolkit: str
    title: str
    number: int
    table: Mapping[str, list[Wheel]]
    more: tuple[Wheel, ...]
    unpacked: int
    trial: str
    variable: str
    finish: Callable[[Path, Path, Base], None] | None = None
    programs: tuple[str, ...] = ()

    @property
    def abis(self) -> tuple[str, ...]:
        """Give the ABIs that there are wheels for."""
        return tuple(name for name in self.table if name.startswith("cp"))


class Environment:
    """The environment of one base: where it stands, what it needs, how it is made."""

    def __init__(self, cache: Path, recipe: Recipe, base: Base) -> None:
        self._recipe = recipe
        self.base = base
        self._root = cache.absolute() / "toolkits" / recipe.toolkit
        self._wheels: list[Wheel] = [*recipe.table[base.abi], *recipe.more]
        self._wheels += [wheel for name in base.needs for wheel in recipe.table[name]]
        parts = [str(recipe.number), *base.identity, *[wheel["sha256"] for wheel in self._wheels]]
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        first = self._wheels[0]
        self._place = self._root / f"{first['name']}-{first['version']}-{base.abi}-{digest[:12]}"

    def stands(self) -> bool:
        """Tell if it is there and its Python still runs."""
        if not (self._place / _READY).is_file():
            return False
        command = [str(self._place / "bin" / "python"), "-c", ""]
        environment = self._environment(self._place)
        return subprocess.run(command, check=False, capture_output=True, env=environment).returncode == 0

    def needs(self) -> dict[str, int]:
        """Say how many bytes making it would ``fetch``, and for how many it takes ``room`` on the disk."""
        if self.stands():
            return {"fetch": 0, "room": 0}
        kept = self._root / "wheels"
        wheels = sum(wheel["size"] for wheel in self._wheels if not (kept / wheel["file"]).exists())
        bytes_ = wheels + self.base.bytes_to_fetch()
        return {"fetch": bytes_, "room": bytes_ + self._recipe.unpacked}

    def make(self, events: Events) -> None:
        """Make it unless it stands; ends with a ``done`` event.

        Raises:
            RequirementError: no wheels, no room, or the toolkit does not run in what was made.
        """
        with only_one(self._root, events):
            if not self.stands():
                check_programs(self._recipe.title, self._recipe.programs)
                check_place(self._root, self.needs()["room"])
                self._build(fetch(self._wheels, self._root / "wheels", events), events)
                for wheel in self._wheels:
                    (self._root / "wheels" / wheel["file"]).unlink(missing_ok=True)
            os.utime(self._place)  # says when it was used last
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
            join_packages(site)
            add_pip(draft / "bin", self.base.version[0])
            if self._recipe.finish is not None:
                self._recipe.finish(site, draft, self.base)
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
        """Let the toolkit compute something; give its version."""
        command = [str(folder / "bin" / "python"), "-c", self._recipe.trial]
        output = run_here(command, self._environment(folder), f"{self._recipe.title} does not run here")
        return output.strip().splitlines()[-1]

    def _environment(self, folder: Path) -> dict[str, str]:
        """Give the variables with which its Python starts."""
        environment = bare_environment()
        before = [environment["LD_LIBRARY_PATH"]] if environment.get("LD_LIBRARY_PATH") else []
        if paths := [*(str(folder / path) for path in self.base.library_path), *before]:
            environment["LD_LIBRARY_PATH"] = ":".join(paths)
        return environment


def environment_here(recipe: Recipe, cache: Path, python: Path | None) -> Environment:
    """Give the environment that this machine can have: on the named Python, a found one, or a fetched one.

    Raises:
        RequirementError: this machine cannot run the toolkit, or the named Python does not fit.
    """
    check_platform(f"{recipe.title.partition(' ')[0]}'s wheels are")
    check_libraries()
    if "cp39" in recipe.abis:
        return Environment(cache, recipe, FetchedPython39(cache.absolute()))
    environment = {**os.environ, "HOME": os.environ.get("HOME") or _home()}
    found = choose(python, environment, variable=recipe.variable, abis=recipe.abis)
    base: Base = FetchedPython(cache.absolute()) if found is None else FoundPython(found)
    return Environment(cache, recipe, base)


def make(recipe: Recipe, cache: Path, python: Path | None, events: Events) -> None:
    """Make the environment unless it is there; ends with a ``done`` event.

    Raises:
        RequirementError: no wheels, no room, or the toolkit does not run in what was made.
    """
    environment_here(recipe, cache, python).make(events)


def check(recipe: Recipe, cache: Path, python: Path | None, events: Events) -> None:
    """Say what making the environment would fetch; makes nothing.

    Raises:
        RequirementError: it cannot be made here.
    """
    environment = environment_here(recipe, cache, python)
    needs = environment.needs()
    if needs["room"]:
        check_programs(recipe.title, recipe.programs)
        check_place(cache, needs["room"])
    base = environment.base
    fetched = not isinstance(base, FoundPython)
    what = "{} and Python {}.{}".format(recipe.title, *base.version) if fetched else recipe.title
    events.done(what=what, **needs)


def _home() -> str:
    """Give this user's home folder where the environment does not; empty if there is none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # a user id without an entry, as in many containers
        return ""


def main(recipe: Recipe) -> None:
    """Read the command line and make the environment."""
    parser = argparse.ArgumentParser(description=f"Make an environment in which {recipe.title} runs.")
    parser.add_argument("--cache", type=Path, required=True, help="where it is kept")
    parser.add_argument(
        "--python",
        type=Path,
        default=os.environ.get(recipe.variable) or None,
        help=f"a Python of that time (also {recipe.variable})",
    )
    parser.add_argument("--check", action="store_true", help="make nothing, say what would be fetched")
    parser.add_argument("--json", action="store_true", help="report as JSON lines")
    options = parser.parse_args()
    events = Events(as_json=options.json)
    work = check if options.check else make
    run(events, lambda: work(recipe, options.cache, options.python, events))
