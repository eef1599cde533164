"""``execution.log``: what the emulator did for a job, in the job's own ``stdouterr`` folder."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.records import LogPlace
from batchai_scenario.emulator.launch.layout import locate
from batchai_scenario.emulator.state import beneath
from batchai_scenario.emulator.state.clock import wire_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchai_scenario.emulator.launch.plan import Mount
    from batchai_scenario.emulator.state.clock import Clock

NAME = "execution.log"

_log = logging.getLogger(__name__)


def place_for(folder: PurePosixPath, mounts: Sequence[Mount]) -> LogPlace:
    """Find the folder (a path as the job sees it) on this machine; an empty place if it is not mounted."""
    found = locate(folder, mounts)
    return LogPlace(str(found[0].source), str(found[1])) if found else LogPlace()


class ExecutionLog:
    """Appends lines ``<time> INFO|NOTICE|ERROR text``; a line that cannot be written never stops a job.

    The folder belongs to the job, who may have put anything into it: links are not followed below the
    mounted folder, and what is not a plain file is left alone, devices (a container may make them) included.
    """

    def __init__(self, place: LogPlace, clock: Clock) -> None:
        self._place = place
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
        try:
            _append(self._place, lines.encode())
        except OSError as error:
            _log.warning("%s: %s", NAME, error.strerror)


def _append(place: LogPlace, data: bytes) -> None:
    with beneath.opened(place.root) as top:
        parts = PurePosixPath(place.folder).parts
        folder = beneath.put_folders(os.dup(top), parts, 0o777, replace=False)
        try:
            with contextlib.suppress(FileExistsError):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                os.close(os.open(NAME, flags, 0o666, dir_fd=folder))
            file = beneath.open_file(NAME, folder, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(file, data)
            finally:
                os.close(file)
        finally:
            os.close(folder)
