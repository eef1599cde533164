"""``scenario watch``: tables of clusters and jobs, whatever they are called and however many there are."""

from __future__ import annotations

import io
from datetime import datetime, timezone
from typing import Any

import pytest
from rich.console import Console

from batchai_scenario.backends.local import BoardState
from batchai_scenario.scenarios.cli.commands.watch import board_drawn
from batchai_scenario.scenarios.report.boards import cluster_rows, counted, job_rows

NOW = datetime(2018, 6, 6, 12, 1, 30, tzinfo=timezone.utc)


def job(number: int, state: str, **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "id": f"/job-{number}",
        "name": f"job-{number}",
        "cluster": "/ws/clusters/crew",
        "state": state,
        "nodeCount": 2,
        "created": "2018-06-06T12:00:00Z",
        "started": None if state == "queued" else "2018-06-06T12:00:30Z",
        "ended": "2018-06-06T12:01:00Z" if state in ("succeeded", "failed") else None,
        "exitCode": {"succeeded": 0, "failed": 3}.get(state),
        **more,
    }


CREW = {
    "id": "/ws/clusters/crew",
    "name": "crew",
    "state": "succeeded",
    "allocation": "steady",
    "nodes": [{"state": "running"}, {"state": "idle"}, {"state": "running"}],
    "errors": [{"code": "AllocationFailed"}, {"code": "AllocationFailed"}],
}


def board(*jobs: dict[str, Any], clusters: tuple[dict[str, Any], ...] = (CREW,)) -> BoardState:
    made = BoardState()
    made.take({"whole": True, "clusters": list(clusters), "jobs": list(jobs), "gone": []})
    return made


def drawn(state: BoardState, width: int = 80, height: int = 24, *, ascii_only: bool = False) -> str:
    stream = io.StringIO()
    screen = Console(file=stream, width=width, height=height, color_system=None)
    screen.print(board_drawn(state, screen, ascii_only=ascii_only))
    return stream.getvalue()


def test_what_goes_on_stands_before_what_is_over() -> None:
    jobs = [job(1, "succeeded"), job(2, "failed"), job(3, "queued"), job(4, "running")]
    assert job_rows(jobs, NOW) == [
        ["job-4", "crew", "running", "2", "1 min 0 s", ""],
        ["job-3", "crew", "queued", "2", "1 min 30 s", ""],
        ["job-2", "crew", "failed", "2", "30 s", "3"],
        ["job-1", "crew", "succeeded", "2", "30 s", "0"],
    ]
    assert counted(jobs) == "1 running, 1 queued, 1 succeeded, 1 failed"
    assert cluster_rows([CREW], jobs) == [["crew", "steady", "1 idle, 2 running", "1", "AllocationFailed"]]


def test_changes_are_taken_one_by_one() -> None:
    state = board(job(1, "running"), job(2, "queued"))
    state.take({"whole": False, "jobs": [job(1, "succeeded"), job(3, "queued")], "gone": ["/job-2"]})
    assert [(one["name"], one["state"]) for one in state.jobs] == [
        ("job-3", "queued"),
        ("job-1", "succeeded"),
    ]
    assert state.clusters == [CREW]


@pytest.mark.parametrize("width", [80, 40])
def test_a_window_is_never_overrun(width: int) -> None:
    jobs = [job(number, "queued", name=f"{'long ' * 30}{number}") for number in range(1000)]
    text = drawn(board(*jobs), width)
    lines = text.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= width
    assert "and 983 more" in text


def test_names_cannot_move_the_cursor_and_ascii_stays_ascii() -> None:
    text = drawn(board(job(1, "running", name="\033[2Jgone " + "x" * 200)), ascii_only=True)
    assert "\033" not in text
    assert text.isascii()


def test_an_empty_emulator_says_so() -> None:
    text = drawn(board(clusters=()))
    assert "no clusters yet" in text
    assert "no jobs yet" in text
