"""The front door over HTTP: who gets in, what stands on every answer, and what is never shown."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import pytest

from batchai_scenario.emulator.gateway.reading import is_own_host
from batchai_scenario.emulator.identity import development
from tests.front.fakes import make_gateway

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.emulator.server import Address

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "scheme": "http",
    "path": "/subscriptions",
    "raw_path": b"/subscriptions",
    "query_string": b"",
    "headers": [],
    "server": ("127.0.0.1", 80),
}
GROUP = "/subscriptions/s/resourceGroups/g?api-version=2018-05-01"


class Reply:
    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        self.data = answer.read()

    @property
    def code(self) -> str:
        return str(json.loads(self.data)["error"]["code"])


def send(
    address: Address,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    where = urlsplit(address.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=20)
    try:
        connection.request(method, path, body, dict(headers or {}))
        return Reply(connection.getresponse())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def bearer(served: Address) -> dict[str, str]:
    form = {
        "grant_type": "client_credentials",
        "client_id": development.CLIENT,
        "client_secret": development.SECRET,
        "resource": "https://management.core.windows.net/",
    }
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = send(served, "POST", f"/{development.TENANT}/oauth2/token", urlencode(form), kind)
    return {"Authorization": f"Bearer {json.loads(reply.data)['access_token']}"}


def test_management_needs_a_token(served: Address) -> None:
    reply = send(served, "GET", GROUP)
    assert (reply.status, reply.code) == (401, "AuthenticationFailed")
    assert reply.headers["www-authenticate"].startswith(f'Bearer authorization_uri="{served.url}/')
    assert send(served, "PUT", GROUP, "{", {"Authorization": "Bearer x"}).code == "InvalidAuthenticationToken"


def test_every_management_answer_carries_the_services_headers(
    served: Address, bearer: dict[str, str]
) -> None:
    put = send(served, "PUT", GROUP, '{"location":"eastus"}', bearer)
    get = send(served, "GET", GROUP, headers={**bearer, "x-ms-correlation-request-id": "mine"})
    assert put.status in (200, 201)
    for reply, counter in ((put, "writes"), (get, "reads")):
        assert f"x-ms-ratelimit-remaining-subscription-{counter}" in reply.headers
        assert reply.headers["request-id"] == reply.headers["x-ms-request-id"]
        assert reply.headers["x-ms-routing-request-id"].endswith(reply.headers["request-id"])
        assert reply.headers["cache-control"] == "no-cache"
        assert reply.headers["pragma"] == "no-cache"
        assert reply.headers["expires"] == "-1"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "strict-transport-security" in reply.headers
        assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert get.headers["x-ms-correlation-request-id"] == "mine"
    head = send(served, "HEAD", GROUP.replace("/g?", "/none?"), headers=bearer)
    assert (head.status, head.data) == (404, b"")


@pytest.mark.parametrize(
    ("method", "path", "version", "counter", "own"),
    [
        ("DELETE", "workspaces/w", "2018-05-01", "deletes", True),
        ("DELETE", "jobs/j", "2018-03-01", "writes", True),
        ("POST", "jobs/j/terminate", "2018-03-01", "writes", False),
        ("POST", "jobs/j/listOutputFiles", "2018-03-01", "", False),
        ("POST", "clusters/c/listRemoteLoginInformation", "2017-09-01-preview", "", False),
        ("GET", "jobs/j", "2017-09-01-preview", "reads", False),
        ("GET", "workspaces/w", "2018-05-01", "reads", True),
    ],
)
def test_what_is_counted_and_who_answers(  # noqa: PLR0917 - a row of the table, and the fixtures
    served: Address, bearer: dict[str, str], method: str, path: str, version: str, counter: str, own: bool
) -> None:
    """``own``: the provider answered; what the front end said itself has no ``request-id`` (recorded)."""
    send(served, "PUT", GROUP, '{"location":"eastus"}', bearer)
    where = f"{GROUP.partition('?')[0]}/providers/Microsoft.BatchAI/{path}?api-version={version}"
    reply = send(served, method, where, headers=bearer)
    counted = [name for name in reply.headers if name.startswith("x-ms-ratelimit-remaining")]
    assert counted == ([f"x-ms-ratelimit-remaining-subscription-{counter}"] if counter else [])
    assert ("request-id" in reply.headers) == own
    assert "x-ms-request-id" in reply.headers


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"x"', b"\xff\xfe", b'{"location": NaN}', b"[" * 100_000, b'{"location": ["eastus"]}'],
)
def test_a_body_that_cannot_be_read_is_refused(served: Address, bearer: dict[str, str], body: bytes) -> None:
    reply = send(served, "PUT", GROUP, body, bearer)
    assert (reply.status, reply.code) == (400, "InvalidRequestContent")


def test_a_byte_order_mark_is_no_error(served: Address, bearer: dict[str, str]) -> None:
    assert send(served, "PUT", GROUP, b'\xef\xbb\xbf{"location":"eastus"}', bearer).status in (200, 201)


def test_a_body_that_is_too_large_is_refused_without_being_kept(
    served: Address, bearer: dict[str, str]
) -> None:
    reply = send(served, "PUT", GROUP, b" " * (4 * 1024 * 1024 + 1), bearer)
    assert (reply.status, reply.code) == (413, "RequestEntityTooLarge")


@pytest.mark.parametrize("path", ["/", "/Nothing/here", "//", "/%00", "/.emulator/x", "/a/oauth2/token"])
def test_unknown_paths_get_a_helpful_answer(served: Address, path: str) -> None:
    reply = send(served, "GET", path)
    assert reply.status == 404
    assert "/subscriptions" in reply.data.decode() or "health" in reply.data.decode()


def test_files_are_handed_to_files(served: Address) -> None:
    reply = send(served, "GET", f"/{development.ACCOUNT}/?comp=list")
    assert reply.status in (401, 403)
    assert reply.headers["content-type"].startswith("application/xml")


def test_pages_of_other_sites_cannot_reach_us_by_a_name_of_theirs(served: Address) -> None:
    reply = send(served, "GET", "/.emulator/health", headers={"Host": "evil.example.com"})
    assert reply.status == 421


def test_a_request_for_two_hosts_is_refused(served: Address) -> None:
    head = _ask_as_written(served, b"GET /.emulator/health HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("path", ["/nowhere", "/.emulator/health"])
def test_a_connection_ends_where_a_body_may_follow_that_nobody_asked_for(served: Address, path: str) -> None:
    asked = f"GET {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {{}}\r\n\r\n"
    assert b"connection: close" in _ask_as_written(served, asked.format(9).encode())
    assert b"connection: close" not in _ask_as_written(served, asked.format(0).encode())


def _ask_as_written(address: Address, request: bytes) -> bytes:
    """Send a request and give the head of its answer, in lower case but for its first line."""
    where = urlsplit(address.url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=20) as line:
        line.sendall(request)
        with line.makefile("rb") as answer:
            return answer.readline() + b"".join(iter(answer.readline, b"\r\n")).lower()


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1:80", True),
        ("[::1]:80", True),
        ("localhost:80", True),
        ("", True),
        ("management.azure.com", True),
        ("acct.file.core.windows.net:443", True),
        ("host.docker.internal:80", True),
        ("evil.example.com", False),
        ("127.0.0.1.example.com:80", False),
        ("azure.com.evil.net", False),
    ],
)
def test_own_hosts(host: str, own: bool) -> None:
    assert is_own_host(host) is own


def test_health_needs_no_token_and_holds_no_secret(served: Address) -> None:
    reply = send(served, "GET", "/.emulator/health")
    health = json.loads(reply.data)
    assert reply.status == 200
    assert health["pid"] == served.pid
    assert health["engine"] == "process"
    assert served.stop_key not in reply.data.decode()


def test_stopping_needs_the_key(served: Address) -> None:
    assert send(served, "POST", "/.emulator/stop").status == 403
    wrong = {"Authorization": "Bearer wrong"}
    assert send(served, "POST", "/.emulator/stop", headers=wrong).status == 403
    assert send(served, "GET", "/.emulator/health").status == 200


def test_what_people_were_told_to_register_can_be_registered_and_no_more(
    served: Address, bearer: dict[str, str]
) -> None:
    where = "/subscriptions/s/providers/Microsoft.Batch"
    reply = send(served, "POST", f"{where}/register?api-version=2018-05-01", headers=bearer)
    assert json.loads(reply.data)["registrationState"] == "Registered"
    send(served, "PUT", GROUP, '{"location":"eastus"}', bearer)
    path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Batch/pools/b?api-version=2017-01-01"
    reply = send(served, "PUT", path, '{"location":"eastus"}', bearer)
    assert (reply.status, reply.code) == (404, "InvalidResourceType")
    assert b"Nothing of Microsoft.Batch is emulated" in reply.data


def test_metadata_endpoints_name_this_emulator(served: Address) -> None:
    reply = send(served, "GET", "/metadata/endpoints?api-version=2015-01-01")
    assert json.loads(reply.data)["authentication"]["loginEndpoint"] == served.url


def test_what_nobody_expected_is_written_down_and_not_shown() -> None:
    import asyncio

    class Broken:
        def check(self, *_: Any) -> None:
            raise ValueError("the account key is hunter2")

        def owns(self, *_: Any) -> bool:
            return False

    told: list[str] = []
    sent: list[Any] = []
    broken: Any = Broken()
    gateway = make_gateway(broken, told.append)

    async def keep(message: Any) -> None:
        sent.append(message)

    asyncio.run(gateway(SCOPE, broken, keep))
    assert sent[0]["status"] == 500
    error = json.loads(sent[1]["body"])["error"]
    assert error["code"] == "InternalServerError"
    assert "hunter2" not in error["message"]
    assert "ValueError" in told[0]
    number = error["message"].partition("(error ")[2].partition(")")[0]
    assert number in told[0]


def test_many_clients_at_once_see_one_truth(served: Address, bearer: dict[str, str]) -> None:
    """Twenty clients create the same group and workspace: one is first, the others get the same entity."""
    path = "/subscriptions/many/resourceGroups/g?api-version=2018-05-01"
    workspace = path.replace("?", "/providers/Microsoft.BatchAI/workspaces/w?")
    send(served, "PUT", path, '{"location":"eastus"}', bearer)
    replies: list[Reply] = []

    def put() -> None:
        replies.append(send(served, "PUT", workspace, '{"location":"eastus"}', bearer))

    threads = [threading.Thread(target=put) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(reply.status, reply.data) for reply in replies} == {(200, replies[0].data)}
    assert len(replies) == 20
