"""Entering a node: commands that run beside a task, in what it sees, and end with it; for those who log in.

A task whose id begins with ``LOGIN`` does nothing but hold an idle node's view open for them. It gives way to
any other task of its node.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.control import has_begun, recorded_end
from batchai_scenario.emulator.engines.locking import locked
from batchai_scenario.emulator.errors import EngineError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchai_scenario.emulator.engines.base import Engine
    from batchai_scenario.emulator.launch.plan import NodeTask
    from batchai_scenario.emulator.state.home import Home

LOGIN = "login-"
BUSY = "NodeBusy"
"""Code of an error that says that a node cannot be entered at this moment."""

MARK = "SCENARIO_LOGIN"
"""Variable that tells the processes of one session from those of others."""

SHELL = (
    'cd "$HOME" 2>/dev/null || cd /; shell=/bin/sh; [ ! -x /bin/bash ] || shell=/bin/bash; '
    '[ -z "$1" ] || exec "$shell" -c "$1"; exec "$shell" -l'
)
"""Becomes the shell of whoever logs in; its first argument is the command, empty for none."""

_BLOCK = 65536


def tasks_on_node(home: Home, cluster: str, node: str) -> list[str]:
    """List the tasks that run on a node, by their control folders."""
    control = home.nodes / cluster / node / "control"
    return sorted(
        folder.name for folder in control.glob("[!.]*") if has_begun(folder) and recorded_end(folder) is None
    )


@contextmanager
def beside_no_login(engine: Engine, home: Home, task: NodeTask) -> Iterator[None]:
    """Start a task in this block: nobody's log-in has the node's place by then, or takes it meanwhile.

    Raises:
        EngineError: the task is a log-in's own, and the node has another.
    """
    control = home.nodes / task.cluster / task.node / "control"
    if not control.is_dir():
        yield
        return
    with locked(control.with_name(".starting")):
        beside = [folder for folder in control.glob("[!.]*") if folder.name != task.id]
        others = [folder.name for folder in beside]
        if task.id.startswith(LOGIN) and any(recorded_end(folder) is None for folder in beside):
            raise EngineError(Problem(BUSY, f"Node {task.node} is about to run something; try again."))
        for name in others:
            if name.startswith(LOGIN):
                engine.stop(name, 0.0)
                engine.remove(name)
        yield
