"""How a task runs in a container of its node: what its step is told, for ``docker`` and ``podman`` alike.

The step (container.sh) calls the launcher's own command line; nothing of ours is installed on nodes. It is
told in shell, in ``.ID.launch`` beside the task's control folder, where the job cannot write. Each node looks
for the image itself, because each has images of its own.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.control import Owner, give_back_command, note, read_noted
from batchai_scenario.emulator.engines.labels import container_name, labels
from batchai_scenario.emulator.engines.limits import read_limits
from batchai_scenario.emulator.engines.substitutes import candidates_for, failed_starting
from batchai_scenario.emulator.launch.layout import NODE_TREE
from batchai_scenario.emulator.launch.plan import Mount
from batchai_scenario.schema.registries import image_host, server_host

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from batchai_scenario.emulator.engines.substitutes import PullPolicy
    from batchai_scenario.emulator.errors import EngineError
    from batchai_scenario.emulator.launch.plan import ImageRequest, NodeTask
    from batchai_scenario.emulator.state.home import Home

LAUNCH = "launch"
"""What is noted of a task that runs in a container: what its step is told."""

PULLING = "pulling"
"""What a step notes as long as it fetches an image."""

SETTLED = "settled"
"""What a step notes when nothing of the container is left."""

_TOLD, _FAILED = "told", "failed"
_NAME = re.compile(r"[A-Za-z0-9][\w.:/@-]*", re.ASCII)
_HUB = "https://index.docker.io/v1/"
_BELOW = 'set -- $(ls -nd -- "$control")'
_NO_IMAGE = "no image"
_SHOWN = 800


def ending(task: NodeTask) -> str:
    """Give what the supervisor in the container does last: it gives files to whoever has the control folder.

    By its owner as the container sees it, who is root where the launcher is rootless.
    """
    if os.geteuid() == 0:
        return ""
    return f"{_BELOW}; {give_back_command(Owner('$3', '$4'), [mount.target for mount in task.mounts])}"


def write_launch(
    folder: Path, home: Home, task: NodeTask, launcher: str, known: Mapping[str, Any], *,
    tables: Sequence[Path], pull: PullPolicy, gpus: bool,
) -> None:  # fmt: skip
    """Tell the step how to run a task's container.

    Args:
        folder: the task's control folder.
        home: whose task.
        task: it names an image.
        launcher: ``docker`` or ``podman``.
        known: what is noted of the node.
        tables: of substitutes for images.
        pull: whether nodes pull what they do not have.
        gpus: the container gets those that Slurm gave.

    Raises:
        EngineError: what is named is no image, a table is not as it should be, or credentials are for another
            registry.
    """
    image = task.image
    assert image is not None  # noqa: S101 - who calls has looked
    if not _NAME.fullmatch(image.reference):
        raise failed_starting(image.reference, "it is not the name of an image")
    _write_login(folder, image)
    words = {
        "launcher": launcher,
        "container": container_name(task.id),
        "named": image.reference,
        "pull": pull,
        "gpus": "yes" if gpus else "",
        "home": str(home.root.resolve()),
    }
    found = [each for each in candidates_for(image.reference, tables) if _is_usable(each.name)]
    wanted = [f"{each.kind} {each.reference}" for each in found]
    host = os.environ.get("DOCKER_HOST")
    options = _options(folder, home, task, known)
    supervisor = '"$control/supervisor.sh" "$control"'
    lines = [
        *(f"{name}={shlex.quote(value)}" for name, value in words.items()),
        *([f"export DOCKER_HOST={shlex.quote(host)}"] if host else []),
        'export HOME="${HOME:-/}" PATH="${PATH:-/usr/local/bin:/usr/bin:/bin}"',
        f"wanted() {{ printf '%s\\n' {shlex.join(wanted)}; }}",
        f"run_container() {{ {_run(options, supervisor)}; }}",
        _give_back(folder, task, home),
    ]
    note(folder, LAUNCH, "".join(f"{line}\n" for line in lines))


def _is_usable(name: str) -> bool:
    return " " not in name and "\n" not in name


def _options(folder: Path, home: Home, task: NodeTask, known: Mapping[str, Any]) -> list[str]:
    image = task.image
    marks = labels(home, task.cluster, node=task.node, step=task.id, control=str(folder))
    marks |= {"scenario.slurm_job": str(known.get("job"))}
    limits = read_limits(home.limits_table)
    more = [f"--shm-size={image.shm_size.replace(' ', '')}"] if image and image.shm_size else []
    if limits.memory:
        more += [f"--memory={limits.memory}", f"--memory-swap={limits.memory}"]
    if limits.processes:
        more += [f"--pids-limit={limits.processes}"]
    if task.gang is not None:
        more += [f"--add-host={member.name}:{member.address}" for member in task.gang.members]
    return [
        "--rm", "--interactive", "--pull=never", "--entrypoint=/bin/sh",
        f"--name={container_name(task.id)}",
        *(f"--label={name}={value}" for name, value in marks.items()),
        "--user=0:0", "--workdir=/", "--network=host", "--no-healthcheck", "--log-driver=none",
        *more,
        *(_mount(each.source, each.target) for each in _mounts(folder, home, task)),
    ]  # fmt: skip


def _mounts(folder: Path, home: Home, task: NodeTask) -> list[Mount]:
    """List a container's mounts; those of a job's other nodes show theirs under the master's paths, too.

    On the service these were the same: what the master's command line names, the others find.
    """
    found = [*task.mounts, Mount(folder, PurePosixPath(folder))]
    if task.gang is not None and task.gang.index:
        own = task.mounts[0].target
        master = home.nodes / task.cluster / task.gang.members[0].node / NODE_TREE
        found += [
            Mount(each.source, PurePosixPath(master, each.target.relative_to(own)))
            for each in task.mounts
            if each.target.is_relative_to(own)
        ]
    return found


def _mount(source: Path, target: PurePosixPath) -> str:
    fields = [f"source={source.resolve()}", f"target={target}"]
    quoted = ['"' + field.replace('"', '""') + '"' if re.search('[,"]', field) else field for field in fields]
    return f"--mount={','.join(['type=bind', *quoted])}"


def _give_back(folder: Path, task: NodeTask, home: Home) -> str:
    """Give the function that does the supervisor's last act in its place, in a short container."""
    last = ending(task)
    if not last:
        return "give_back() { :; }"
    marks = labels(home, task.cluster, node=task.node, control=str(folder))
    options = [
        "--rm", "--pull=never", "--user=0:0", "--network=none", "--entrypoint=/bin/sh",
        *(f"--label={name}={value}" for name, value in marks.items()),
        *(_mount(each.source, each.target) for each in _mounts(folder, home, task)),
    ]  # fmt: skip
    command = f"control={shlex.quote(str(folder))}; {last}"
    return f"give_back() {{ {_run(options, f'-c {shlex.quote(command)}')}; }}"


def _run(options: Sequence[str], command: str) -> str:
    """Write the call of a launcher, as a function's of an image and more options."""
    return f'image=$1; shift; "$launcher" run {shlex.join(options)} "$@" "$image" {command}'


def _write_login(folder: Path, image: ImageRequest) -> None:
    """Write the credentials of a registry, as the launchers read them; the step deletes them."""
    if not (image.username or image.password):
        return
    host = image_host(image.reference)
    if image.server and server_host(image.server) != host:
        text = "its name does not begin with the host of the registry of its credentials"
        raise failed_starting(image.reference, text)
    login = folder.with_name(f".{folder.name}.login")
    login.mkdir(mode=0o700)
    secret = base64.b64encode(f"{image.username}:{image.password}".encode()).decode()
    content = {"auths": {_HUB if host == "docker.io" else host: {"auth": secret}}}
    handle = os.open(login / "config.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(content, file)


def told(folder: Path) -> list[str]:
    """Give the lines that the step has for the job's log so far."""
    return read_noted(folder, _TOLD).rpartition("\n")[0].splitlines()


def why_failed(folder: Path, task: NodeTask, launcher: str, host: object) -> EngineError | None:
    """Give the error of a container that did not come up, with a way out; None: the step says nothing."""
    said = " ".join(read_noted(folder, _FAILED).split())
    image = task.image
    if not said or image is None:
        return None
    if image.password:
        said = said.replace(image.password, "***")
    said = said[:_SHOWN].rstrip(".")
    text = f"On node {host} with the launcher {launcher}: {said}. {_remedy(said, launcher)}"
    return failed_starting(image.reference, text)


def _remedy(said: str, launcher: str) -> str:
    if said.startswith(_NO_IMAGE):
        return f"Let nodes reach its registry, or bring the image there ('{launcher} load')."
    return f"'{launcher} run' must work for your user on nodes; 'scenario doctor' looks at that."
