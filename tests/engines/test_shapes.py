"""Small pure parts of the engines."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.engines.control import lost_end
from batchai_scenario.emulator.engines.docker.api import read_facts
from batchai_scenario.emulator.engines.docker.containers import ended_at, lost_reason

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("2026-01-02T03:04:05.123456789Z", 123), ("2026-01-02T03:04:05.12Z", 120), ("2026-01-02T03:04:05Z", 0)],
)
def test_the_engines_times_are_read_to_the_millisecond(text: str, milliseconds: int) -> None:
    wanted = datetime(2026, 1, 2, 3, 4, 5, milliseconds * 1000, timezone.utc)
    assert ended_at({"FinishedAt": text}) == wanted
    assert ended_at({"FinishedAt": text.replace("Z", "+00:00")}) == wanted


def test_a_container_that_runs_has_no_end() -> None:
    assert ended_at({"FinishedAt": "0001-01-01T00:00:00Z"}) is None


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"ExitCode": 137, "OOMKilled": True}, "out of memory"),
        ({"ExitCode": 137}, "killed from outside"),
        ({"ExitCode": 127}, "no shell"),
        ({"ExitCode": 0, "Error": "why"}, "exit code 0 but recorded no end. why"),
    ],
)
def test_a_lost_end_says_why(state: dict[str, object], words: str) -> None:
    assert words in lost_reason(state)


def test_what_is_special_about_an_engine() -> None:
    options = ["name=seccomp,profile=default", "name=rootless", "name=selinux"]
    facts = read_facts({"ServerVersion": "29.1", "SecurityOptions": options})
    assert (facts.version, facts.rootless, facts.selinux, facts.remapped) == ("29.1", True, True, False)
    assert not read_facts({"SecurityOptions": None}).rootless


@pytest.mark.parametrize(("code", "told"), [(0, None), (7, 7), (137, 137), (None, None)])
def test_a_zero_that_nobody_recorded_is_no_commands(
    tmp_path: Path, code: int | None, told: int | None
) -> None:
    """An engine that died tells 0 of a container whose end it did not see."""
    (tmp_path / "phase").write_text("main\n")
    end = lost_end(tmp_path, code, "The container is lost.")
    assert (end.phase, end.exit_code) == ("main", told)
    assert end.problem is not None
