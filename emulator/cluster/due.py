"""What is due for clusters and jobs: done one after another, and again until it could be written."""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.loop import RETRY

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.emulator.cluster.loop import Loop

_log = logging.getLogger(__name__)


class Due:
    """Actions for things (by id), each at most once in line. On the loop's thread.

    What is asked for while something is done is done right after it. What the disk refuses stays due and is
    tried again later; one that fails for another reason is dropped, and does not hold up the others.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._line: dict[tuple[Callable[[str], None], str], None] = {}
        self._working = False

    def do(self, what: Callable[[str], None], of: str) -> None:
        """Do something about a cluster or job: before this returns, or right after what is done now."""
        self._line[what, of] = None
        if not self._working:
            self._work_off()

    def _work_off(self) -> None:
        self._working = True
        try:
            while self._line:
                what, of = next(iter(self._line))
                del self._line[what, of]
                try:
                    what(of)
                except sqlite3.OperationalError:
                    _log.exception("the state could not be written; trying again in %s", RETRY)
                    self._line[what, of] = None
                    self._loop.later(self._work_off)
                    return
                except Exception:
                    self._loop.post(self._work_off)
                    raise
        finally:
            self._working = False
