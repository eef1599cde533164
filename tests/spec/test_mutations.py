"""Bodies with anything in the wrong place, in every API version: a clear refusal, never a bug of ours."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchai_scenario.emulator.batchai.versions.registry import delivered
from batchai_scenario.emulator.errors import ServiceError
from tests.front.conftest import CLUSTER, JOB
from tests.spec.world import Specified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.front.conftest import Front

Place = tuple["str | int", ...]

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["..", "/", "$AZ_BATCHAI_X", "\x00", "\ud800", "P1Y", {}, [], [None], [[]], {"id": None}]
    ),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    """Give the place of everything in a body."""
    if above:
        yield above
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*above, key))


def rich_bodies(specified: Specified) -> dict[str, Any]:
    """Give bodies with as much in them as is served."""
    bodies = specified.bodies()
    bodies["clusters"]["properties"] |= CLUSTER
    bodies["jobs"]["properties"] |= {
        **{name: value for name, value in JOB.items() if name != "cluster"},
        "jobPreparation": {"commandLine": "true"},
        "inputDirectories": [{"id": "IN", "path": "$AZ_BATCHAI_MOUNT_ROOT/afs/in"}],
        "outputDirectories": [{"id": "OUT", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs", "pathSuffix": "x"}],
        "environmentVariables": [{"name": "A", "value": "b"}],
        "containerSettings": {"imageSourceRegistry": {"image": "a", "credentials": {"username": "u"}}},
        "constraints": {"maxWallClockTime": "PT1H"},
    }
    del bodies["jobs"]["properties"]["containerSettings"]["imageSourceRegistry"]["credentials"]
    return bodies


@pytest.mark.parametrize("kind", ["clusters", "jobs", "fileServers"])
@pytest.mark.parametrize("version", delivered())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_anything_anywhere(front: Front, version: str, kind: str, data: st.DataObject) -> None:
    specified = Specified(front, version)
    bodies = rich_bodies(specified)
    specified.create(bodies)
    body = copy.deepcopy(bodies[kind])
    *above, last = data.draw(st.sampled_from(sorted(places(body), key=str)))
    parent = body
    for key in above:
        parent = parent[key]
    renamed = isinstance(parent, dict) and data.draw(st.booleans(), label="unknown name")
    if renamed:
        last = data.draw(st.text(max_size=8))
    parent[last] = data.draw(ODD)
    refused, status = None, 0
    try:
        status = specified.ask("PUT", f"{specified.path(kind)}x", body).status
    except ServiceError as error:
        refused = error
    if refused is None:
        assert status in (200, 202)
        assert specified.ask("GET", f"{specified.path(kind)}x").status == 200
        return
    assert refused.status in (400, 404, 409)
    assert refused.code
    assert refused.message
    assert refused.target or renamed or refused.code != "InvalidPropertyValue"
