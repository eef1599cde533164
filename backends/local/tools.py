"""Engines and images of this machine, for ``doctor`` and ``images``. Plain data comes back."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.errors import MachineError, UserError
from batchai_scenario.backends.offers import nearly
from batchai_scenario.schema.engines import ENGINES
from batchai_scenario.training.installed import training_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from batchai_scenario.emulator.api import Engine


@dataclass(frozen=True, slots=True)
class EngineProbe:
    """What an engine says of itself, or why it does not answer and what would help."""

    name: str
    available: bool
    version: str = ""
    gpus: bool = False
    mount_root: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""
    remedy: str = ""
    gpu_note: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that can be built here: its name, the tag that it gets, and its id if it is there."""

    name: str
    tag: str
    id: str = ""


def build_engine(home: Path, name: str) -> Engine:
    """Make an engine for a home.

    Raises:
        EngineUnavailable: it does not answer.
    """
    from batchai_scenario.emulator.api import Home

    if name == "docker":
        from batchai_scenario.emulator.api import DockerEngine

        return DockerEngine(Home(home), training=training_folder())
    if name == "slurm":
        from batchai_scenario.emulator.api import SlurmEngine

        return SlurmEngine(Home(home))
    from batchai_scenario.emulator.api import ProcessEngine

    return ProcessEngine(Home(home))


def probe_engines(home: Path) -> list[EngineProbe]:
    """Ask each engine what it is; one that does not answer says why."""
    return [_probe(home, name) for name in ENGINES]


def _probe(home: Path, name: str) -> EngineProbe:
    from batchai_scenario.emulator.api import EngineUnavailable

    try:
        info = build_engine(home, name).info()
    except EngineUnavailable as error:
        return EngineProbe(name, available=False, problem=error.problem.message, remedy=error.remedy)
    return EngineProbe(
        name,
        available=True,
        version=info.version,
        gpus=info.gpus,
        mount_root=info.mount_root,
        notes=info.notes,
        gpu_note=info.gpu_note,
    )


def machine_gpus() -> list[str]:
    """Describe each GPU of this machine as its driver does: name, compute capability, driver."""
    from batchai_scenario.emulator.api import list_gpus

    return [
        ", ".join(
            text
            for text in (
                gpu.name,
                f"compute capability {gpu.capability}" if gpu.capability else "",
                f"driver {gpu.driver}" if gpu.driver else "",
            )
            if text
        )
        for gpu in list_gpus()
    ]


def list_images() -> list[Image]:
    """List the images that can be built here, and which of them the Docker engine has."""
    ids = _image_ids()
    tags = {name: image_tag(name) for name in sorted(_build_programs())}
    return [Image(name, tag, ids.get(tag, "")) for name, tag in tags.items()]


def _build_programs() -> dict[str, Path]:
    from batchai_scenario.emulator.api import build_programs

    return build_programs(training_folder())


def image_tag(name: str) -> str:
    """Give the tag under which an image that is built here is kept: where the engine looks for it."""
    from batchai_scenario.emulator.api import built_reference

    return built_reference(name)


def _image_ids() -> dict[str, str]:
    """Give the ids of the Docker engine's images by tag; empty if no engine answers."""
    from contextlib import closing

    from batchai_scenario.emulator.api import EngineUnavailable
    from batchai_scenario.emulator.api import connect_docker as connect

    try:
        api = connect()
    except EngineUnavailable:
        return {}
    with closing(api):
        return {tag: str(image["Id"]) for image in api.images() for tag in image.get("RepoTags") or ()}


def build_image(
    name: str, *, tag: str = "", report: Callable[[Mapping[str, Any]], None] | None = None
) -> Image:
    """Build an image into the Docker engine; ``report`` hears each event of the build.

    Raises:
        UserError: there is no image of this name.
        MachineError: it cannot be built here; the remedy is the build's own.
    """
    program = _build_programs().get(name)
    if program is None:
        hint = nearly(name, _build_programs())
        raise UserError(f"no image {name!r} can be built here", field="image", hint=hint)
    wanted = tag or image_tag(name)
    last: dict[str, Any] = {}
    command = [sys.executable, str(program), "--tag", wanted]
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            last = _event(line)
            if report is not None:
                report(last)
    if last.get("event") == "error":
        raise MachineError(str(last.get("message", "")), remedy=str(last.get("remedy", "")))
    if process.returncode != 0 or last.get("event") != "done":
        raise MachineError(
            f"the build of the image {name!r} ended with exit code {process.returncode}.",
            remedy=f"Run it by hand to see more: {shlex.join(command)}",
        )
    return Image(name, str(last.get("image", wanted)), str(last.get("id", "")))


def _event(line: str) -> dict[str, Any]:
    """Read an event; anything else that a build prints is a message."""
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    return event if isinstance(event, dict) else {"event": "message", "message": line.rstrip("\n")}
