"""``execution.log``: what the emulator did for a job, in the job's own ``stdouterr`` folder.

A job of several nodes has one for each, ``execution-<node>.log`` (a recorded list); what is not of one node
alone stands in all of them.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.records import LogPlace
from batchai_scenario.emulator.launch.layout import locate
from batchai_scenario.emulator.launch.plan import CommandMount, Mount
from batchai_scenario.emulator.state import beneath
from batchai_scenario.emulator.state.clock import wire_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchai_scenario.emulator.state.clock import Clock

NAME = "execution.log"

_log = logging.getLogger(__name__)


def place_for(
    folder: PurePosixPath, mounts: Sequence[Mount | CommandMount], nodes: tuple[str, ...] = ()
) -> LogPlace:
    """Find the folder (a path as the job sees it) on this machine; an empty place if it is not there.

    ``nodes``: of a job of several.
    """
    found = locate(folder, mounts)
    if found is None or isinstance(found[0], CommandMount):
        return LogPlace()
    return LogPlace(str(found[0].source), str(found[1]), nodes)


class ExecutionLog:
    """Appends lines ``<time> INFO|NOTICE|ERROR text``; a line that cannot be written never stops a job.

    The folder belongs to the job, who may have put anything into it: links are not followed below the
    mounted folder, and what is not a plain file is left alone, devices (a container may make them) included.
    ``node``: whose log alone gets the lines; empty: every one of the job's.
    """

    def __init__(self, place: LogPlace, clock: Clock, node: str = "") -> None:
        self._place = place
        nodes = place.nodes if not node else (node,) if place.nodes else ()
        self._names = [f"execution-{name}.log" for name in nodes] or [NAME]
        self._clock = clock

    def info(self, text: str) -> None:
        """Write a step."""
        self._write("INFO", text)

    def notice(self, text: str) -> None:
        """Write what a person should see."""
        self._write("NOTICE", text)

    def error(self, text: str) -> None:
        """Write what went wrong."""
        self._write("ERROR", text)

    def _write(self, level: str, text: str) -> None:
        if not self._place.root:
            return
        time = wire_time(self._clock.now())
        lines = "".join(f"{time} {level} {line}\n" for line in text.splitlines() if line.strip())
        for name in self._names:
            _append_or_warn(self._place, name, lines.encode())


def _append_or_warn(place: LogPlace, name: str, data: bytes) -> None:
    try:
        _append(place, name, data)
    except OSError as error:
        _log.warning("%s: %s", name, error.strerror)


def _append(place: LogPlace, name: str, data: bytes) -> None:
    with beneath.opened(place.root) as top:
        parts = PurePosixPath(place.folder).parts
        folder = beneath.put_folders(os.dup(top), parts, 0o777, replace=False)
        try:
            with contextlib.suppress(FileExistsError):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                os.close(os.open(name, flags, 0o666, dir_fd=folder))
            file = beneath.open_file(name, folder, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(file, data)
            finally:
                os.close(file)
        finally:
            os.close(folder)
