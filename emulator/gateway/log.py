"""The emulator's own log: what nobody expected, for whoever mends it. It holds no request bodies."""

from __future__ import annotations

import logging
import logging.handlers
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_BYTES = 1_000_000


class EmulatorLog:
    """Appends to a file of at most a megabyte and one older one; the file appears with its first line."""

    def __init__(self, path: Path) -> None:
        self._handler = logging.handlers.RotatingFileHandler(path, maxBytes=_BYTES, backupCount=1, delay=True)
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        # Not one of the logging module's own: two emulators in a process have nothing to do with each other.
        self._logger = logging.Logger("emulator")  # noqa: LOG001 - see above
        self._logger.addHandler(self._handler)

    def error(self, text: str) -> None:
        """Write down an error."""
        self._logger.error("%s", text)

    def close(self) -> None:
        """Close the file."""
        self._handler.close()
