"""Our own backends keep every rule: the suite as third parties run it, over each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends.testing.plugin import judge

if TYPE_CHECKING:
    from batchai_scenario.backends.testing.bench import Bench
    from batchai_scenario.backends.testing.checks import Check

pytest_plugins = ["batchai_scenario.backends.testing.plugin"]

BACKENDS = [
    "memory",
    "local:engine=process,gpus=none",
    pytest.param("local:engine=docker,gpus=none", marks=pytest.mark.docker),
    pytest.param("local:engine=slurm,gpus=none", marks=[pytest.mark.slurm, pytest.mark.endurance]),
]


def test_contract(
    contract_bench: Bench | str,
    contract_check: Check,
    exercise_process: None,
    request: pytest.FixtureRequest,
) -> None:
    judge(contract_bench, contract_check, request.node)
