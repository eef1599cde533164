"""The suite as a product: its options, its files and its report."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from batchai_scenario.backends.errors import MachineError, UserError
from batchai_scenario.backends.memory import MemoryBackend
from batchai_scenario.backends.memory import MemoryWorld as Model
from batchai_scenario.backends.testing import plugin
from batchai_scenario.backends.testing.bench import Bench, BenchSetting, BenchTarget, make_bench
from batchai_scenario.backends.testing.checks import CHECKS
from batchai_scenario.backends.testing.expected import read_expected
from batchai_scenario.backends.testing.plugin import EXPECTED_RULES, judge
from batchai_scenario.backends.testing.report import about, write
from batchai_scenario.backends.testing.rules import RULES
from batchai_scenario.backends.testing.runner import run_check, run_checks
from batchai_scenario.backends.testing.vocabulary import PROGRAMS
from tests.contract import twins

if TYPE_CHECKING:
    from pathlib import Path

    from batchai_scenario.backends.base import Capabilities

pytest_plugins = ["pytester"]  # its runs are processes of their own: they import what other tests have

OPTIONS = (
    "-p",
    "batchai_scenario.backends.testing.plugin",
    "-p",
    "no:cacheprovider",
    "--pyargs",
    "batchai_scenario.backends.testing",
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("B99.1: no such thing", "expected.txt:2: there is no rule 'B99.1'"),
        ("B5.14:", "the rule B5.14 has no reason (write 'B5.14: why')"),
        ("B5.14: once\nB5.14: twice", "the rule B5.14 stands there twice"),
        ("nonsense", "there is no rule 'nonsense'"),
    ],
)
def test_a_wrong_line_among_expected_failures_is_named(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "expected.txt"
    path.write_text(f"# known\n{text}\n")
    with pytest.raises(UserError) as refused:
        read_expected(path)
    assert said in str(refused.value)


def test_a_file_of_expected_failures_that_is_not_there_stops_the_session(pytester: pytest.Pytester) -> None:
    done = pytester.runpytest_subprocess(
        *OPTIONS, "--backend", "memory", "--expected-failures", "nowhere.txt"
    )
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*--expected-failures: *cannot be read*nowhere.txt*"])


def test_expected_failures_are_strict(pytester: pytest.Pytester) -> None:
    path = pytester.path / "expected.txt"
    path.write_text("B1.2: the model's groups are never new\n")
    done = pytester.runpytest_subprocess(
        *OPTIONS, "--backend", "memory", "--expected-failures", str(path), "--conformance-report", "report"
    )
    outcomes = done.parseoutcomes()
    assert outcomes["failed"] == 1
    done.stdout.fnmatch_lines(["*stands among the expected failures: the model's groups are never new*"])
    (memory,) = json.loads((pytester.path / "report" / "conformance.json").read_text())["backends"]
    assert memory["results"]["B1.2"]["result"] == "failed"
    assert memory["counts"]["passed"] == outcomes["passed"]


def test_an_expected_failure_is_told_with_its_reason(tmp_path: Path) -> None:
    bench = twins.broken(make_bench(BenchTarget("memory", {}), BenchSetting(tmp_path)), twins.FinishesTwice)
    config = SimpleNamespace(stash={EXPECTED_RULES: {"B4.2": "its clock runs on"}})
    node = SimpleNamespace(config=config, user_properties=[])
    with pytest.raises(pytest.xfail.Exception, match=r"its clock runs on \(what is said of the end"):
        judge(bench, CHECKS["b4_2_ends_once"], cast("pytest.Item", node))
    ((_, noted),) = node.user_properties
    assert noted["outcome"]["result"] == "expected failure"
    assert noted["backend"]["name"] == "memory"


def test_the_plugin_wraps_hooks_as_the_oldest_pytest_can() -> None:
    for name, hook in vars(plugin).items():
        if name.startswith("pytest_"):
            marks = getattr(hook, "pytest_impl", {})
            assert not marks.get("wrapper"), f"{name}: pluggy before 1.2 knows 'hookwrapper' alone"
    assert plugin.pytest_load_initial_conftests.pytest_impl["hookwrapper"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["local:engine", ":engine=process", "local:=docker"])
def test_a_target_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--backend"):
        BenchTarget.parse(text)


def test_an_unknown_backend_is_named_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no backend 'nope'; known are .*local, memory"):
        make_bench(BenchTarget.parse("nope"), BenchSetting(tmp_path))


def test_a_backend_whose_entry_point_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[scenario.backends]\nbroken = a_module_that_is_not_there:opens\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MachineError, match="a_module_that_is_not_there"):
        make_bench(BenchTarget.parse("broken"), BenchSetting(tmp_path))
    assert make_bench(BenchTarget.parse("memory"), BenchSetting(tmp_path)).main.name == "memory"


NEEDED = {"B2.7": "folder", "B5.13": "folder", "B8.2": "process", "B9.2": "traces"}
"""What rules need beside the interface."""


@pytest.mark.parametrize("rule", NEEDED)
def test_a_look_that_is_neither_offered_nor_declared_absent_fails_its_rule(rule: str, tmp_path: Path) -> None:
    """Nothing is skipped in silence: a bench says what it does not offer, or breaks the rule."""
    model = Model()
    silent = Bench("silent", tmp_path, lambda _: RealModel(PROGRAMS, model), pause=lambda _: None)
    (check,) = [it for it in CHECKS.values() if it.rule.number == rule]
    outcome = run_check(check, silent)
    assert outcome.result == "failed"
    assert "skipped without a declaration" in outcome.detail
    silent.unseen = {NEEDED[rule]: "it is far away"}
    outcome = run_check(check, silent)
    assert (outcome.result, outcome.detail.rpartition(": ")[2]) == ("skipped", "it is far away")


class RealModel(MemoryBackend):
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities(), real_time=True)


class Linked(MemoryBackend):
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities(), urls=True)


def test_a_url_that_is_missing_though_declared_breaks_its_rule(tmp_path: Path) -> None:
    model = Model()
    bench = Bench("linked", tmp_path, lambda _: Linked(PROGRAMS, model), pause=lambda _: None)
    outcome = run_check(CHECKS["b5_14_a_url_is_read_without_credentials"], bench)
    assert (outcome.result, outcome.detail) == (
        "failed",
        "the file has no URL, and capabilities().urls is not False",
    )


@pytest.mark.parametrize("unseen", [{"folders": "misspelt"}, {"folder": " "}])
def test_a_declaration_without_a_look_or_a_reason_is_refused(unseen: dict[str, str], tmp_path: Path) -> None:
    bench = Bench("wrong", tmp_path, lambda _: MemoryBackend(), unseen=unseen)
    with pytest.raises(UserError, match="looks are folder, traces, process"):
        run_check(CHECKS["b1_2_says_whether_the_group_is_new"], bench)


def test_all_that_is_skipped_was_declared_and_stands_in_the_report(tmp_path: Path) -> None:
    bench = make_bench(BenchTarget("memory", {}), BenchSetting(tmp_path / "bench"))
    outcomes = [it.as_data() for it in run_checks(bench)]
    page = write(tmp_path, [{**about(bench), "outcomes": outcomes}]).read_text()
    skipped = [it for it in outcomes if it["result"] == "skipped"]
    assert skipped
    assert all(it["detail"].startswith("declared absent: ") for it in skipped)
    assert "a look at the share as a folder: the model&#x27;s shares are no folders" in page
    assert "real programs: capabilities().real_time is False" in page
    assert bench.note in page


def test_the_report_lists_every_rule_and_escapes_what_it_shows(tmp_path: Path) -> None:
    outcome = {
        "check": "b1_2_x",
        "rule": "B1.2",
        "result": "failed",
        "detail": "found <b>, wanted &",
        "seconds": 1.0,
    }
    backend = {"name": "mine<1>", "engine": "none", "details": {}, "probes": "", "outcomes": [outcome]}
    page = write(tmp_path, [backend]).read_text()
    for rule in RULES.values():
        assert f">{rule.number}<" in page
    assert "found &lt;b&gt;, wanted &amp;" in page
    assert "mine&lt;1&gt;" in page
    data = json.loads((tmp_path / "conformance.json").read_text())
    assert data["backends"][0]["counts"] == {"failed": 1, "not run": len(RULES) - 1}
    assert data["date"].endswith("+00:00")
    assert {"batchai-scenario", "python", "pytest"} <= set(data["versions"])
