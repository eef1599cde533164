"""What scenario batch-scoring counts: a digit that is lost, scored twice or wrongly does not go unseen."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.scenarios.definition.discovery import find
from batchai_scenario.scenarios.definition.expect import limits_of, read_metric
from batchai_scenario.scenarios.run.pieces import Piece
from batchai_scenario.training.installed import training_folder

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = 10000
Rows = list[tuple[int, int]]


def _job(root: Path, name: str, directory: str, files: dict[str, str]) -> Path:
    """Make the output directory of a job, as the service lays it below a share."""
    folder = root / "jobs" / name / "11111111-2222-3333-4444-555555555555" / "outputs" / directory
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file).write_text(text)
    return folder


def _written(rows: Rows) -> str:
    return "digit,read\n" + "".join(f"{digit},{label}\n" for digit, label in rows)


def _counted(root: Path, parts: list[Rows], alone: Rows) -> list[str]:
    """Give what the program says of what these processes wrote; the digits are 0 to 9 in turn."""
    data = root / "data"
    data.mkdir()
    labels = [" ".join("1" if number == digit % 10 else "0" for number in range(10)) for digit in range(10)]
    text = "".join(f"|labels {label} |features 0 255\n" for label in labels) * (DIGITS // 10)
    (data / "Test-28x28_cntk_text.txt").write_text(text)
    _job(root, "run-train", "model", {"read.csv": _written(alone)})
    written = {f"scores-{rank}.csv": _written(rows) for rank, rows in enumerate(parts)}
    _job(
        root,
        "run-score",
        "scores",
        written | {f"node-{rank}.txt": f"node {rank}" for rank in range(len(parts))},
    )
    output = _job(root, "run-check", "report", {})
    program = training_folder() / "mnist" / "scores.py"
    command = [sys.executable, str(program), str(data), str(output)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _not_met(lines: list[str]) -> set[str]:
    """Give the names of the scenario's metrics that these lines do not meet."""
    resolved = find("batch-scoring").resolve({})
    not_met = set()
    for name, metric in resolved.expect["check"].metrics.items():
        value = read_metric(metric.pattern, [Piece(line, True, True) for line in lines])
        assert isinstance(value, float), (name, value, lines)
        if not all(limit.met(value) for limit in limits_of(metric, resolved.parameters)):
            not_met.add(name)
    return not_met


RIGHT: Rows = [(digit, digit % 10) for digit in range(DIGITS)]
WRONG: Rows = [(digit, (digit + 1) % 10) for digit in range(DIGITS)]


@pytest.mark.parametrize(
    ("parts", "alone", "not_met"),
    [
        pytest.param([RIGHT[::2], RIGHT[1::2]], RIGHT, set(), id="each once"),
        pytest.param([RIGHT[::2], RIGHT[3::2]], RIGHT, {"scored"}, id="one lost"),
        pytest.param([RIGHT[::2], RIGHT[1::2] + RIGHT[:1]], RIGHT, {"twice"}, id="one twice"),
        pytest.param([RIGHT[::2], [*RIGHT[1::2], (DIGITS, 0)]], RIGHT, {"unknown"}, id="one too many"),
        pytest.param([RIGHT], RIGHT, {"processes", "nodes"}, id="one process"),
        pytest.param([RIGHT[:9000], RIGHT[9000:]], RIGHT, {"uneven"}, id="uneven"),
        pytest.param([WRONG[::2], WRONG[1::2]], WRONG, {"test_error"}, id="a model that learnt nothing"),
        pytest.param([RIGHT[::2], RIGHT[1::2]], WRONG, {"otherwise"}, id="another model"),
        pytest.param(
            [[(a, c) for (a, _), (_, c) in zip(RIGHT[::2], RIGHT[1::2], strict=True)], RIGHT[1::2]],
            RIGHT,
            {"test_error", "otherwise"},
            id="answers of other digits",
        ),
    ],
)
def test_a_fault_of_scoring_is_not_met(
    tmp_path: Path, parts: list[Rows], alone: Rows, not_met: set[str]
) -> None:
    assert _not_met(_counted(tmp_path, parts, alone)) == not_met
