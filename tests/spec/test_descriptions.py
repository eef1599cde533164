"""Our answers against the published descriptions, where somebody has them: ``SCENARIO_SPEC=FOLDER``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from batchai_scenario.emulator.batchai.unsupported import REFUSED_IN_CLUSTER, REFUSED_IN_JOB
from batchai_scenario.training.toolkits.registry import SETTINGS
from tests.spec.check import check, compare, undescribed, unlisted
from tests.spec.differences import DIFFERENCES, REFUSED, page
from tests.spec.properties import KEPT, described, known

PAGE = Path(__file__).parents[2] / "docs" / "differences.md"


@pytest.fixture
def folder() -> Path:
    found = os.environ.get("SCENARIO_SPEC", "")
    if not found:
        pytest.skip("NOT CHECKED against the published descriptions: set SCENARIO_SPEC to a folder with them")
    if not (Path(found) / "batchai").is_dir():
        pytest.fail(f"SCENARIO_SPEC is {found}, and there is no folder batchai in it")
    return Path(found)


def test_every_described_operation_is_in_the_table(folder: Path) -> None:
    assert undescribed(folder) == []


def test_answers_differ_only_where_they_are_meant_to(folder: Path, tmp_path: Path) -> None:
    left, stale = unlisted(check(folder, tmp_path))
    assert left == [], "differences that docs/differences.md does not list"
    assert stale == [], "listed differences that are gone"


def test_the_page_in_docs_is_what_the_list_says() -> None:
    assert PAGE.read_text() == page(), "python -m tests.spec.differences > docs/differences.md"


def test_every_difference_has_a_reason_of_its_own() -> None:
    assert len({known.title for known in DIFFERENCES}) == len(DIFFERENCES)
    assert all(known.reason.endswith((".", ".)")) for known in DIFFERENCES)


def test_the_kept_names_of_properties_are_those_of_the_descriptions(folder: Path) -> None:
    assert KEPT.read_text().splitlines() == described(folder), "python -m tests.spec.properties FOLDER"


def test_every_described_property_is_read_or_listed_as_refused() -> None:
    lines = [line.split() for line in KEPT.read_text().splitlines()]
    assert len(lines) > 400
    unknown = [line for line in lines if line[2] not in known(line[0], line[1])]
    assert unknown == [], "these are refused as unknown"
    assert not any(name in path for path in REFUSED_IN_JOB for name in SETTINGS), "no toolkit's is refused"
    refused = {path.rpartition(".")[2] for path in (*REFUSED_IN_CLUSTER, *REFUSED_IN_JOB)}
    assert refused == set(REFUSED), "docs/differences.md has the reasons"
    for path in REFUSED_IN_CLUSTER | REFUSED_IN_JOB:
        named = [line for line in lines if line[2] == f"properties.{path}"]
        assert named or ".credentialsInfo." in path, f"no version has {path}"


def test_the_comparison_sees_differences() -> None:
    theirs = {"a": 1, "gone": 1, "list": [{"name": "x", "v": 1}, {"name": "y"}], "none": None}
    ours = {"a": 2, "list": [{"name": "z"}, {"name": "x", "v": 2}], "new": 1}
    assert list(compare(theirs, ours)) == [
        ("a", "is '1' in the example, ours is '2'"),
        ("gone", "is in the example only"),
        ("list[].v", "is '1' in the example, ours is '2'"),
        ("list[]", "'y' is in the example only"),
        ("new", "is not in the example"),
    ]
