"""Tables of an emulator's clusters and jobs, for ``scenario watch``."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from batchai_scenario.scenarios.report.text import clean, duration

if TYPE_CHECKING:
    from collections.abc import Sequence

CLUSTER_TITLES = ("cluster", "allocation", "nodes", "waiting", "trouble")
JOB_TITLES = ("job", "cluster", "state", "nodes", "took", "exit")
_OVER = ("succeeded", "failed")
_ORDER = ("running", "terminating", "queued")


def cluster_rows(clusters: Sequence[dict[str, Any]], jobs: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Give a row for each cluster: its nodes by state, and how many jobs wait for it."""
    waiting = Counter(job["cluster"] for job in jobs if job["state"] == "queued")
    rows = []
    for cluster in sorted(clusters, key=lambda one: str(one["name"])):
        nodes = Counter(str(node["state"]) for node in cluster["nodes"])
        text = ", ".join(f"{count} {state}" for state, count in sorted(nodes.items())) or "none"
        trouble = ", ".join(dict.fromkeys(str(error["code"]) for error in cluster["errors"]))
        state = cluster["allocation"] if cluster["state"] == "succeeded" else cluster["state"]
        count = str(waiting[str(cluster["id"]).lower()] or "")
        rows.append([clean(str(cluster["name"])), str(state), text, count, clean(trouble)])
    return rows


def job_rows(jobs: Sequence[dict[str, Any]], now: datetime) -> list[list[str]]:
    """Give a row for each job: those that are not over first, then the newest."""
    order = sorted(jobs, key=_place)
    return [
        [
            clean(str(job["name"])),
            clean(str(job["cluster"]).rpartition("/")[2]),
            str(job["state"]),
            str(job["nodeCount"]),
            _took(job, now),
            "" if job["exitCode"] is None else str(job["exitCode"]),
        ]
        for job in order
    ]


def counted(jobs: Sequence[dict[str, Any]]) -> str:
    """Count jobs by their states: ``1 running, 3 queued, 20 succeeded``."""
    found = Counter(str(job["state"]) for job in jobs)
    known = [state for state in (*_ORDER, *_OVER) if found[state]]
    return ", ".join(f"{found[state]} {state}" for state in known) or "no jobs yet"


def _place(job: dict[str, Any]) -> tuple[int, int]:
    state, number = job["state"], int(job["number"])
    if state in _OVER:
        return len(_ORDER), -number
    return _ORDER.index(state) if state in _ORDER else 0, number


def _took(job: dict[str, Any], now: datetime) -> str:
    """Say how long a job runs, ran, or has waited."""
    begin = _moment(job["started"]) or _moment(job["created"])
    end = _moment(job["ended"]) or now
    return "" if begin is None else duration(max(0.0, (end - begin).total_seconds()))


def _moment(text: str | None) -> datetime | None:
    return None if not text else datetime.fromisoformat(text.replace("Z", "+00:00"))
