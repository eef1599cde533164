"""Entering a node of the Docker engine: commands that the engine runs in a task's container."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from batchai_scenario.emulator.engines.docker.api import explain
from batchai_scenario.emulator.engines.entering import BUSY, MARK, SHELL
from batchai_scenario.emulator.engines.labels import container_name
from batchai_scenario.emulator.errors import EngineError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batchai_scenario.emulator.engines.base import Entered, Terminal
    from batchai_scenario.emulator.engines.docker.api import Api

_KILL = (
    'for folder in /proc/[0-9]*; do [ "${folder#/proc/}" = "$$" ] || '
    '! grep -qs "$1" "$folder/environ" || kill -9 "${folder#/proc/}"; done'
)
_GONE = 137


def enter_container(
    api: Api, task_id: str, command: str, environment: Mapping[str, str], terminal: Terminal | None
) -> Entered:
    """Run a command in a task's container, as root there; the arguments are those of ``Engine.enter``."""
    from docker.errors import APIError

    mark = uuid4().hex
    values = {**environment, MARK: mark, **({"TERM": terminal.kind} if terminal else {})}
    try:
        made = api.exec_create(
            container_name(task_id),
            ["/bin/sh", "-c", SHELL, "login", command],
            stdin=True,
            tty=terminal is not None,
            environment=values,
        )
        opened = api.exec_start(made["Id"], tty=terminal is not None, socket=True)
    except APIError as error:
        raise EngineError(Problem(BUSY, f"The node cannot be entered: {explain(error)}")) from error
    entered = _Exec(api, container_name(task_id), made["Id"], opened, mark, is_terminal=terminal is not None)
    if terminal is not None:
        entered.resize(terminal)
    return entered


class _Exec:
    """An Entered of a container."""

    def __init__(
        self,
        api: Api,
        container: str,
        id_: str,
        opened: Any,  # noqa: ANN401 - docker's own
        mark: str,
        *,
        is_terminal: bool,
    ) -> None:
        from docker.utils.socket import frames_iter

        self._api, self._container, self._id, self._mark = api, container, id_, mark
        self._is_terminal = is_terminal
        self._opened = opened
        self._socket: socket.socket = getattr(opened, "_sock", opened)
        self._socket.settimeout(None)
        self._frames: Iterator[tuple[int, bytes]] = frames_iter(opened, is_terminal)  # type: ignore[no-untyped-call]
        self._ending = threading.Lock()
        self._is_over = False

    def read(self) -> tuple[int, bytes] | None:
        with suppress(OSError, ValueError):
            for stream, data in self._frames:
                if data:
                    return (1 if self._is_terminal else stream), data
        self._is_over = True
        return None

    def write(self, data: bytes) -> None:
        with suppress(OSError):
            self._socket.sendall(data)

    def close_input(self) -> None:
        if self._is_terminal:
            self.write(b"\x04")
            return
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def resize(self, terminal: Terminal) -> None:
        from docker.errors import APIError

        with suppress(APIError):  # it has ended
            self._api.exec_resize(self._id, height=terminal.rows, width=terminal.columns)

    def end(self) -> int:
        from docker.errors import DockerException

        with self._ending:
            try:
                if not self._is_over:
                    kill = ["/bin/sh", "-c", _KILL, "kill", f"{MARK}={self._mark}"]
                    self._api.exec_start(self._api.exec_create(self._container, kill)["Id"])
                code = self._api.exec_inspect(self._id).get("ExitCode")
            except (DockerException, OSError):  # its container has gone
                code = None
            finally:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
                self._opened.close()
                self._socket.close()
        return _GONE if code is None else int(code)
