"""How a task in a container ended: what its supervisor recorded, or else what the engine tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.engines.control import (
    find_control_folder,
    has_begun,
    lost_end,
    recorded_end,
)
from batchai_scenario.emulator.engines.docker.containers import ended_at, lost_reason
from batchai_scenario.emulator.engines.labels import LABEL_IMAGE, container_name
from batchai_scenario.emulator.engines.limits import say_killed
from batchai_scenario.emulator.engines.substitutes import failed_starting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchai_scenario.emulator.engines.base import TaskEnd
    from batchai_scenario.emulator.engines.docker.api import Api
    from batchai_scenario.emulator.state.home import Home


def end_of(
    api: Api, home: Home, task_id: str, state: dict[str, Any] | None, settle: Callable[[Path], None]
) -> TaskEnd:
    """Tell how a task ended.

    Args:
        api: The engine.
        home: Whose task it is.
        task_id: Its id.
        state: What the engine says of its container, which does not run; None: there is none.
        settle: Does, for a control folder, what a supervisor that recorded no end has left undone.
    """
    end = _end(api, find_control_folder(home, task_id), task_id, state, settle)
    if state is None or not state.get("OOMKilled"):
        return end
    return say_killed(end, api.inspect_container(container_name(task_id)), home.limits_table)


def _end(
    api: Api,
    folder: Path | None,
    task_id: str,
    state: dict[str, Any] | None,
    settle: Callable[[Path], None],
) -> TaskEnd:
    recorded = recorded_end(folder) if folder is not None else None
    if recorded is not None:
        return recorded
    if folder is not None:
        settle(folder)
    if state is None:
        return lost_end(folder, None, f"The engine has no container of task {task_id}.")
    if state["Status"] == "created":
        return lost_end(folder, None, f"The container of task {task_id} was never started.")
    code = int(state.get("ExitCode") or 0)
    reason, ended = lost_reason(state), ended_at(state)
    if folder is None or has_begun(folder):
        return lost_end(folder, code, reason, ended)
    image = api.inspect_container(container_name(task_id))["Config"]["Labels"].get(LABEL_IMAGE, "")
    return lost_end(folder, None, reason, ended, problem=failed_starting(image, reason).problem)
