"""The backend ``azure`` where it costs money, behind ``--live``; and the guard that keeps it cheap.

``pytest tests/parity/test_live.py --live`` runs it against whatever the AZURE_* variables name.
``LIVE_MAX_NODES`` (1) and ``LIVE_MAX_MINUTES`` (30) are what may be spent; ``LIVE_LEDGER`` is where it is
written down what exists.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends.azure.backend import AzureBackend
from batchai_scenario.backends.base import BackendOptions, ClusterSpec, Place
from batchai_scenario.backends.errors import BackendError, UserError
from batchai_scenario.backends.memory import MemoryBackend
from batchai_scenario.backends.memory import MemoryWorld as Model
from batchai_scenario.backends.settings import AzureSettings
from batchai_scenario.backends.testing.bench import Bench
from batchai_scenario.backends.testing.checks import CHECKS
from batchai_scenario.backends.testing.rules import LOOKS
from batchai_scenario.backends.testing.runner import FAILED, run_check
from batchai_scenario.backends.wrappers.guard import SpendingGuard
from tests.parity.test_wrappers import CLUSTER, PLACE

if TYPE_CHECKING:
    from collections.abc import Iterator

LIVE_CHECKS = ("B1.1", "B1.3", "B2.1", "B3.1", "B4.3", "B5.1", "B6.1", "B7.4", "B8.1", "B12.2")


@pytest.fixture
def live(request: pytest.FixtureRequest) -> Iterator[SpendingGuard]:
    if not request.config.getoption("--live", default=False):
        pytest.skip("costs money: only with --live")
    settings = AzureSettings.read(BackendOptions(Path.home(), {}, os.environ))
    backend = AzureBackend(settings)
    ledger = Path(os.environ.get("LIVE_LEDGER") or Path.home() / ".batchai-live.json")
    guard = SpendingGuard(
        backend,
        ledger,
        max_nodes=int(os.environ.get("LIVE_MAX_NODES", "1")),
        max_minutes=float(os.environ.get("LIVE_MAX_MINUTES", "30")),
        delete_share=lambda share: backend._clients.files.delete_share(share, fail_not_exist=False),
    )
    try:
        yield guard
    finally:
        guard.close()


def test_the_service_keeps_the_rules_that_matter_most(live: SpendingGuard, tmp_path: Path) -> None:
    bench = Bench(
        "azure (d), live", tmp_path, lambda _: live, unseen=dict.fromkeys(LOOKS, "it is the service")
    )
    checks = [it for it in CHECKS.values() if it.rule.number in LIVE_CHECKS]
    broken = [outcome for it in checks if (outcome := run_check(it, bench)).result == FAILED]
    assert not broken, broken


def guarded(tmp_path: Path, model: Model, minutes: float = 5, **more: Any) -> SpendingGuard:
    gone: list[str] = more.pop("gone", [])
    inner = more.pop("inner", None) or MemoryBackend({}, model)
    ledger = tmp_path / "ledger.json"
    return SpendingGuard(
        inner, ledger, max_nodes=2, max_minutes=minutes, delete_share=gone.append, pause=lambda _: None
    )


def made(guard: SpendingGuard) -> SpendingGuard:
    guard.ensure_place(PLACE)
    guard.ensure_share("share")
    guard.create_cluster(CLUSTER)
    return guard


def sized(nodes: int, name: str = "more") -> ClusterSpec:
    scale = {"scaleSettings": {"autoScale": {"minimumNodeCount": 0, "maximumNodeCount": nodes}}}
    return replace(CLUSTER, name=name, properties={**CLUSTER.properties, **scale})


def test_more_nodes_than_may_be_paid_for_are_refused(tmp_path: Path) -> None:
    model = Model()
    guard = made(guarded(tmp_path, model))  # has 2 nodes
    for nodes in (1, 100):
        with pytest.raises(UserError, match="more than the 2 that may be paid for"):
            guard.create_cluster(sized(nodes))
    with pytest.raises(UserError, match="more than the 2"):
        guard.resize_cluster(PLACE, "nodes", 3)
    assert [name for _, _, name in model.clusters] == ["nodes"]
    guard.close()


def test_everything_is_deleted_when_the_guard_closes(tmp_path: Path) -> None:
    model, gone = Model(), list[str]()
    made(guarded(tmp_path, model, gone=gone)).close()
    assert (model.clusters, model.workspaces, model.groups) == ({}, {}, {})
    assert gone == ["share"]
    assert not (tmp_path / "ledger.json").exists()


def test_what_a_killed_process_left_is_deleted_by_the_next(tmp_path: Path) -> None:
    model = Model()
    killed = made(guarded(tmp_path, model))
    killed._timer.cancel()  # nothing else of it runs on
    assert model.clusters
    gone: list[str] = []
    guarded(tmp_path, model, gone=gone).close()
    assert (model.clusters, model.groups, gone) == ({}, {}, ["share"])


def test_after_its_minutes_all_is_deleted_and_nothing_else_is_done(tmp_path: Path) -> None:
    model = Model()
    guard = made(guarded(tmp_path, model, minutes=0.02))
    guard._timer.join(20)
    assert (model.clusters, model.groups) == ({}, {})
    with pytest.raises(UserError, match="minutes that may be spent are over"):
        guard.ensure_place(PLACE)
    guard.close()


def test_a_deletion_that_fails_is_tried_again_and_stays_in_the_ledger_if_it_cannot_be(tmp_path: Path) -> None:
    class Stubborn(MemoryBackend):
        refusals = 2

        def delete_place(self, place: Place) -> None:
            if self.refusals:
                self.refusals -= 1
                raise BackendError("busy", "Busy", 503, transient=True)
            super().delete_place(place)

    model = Model()
    stubborn = Stubborn({}, model)
    made(guarded(tmp_path, model, inner=stubborn)).close()
    assert not model.groups
    guard = made(guarded(tmp_path, model, inner=stubborn))
    stubborn.refusals = 99
    with pytest.raises(BackendError, match="busy"):
        guard.close()
    assert "place" in (tmp_path / "ledger.json").read_text()
    stubborn.refusals = 0
    guarded(tmp_path, model, inner=stubborn).close()
    assert not model.groups
