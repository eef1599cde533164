"""The one place through which commands speak: tables and lines for people, JSON for programs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from batchai_scenario.scenarios.cli.streams import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TextIO

    from batchai_scenario.scenarios.report import events as e
    from batchai_scenario.scenarios.report.base import Reporter


class Console:
    """Says things, on standard output.

    Args:
        as_json: Say them as JSON.
        stream: Where to, instead of standard output.
    """

    def __init__(self, *, as_json: bool = False, stream: TextIO | None = None) -> None:
        self.as_json = as_json
        self._stream = stream or sys.stdout

    @property
    def interactive(self) -> bool:
        """Tell whether a person sits at a terminal that can do more than lines."""
        return self._stream.isatty() and os.environ.get("TERM") not in (None, "", "dumb")

    @property
    def coloured(self) -> bool:
        """Tell whether colours may be used: on a terminal, unless NO_COLOR is set."""
        return self.interactive and not os.environ.get("NO_COLOR")

    def heard(self, reporter: Reporter) -> Callable[[e.Event], None]:
        """Give what passes events on to a reporter as long as they can be written, for what only shows them.

        A reporter keeps silent where nobody reads any more, because a run goes on; this raises OutputError.
        """

        def handle(event: e.Event) -> None:
            reporter.handle(event)
            error = getattr(self._stream, "error", None)
            if error is not None:
                raise OutputError(str(error)) from error

        return handle

    def json(self, value: Any) -> None:  # noqa: ANN401 - JSON
        """Write one JSON value on one line."""
        import json

        self._stream.write(json.dumps(value, default=str) + "\n")
        self._stream.flush()

    def line(self, text: str = "", style: str = "") -> None:
        """Write a line for people; ``style`` counts on a terminal only."""
        if self.coloured and style:
            import click

            if style in ("bold", "dim"):
                text = click.style(text, bold=style == "bold" or None, dim=style == "dim" or None)
            else:
                text = click.style(text, fg=style)
        self._stream.write(text + "\n")
        self._stream.flush()

    def table(self, titles: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str] = ()) -> None:
        """Write a table: coloured and cut to the window on a terminal, else columns of text, whole."""
        if self.interactive:
            self._rich_table(titles, rows, styles)
            return
        widths = [max(len(row[i]) for row in (titles, *rows)) for i in range(len(titles))]
        for row in (titles, *rows):
            self.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def _rich_table(
        self, titles: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str]
    ) -> None:
        from rich.console import Console as Rich
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
        for index, title in enumerate(titles):
            style = styles[index] if index < len(styles) else ""
            table.add_column(title, style=style, overflow="fold", no_wrap=index == 0)
        for row in rows:
            table.add_row(*(_state_text(cell) or Text(cell) for cell in row))
        Rich(file=self._stream, highlight=False).print(table)

    def reporter(self) -> Reporter:
        """Give the reporter for runs: JSON lines, the live screen, or plain lines."""
        if self.as_json:
            from batchai_scenario.scenarios.report.json_lines import JsonLines

            return JsonLines(self._stream)
        from batchai_scenario.scenarios.report.folding import Folding, read_noise
        from batchai_scenario.training.installed import training_folder

        noise = read_noise(training_folder())
        if self.interactive:
            from batchai_scenario.scenarios.report.screen import Screen

            return Folding(Screen(ascii_only=ascii_only(os.environ, self._stream.encoding)), noise)
        from batchai_scenario.scenarios.report.plain import Plain

        return Folding(Plain(self._stream), noise)


def ascii_only(environment: Mapping[str, str], encoding: str | None) -> bool:
    """Tell whether a terminal may have no other characters than ASCII: ``LANG=C``, none, or no UTF-8."""
    given = [environment.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    locale = next((value for value in given if value), "C")
    return locale in ("C", "POSIX") or not (encoding or "").lower().startswith("utf")


def _state_text(cell: str) -> Any:  # noqa: ANN401 - rich's text, imported late
    from rich.text import Text

    styles = {
        "succeeded": "green",
        "failed": "red",
        "interrupted": "yellow",
        "running": "cyan",
        "detached": "magenta",
    }
    return Text(cell, styles[cell]) if cell in styles else None


def complain(text: str, hint: str = "", *, as_json: bool = False, exit_code: int = 1) -> None:
    """Say what went wrong: on standard error for people, as an object on standard output for programs."""
    if as_json:
        Console().json({"error": {"message": text, "hint": hint, "exitCode": exit_code}})
        return
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    sys.stderr.write(("\x1b[1;31merror:\x1b[0m " if colour else "error: ") + text + "\n")
    if hint:
        sys.stderr.write(f"hint: {hint}\n")
    sys.stderr.flush()
