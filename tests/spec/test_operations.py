"""The table of operations: up to date, and true."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.batchai.served import page
from batchai_scenario.emulator.batchai.versions.registry import delivered
from batchai_scenario.emulator.errors import ServiceError
from tests.spec.world import Specified

if TYPE_CHECKING:
    from batchai_scenario.emulator.batchai.versions.rows import Row
    from tests.front.conftest import Front

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
BATCH_AI = [
    pytest.param(name, row, id=f"{name}-{row.name}")
    for name, version in delivered().items()
    for row in version.OPERATIONS
]


def test_the_page_in_docs_is_what_the_code_says() -> None:
    assert PAGE.read_text() == page(), (
        "python -m batchai_scenario.emulator.batchai.served > docs/operations.md"
    )


def test_enough_is_served() -> None:
    for name, version in delivered().items():
        assert sum(not row.refused for row in version.OPERATIONS) >= 0.95 * len(version.OPERATIONS), name


@pytest.mark.parametrize(("version", "row"), BATCH_AI)
def test_what_the_table_says_is_so(front: Front, version: str, row: Row) -> None:
    specified = Specified(front, version)
    bodies = specified.bodies()
    specified.create(bodies)
    body = next((bodies[kind] for kind in reversed(bodies) if f"/{kind}/{{" in row.path), None)
    if row.method == "PATCH":
        manual = {"scaleSettings": {"manual": {"targetNodeCount": 0}}}
        body = {"tags": {}} if row.path.endswith("{workspaceName}") else {"properties": manual}
    if row.refused:
        with pytest.raises(ServiceError) as caught:
            specified.ask(row.method, row.path, body)
        assert caught.value.code in row.refused
        return
    assert specified.ask(row.method, row.path, body).status in (200, 202)
