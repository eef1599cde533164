"""``pytest --pyargs batchai_scenario.backends.testing --backend NAME[:option=value,...]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.backends.testing.plugin import judge

if TYPE_CHECKING:
    import pytest

    from batchai_scenario.backends.testing.bench import Bench
    from batchai_scenario.backends.testing.checks import Check


def test_contract(contract_bench: Bench | str, contract_check: Check, request: pytest.FixtureRequest) -> None:
    """Hold one backend to one rule."""
    judge(contract_bench, contract_check, request.node)
