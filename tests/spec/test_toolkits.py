"""Every described property of every toolkit, in each API version: none is refused, none forgotten."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.spec.properties import KEPT, MODELS, described
from tests.spec.world import Specified

if TYPE_CHECKING:
    from tests.front.conftest import Front

BY_SCRIPT = {
    "pythonScriptFilePath": "train.py",
    "pythonInterpreterPath": "/usr/bin/python3",
    "communicationBackend": "gloo",
    "languageType": "Python",
}
BY_CONFIGURATION = {"configFilePath": "$AZ_BATCHAI_MOUNT_ROOT/afs/model.cfg", "languageType": "BrainScript"}


def settings_of(version: str) -> dict[str, list[str]]:
    """Give what is described of each toolkit's settings, in a folder of descriptions or as recorded."""
    folder = os.environ.get("SCENARIO_SPEC", "")
    lines = described(Path(folder)) if folder else KEPT.read_text().splitlines()
    found: dict[str, list[str]] = {}
    for line in lines:
        of, kind, path = line.split()
        names = path.split(".")
        if (of, kind, len(names)) == (version, "Job", 3) and names[1].endswith("Settings"):
            found.setdefault(names[1], []).append(names[2])
    return {name: names for name, names in found.items() if name != "containerSettings"}


def value(name: str) -> Any:
    """Give a property a value of its type."""
    return 1 if name.endswith("Count") else f"--its {name}"


@pytest.mark.parametrize("version", MODELS)
def test_no_described_property_of_a_toolkit_is_refused_or_forgotten(front: Front, version: str) -> None:
    specified = Specified(front, version)
    bodies = specified.bodies()
    specified.create({kind: body for kind, body in bodies.items() if kind != "jobs"})
    toolkits = settings_of(version)
    assert len(toolkits) == {"2017-09-01-preview": 6, "2018-03-01": 7, "2018-05-01": 9}[version]
    number = 0
    for toolkit, names in toolkits.items():
        ways = [BY_SCRIPT, BY_CONFIGURATION] if "configFilePath" in names else [BY_SCRIPT]
        sent: set[str] = set()
        for way in ways:
            other = (BY_SCRIPT.keys() | BY_CONFIGURATION.keys()) - way.keys()
            settings = {name: way.get(name, value(name)) for name in names if name not in other}
            body = copy.deepcopy(bodies["jobs"])
            del body["properties"]["customToolkitSettings"]
            body["properties"][toolkit] = settings
            number += 1
            path = f"{specified.path('jobs')}{number}"
            assert specified.ask("PUT", path, body).status in (200, 202), toolkit
            answer = specified.ask("GET", path).body
            assert answer is not None
            assert answer["properties"][toolkit].items() >= settings.items(), toolkit
            sent |= settings.keys()
        assert sent == set(names), toolkit
