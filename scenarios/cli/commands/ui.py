"""``scenario ui``: the page of the emulator in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from batchai_scenario.scenarios.cli.options import json_option

if TYPE_CHECKING:
    from batchai_scenario.backends.local import EmulatorStatus


@click.command()
@click.option("--print", "only_print", is_flag=True, help="Print the address and open nothing.")
@json_option
@click.pass_obj
def ui(shared: dict[str, Any], *, only_print: bool, as_json: bool) -> None:
    """Open the page of the emulator that serves the home folder; one is started if none does.

    One that is started here serves until Ctrl-C.
    """
    from batchai_scenario.backends import local
    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.record.book import RecordedRuns

    console = Console(as_json=as_json)
    opens = not (only_print or as_json)

    def show(status: EmulatorStatus) -> None:
        if as_json:
            console.json({"page": status.page, "started": not found.page})
            return
        for notice in status.notices:
            console.line(notice, "yellow")
        opened = opens and _opened(status.page)
        console.line(status.page if only_print else f"{'opened' if opened else 'open'} {status.page}")
        if not found.page:
            console.line("this emulator serves until Ctrl-C", "dim")

    found = local.status(shared["home"])
    if found.page:
        show(found)
        return
    if found.silence is not None:
        raise found.silence
    local.serve(shared["home"], local.ServeOptions(runs=RecordedRuns(shared["home"])), show)


def _opened(page: str) -> bool:
    """Open the page in the user's browser; False if there is none here."""
    import webbrowser

    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    # A browser that runs in the terminal would take it from the emulator.
    return not isinstance(browser, webbrowser.GenericBrowser) and browser.open(page)
