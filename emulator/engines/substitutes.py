"""The table of image substitutes: what may run in the place of an image that is not to be had.

A YAML mapping of patterns (fnmatch, compared with ``name:tag``) to candidates, tried in their order::

    "microsoft/cntk:*":
      - image: mcr.microsoft.com/cntk/release:2.7-cpu-python3.5    # pulled if the engine does not have it
      - build: cntk                                                # made here, by cntk's build_image.py
      - local: "scenario/*"                                        # any such image that the engine has

The user's own table, ``images.yaml`` in the home folder, comes first, then each toolkit's, then the common
one.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, cast

from batchai_scenario.emulator.errors import EngineError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PullPolicy = Literal["missing", "never"]

BUILT_PREFIX = "scenario/"
"""Images that we build carry this prefix, so that they are never taken for somebody else's."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One substitute: an image by its reference, one that we build by its name, or a pattern of names."""

    kind: Literal["image", "build", "local"]
    name: str

    @property
    def reference(self) -> str:
        """The reference under which the engine has it."""
        return built_reference(self.name) if self.kind == "build" else self.name


def built_reference(name: str) -> str:
    """Give the reference under which an image that we build is kept: ``scenario/cntk:latest``."""
    return f"{BUILT_PREFIX}{name}:latest"


def delivered_tables(training: Path) -> list[Path]:
    """List the tables of ``training/``: each toolkit's ``substitutes.yaml``, then the common one."""
    return [*sorted(training.glob("toolkits/*/substitutes.yaml")), training / "images" / "substitutes.yaml"]


def build_programs(training: Path) -> dict[str, Path]:
    """Give the programs that build images, a toolkit's or a plain system's, by the name of the image."""
    toolkits = sorted(training.glob("toolkits/*/build_image.py"))
    systems = sorted(training.glob("images/*/build.py"))
    return {program.parent.name: program for program in (*systems, *toolkits)}


def plain_name(reference: str) -> str:
    """Write an image's name as tables do: without Docker Hub's host, always with a tag (or digest)."""
    name = reference
    for prefix in ("index.docker.io/", "registry-1.docker.io/", "docker.io/", "library/"):
        name = name.removeprefix(prefix)
    tail = name.rpartition("/")[2]
    return name if ":" in tail or "@" in tail else f"{name}:latest"


def read_table(path: Path) -> dict[str, tuple[Candidate, ...]]:
    """Read a table; empty if there is no such file.

    Raises:
        EngineError: names the file and the entry that is not as it should be.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _wrong(path, f"cannot be read: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise _wrong(path, "must be a mapping of image patterns to lists of candidates")
    return {str(pattern): _candidates(path, pattern, value) for pattern, value in content.items()}


def _candidates(path: Path, pattern: object, value: object) -> tuple[Candidate, ...]:
    if not isinstance(value, list) or not value:
        raise _wrong(path, f"'{pattern}' must have a list with at least one candidate")
    found = []
    for entry in value:
        item = next(iter(entry.items())) if isinstance(entry, dict) and len(entry) == 1 else ("", None)
        kind, name = item
        if kind not in ("image", "build", "local") or not isinstance(name, str) or not name.strip():
            raise _wrong(
                path,
                f"'{pattern}': a candidate is 'image: <reference>', 'build: <name>' or 'local: <pattern>', "
                f"not {entry}",
            )
        if kind == "build" and not name.replace("-", "").replace("_", "").isalnum():
            raise _wrong(path, f"'{pattern}': '{name}' is not the name of an image that we build")
        found.append(Candidate(cast('Literal["image", "build", "local"]', kind), name.strip()))
    return tuple(found)


def _wrong(path: Path, text: str) -> EngineError:
    return EngineError(Problem("InvalidImageTable", f"{path}: {text}"))


def candidates_for(reference: str, tables: Iterable[Path]) -> list[Candidate]:
    """List the substitutes of an image, in the order of tables, patterns and entries, each once."""
    name = plain_name(reference)
    found: dict[Candidate, None] = {}
    for path in tables:
        for pattern, entries in read_table(path).items():
            if fnmatchcase(name, pattern) or fnmatchcase(reference, pattern):
                found.update(dict.fromkeys(entries))
    found.pop(Candidate("image", reference), None)
    return list(found)


def failed_starting(reference: str, reason: str) -> EngineError:
    """Make the error of a container that cannot start: code, text and first detail are the service's."""
    details = (("imageName", reference), ("Info", reason))
    return EngineError(Problem("FailedStartingContainer", "unable to start docker container", details))
