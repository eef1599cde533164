"""What a user says of a Slurm cluster: ``slurm.yaml`` in the home folder.

Only the first two are needed::

    shared_folder: /shared/scenario     # every node sees it under this path; the home is in it
    sizes:                              # of vmSize, or a pattern: what Slurm is asked for; the first counts
      STANDARD_NC*: {partition: gpu, gres: "gpu:1", constraint: v100}
      "*": {partition: batch}
    launcher: process                   # or docker, podman: what runs jobs that name an image
    python: python3                     # on the nodes: a program of their PATH, or a path
    time_limit: 2-00:00:00              # of a cluster's nodes, as Slurm writes it; the partition's by default
    slurm_conf: /etc/slurm/slurm.conf   # for Slurm's commands here; they find their own by default
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from batchai_scenario.emulator.engines.nodes import is_plain
from batchai_scenario.emulator.errors import EngineUnavailable, Problem

if TYPE_CHECKING:
    from collections.abc import Hashable

LAUNCHERS = ("process", "docker", "podman", "apptainer")
"""Known by name; the last is refused: nobody has tried it."""

_GPUS = re.compile(r"(?:^|,)gpu(?::[\w.-]+)??(?::(\d+))?(?=,|$|\()")
_TIME = re.compile(r"\d+|\d+:\d\d|\d+:\d\d:\d\d|\d+-\d+(:\d\d){0,2}", re.ASCII)
_WORD = re.compile(r"[^\s\x00-\x1f\x7f]+")
_EXAMPLE = "docs/slurm.md has an example."
_SHOWN = 60


def _fault(text: str) -> PydanticCustomError:
    return PydanticCustomError("fault", "{text}", {"text": text})


def _word(text: str) -> str:
    if not _WORD.fullmatch(text):
        raise _fault(f"{text[:_SHOWN]!r} must be one word, without spaces")
    return text


def _time(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise _fault(
            f"{text[:_SHOWN]!r} is no time as Slurm writes it: minutes, hours:minutes:seconds or days-hours"
        )
    return text


def _absolute(text: str) -> str:
    path = Path(text)
    if not path.is_absolute() or "\x00" in text or ".." in path.parts:
        raise _fault(f"{text[:_SHOWN]!r} must be an absolute path without '..'")
    return text


def _some(sizes: dict[str, SizeRow]) -> dict[str, SizeRow]:
    if not sizes:
        raise _fault('it needs at least one row, such as "*": {partition: batch}')
    return sizes


Word = Annotated[str, AfterValidator(_word)]


class _Section(BaseModel):
    """A section of the file, in which nothing is unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SizeRow(_Section):
    """What is asked of Slurm for the nodes of a ``vmSize``; what is empty is left to Slurm."""

    partition: Word
    constraint: Word | None = None
    gres: Word | None = None
    account: Word | None = None
    qos: Word | None = None

    def options(self) -> list[str]:
        """Give the options of ``sbatch``: ``--partition=gpu``, ``--gres=gpu:1`` ..."""
        said = self.model_dump(exclude_none=True)
        return [f"--{name}={value}" for name, value in said.items()]

    @property
    def gpus(self) -> int:
        """How many GPUs the gres asks for: ``gpu:2`` and ``gpu:v100:2`` are two, ``gpu`` is one."""
        found = _GPUS.search(self.gres or "")
        return int(found[1] or 1) if found else 0


class _File(_Section):
    shared_folder: Annotated[str, AfterValidator(_absolute)]
    sizes: Annotated[dict[str, SizeRow], AfterValidator(_some)]
    launcher: Literal["process", "docker", "podman", "apptainer"] = "process"
    python: Word = "python3"
    time_limit: Annotated[str, AfterValidator(_time)] | None = None
    slurm_conf: Annotated[str, AfterValidator(_absolute)] | None = None


class SlurmSettings(_File):
    """The settings of the engine; ``file`` is where they stand."""

    file: Path

    @property
    def shared(self) -> Path:
        """The folder that every node sees under the same path."""
        return Path(self.shared_folder)

    def row(self, size: str) -> tuple[str, SizeRow] | None:
        """Give the pattern and the row for a ``vmSize``, in any case; None: there is none."""
        for pattern, row in self.sizes.items():
            if fnmatchcase(size.upper(), pattern.upper()):
                return pattern, row
        return None


def read_settings(file: Path, home: Path) -> SlurmSettings:
    """Read the settings of a home.

    Args:
        file: where they stand.
        home: the home folder; nodes see it only if it is in the shared folder.

    Raises:
        EngineUnavailable: names the file, the property and the way out.
    """
    content = _content(file)
    try:
        settings = SlurmSettings.model_validate({**content, "file": file})
    except ValidationError as error:
        raise _wrong(file, *_first(error)) from None
    if settings.launcher == "apptainer":
        text = "launcher: apptainer is not there: nobody has tried it"
        raise _wrong(file, text, f"Choose one of {', '.join(LAUNCHERS[:-1])}.")
    if settings.slurm_conf and not Path(settings.slurm_conf).is_file():
        text = f"slurm_conf: there is no file {settings.slurm_conf}"
        raise _wrong(file, text, "Name Slurm's own configuration, or leave it out.")
    shared = settings.shared
    if not shared.is_dir():
        text = f"shared_folder: there is no folder {shared} on this machine"
        raise _wrong(file, text, "Mount it, or name one that this machine and all nodes have.")
    if not is_plain(home):
        text = f"the home {home} has characters that mean something to a shell, and jobs see its path"
        raise _wrong(file, text, f"Name another: SCENARIO_HOME={shared / 'home'}, with this file in it.")
    if not home.resolve().is_relative_to(shared.resolve()):
        text = f"shared_folder: the home {home} is not in {shared}, so nodes would not see what jobs need"
        raise _wrong(file, text, f"Name a home there: SCENARIO_HOME={shared / 'home'}, with this file in it.")
    return settings


def no_row(settings: SlurmSettings, size: str) -> str:
    """Say that a ``vmSize`` has no row, and what would help."""
    known = ", ".join(settings.sizes)
    return (
        f"no row of sizes in {settings.file} is for {size}: add one, such as '{size}: {{partition: ...}}' "
        f"(there are rows for {known})"
    )


def _content(file: Path) -> dict[Hashable, Any]:
    import yaml

    try:
        text = file.read_text(encoding="utf-8")
        _once(file, yaml.compose(text, Loader=yaml.SafeLoader))
        content = yaml.safe_load(text)
    except FileNotFoundError:
        remedy = f"Write which partitions there are and which folder all nodes share into it. {_EXAMPLE}"
        raise _wrong(file, "there is no such file, so nothing is known of a Slurm cluster", remedy) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _wrong(file, f"it cannot be read: {error}", _EXAMPLE) from error
    if not isinstance(content, dict):
        raise _wrong(file, "it must hold shared_folder and sizes", _EXAMPLE)
    if "file" in content:
        raise _wrong(file, f"file: {_unknown('file')}", "Leave it out.")
    return content


def _once(file: Path, node: Any) -> None:  # noqa: ANN401 - yaml's nodes have no types
    """Refuse a name that stands twice in a section: YAML would take the last."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        if str(key.value) in seen:
            text = f"{key.value}: it stands there twice, again in line {key.start_mark.line + 1}"
            raise _wrong(file, text, "Keep one.")
        seen.add(str(key.value))
        _once(file, value)


def _first(error: ValidationError) -> tuple[str, str]:
    """Say what is wrong, with its path, and the way out: first what is unknown."""
    found = min(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
    path = ".".join(str(part) for part in found["loc"])
    name = str(found["loc"][-1]) if found["loc"] else ""
    kind = found["type"]
    if kind == "extra_forbidden":
        return f"{path}: {_unknown(name, row=len(found['loc']) > 1)}", "Mend or leave it out."
    if kind == "missing":
        return f"{path}: it is missing", _EXAMPLE
    if kind == "string_type":
        said = found["input"]
        return f"{path}: {said!r} is read as no text", f'Put quotes around it: {name}: "...".'
    if kind == "literal_error":
        return f"{path}: {found['input']!r} is none of {', '.join(LAUNCHERS)}", "Choose one of them."
    text = str(found["msg"])
    return f"{path}: {text[0].lower()}{text[1:]}", _EXAMPLE


def _unknown(name: str, *, row: bool = False) -> str:
    known = list((SizeRow if row else _File).model_fields)
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"there is no such property ({hint}there are {', '.join(known)})"


def _wrong(file: Path, text: str, remedy: str) -> EngineUnavailable:
    return EngineUnavailable(Problem("InvalidSlurmSettings", f"{file}: {text}."), remedy)
