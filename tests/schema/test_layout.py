"""Where files are on shares, as recorded for each API version; and what only older versions know."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import batchai_scenario
from batchai_scenario.emulator.batchai.versions.registry import delivered
from batchai_scenario.schema.layout import Layout, job_segment, output_places, setup_suffix, standard_output
from batchai_scenario.schema.older import OlderFields, older_fields, with_older, without_older

JOB = {
    "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/files/",
    "outputDirectories": [
        {"id": "MODEL", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/files", "pathSuffix": "/Models/"},
        {"id": "NEW", "pathPrefix": "/x", "createNew": True},
        {"id": "MINE", "pathPrefix": "/x", "pathSuffix": "kept", "createNew": False},
    ],
}


@pytest.mark.parametrize(
    ("layout", "segment", "setup"),
    [
        (
            Layout.WORKSPACES,
            "S/rg/workspaces/w/experiments/e/jobs/j/g",
            "S/rg/workspaces/w/clusters/c/g",
        ),
        (Layout.FLAT, "S/rg/jobs/j/g", "S/rg/clusters/c/g"),
        (Layout.FIRST, "S/rg/jobs/j/g", "S/rg/clusters/c"),
    ],
)
def test_folders_of_jobs_and_of_setup_tasks(layout: Layout, segment: str, setup: str) -> None:
    where = {"subscription": "S", "group": "RG", "workspace": "w", "guid": "g"}
    assert job_segment(layout, **where, experiment="e", job="j") == segment
    assert setup_suffix(layout, **where, cluster="c") == setup


def test_output_directories_below_their_prefix() -> None:
    assert [(place.id, place.below("s/g")) for place in output_places(JOB)] == [
        ("MODEL", "s/g/outputs/Models"),
        ("NEW", "s/g/outputs"),
        ("MINE", "kept"),
    ]
    assert standard_output(JOB).below("s/g") == "s/g/stdouterr"
    assert standard_output(JOB, Layout.FIRST).below("s/g") == "s/g"
    assert output_places(JOB)[2].suffix_property == "properties.outputDirectories[2].pathSuffix"
    assert output_places({}) == []


def test_what_only_older_versions_know_stands_beside_the_rest() -> None:
    fields = OlderFields(Layout.FLAT, {"a": "b"}, 0, "exp", first_weeks=True)
    definition = with_older({"vmSize": "x"}, fields)
    assert older_fields(definition) == fields
    assert without_older(definition) == {"vmSize": "x"}
    assert older_fields({}) == OlderFields()
    assert not older_fields(with_older({}, OlderFields(tags={}))).made_so, "tags alone make no older resource"
    assert older_fields(with_older({}, OlderFields(tags={}))).tags == {}


def constants(file: Path) -> set[object]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}


def test_names_of_api_versions_stand_in_their_folders_alone_and_older_fields_in_one_file() -> None:
    package = Path(batchai_scenario.__file__).parent
    rooms = ("emulator/batchai", "emulator/cluster", "emulator/launch", "emulator/engines", "schema")
    files = [file for room in rooms for file in (package / room).rglob("*.py")]
    names = set(delivered())
    assert len(names) == 3
    assert [file for file in files if constants(file) & names and "versions" not in file.parts] == []
    spelt = [file.name for file in files if constants(file) & {"older", "flat"} and file.name != "layout.py"]
    assert spelt == ["older.py"]
