"""Every property that clusters, file servers and jobs may carry is done, or is listed with a reason."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.cluster.servers import ServerDisks
from batchai_scenario.schema.secrets import is_secret
from tests.spec.differences import KEPT_ONLY, REFUSED
from tests.spec.properties import MODELS
from tests.spec.whole import (
    ELSEWHERE,
    bodies,
    effect,
    found_in,
    kept_only,
    listed,
    put_in,
    refused_of,
    value_of,
)
from tests.spec.world import Specified

if TYPE_CHECKING:
    from tests.front.conftest import Front

HERE = Path(__file__).parent
ALL = [(version, kind) for version, kinds in MODELS.items() for kind in kinds]
RESOURCES = {"Cluster": "clusters", "FileServer": "fileServers", "Job": "jobs"}
UNTOLD = {("Job", "location"), ("Job", "tags")}
"""Besides secrets: flat versions did not show them of jobs (recorded)."""

VAULT = {"sourceVault": {"id": "/vault"}, "secretUrl": "https://vault/secret"}


@pytest.fixture
def world(front: Front, version: str) -> Specified:
    """A version's resources, with a file server to mount."""
    specified = Specified(front, version)
    specified.create(specified.bodies())
    ServerDisks(front.home).find(specified.path("fileServers"), "").joinpath("sets", "one").mkdir(
        parents=True
    )
    return specified


@pytest.mark.parametrize(("version", "kind"), ALL)
def test_every_property_is_carried_and_given_back_or_refused_by_name(
    world: Specified, version: str, kind: str
) -> None:
    carried: set[str] = set()
    for number, (paths, body) in enumerate(bodies(version, kind, world)):
        path = world.path(RESOURCES[kind]).rpartition("/")[0] + f"/whole{number}"
        assert world.ask("PUT", path, body).status == 202
        shown = world.ask("GET", path).body
        hidden = {one for one in paths if is_secret(one.replace("[*]", "[0]")) or (kind, one) in UNTOLD}
        for one in paths:
            spelt = one if version == "2018-05-01" else one.replace("SshPublicKey", "SSHPublicKey")
            assert found_in(shown, spelt) == (None if one in hidden else found_in(body, one)), one
        carried |= set(paths)
        for one in {refused_of(one) for one in listed(version, kind)} - {""}:
            _is_refused(world, path, body, one)
    assert carried == {one for one in listed(version, kind) if not refused_of(one)}


def _is_refused(world: Specified, path: str, body: dict[str, Any], one: str) -> None:
    wrong = copy.deepcopy(body)
    put_in(wrong, one, VAULT)
    error = world.front.refused("PUT", f"{path}-refused", wrong, version=world.version)
    assert (error.status, error.code) == (400, "PropertyNotSupported")
    assert error.target == one.replace("[*]", "[0]")
    assert world.front.refused("GET", f"{path}-refused", version=world.version).status == 404


@pytest.mark.parametrize(("version", "kind"), [one for one in ALL if one[1] != "FileServer"])
def test_every_property_that_is_carried_changes_what_is_run_or_is_listed(
    world: Specified, version: str, kind: str
) -> None:
    for paths, body in bodies(version, kind, world):
        before = effect(version, kind, body)
        for one in paths:
            other = copy.deepcopy(body)
            put_in(other, one, value_of(one, 1) if one != "properties.cluster.id" else found_in(body, one))
            changed = effect(version, kind, other) != before
            assert changed != (kept_only(one, kind) or one in ELSEWHERE), f"{one}: {changed}"


def test_what_is_done_elsewhere_is_shown_by_a_test_that_there_is() -> None:
    for name in ELSEWHERE.values():
        module, _, test = name.rpartition(".")
        file = HERE.parent / f"{module.replace('.', '/')}.py"
        assert f"\ndef {test}(" in file.read_text(), name


def test_nothing_is_listed_that_no_version_has() -> None:
    paths = {f".{kind}.{one}" for version, kind in ALL for one in listed(version, kind)}
    for _, ends, reason in KEPT_ONLY:
        assert reason.endswith(".")
        assert all(any(path.endswith(f".{end}") for path in paths) for end in ends), ends
    assert {refused_of(path).rpartition(".")[2] for path in paths} == {"", *REFUSED}
