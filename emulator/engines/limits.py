"""How much of this machine a job may take: the user's own table, ``limits.yaml``, or defaults.

Memory and processes, of containers, may be ``none``::

    memory: 8g         # of a container, in docker's notation; by default its node's part of nine tenths
    processes: 8192    # and threads, of a container
    cores: divided     # among the nodes of a cluster, of either engine; or all
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.errors import EngineError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from batchai_scenario.emulator.engines.base import TaskEnd

PROCESSES = 8192
"""Processes and threads of a container: many more than a training has, far fewer than a machine can bear."""

LEAST_MEMORY = 16 * 1024 * 1024
"""Bytes below which not even a job's supervisor could run."""

_SHARE = 0.9
_NAMES = ("memory", "processes", "cores")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one job on its node: ``memory`` in bytes, swap included; ``processes``; 0: none.

    ``divided``: a node has its part of the machine's cores.
    """

    memory: int
    processes: int
    divided: bool = True


def read_limits(file: Path, machine: int = 0, nodes: int = 1) -> Limits:
    """Read the user's limits; defaults for what is not there.

    Args:
        file: the table; it need not exist.
        machine: the memory of the engine's machine, in bytes; 0 if the engine does not tell it.
        nodes: how many nodes of a cluster share the machine.

    Raises:
        EngineError: ``InvalidLimits``, naming the file and the entry.
    """
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        content = {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _wrong(file, f"cannot be read: {error}") from error
    content = {} if content is None else content
    if not isinstance(content, dict) or set(content) - set(_NAMES):
        raise _wrong(file, f"must be a mapping of nothing but {', '.join(_NAMES)}")
    cores = content.get("cores", "divided")
    if cores not in ("divided", "all"):
        raise _wrong(file, f"cores: '{cores}' is neither 'divided' nor 'all'")
    divided = cores == "divided"
    memory = int(machine * _SHARE) // (nodes if divided else 1)
    return Limits(_memory(file, content, memory), _processes(file, content), divided)


def _memory(file: Path, content: Mapping[str, Any], default: int) -> int:
    from docker.errors import DockerException
    from docker.utils import parse_bytes

    value = content.get("memory", default)
    if value == "none":
        return 0
    try:
        size = -1 if isinstance(value, bool) else int(parse_bytes(value))
    except (DockerException, TypeError, ValueError, AttributeError, IndexError):
        size = -1
    if size < LEAST_MEMORY and not (size == 0 and "memory" not in content):
        raise _wrong(file, f"memory: '{value}' is no size such as 8g, of at least 16m, and not 'none'")
    return size


def _processes(file: Path, content: Mapping[str, Any]) -> int:
    value = content.get("processes", PROCESSES)
    if value == "none":
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 16:  # noqa: PLR2004 - its supervisor's
        raise _wrong(file, f"processes: '{value}' is no number of at least 16, and not 'none'")
    return value


def _wrong(file: Path, text: str) -> EngineError:
    return EngineError(Problem("InvalidLimits", f"{file}: {text}"))


def options(limits: Limits, info: Mapping[str, Any]) -> dict[str, Any]:
    """Give docker's options for limits, as far as the engine's kernel knows them (``info``: its own)."""
    found: dict[str, Any] = {}
    if limits.memory and info.get("MemoryLimit"):
        found["mem_limit"] = limits.memory
        if info.get("SwapLimit"):
            found["memswap_limit"] = limits.memory
    if limits.processes and info.get("PidsLimit", True):
        found["pids_limit"] = limits.processes
    return found


def say_killed(end: TaskEnd, inspected: Mapping[str, Any], file: Path) -> TaskEnd:
    """Say in the end of a task whose container came to its limit of memory what killed it, and a way out."""
    import dataclasses

    if not inspected["State"].get("OOMKilled") or (end.exit_code == 0 and end.problem is None):
        return end
    limit = int((inspected.get("HostConfig") or {}).get("Memory") or 0)
    size = f"its limit of {limit / 1024**2:.0f} MiB of memory" if limit else "the end of the machine's memory"
    text = f"OOMKilled: a process was killed because the job's container came to {size}."
    remedy = f" Set 'memory' in {file} to give jobs more." if limit else ""
    return dataclasses.replace(end, details=(*end.details, ("OOMKilled", text + remedy)))
