"""``scenario plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from scenarios.cli.options import backend_options, backend_values, json_option, set_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from backends.base import Backend
    from scenarios.record import RunRecord
    from scenarios.scenario import Resolved


@click.command()
@click.argument("name")
@backend_options
@set_option
@json_option
@click.pass_obj
def plan(
    shared: dict[str, Any],
    name: str,
    *,
    backend: str,
    engine: str | None,
    gpus: str | None,
    options: tuple[str, ...],
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show the requests that running NAME would send. Nothing is created, nothing is sent."""
    from backends.planning import planned_requests
    from scenarios.cli.console import Console
    from scenarios.discovery import find
    from scenarios.launch import Target, new_record
    from scenarios.parameters import parse_settings
    from scenarios.text import size

    console = Console(as_json=as_json)
    resolved = find(name).resolve(parse_settings(settings))
    target = Target(backend, shared["home"], backend_values(engine, gpus, options), shared["environment"])
    record = new_record(resolved, target, keep=False)
    requests = planned_requests(backend, target.options, _calls(resolved, record))
    uploads = [
        {
            "share": item.share,
            "path": item.path,
            "from": str(item.file) if item.file else f"dataset:{item.dataset}",
            "size": item.file.stat().st_size if item.file else None,
        }
        for item in resolved.uploads
    ]
    if as_json:
        console.json(
            {
                "scenario": resolved.name,
                "backend": backend,
                "parameters": dict(resolved.parameters),
                "uploads": uploads,
                "requests": [
                    {"method": it.method, "url": it.url, "headers": dict(it.headers), "body": it.body}
                    for it in requests
                ],
            }
        )
        return
    console.line(f"{resolved.name} on {backend}", "bold")
    for upload in uploads:
        known = f" ({size(float(str(upload['size'])))})" if upload["size"] is not None else ""
        console.line(f"  upload {upload['from']}{known} -> {upload['share']}/{upload['path']}")
    _print_requests(console, requests)


def _print_requests(console: Any, requests: Any) -> None:  # noqa: ANN401 - imported late
    import json

    for request in requests:
        console.line()
        console.line(f"{request.method} {request.url}", "cyan")
        for name, value in request.headers.items():
            console.line(f"  {name}: {value}", "dim")
        if request.body is not None:
            for line in json.dumps(request.body, indent=2).splitlines():
                console.line(f"  {line}")
    if not requests:
        console.line("  this backend sends no requests", "dim")


def _calls(resolved: Resolved, record: RunRecord) -> Callable[[Backend], None]:
    """Give the calls of a run in their order, without the files' contents and the waiting."""
    from backends.base import ClusterSpec, JobSpec
    from scenarios.bodies import own_shares, with_user_account

    place = record.place.place

    def calls(backend: Backend) -> None:
        backend.ensure_place(place)
        for share in dict.fromkeys(
            [item.share for item in resolved.uploads] + own_shares(resolved.cluster, *resolved.jobs.values())
        ):
            backend.ensure_share(share)
        cluster = with_user_account(resolved.cluster)
        backend.create_cluster(ClusterSpec(place, record.cluster.name, cluster))
        for name, body in resolved.jobs.items():
            backend.submit(JobSpec(place, name, record.cluster.name, body))

    return calls
