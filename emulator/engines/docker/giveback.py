"""Files of a task whose supervisor was killed before it could give them to whoever runs the emulator.

A short container of the task's image does it, with the task's mounts: only there are we their owner. What it
needs is noted beside the control folder, where the job cannot write, before the task's container is made:
somebody may remove that one at any moment.
"""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.control import (
    Owner,
    give_back_command,
    is_noted,
    note,
    read_noted,
    recorded_end,
)
from batchai_scenario.emulator.engines.docker.api import CONTROL
from batchai_scenario.emulator.engines.docker.containers import run_briefly
from batchai_scenario.emulator.engines.labels import labels
from batchai_scenario.emulator.launch.plan import Mount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchai_scenario.emulator.engines.docker.api import Api, Facts
    from batchai_scenario.emulator.state.home import Home

_CONTAINER = "container"
_GIVEN_BACK = "given_back"


def note_container(control: Path, image: str, mounts: Sequence[Mount]) -> None:
    """Note what a container with a task's files is made of; ``control`` is the task's control folder."""
    pairs = [(str(mount.source), str(mount.target)) for mount in mounts]
    note(control, _CONTAINER, json.dumps({"image": image, "mounts": pairs}))


def give_back(api: Api, facts: Facts, home: Home, control: Path, owner: Owner) -> None:
    """Give a task's files to ``owner``, once, unless its supervisor did; its container must not run.

    An engine that would not is asked again by whoever comes next.
    """
    from docker.errors import DockerException

    if is_noted(control, _GIVEN_BACK) or recorded_end(control) is not None:
        return
    noted = read_noted(control, _CONTAINER)
    if not noted:
        return  # it had no container yet
    container = json.loads(noted)
    mounts = [Mount(Path(source), PurePosixPath(target)) for source, target in container["mounts"]]
    mounts.append(Mount(control, PurePosixPath(CONTROL)))
    node = control.parent.parent
    command = ["/bin/sh", "-c", give_back_command(owner, [mount.target for mount in mounts])]
    marks = labels(home, node.parent.name, node=node.name)
    try:
        code, _ = run_briefly(api, facts, container["image"], command, marks=marks, mounts=mounts)
    except DockerException:
        return
    if code == 0:
        note(control, _GIVEN_BACK)


def owner_of_files(facts: Facts) -> Owner | None:
    """Tell whom files of root's are to be given to: whoever runs this; None if they are that user's own."""
    if facts.rootless or os.geteuid() == 0:
        return None
    return Owner(os.geteuid(), os.getegid())
