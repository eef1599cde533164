"""No request is answered 500 or by a closed connection, whatever it says."""

from __future__ import annotations

import itertools
import os
from contextlib import closing
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from batchai_scenario.backends.local.settings import own_credentials
from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings
from tests.security import corpus
from tests.security import vocabulary as words
from tests.security.test_other_users import token
from tests.security.wire import Client, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from batchai_scenario.emulator.serving import Address

MANY = int(os.environ.get("SCENARIO_FUZZ", "3000"))
"""Requests at random; the soak sends ``SOAK``."""

SOAK = 100_000
_AGAIN = 2000  # requests after which what they may have deleted is made again


@dataclass
class Target:
    """An emulator with something of each kind in it."""

    home: Path
    address: Address
    client: Client
    key: str

    def furnish(self) -> None:
        """Make what requests ask for, as far as it is not there."""
        for path in (words.GROUP, words.WORKSPACE, f"{words.WORKSPACE}/experiments/e"):
            self.client.send(
                Request("arm", "PUT", path, {"api-version": "2018-05-01"}, {}, b'{"location": "eastus"}')
            )
        cluster = f"{words.WORKSPACE}/clusters/c"
        self.client.send(
            Request("arm", "PUT", cluster, {"api-version": "2018-05-01"}, {}, corpus.cluster(mounted=False))
        )
        file = self.home / "storage" / words.ACCOUNT / "shr" / "d" / "f"
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_bytes(b"0123456789" * 60)
        self.client.send(Request("blob", "PUT", "/ctr", {"restype": "container"}))
        self.client.send(Request("blob", "PUT", "/ctr/b", {}, {"x-ms-blob-type": "BlockBlob"}, b"12345"))

    def problems(self, requests: Iterable[Request]) -> list[str]:
        """Send requests; gives those that were answered 500 or not at all."""
        found = []
        for number, request in enumerate(requests):
            if number % _AGAIN == 0:
                self.furnish()
            reply = self.client.send(request)
            if reply.status == 0 or (reply.status >= 500 and reply.status not in (501, 503)):
                found.append(f"{reply.status} {request}"[:600])
        return found


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    home = tmp_path_factory.mktemp("fuzz") / "home"
    with closing(EmulatorServer(EmulatorSettings(home, engine="process"))) as server:
        address = server.start()
        own = own_credentials(home)
        client = Client(address.url, token(address.url, own.secret)[1], own.account_key)
        with closing(client):
            yield Target(home, address, client, own.account_key)


def test_the_target_is_what_it_should_be(target: Target) -> None:
    """Otherwise every refusal below would prove nothing."""
    target.furnish()
    for request in (
        Request("arm", "GET", f"{words.WORKSPACE}/clusters/c", {"api-version": "2018-05-01"}),
        Request("files", "GET", "/shr/d/f"),
        Request("files", "GET", "/shr/d/f", corpus.signature(target.key, "/shr/d/f"), signed=False),
        Request("blob", "GET", "/ctr/b"),
        Request("blob", "GET", "/ctr/b", corpus.signature(target.key, "/ctr/b", sr="b"), signed=False),
    ):
        assert target.client.send(request).status == 200, request


def test_no_malformed_request_is_answered_500_or_not_at_all(target: Target) -> None:
    share = 1 if MANY >= SOAK else 7
    chosen = itertools.islice(corpus.corpus(target.key), 0, None, share)
    assert target.problems(itertools.chain(corpus.known(target.key), chosen)) == []


def test_no_request_at_random_is_answered_500_or_not_at_all(target: Target) -> None:
    choose = Random(MANY)
    assert target.problems(corpus.mixed(choose) for _ in range(MANY)) == []


_TEXT = st.one_of(st.sampled_from(words.VALUES), st.text(max_size=60), st.integers().map(str))


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Requests of any service, near enough to right ones that much of them is looked at."""
    service = draw(st.sampled_from(words.SERVICES))
    path = draw(st.sampled_from(words.PATHS[service])) + draw(
        st.sampled_from(("", "", "/", "//x", "/%", "/a b"))
    )
    names = st.sampled_from(words.NAMES[service])
    query = draw(st.dictionaries(names, _TEXT, max_size=4))
    if service == "arm":
        query.setdefault("api-version", "2018-05-01")
    headers = draw(st.dictionaries(st.sampled_from(words.HEADERS[service]), _TEXT, max_size=4))
    body = draw(st.one_of(st.sampled_from(words.BODIES), st.binary(max_size=200)))
    return Request(service, draw(st.sampled_from(words.METHODS)), path, query, headers, body)


@settings(
    max_examples=max(200, MANY // 10),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(request=requests())
@example(Request("arm", "GET", "/subscriptions", {"api-version": "2018-05-01"}, {"host": "[::1"}))
def test_no_request_is_answered_500_or_not_at_all(target: Target, request: Request) -> None:
    assert target.problems([request]) == []


@pytest.mark.parametrize("name", words.RAW)
@pytest.mark.parametrize("door", ["own", "blob", "proxy", "passthrough"])
def test_what_is_no_http_is_answered(target: Target, door: str, name: str) -> None:
    address = target.address
    url = {
        "own": address.url,
        "blob": address.blob_url,
        "proxy": f"http://127.0.0.1:{address.proxy_port}",
        "passthrough": f"http://127.0.0.1:{address.passthrough_port}",
    }[door]
    with closing(Client(url, "", target.key)) as client:
        status = client.raw(words.RAW[name]).status
    assert status in (200, 400, 401, 403, 404, 408, 413, 431, 502), status
