"""Users' own mount commands: refused by name, before anything is made, where they are known to be in vain."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.batchai.refusals import not_supported

if TYPE_CHECKING:
    from collections.abc import Mapping

MountRefusal = Callable[[str, str], str]
"""From an engine's name and a command line: why it can mount nothing there; empty: it may be tried."""


def check_mount_commands(
    refusal: MountRefusal, engine: str, volumes: Mapping[str, Any] | None, path: str
) -> None:
    """Demand that an engine may mount what the commands of some volumes mount.

    Args:
        refusal: says why it cannot.
        engine: the cluster's, by name.
        volumes: ``mountVolumes`` of a cluster or job.
        path: the path of that property.

    Raises:
        ServiceError: ``PropertyNotSupported``, with the path of the first command that it cannot.
    """
    for number, mount in enumerate((volumes or {}).get("unmanagedFileSystems") or ()):
        why = refusal(engine, str(mount["mountCommand"]))
        if why:
            raise not_supported(f"{path}.unmanagedFileSystems[{number}].mountCommand", why)
