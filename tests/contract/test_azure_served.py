"""The backend ``azure`` keeps every rule against a served emulator, over real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends import local
from batchai_scenario.backends.local.host import ServeOptions, start_emulator
from batchai_scenario.backends.testing.bench import BenchSetting, BenchTarget, make_bench
from batchai_scenario.backends.testing.plugin import judge
from batchai_scenario.backends.testing.probes import LocalProbes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchai_scenario.backends.testing.bench import Bench
    from batchai_scenario.backends.testing.checks import Check

BACKENDS = ["azure"]


@pytest.fixture(scope="module")
def contract_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("served")
    home = folder / "emulated"
    emulator = start_emulator(home, ServeOptions(engine="process", gpus="none"))
    bench = make_bench(BenchTarget("azure", {}), BenchSetting(folder, local.environment(home)))
    bench.name = "azure (b), a served emulator"
    bench.note = "an emulator of this package, over real sockets at its own address"
    bench.probes, bench.unseen = LocalProbes(home, engine="process"), {}
    try:
        yield bench
    finally:
        bench.close()
        emulator.server.close()


def test_contract(
    contract_bench: Bench, contract_check: Check, exercise_process: None, request: pytest.FixtureRequest
) -> None:
    judge(contract_bench, contract_check, request.node)
