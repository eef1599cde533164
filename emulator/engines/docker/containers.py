"""The container of a task: how it is made, and how it is ended."""

from __future__ import annotations

import re
import signal
import time
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.engines.docker.api import CONTROL, Facts, answers, network_name, unavailable
from batchai_scenario.emulator.engines.docker.volumes import volume_mounts
from batchai_scenario.emulator.engines.labels import container_name, labels
from batchai_scenario.emulator.engines.limits import options
from batchai_scenario.emulator.launch.layout import host_name
from batchai_scenario.emulator.launch.plan import Mount, NodeTask

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from docker.errors import APIError

    from batchai_scenario.emulator.engines.docker.api import Api
    from batchai_scenario.emulator.engines.limits import Limits
    from batchai_scenario.emulator.state.home import Home

_FRACTION = re.compile(r"\.(\d+)")
_NO_SHELL = (126, 127)  # what the container's init process ends with if there is nothing to start
_YEAR_ONE = "0001-01-01"
_ENGINE_GONE_SECONDS = 60.0
_RETRY_SECONDS = 0.2


def create_container(
    api: Api,
    home: Home,
    facts: Facts,
    task: NodeTask,
    *,
    image: str,
    control: Path,
    address: str,
    gpus: Any,  # noqa: ANN401 - docker's own type
    limits: Limits,
    cores: str = "",
    init: bool = True,
) -> None:
    """Make a task's container. Nothing of the task's environment stands in its configuration.

    It runs as root, as containers did on the service (recipes install packages in preparation), with an
    init process that reaps what the job leaves, and the image's own entry point and health check unused.
    ``gpus``: docker's request for some; None: it has none. ``init`` False: the supervisor is the container's
    first process and reaps, for engines that have no other.
    """
    more = options(limits, facts.info)
    if cores:
        more["cpuset_cpus"] = cores
    if task.image and task.image.shm_size:
        more["shm_size"] = task.image.shm_size.replace(" ", "")
    if task.gang is not None:
        more["extra_hosts"] = {member.name: member.address for member in task.gang.members}
    host = _host_config(
        api,
        facts,
        [*task.mounts, Mount(control, PurePosixPath(CONTROL))],
        volumes=volume_mounts(task.commands, labels(home, task.cluster, node=task.node)),
        init=init,
        gpus=gpus,
        **more,
    )
    network = api.create_networking_config(
        {network_name(task.cluster): api.create_endpoint_config(ipv4_address=address)}
    )
    api.create_container(
        image,
        name=container_name(task.id),
        entrypoint=["/bin/sh", f"{CONTROL}/supervisor.sh", CONTROL],
        command=[],
        user="0:0",
        working_dir="/",
        hostname=host_name(task.node),
        labels=labels(home, task.cluster, node=task.node, task=task.id, image=named(task)),
        environment=_without_gpus(facts) if gpus is None else None,
        healthcheck={"test": ["NONE"]},
        stop_signal="SIGTERM",
        host_config=host,
        networking_config=network,
    )


def _without_gpus(facts: Facts) -> dict[str, str] | None:
    """Keep NVIDIA's runtime, where it is the engine's default, from giving all GPUs to who was given none."""
    return {"NVIDIA_VISIBLE_DEVICES": "void"} if "nvidia" in (facts.info.get("Runtimes") or {}) else None


def lacks_init(error: APIError) -> bool:
    """Tell whether a container could not start because its engine has no init process to give it."""
    return "docker-init" in str(error.explanation or error)


def _host_config(
    api: Api,
    facts: Facts,
    mounts: Sequence[Mount],
    *,
    volumes: Sequence[Any] = (),
    gpus: Any = None,  # noqa: ANN401 - docker's own type
    **more: Any,  # noqa: ANN401 - docker's own options
) -> Any:  # noqa: ANN401 - what docker's client makes of it
    from docker import types

    options: dict[str, Any] = {
        "mounts": [
            *(types.Mount(str(m.target), str(m.source.resolve()), type="bind") for m in mounts),
            *volumes,
        ],
        **more,
    }
    if facts.remapped:
        options["userns_mode"] = "host"  # else the container's root could not read what is ours
    if facts.selinux:
        options["security_opt"] = ["label=disable"]
    if gpus is not None:
        options["device_requests"] = [gpus]
    return api.create_host_config(**options)


def run_briefly(
    api: Api,
    facts: Facts,
    image: str,
    command: list[str],
    *,
    marks: Mapping[str, str],
    mounts: Sequence[Mount] = (),
    gpus: Any = None,  # noqa: ANN401 - docker's own type
) -> tuple[int, str]:
    """Run a command in a throw-away container without network; give its exit code and what it printed.

    Raises:
        docker.errors.APIError: the engine would not.
    """
    host = _host_config(api, facts, mounts, gpus=gpus, network_mode="none")
    made = api.create_container(
        image, entrypoint=command[:1], command=command[1:], user="0:0", labels=dict(marks), host_config=host
    )
    try:
        api.start(made["Id"])
        code = int(api.wait(made["Id"])["StatusCode"])
        return code, api.logs(made["Id"]).decode(errors="replace")
    finally:
        api.remove_container(made["Id"], v=True, force=True)


def state_of(api: Api, task_id: str) -> dict[str, Any] | None:
    """Give the state of a task's container; None if there is none."""
    from docker.errors import NotFound

    try:
        return dict(api.inspect_container(container_name(task_id))["State"])
    except NotFound:
        return None


def await_end(api: Api, task_id: str, seconds: float | None) -> dict[str, Any] | None:
    """Wait until a container does not run, at most so long; give its state, None if there is none.

    An engine that is being restarted is waited for, a minute.
    """
    import requests
    from docker.errors import APIError, NotFound

    deadline = None if seconds is None else time.monotonic() + seconds
    answered = time.monotonic()
    while True:
        asked = time.monotonic()
        left = None if deadline is None else max(0.05, deadline - time.monotonic())
        try:
            api.wait(container_name(task_id), timeout=left)
            return state_of(api, task_id)
        except NotFound:
            return None
        except (requests.RequestException, APIError) as error:
            if deadline is not None and time.monotonic() >= deadline:
                return state_of(api, task_id)
            if time.monotonic() - asked > _RETRY_SECONDS:
                answered = time.monotonic()  # it did wait, so the engine was there until now
            elif time.monotonic() - answered > _ENGINE_GONE_SECONDS:
                raise unavailable(error) from error
            time.sleep(_RETRY_SECONDS)
            while not answers() and time.monotonic() - answered <= _ENGINE_GONE_SECONDS:
                time.sleep(_RETRY_SECONDS)  # docker's client leaves a socket behind where it cannot connect


def ended_at(state: Mapping[str, Any]) -> datetime | None:
    """Read when a container ended, from its state; None if it did not."""
    text = str(state.get("FinishedAt") or _YEAR_ONE)
    if text.startswith(_YEAR_ONE):
        return None
    moment = datetime.fromisoformat(_FRACTION.sub(_microseconds, text.replace("Z", "+00:00")))
    moment = moment.astimezone(timezone.utc)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _microseconds(found: re.Match[str]) -> str:
    """Write a fraction of a second with the six digits that Python 3.10 insists on."""
    return f".{found[1][:6]:0<6}"


def lost_reason(state: Mapping[str, Any]) -> str:
    """Say why a container ended whose supervisor recorded nothing."""
    code = int(state.get("ExitCode") or 0)
    if state.get("OOMKilled"):
        return "The container ran out of memory and was killed."
    if code == 128 + signal.SIGKILL:
        return "The container was killed from outside."
    if code in _NO_SHELL:
        return "The image has no shell (/bin/sh), which the job's supervisor needs."
    error = state.get("Error") or ""
    return f"The container ended with exit code {code} but recorded no end. {error}".strip()


def named(task: NodeTask) -> str:
    """Give the name of a task's image for messages."""
    return task.image.reference if task.image else "(the node's own system)"
