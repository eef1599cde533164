"""The backend ``azure`` keeps every rule against answers in the service's shape, in constant trouble.

Every other request is throttled, refused, cut, or answered too late, and tokens expire on the way.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import requests
import responses

from batchai_scenario.backends.azure.backend import SERVICE, AzureBackend
from batchai_scenario.backends.azure.clients import Retries
from batchai_scenario.backends.base import BackendOptions
from batchai_scenario.backends.settings import AzureSettings
from batchai_scenario.backends.testing.bench import Bench
from batchai_scenario.backends.testing.checks import CHECKS
from batchai_scenario.backends.testing.plugin import judge
from batchai_scenario.backends.testing.probes import ModelProbes
from batchai_scenario.backends.testing.runner import FAILED, PASSED, run_check
from tests.parity.azure_service import ENVIRONMENT, Service
from tests.parity.trouble import TROUBLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batchai_scenario.backends.base import Backend
    from batchai_scenario.backends.testing.checks import Check

BACKENDS = ["azure"]
NOTE = (
    "not the service, but answers in its shape, written after recorded traffic and given through the "
    "library 'responses' at Azure's own names. Jobs are the reference model's. Every request is throttled, "
    "refused, cut or answered too late when it is sent first; lists come in pages; tokens run out on the "
    "way; Retry-After is 0 and not 15."
)
TOKEN_SECONDS = 302
"""Clients fetch another token when one has 300 s left: here every few seconds."""


def trouble(number: int, request: requests.PreparedRequest) -> object:
    """Meet each request with trouble of another kind when it is sent first."""
    kinds = list(TROUBLES.values())
    return kinds[number // 2 % len(kinds)](request) if number % 2 else None


def fetch(url: str, span: str) -> bytes:
    """Read a link as anybody can, until nothing goes wrong."""
    for _ in range(5):
        try:
            answer = requests.get(url, headers={"Range": span} if span else {}, timeout=10)
        except requests.RequestException:
            continue
        if answer.ok:
            return answer.content
    raise AssertionError("the link is not answered")


@contextmanager
def answering(folder: Path, token_seconds: int = TOKEN_SECONDS) -> Iterator[tuple[Bench, Service]]:
    """Set up the backend in front of a service of its own."""
    service = Service(trouble=trouble, token_seconds=token_seconds)
    can = replace(SERVICE, gpus=False, real_time=False)

    def opens(more: Mapping[str, str]) -> Backend:
        settings = AzureSettings.read(BackendOptions(folder, more, ENVIRONMENT))
        retries = Retries(tries=4, pause=0.001)
        return AzureBackend(settings, capabilities=can, retries=retries, connections=1, pause=lambda _: None)

    bench = Bench(
        "azure (a), simulated answers",
        folder,
        opens,
        ModelProbes(service.model.world),
        pause=lambda _: None,
        fetch=fetch,
        unseen={"folder": "shares are the model's, and no folders"},
        note=NOTE,
    )
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        service.mount(mock)
        try:
            yield bench, service
        finally:
            bench.close()


@pytest.fixture(scope="module")
def contract_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with answering(tmp_path_factory.mktemp("answers")) as (bench, _):
        yield bench


def test_contract(contract_bench: Bench, contract_check: Check, request: pytest.FixtureRequest) -> None:
    judge(contract_bench, contract_check, request.node)


def test_every_request_is_sent_twice_and_tokens_are_fetched_anew(tmp_path: Path) -> None:
    """What the report says of this column is so."""
    with answering(tmp_path, token_seconds=1) as (bench, service):
        for name in ("b8_1_another_client_finds_everything", "r_1_resizes_to_nothing_and_back"):
            assert run_check(CHECKS[name], bench).result == PASSED
        asked = [f"{it.method} {it.url}" for it in service.sent]
    assert asked[0::2] == asked[1::2]
    assert len(asked) > 2 * len(TROUBLES)
    assert {"PUT", "GET", "HEAD", "DELETE", "PATCH"} <= {line.partition(" ")[0] for line in asked}
    assert service.tokens > 5
    assert service.stale == 0  # nothing was sent with an older one


def test_an_answer_that_loses_the_exit_code_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answers are what is checked: one that is wrong breaks its rule."""
    with answering(tmp_path) as (bench, service):
        plain = service.model.get_job
        monkeypatch.setattr(service.model, "get_job", lambda job: replace(plain(job), exit_code=None))
        outcomes = [run_check(CHECKS[it], bench) for it in CHECKS if it.startswith(("b4_3", "b4_5"))]
    assert [(it.rule, it.result) for it in outcomes] == [("B4.3", FAILED), ("B4.5", PASSED)]
