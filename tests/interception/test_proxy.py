"""The proxy on the wire: who is let in, what is refused, and what happens when a client leaves or lies."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest
import requests
from azure.storage.common.retry import no_retry
from azure.storage.file import FileService

from batchai_scenario.emulator.identity import development

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.interception.conftest import Intercepting

MANAGEMENT, LOGIN = "management.azure.com", "login.microsoftonline.com"
FILES = f"{development.ACCOUNT}.file.core.windows.net"
TOKEN_FORM = {
    "grant_type": "client_credentials",
    "client_id": development.CLIENT,
    "client_secret": development.SECRET,
    "resource": "https://management.core.windows.net/",
}
SUBSCRIPTIONS = "/subscriptions?api-version=2016-06-01"


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ask(connection: http.client.HTTPConnection, method: str, path: str, *more: Any) -> tuple[int, Any]:
    connection.request(method, path, *more)
    answer = connection.getresponse()
    data = answer.read()
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    return answer.status, json.loads(data) if is_json else data


@pytest.fixture(scope="module")
def bearer(intercepting: Intercepting) -> dict[str, str]:
    connection = intercepting.connect(LOGIN)
    status, body = ask(connection, "POST", f"/{development.TENANT}/oauth2/token", urlencode(TOKEN_FORM))
    connection.close()
    assert status == 200
    return {"Authorization": f"Bearer {body['access_token']}"}


@pytest.fixture
def service(intercepting: Intercepting) -> FileService:
    """The client for files at Azure's own address, as a program makes it behind the proxy."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(intercepting.certificate)
    session.proxies = {"https": f"http://127.0.0.1:{intercepting.address.proxy_port}"}
    found = FileService(development.ACCOUNT, development.ACCOUNT_KEY, request_session=session)
    found.retry = no_retry
    return found


def test_one_connection_carries_many_requests(intercepting: Intercepting, bearer: dict[str, str]) -> None:
    connection = intercepting.connect(MANAGEMENT)
    connection.connect()
    sock = connection.sock
    for _ in range(3):
        status, body = ask(connection, "GET", SUBSCRIPTIONS, None, bearer)
        assert (status, body["value"][0]["state"]) == (200, "Enabled")
    assert connection.sock is sock
    connection.close()


def test_a_url_with_https_sent_to_the_proxy_is_answered_as_after_connect(
    intercepting: Intercepting, bearer: dict[str, str]
) -> None:
    """What axios did until 1.16, and with it ms-rest-azure and ms-rest-nodeauth: no CONNECT."""
    proxy = http.client.HTTPConnection("127.0.0.1", intercepting.address.proxy_port)
    target = f"https://{LOGIN}/{development.TENANT}/oauth2/token"
    proxy.request("POST", target, urlencode(TOKEN_FORM), {"Host": "elsewhere.example"})
    assert "access_token" in json.load(proxy.getresponse())
    group = f"https://{MANAGEMENT}:443/subscriptions/s/resourceGroups/absolute?api-version=2018-05-01"
    proxy.request("PUT", group, '{"location":"eastus"}', bearer)
    assert proxy.getresponse().read()
    proxy.request("DELETE", group, headers=bearer)
    answer = proxy.getresponse()
    answer.read()
    assert answer.headers["Location"].startswith(f"https://{MANAGEMENT}/subscriptions/s/operationresults/")
    proxy.request("GET", f"http://{MANAGEMENT}/metadata/endpoints?api-version=2015-01-01")
    assert proxy.getresponse().status == 200
    for target in ("https://example.com/x", "https://169.254.169.254/metadata/identity/oauth2/token"):
        proxy.request("GET", target)
        answer = proxy.getresponse()
        assert answer.status == 403, answer.read()
        answer.read()
    proxy.close()


def test_urls_in_answers_are_at_the_host_that_was_asked(
    intercepting: Intercepting, bearer: dict[str, str]
) -> None:
    for host, login in (
        (MANAGEMENT, "https://login.microsoftonline.com/common"),
        ("management.microsoftazure.de", "https://login.microsoftonline.de/common"),
    ):
        connection = intercepting.connect(host)
        group = "/subscriptions/s/resourceGroups/g?api-version=2018-05-01"
        ask(connection, "PUT", group, '{"location":"eastus"}', bearer)
        connection.request("DELETE", group, headers=bearer)
        answer = connection.getresponse()
        answer.read()
        assert answer.headers["Location"].startswith(f"https://{host}/subscriptions/s/operationresults/")
        connection.request("GET", group)
        answer = connection.getresponse()
        answer.read()
        assert f'authorization_uri="{login}"' in answer.headers["WWW-Authenticate"]
        connection.close()


def test_accounts_endpoints_are_azures_own(intercepting: Intercepting, bearer: dict[str, str]) -> None:
    connection = intercepting.connect("management.chinacloudapi.cn")
    ask(
        connection,
        "PUT",
        "/subscriptions/s/resourcegroups/ac?api-version=2018-05-01",
        '{"location":"eastus"}',
        bearer,
    )
    where = "/subscriptions/s/resourceGroups/ac/providers/Microsoft.Storage/storageAccounts/chinese"
    body = '{"location":"eastus","sku":{"name":"Standard_LRS"},"kind":"Storage"}'
    assert ask(connection, "PUT", f"{where}?api-version=2017-10-01", body, bearer)[0] == 202
    _, account = ask(connection, "GET", f"{where}?api-version=2018-07-01", None, bearer)
    connection.close()
    assert account["properties"]["primaryEndpoints"]["file"] == "https://chinese.file.core.chinacloudapi.cn/"


def test_discovery_stays_at_the_authority_that_was_asked(intercepting: Intercepting) -> None:
    for host in (LOGIN, "login.windows.net", "login.microsoftonline.us", "login.chinacloudapi.cn"):
        connection = intercepting.connect(host)
        tenant = development.TENANT
        _, found = ask(connection, "GET", f"/{tenant}/v2.0/.well-known/openid-configuration")
        assert found["token_endpoint"] == f"https://{host}/{tenant}/oauth2/v2.0/token"
        query = quote(f"https://{host}/{tenant}/oauth2/authorize", safe="")
        path = f"/common/discovery/instance?api-version=1.1&authorization_endpoint={query}"
        _, found = ask(connection, "GET", path)
        assert host in [alias for entry in found["metadata"] for alias in entry["aliases"]]
        assert ask(connection, "GET", "/common/oauth2/authorize")[0] == 404
        assert ask(connection, "GET", SUBSCRIPTIONS)[0] == 404  # this host is not the resource manager
        connection.close()


def test_metadata_of_both_ages(intercepting: Intercepting) -> None:
    connection = intercepting.connect(MANAGEMENT)
    _, old = ask(connection, "GET", "/metadata/endpoints?api-version=2015-01-01")
    assert old["authentication"]["loginEndpoint"] == "https://login.microsoftonline.com/"
    _, new = ask(connection, "GET", "/metadata/endpoints?api-version=2022-09-01")
    assert [cloud["name"] for cloud in new][:2] == ["AzureCloud", "AzureChinaCloud"]
    assert new[0]["suffixes"]["storage"] == "core.windows.net"
    connection.close()


def test_wrong_and_tampered_tokens_are_refused(intercepting: Intercepting, bearer: dict[str, str]) -> None:
    connection = intercepting.connect(MANAGEMENT)
    good = bearer["Authorization"]
    head, claims, signature = good.removeprefix("Bearer ").split(".")
    for token, code in (
        ("", "AuthenticationFailed"),
        ("Bearer x.y.z", "InvalidAuthenticationToken"),
        (f"Bearer {head}.{claims[:-2]}AA.{signature}", "InvalidAuthenticationToken"),
        (f"Bearer {head}.{claims}.", "InvalidAuthenticationToken"),
    ):
        status, body = ask(connection, "GET", SUBSCRIPTIONS, None, {"Authorization": token} if token else {})
        assert (status, body["error"]["code"]) == (401, code)
    assert ask(connection, "GET", SUBSCRIPTIONS, None, bearer)[0] == 200
    connection.close()


def test_files_at_their_own_host_with_the_key(service: FileService) -> None:
    """Host style: the signature covers the account once, and 20 MiB go both ways inside TLS."""
    data = bytes(range(256)) * (80 * 1024)
    service.create_share("hosts")
    service.create_file_from_bytes("hosts", None, "größe 1.bin", data)
    assert service.get_file_to_bytes("hosts", None, "größe 1.bin").content == data
    assert [entry.name for entry in service.list_directories_and_files("hosts")] == ["größe 1.bin"]
    service.delete_share("hosts")


def test_a_wrong_key_and_an_unknown_account_are_refused(service: FileService) -> None:
    from azure.common import AzureHttpError

    for account, key in ((development.ACCOUNT, "d3Jvbmc="), ("somebody", development.ACCOUNT_KEY)):
        other = FileService(account, key, request_session=service.request_session)
        other.retry = no_retry
        with pytest.raises(AzureHttpError) as caught:
            other.create_share("no")
        assert caught.value.status_code == 403


def test_a_client_is_told_to_continue_before_it_sends(
    intercepting: Intercepting, bearer: dict[str, str]
) -> None:
    connection = intercepting.connect(MANAGEMENT)
    connection.connect()
    body = b'{"location":"eastus"}'
    connection.sock.sendall(
        b"PUT /subscriptions/s/resourcegroups/ex?api-version=2018-05-01 HTTP/1.1\r\n"
        b"Host: management.azure.com\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
        b"Authorization: " + bearer["Authorization"].encode() + b"\r\n"
        b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n"
    )
    assert connection.sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sock.sendall(body)
    assert connection.sock.recv(1000).startswith(b"HTTP/1.1 201 ")
    connection.close()


@pytest.mark.parametrize(
    "target",
    ["example.com:443", "169.254.169.254:443", "management.azure.com:8443", "x.queue.core.windows.net:443"],
)
def test_other_hosts_are_refused_with_a_reason(intercepting: Intercepting, target: str) -> None:
    host, _, port = target.partition(":")
    with pytest.raises(OSError, match=r"403 Refused by the Batch AI emulator; --passthrough"):
        intercepting.connect(host, port=int(port)).connect()
    said = intercepting.raw(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 ")
    assert target.encode() in body


def test_this_machine_itself_is_let_through_for_clients_that_ask_the_proxy_for_it(
    intercepting: Intercepting, bearer: dict[str, str]
) -> None:
    port = intercepting.address.port
    head = "".join(f"{name}: {value}\r\n" for name, value in bearer.items()) + "Connection: close\r\n\r\n"
    asked = f"GET {SUBSCRIPTIONS} HTTP/1.1\r\nHost: localhost:{port}\r\n{head}".encode()
    tunnelled = intercepting.raw(f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n".encode() + asked)
    assert tunnelled.startswith(b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 ")
    plain = f"GET http://127.0.0.1:{port}{SUBSCRIPTIONS} HTTP/1.1\r\n{head}".encode()
    assert intercepting.raw(plain).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"CONNECT management.azure.com HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT management.azure.com:x HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT management.azure.com:99999 HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT :443 HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n\x16\x03\x01", 400),
        (b"GET http://[::1/ HTTP/1.1\r\n\r\n", 400),
        (b"GET ftp://example.com/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http://example.com/ HTTP/1.1\r\n\r\n", 403),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"CONNECT management.azure.com:443 SPDY/3\r\n\r\n", 400),
        (b"CONNECT " + b"a" * 20_000, 431),
    ],
)
def test_what_no_proxy_understands_is_refused(intercepting: Intercepting, data: bytes, status: int) -> None:
    for passthrough in (False, True) if status != 403 else (False,):
        said = intercepting.raw(data, passthrough=passthrough)
        assert said.startswith(f"HTTP/1.1 {status} ".encode())


def test_a_client_that_does_not_trust_us_hears_that_and_it_is_written_down(
    intercepting: Intercepting,
) -> None:
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLCertVerificationError):
        intercepting.connect(MANAGEMENT, context=stranger).connect()
    until(lambda: f"asked for {MANAGEMENT} failed" in intercepting.log())


def test_a_client_that_leaves_in_the_handshake_harms_nobody(
    intercepting: Intercepting, bearer: dict[str, str]
) -> None:
    proxy = ("127.0.0.1", intercepting.address.proxy_port)
    for rest in (b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n"):
        with socket.create_connection(proxy, 20) as sock:
            sock.sendall(b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n")
            assert sock.recv(100).startswith(b"HTTP/1.1 200 ")
            sock.sendall(rest)
    with socket.create_connection(proxy, 20) as sock:
        sock.sendall(b"CONNECT manage")
    connection = intercepting.connect(MANAGEMENT)
    assert ask(connection, "GET", SUBSCRIPTIONS, None, bearer)[0] == 200
    connection.close()


def test_a_client_that_leaves_half_way_changes_nothing(
    intercepting: Intercepting, service: FileService
) -> None:
    service.create_share("half")
    service.create_file_from_bytes("half", None, "kept", b"as it was")
    service.create_file("half", None, "large", 4 * 1024 * 1024)
    from datetime import datetime, timedelta, timezone

    from azure.storage.file.models import FilePermissions

    expiry = datetime.now(timezone.utc) + timedelta(hours=1)
    sas = service.generate_file_shared_access_signature(
        "half", None, "large", permission=FilePermissions(read=True, write=True), expiry=expiry
    )
    connection = intercepting.connect(FILES)
    connection.connect()
    connection.sock.sendall(
        f"PUT /half/large?comp=range&{sas} HTTP/1.1\r\nHost: {FILES}\r\nx-ms-version: 2018-03-28\r\n"
        "x-ms-write: update\r\nx-ms-range: bytes=0-4194303\r\nContent-Length: 4194304\r\n\r\n".encode()
        + b"x" * 1_000_000
    )
    connection.close()
    assert service.get_file_to_bytes("half", None, "kept").content == b"as it was"
    assert service.get_file_to_bytes("half", None, "large").content == bytes(4 * 1024 * 1024)
    service.delete_share("half")


def test_identities_of_machines(intercepting: Intercepting) -> None:
    proxied = {"http": f"http://127.0.0.1:{intercepting.address.proxy_port}"}
    imds = "http://169.254.169.254/metadata/identity/oauth2/token"
    asked = {"api-version": "2018-02-01", "resource": "https://management.azure.com/"}
    flag = {"Metadata": "true"}
    direct = f"{intercepting.address.url}/MSI/token"
    with requests.Session() as session:
        session.trust_env = False
        got = session.get(imds, params=asked, headers=flag, proxies=proxied, timeout=20)
        assert (got.status_code, got.json()["resource"]) == (200, asked["resource"])
        assert got.headers["connection"] == "close"
        assert session.get(imds, params=asked, proxies=proxied, timeout=20).status_code == 400
        assert session.get(imds, headers=flag, proxies=proxied, timeout=20).status_code == 400
        for more, status in (({"client_id": development.CLIENT}, 200), ({"client_id": "other"}, 400)):
            got = session.get(imds, params={**asked, **more}, headers=flag, proxies=proxied, timeout=20)
            assert got.status_code == status
        for path in (direct, f"{direct}/"):  # programs put a slash before the query
            assert session.post(path, data=asked, headers=flag, timeout=20).json()["token_type"] == "Bearer"
        assert session.get(direct, params=asked, headers={"secret": "wrong"}, timeout=20).status_code == 401
        own = {"X-IDENTITY-HEADER": development.SECRET}
        token = session.get(direct, params=asked, headers=own, timeout=20).json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        url = f"{intercepting.address.url}{SUBSCRIPTIONS}"
        assert session.get(url, headers=bearer, timeout=20).status_code == 200
