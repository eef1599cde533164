"""``$filter`` and ``$select``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchai_scenario.emulator.arm.odata import read_filter, read_select
from batchai_scenario.emulator.errors import ServiceError

BODY: dict[str, Any] = {
    "id": "/a/b",
    "name": "it's",
    "type": "T",
    "tags": {"team-a": "x"},
    "properties": {"priority": 5, "executionState": "queued", "creationTime": "2018-03-01T10:00:00Z"},
}


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("", True),
        ("name eq 'it''s'", True),
        ("NAME ne 'it''s'", False),
        ("properties/priority eq 5", True),
        ("properties/priority gt 4.5 and properties/priority lt 6", True),
        ("Properties/ExecutionState eq 'running' or name eq 'x' or properties/priority le 5", True),
        ("not properties/executionState eq 'queued'", False),
        ("not (name eq 'a' or name eq 'b') and name ne 'c'", True),
        ("name eq 'x' or name eq 'it''s' and properties/priority eq 0", False),
        ("properties/creationTime gt '2018-02-28T00:00:00Z'", True),
        ("properties/executionInfo/exitCode eq null", True),
        ("properties/executionInfo/exitCode ge 0", False),
        ("properties/priority gt 'a'", False),
        ("tags/team-a eq 'x'", True),
        ("name/x eq null", True),
    ],
)
def test_filters(text: str, passes: bool) -> None:
    assert read_filter(text)(BODY) is passes


@pytest.mark.parametrize(
    "text",
    [
        "name",
        "name eq",
        "name is 'a'",
        "name eq a",
        "'a' eq name",
        "name eq 'a",
        "(name eq 'a'",
        "name eq 'a')",
        "name eq 'a' and",
        "startswith(name, 'a')",
        "name gt null",
        "(" * 50 + "name eq 'a'" + ")" * 50,
    ],
)
def test_filters_that_are_not_understood_are_refused(text: str) -> None:
    with pytest.raises(ServiceError) as caught:
        read_filter(text)
    assert (caught.value.status, caught.value.target) == (400, "$filter")


@given(st.text(st.sampled_from(" ()'abeqnotrd/5.-"), max_size=60))
def test_no_filter_is_a_bug_of_ours(text: str) -> None:
    try:
        test = read_filter(text)
    except ServiceError:
        return
    assert test(BODY) in (True, False)


def test_selects() -> None:
    assert read_select("")(BODY) == BODY
    assert read_select("name,*")(BODY) == BODY
    always = {"id": "/a/b", "name": "it's", "type": "T"}
    assert read_select("Properties/Priority, tags,no/such")(BODY) == {
        **always,
        "properties": {"priority": 5},
        "tags": {"team-a": "x"},
    }
    assert read_select("properties,properties/priority")(BODY) == {**always, "properties": BODY["properties"]}
    assert read_select("properties/priority,properties")(BODY) == {**always, "properties": BODY["properties"]}
    for text in ("a,,b", "a b", "/x"):
        with pytest.raises(ServiceError):
            read_select(text)
