"""Reports of several runs in one page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends.errors import UserError
from batchai_scenario.backends.testing import merge
from batchai_scenario.backends.testing.report import write
from batchai_scenario.backends.testing.rules import RULES

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["pytester"]

PASSES = {"check": "b1_2_x", "rule": "B1.2", "result": "passed", "detail": "", "seconds": 1.0}


def report(folder: Path, *names: str) -> Path:
    """Write a report of backends that keep B1.2; gives its JSON file."""
    return write(folder, [{"name": name, "outcomes": [PASSES]} for name in names]).with_suffix(".json")


def test_reports_are_merged_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = report(tmp_path / "one", "mine"), report(tmp_path / "other", "theirs", "another")
    assert merge.main([str(tmp_path / "both"), str(one), str(other)]) == 0
    assert "both/conformance.html" in capsys.readouterr().out
    data = json.loads((tmp_path / "both" / "conformance.json").read_text())
    assert [backend["name"] for backend in data["backends"]] == ["another", "mine", "theirs"]
    for backend in data["backends"]:
        assert set(backend["results"]) == set(RULES)
        assert backend["counts"] == {"passed": 1, "not run": len(RULES) - 1}
        source = one if backend["name"] == "mine" else other
        assert json.loads(source.read_text())["date"] in backend["checked"]
    again = merge.read_report(tmp_path / "both" / "conformance.json")
    assert [backend["checked"] for backend in again] == [it["checked"] for it in data["backends"]]


def test_a_name_that_stands_in_two_reports_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = report(tmp_path / "one", "mine"), report(tmp_path / "other", "mine")
    assert merge.main([str(tmp_path / "both"), str(one), str(other)]) == 2
    assert "'mine' stands in another report too" in capsys.readouterr().err
    assert not (tmp_path / "both").exists()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"date": "", "versions": {}, "backends": []}', '{"versions": {}, "backends": [1]}'],
)
def test_what_is_no_report_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "conformance.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"conformance\.json.*(is no conformance report|cannot be read)"):
        merge.read_report(path)


def test_a_result_that_is_none_is_refused(tmp_path: Path) -> None:
    path = report(tmp_path, "mine")
    path.write_text(path.read_text().replace('"passed"', '"fine"'))
    with pytest.raises(UserError, match=r"it has results \['fine'\]"):
        merge.read_report(path)


def test_a_report_of_another_process_is_included_also_by_a_worker_of_xdist(
    pytester: pytest.Pytester,
) -> None:
    path = report(pytester.path / "child", "azure")
    pytester.makepyfile(
        f"""
        from pathlib import Path

        from batchai_scenario.backends.testing.merge import include
        from batchai_scenario.backends.testing.plugin import judge

        BACKENDS = ["memory"]

        def test_contract(contract_bench, contract_check, request):
            if contract_check.rule.number == "B1.2":
                judge(contract_bench, contract_check, request.node)

        def test_child(request):
            include(request.node, Path({str(path)!r}), name="azure (c)", note="a process of its own")
        """
    )
    arguments = ("-p", "batchai_scenario.backends.testing.plugin", "-p", "no:cacheprovider", "-n", "1")
    done = pytester.runpytest_subprocess(*arguments, "--conformance-report", "report")
    assert done.ret == 0
    data = json.loads((pytester.path / "report" / "conformance.json").read_text())
    child, memory = data["backends"]
    assert (child["name"], child["note"], memory["name"]) == ("azure (c)", "a process of its own", "memory")
    assert child["results"]["B1.2"]["result"] == memory["results"]["B1.2"]["result"] == "passed"
    page = (pytester.path / "report" / "conformance.html").read_text()
    assert "azure (c)" in page
