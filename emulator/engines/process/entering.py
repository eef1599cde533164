"""Entering a node of the process engine: commands beside a task's processes, in what they see.

A command and what it starts carry a marker of their own, and end when whoever entered goes.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from batchai_scenario.emulator.engines.entering import BUSY, MARK, SHELL
from batchai_scenario.emulator.engines.parts import held_to
from batchai_scenario.emulator.engines.proc import marked, send
from batchai_scenario.emulator.errors import EngineError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchai_scenario.emulator.engines.base import Entered, Terminal

_BLOCK = 65536


def enter_process(
    marker: str,
    command: str,
    environment: Mapping[str, str],
    terminal: Terminal | None,
    *,
    namespaces: bool,
    network: bool,
) -> Entered:
    """Run a command beside a task of the process engine.

    Args:
        marker: the task's.
        command: what the node's shell runs; empty: it is a log-in shell.
        environment: all its variables.
        terminal: None: it has pipes, as ssh gives to a command.
        namespaces: the task has namespaces of its own.
        network: its node has a network of its own.

    Raises:
        EngineError: the task is gone.
    """
    found = marked(marker)
    if not found:
        raise EngineError(Problem(BUSY, "What ran on the node has just ended; try again."))
    first = min(found, key=lambda process: (process.started, process.pid)).pid
    words = _enter(first, network=network) if namespaces else []
    with suppress(OSError):
        part = sorted(os.sched_getaffinity(first))
        words = [*(held_to(part) if part != sorted(os.sched_getaffinity(0)) else []), *words]
    if terminal is not None:
        words = [*words, "setsid", "--ctty"]
    mark = uuid4().hex
    values = {**environment, MARK: mark, **({"TERM": terminal.kind} if terminal else {})}
    return _Processes([*words, "/bin/sh", "-c", SHELL, "login", command], values, mark, terminal)


def _enter(pid: int, *, network: bool) -> list[str]:
    """Give the words that enter the namespaces which the process ``unshare`` made, as who we are."""
    spaces = ["--mount", "--uts", f"--pid=/proc/{pid}/ns/pid_for_children", *(["--net"] if network else [])]
    if os.geteuid() == 0:
        return ["nsenter", f"--target={pid}", *spaces, "--"]
    back = ["unshare", "--user", f"--map-user={os.geteuid()}", f"--map-group={os.getegid()}", "--"]
    return ["nsenter", f"--target={pid}", "--user", "--preserve-credentials", *spaces, "--", *back]


class _Processes:
    """An Entered of processes of this machine."""

    def __init__(
        self, command: Sequence[str], values: Mapping[str, str], mark: str, terminal: Terminal | None
    ) -> None:
        self._mark = mark
        self._is_terminal = terminal is not None
        if terminal is None:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(values),
                cwd="/",
                start_new_session=True,
            )
            streams = (self._process.stdin, self._process.stdout, self._process.stderr)
            self._input, *outputs = (os.dup(stream.fileno()) for stream in streams if stream is not None)
            for stream in streams:
                if stream is not None:
                    stream.close()
            self._outputs = {outputs[0]: 1, outputs[1]: 2}
            return
        self._input, inside = os.openpty()
        self._outputs = {self._input: 1}
        try:
            self.resize(terminal)
            self._process = subprocess.Popen(
                command, stdin=inside, stdout=inside, stderr=inside, env=dict(values), cwd="/"
            )
        except BaseException:
            os.close(self._input)
            raise
        finally:
            os.close(inside)

    def read(self) -> tuple[int, bytes] | None:
        while self._outputs:
            ready, _, _ = select.select(list(self._outputs), [], [])
            for descriptor in ready:
                data = b""
                with suppress(OSError):  # a terminal that nobody has open any more
                    data = os.read(descriptor, _BLOCK)
                if data:
                    return self._outputs[descriptor], data
                del self._outputs[descriptor]
                if descriptor != self._input:
                    os.close(descriptor)
        return None

    def write(self, data: bytes) -> None:
        with suppress(OSError):
            while data and self._input >= 0:
                data = data[os.write(self._input, data) :]

    def close_input(self) -> None:
        if self._is_terminal:
            self.write(b"\x04")
        elif self._input >= 0:
            os.close(self._input)
            self._input = -1

    def resize(self, terminal: Terminal) -> None:
        size = struct.pack("HHHH", terminal.rows, terminal.columns, 0, 0)
        with suppress(OSError):
            fcntl.ioctl(self._input, termios.TIOCSWINSZ, size)

    def end(self) -> int:
        if self._outputs:
            self._kill()
        code = self._process.wait()
        self._kill()
        if self._input >= 0:
            os.close(self._input)
            self._input = -1
        return code if code >= 0 else 128 - code

    def _kill(self) -> None:
        for process in marked(self._mark, MARK):
            send(process, signal.SIGKILL)
