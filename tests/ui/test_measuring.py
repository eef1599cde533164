"""What jobs write of their metrics is read on the page's behalf in pieces, whatever they write."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from batchai_scenario.emulator.ui import measuring
from batchai_scenario.emulator.ui.measuring import Allowance, MeasuredFiles
from batchai_scenario.emulator.ui.page import _json

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def ask(files: MeasuredFiles, file: Path, job: str = "job") -> tuple[int, bool]:
    """Ask as a page does; gives how many points there are so far, and whether there is more to come."""
    allowed = Allowance()
    found = files.read(job, file.name, file.name, os.open(file, os.O_RDONLY), allowed)
    return sum(len(one["points"]) for one in found), allowed.more


def test_a_large_file_is_told_of_in_several_answers(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    line = b'{"loss": 1, "note": "%s"}\n' % (b"x" * 100_000)
    file.write_bytes(line * 200)  # 20 MB
    files = MeasuredFiles()
    answers: list[tuple[int, bool]] = []
    while not answers or answers[-1][1]:
        answers.append(ask(files, file))
    assert answers[-1][0] == 200
    assert 3 <= len(answers) <= 4
    assert ask(files, file) == (200, False)


def test_event_files_are_read_in_smaller_pieces(tmp_path: Path) -> None:
    file = tmp_path / "events.out.tfevents.1.vm"
    file.write_bytes(bytes(2 << 20))
    files = MeasuredFiles()
    assert [ask(files, file)[1] for _ in range(2)] == [True, False]


def test_of_very_many_points_few_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_MOST_KEPT", 250)
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(b'{"loss": 1}\n' * 100)
    files = MeasuredFiles()
    for number in range(5):
        assert ask(files, file, f"job{number}") == (100, False)
    assert len(files._files) == 2


def test_halves_of_letters_can_be_told() -> None:
    told = json.loads(bytes(_json({"name": "\ud800", "value": float("nan")}).body))
    assert told == {"name": "\ud800", "value": None}
