"""The contract's rules for GPUs where a made-up nvidia-smi lists some, on nodes of processes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends.testing.bench import BenchSetting, BenchTarget, make_bench
from batchai_scenario.backends.testing.checks import CHECKS
from batchai_scenario.backends.testing.runner import FAILED, PASSED, run_checks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

RULES = [check for check in CHECKS.values() if check.rule.chapter == "G"]


def judged(folder: Path, gpus: int, mode: str, rules: Iterable[str] = ()) -> dict[str, tuple[str, str]]:
    """Hold nodes of processes to the rules, on a machine with so many GPUs; gives result and detail."""
    program = folder / "bin" / "nvidia-smi"
    program.parent.mkdir(parents=True)
    lines = "".join(f"{index}, GPU-{index}, NVIDIA H100, 9.0, 550.54\n" for index in range(gpus))
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{lines}END\n")
    program.chmod(0o755)
    target = BenchTarget("local", {"engine": "process", "gpus": mode})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(program.parent), prepend=os.pathsep)
        bench = make_bench(target, BenchSetting(folder / "bench", dict(os.environ)))
        (folder / "bench").mkdir()
        try:
            checks = [check for check in RULES if not rules or check.rule.number in rules]
            return {outcome.rule: (outcome.result, outcome.detail) for outcome in run_checks(bench, checks)}
        finally:
            bench.close()


def test_nodes_have_gpus_of_their_own(tmp_path: Path, exercise_process: None) -> None:
    found = judged(tmp_path, 2, "auto")
    assert {rule: result for rule, (result, _) in found.items()} == dict.fromkeys(found, PASSED), found


def test_one_gpu_is_that_of_one_node_and_nodes_that_share_it_break_the_rule(
    tmp_path: Path, exercise_process: None
) -> None:
    assert judged(tmp_path / "own", 1, "auto", ["G.3"])["G.3"] == (PASSED, "")
    result, why = judged(tmp_path / "shared", 1, "shared", ["G.3"])["G.3"]
    assert result == FAILED
    assert "GPUs of 2 nodes, each once" in why
