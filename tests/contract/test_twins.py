"""Tests of the tests: each broken twin fails at the rule that it breaks, and only there."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends.base import Backend
from batchai_scenario.backends.testing.bench import BenchSetting, BenchTarget, make_bench
from batchai_scenario.backends.testing.checks import CHECKS
from batchai_scenario.backends.testing.rules import CHAPTERS, RULES
from batchai_scenario.backends.testing.runner import FAILED, run_check, run_checks
from tests.contract import twins
from tests.lacking import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchai_scenario.backends.testing.bench import Bench

BROKEN = [
    (twins.LosesTheExitCode, "B4.3"),
    (twins.RunsOneJobAtATime, "N.1"),
    (twins.TakesOneNodeOfTwo, "N.2"),
    (twins.BlamesTheMachineForWideJobs, "N.3"),
    (twins.PreparesOneNodeOfTwo, "N.4"),
    (twins.ForgetsTheSetupTask, "S.1"),
    (twins.SaysNothingOfUnusableNodes, "S.2"),
    (twins.GrowsBeyondTheMaximum, "A.1"),
    (twins.KeepsNodesThatNothingNeeds, "A.2"),
    (twins.WipesDisksWithTheirCluster, "V.1"),
    (twins.MountsNothingForAMissingServer, "V.2"),
    (twins.KeepsDeletedFileServers, "V.3"),
    (twins.GivesOneDoorToAllNodes, "L.1"),
    (twins.FailsPreemptedJobs, "P.1"),
    (twins.PreemptsAnyNode, "P.2"),
    (twins.DropsTheLastLogLine, "B5.1"),
    (twins.ReportsSuccessEarly, "B4.4"),
    (twins.ForgetsToCancel, "B6.2"),
    (twins.LeaksASecret, "B9.1"),
    (twins.ReturnsOutputsOfAnotherJob, "B5.6"),
    (twins.AcceptsABadName, "B11.2"),
    (twins.FinishesTwice, "B4.2"),
    (twins.SpoilsAnUpload, "B2.2"),
    (twins.CountsGpusInWords, "G.1"),
    (twins.TellsOfMoreGpusThanCudaSees, "G.2"),
    (twins.GivesOneGpuToAllNodes, "G.3"),
    (twins.ForgetsAServersFiles, "T.1"),
    (twins.CountsWorkersOnEachNode, "T.2"),
    (twins.StartsARankTwice, "T.3"),
    (twins.SendsARankElsewhere, "T.4"),
    (twins.StartsOneProcessMore, "T.5"),
]


@pytest.mark.parametrize(("twin", "rule"), BROKEN, ids=[twin.__name__ for twin, _ in BROKEN])
def test_a_broken_twin_fails_at_its_rule_and_only_there(
    twin: type[twins.Twin], rule: str, tmp_path: Path
) -> None:
    bench = twins.broken(make_bench(BenchTarget("memory", {}), BenchSetting(tmp_path)), twin)
    failed = {outcome.rule: outcome.detail for outcome in run_checks(bench) if outcome.result == FAILED}
    assert set(failed) == {rule}, failed


ROLES = [(twin, rule) for twin, rule in BROKEN if rule.startswith("T.")]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Set up a backend whose nodes run processes."""
    target = BenchTarget("local", {"engine": "process", "gpus": "none"})
    bench = make_bench(target, BenchSetting(tmp_path_factory.mktemp("nodes")))
    yield bench
    bench.close()


@pytest.mark.parametrize(("twin", "rule"), ROLES, ids=[twin.__name__ for twin, _ in ROLES])
def test_a_twin_that_spoils_roles_fails_at_its_rule_on_real_nodes(
    twin: type[twins.Twin], rule: str, nodes: Bench, exercise_process: None
) -> None:
    spoilt = twins.broken(replace(nodes, open=lambda _: nodes.main, _main=None), twin)
    (check,) = (check for check in CHECKS.values() if check.rule.number == rule)
    assert run_check(check, spoilt).result == FAILED


@needs_root
def test_files_of_another_user_are_found_past_the_backend(tmp_path: Path, exercise_process: None) -> None:
    target = BenchTarget("local", {"engine": "process", "gpus": "none"})
    bench = twins.broken(make_bench(target, BenchSetting(tmp_path)), twins.LeavesFilesOfAnotherUser)
    checks = [check for check in CHECKS.values() if check.rule.chapter in ("B2", "B5")]
    try:
        failed = {
            outcome.rule: outcome.detail for outcome in run_checks(bench, checks) if outcome.result == FAILED
        }
    finally:
        bench.close()
    assert set(failed) == {"B5.13"}, failed


def test_every_rule_has_a_check_and_a_chapter() -> None:
    # Since Python 3.13 the compiler takes a docstring's indentation away; cleandoc does so everywhere.
    said = set(re.findall(r"^(B\d+)\.", inspect.cleandoc(Backend.__doc__ or ""), re.MULTILINE))
    assert said == {chapter for chapter in CHAPTERS if chapter.startswith("B")} - {"B0"}
    assert {check.rule.number for check in CHECKS.values()} == set(RULES)
    assert {rule.chapter for rule in RULES.values()} == set(CHAPTERS)
    for rule in RULES.values():
        assert rule.sentence.endswith("."), rule
        assert "." not in rule.sentence[:-1].replace("0.", ""), f"{rule.number} is more than a sentence"
