"""Standard input, output and error as they may be: closed, full, or read by nobody any more."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

UNWRITABLE = 3
"""Exit code where the output could not be written: the machine lacks something."""


class OutputError(OSError):
    """Standard output cannot be written to; the code that wrote need not know why."""


class Stream:
    """A standard stream that remembers why it could not be written to.

    The first failure is raised as OutputError, unless ``quiet``; whatever is written afterwards goes nowhere.
    """

    def __init__(self, stream: TextIO, *, quiet: bool = False) -> None:
        self._stream = stream
        self._quiet = quiet
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write; OutputError."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._fail(error)
            return len(text)

    def flush(self) -> None:
        """Bring what was written to its place; OutputError."""
        try:
            self._stream.flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.error = self.error or error
        with suppress(OSError, ValueError):  # what is left in buffers must not fail again at the very end
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        if not self._quiet:
            raise OutputError(str(error)) from error

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - all else is the stream's
        return getattr(self._stream, name)

    def code(self, code: int) -> int:
        """Give the exit code of a command that ended with ``code``; says on standard error what went wrong.

        Whoever read the output and left has what it wanted.
        """
        with suppress(OutputError):
            self.flush()
        if self.error is None or isinstance(self.error, BrokenPipeError):
            return code
        sys.stderr.write(f"error: standard output could not be written: {self.error.strerror}\n")
        return UNWRITABLE if code in (0, 1, 70) else code


@contextmanager
def standard_streams() -> Iterator[Stream]:
    """Take care of the standard streams for the time of a command; gives standard output."""
    _open_closed()
    before = sys.stdout, sys.stderr
    for stream in before:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(
                errors="replace"
            )  # a log's characters may not exist in the terminal's encoding
    output = Stream(before[0])
    sys.stdout, sys.stderr = cast("TextIO", output), cast("TextIO", Stream(before[1], quiet=True))
    try:
        yield output
    finally:
        sys.stdout, sys.stderr = before


def _open_closed() -> None:
    """Open /dev/null in the place of closed streams: else the next file that is opened would be one."""
    for number in (0, 1, 2):
        if not _is_open(number):
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            os.set_inheritable(number, True)  # noqa: FBT003 - its own signature
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
