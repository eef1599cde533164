"""``scenario images``: list, build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from batchai_scenario.scenarios.cli.options import json_option, option

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.group()
def images() -> None:
    """List or build container images that jobs run in where their own image is not to be had."""


@images.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the images that can be built here, and whether they are."""
    from batchai_scenario.backends import local
    from batchai_scenario.scenarios.cli.console import Console

    console = Console(as_json=as_json)
    found = local.list_images()
    if as_json:
        console.json([{"name": image.name, "tag": image.tag, "id": image.id} for image in found])
        return
    rows = [[image.name, image.tag, image.id[:19] or "not built"] for image in found]
    console.table(["image", "tag", "id"], rows, ["bold", "", "dim"])


@images.command()
@click.argument("name")
@option("--tag", default="", help="Tag to give it, instead of its usual one.")
@json_option
def build(name: str, *, tag: str, as_json: bool) -> None:
    """Build the image NAME into the Docker engine; minutes at first, a moment when nothing changed."""
    from batchai_scenario.backends import local
    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.report import events as e
    from batchai_scenario.scenarios.run.waiting import Waiting

    console = Console(as_json=as_json)
    reporter = console.reporter()
    waiting = Waiting()

    def hear(event: Mapping[str, Any]) -> None:
        kind = event.get("event")
        if kind == "progress":
            done, total = int(event.get("done", 0)), int(event.get("total", 0))
            reporter.handle(e.Progress("build", str(event.get("file", "")), done, total, ""))
        elif kind in ("message", "note") and event.get("message"):
            reporter.handle(e.Note("info", str(event["message"])))

    begin = waiting.now()
    reporter.handle(e.StepStarted("build", f"Build image {name}"))
    try:
        image = local.build_image(name, tag=tag, report=hear)
    except BaseException:
        reporter.handle(e.StepEnded("build", "", waiting.now() - begin, ok=False))
        raise
    else:
        reporter.handle(e.StepEnded("build", f"{image.tag} {image.id[:19]}", waiting.now() - begin))
    finally:
        reporter.close()
    if as_json:
        console.json({"event": "built", "name": image.name, "tag": image.tag, "id": image.id})
