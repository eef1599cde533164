"""How Docker is reached, what is special about this one, and what its refusals mean."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from batchai_scenario.emulator.errors import EngineError, EngineUnavailable, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docker.errors import APIError


Api: TypeAlias = Any
"""A docker.APIClient, whose published types are half written."""

CONTROL = "/mnt/batch/tasks/control"
"""Where a container sees its control folder."""

_DEFAULT_HOST = "unix:///var/run/docker.sock"
_SECONDS = 120
_KNOCK_SECONDS = 10


def connect() -> Api:
    """Connect to the engine that DOCKER_HOST names, or the one of this machine.

    Raises:
        EngineUnavailable: it is not there, or it may not be used; with the way out.
    """
    where = os.environ.get("DOCKER_HOST") or _DEFAULT_HOST
    try:
        _knock(where)
    except OSError as error:
        raise unavailable(error) from error
    import docker
    import requests
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    try:
        api: Api = docker.APIClient(version="auto", timeout=_SECONDS, **kwargs_from_env())
    except (DockerException, requests.RequestException, OSError, ValueError) as error:
        raise unavailable(error) from error
    if where.startswith("unix:"):
        from batchai_scenario.emulator.engines.docker.unixsocket import Adapter

        api.get_adapter(api.base_url).close()
        api._custom_adapter = Adapter(f"http+{where}", _SECONDS)  # noqa: SLF001 - it has no other way in
        api.mount("http+docker://", api._custom_adapter)  # noqa: SLF001 - as above
    return api


def answers() -> bool:
    """Tell whether somebody listens where the engine should."""
    try:
        _knock(os.environ.get("DOCKER_HOST") or _DEFAULT_HOST)
    except OSError:
        return False
    return True


def _knock(where: str) -> None:
    """Try the engine's socket: this says at once, and in the system's own words, why it cannot be used.

    Docker's client leaves the socket open that found nobody.
    """
    scheme, _, path = where.partition("://")
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.settimeout(_KNOCK_SECONDS)
            knocking.connect(path)


def unavailable(error: BaseException) -> EngineUnavailable:
    """Say why Docker cannot be used, and what to do about it."""
    text = " ".join(str(error).split())
    where = os.environ.get("DOCKER_HOST") or _DEFAULT_HOST
    if "Permission denied" in text or "PermissionError" in text:
        return EngineUnavailable(
            Problem("InternalError", f"Docker at {where} may not be used by this user: permission denied."),
            "Add the user to the group docker ('sudo usermod -aG docker $USER', then log in again), or use "
            "the process engine: '--engine process'.",
        )
    return EngineUnavailable(
        Problem("InternalError", f"No Docker engine answers at {where}: {text}"),
        "Install Docker and start it ('sudo systemctl start docker'), or use the process engine: "
        "'--engine process'.",
        silent=True,
    )


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of docker's client into ours, around a method of the engine.

    Raises:
        EngineUnavailable: the engine stopped answering.
        EngineError: it refused; in its own words.
    """
    import requests
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        message = f"The Docker engine refused: {error.explanation or error}"
        raise EngineError(Problem("InternalError", message)) from error
    except (DockerException, requests.RequestException) as error:
        raise unavailable(error) from error


@dataclass(frozen=True, slots=True)
class Facts:
    """What has to be known of an engine.

    ``rootless``: its root is the caller, so files need no giving back. ``remapped``: a container's root is
    somebody else outside.
    """

    version: str
    rootless: bool
    remapped: bool
    selinux: bool
    info: Mapping[str, Any]


def read_facts(info: Mapping[str, Any]) -> Facts:
    """Read an engine's description."""
    options = " ".join(info.get("SecurityOptions") or ())
    return Facts(
        version=str(info.get("ServerVersion", "")),
        rootless="name=rootless" in options,
        remapped="name=userns" in options,
        selinux="name=selinux" in options,
        info=info,
    )


def network_name(cluster: str) -> str:
    """Give the name of a cluster's network."""
    return f"scenario-{cluster}"


def explain(error: APIError) -> str:
    """Say what a refusal of the engine means where its own words do not."""
    text = str(error.explanation or error).strip()
    if "bind source path does not exist" in text:
        return (
            f"{text}. The Docker engine sees another file system than this machine's; use '--engine process'."
        )
    return text
