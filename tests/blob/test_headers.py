"""Nothing that Microsoft's client of Blob can send is ignored in silence.

Its sources are walked for headers and query parameters, operation by operation. Each must be refused by name,
or looked at by what serves the operation, or stand below with the reason why it changes nothing.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

import pytest
import requests
from azure.storage.blob import ResourceTypes, generate_account_sas

from batchai_scenario.emulator.storage.blob.routes import _NOT_BUILT_HEADERS as REFUSED
from batchai_scenario.emulator.storage.blob.routes import _NOT_BUILT_QUERY as REFUSED_QUERY
from batchai_scenario.emulator.storage.structured import FORM, crc, encode_crc64
from tests.blob.serving import account_sas
from tests.blob.serving import signed as by_key
from tests.storage.serving import ACCOUNT, KEY
from tests.storage.walking import Watched, operations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azure.storage.blob import ContainerClient

    from batchai_scenario.emulator.storage.call import Call
    from tests.blob.serving import BlobServing
    from tests.storage.serving import Served
    from tests.storage.walking import Sent

REASONS = {
    "x-ms-version": "read of every request, before any operation",
    "x-ms-client-request-id": "echoed to every request",
    "x-ms-file-request-intent": "for files as sources, which are refused by name",
    "timeout": "how long the service may take: here nothing takes longer",
}
NOTHING = {
    "block_blob_put_blob_from_url": {"content-md5": "of a body, and there is none"},
}
BLOCK = base64.b64encode(b"001").decode()
LIST = b"<BlockList><Latest>MDAx</Latest></BlockList>"


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


class Asked(NamedTuple):
    """A request that an operation answers; ``SOURCE`` in a header stands for the URL of a blob."""

    method: str
    path: str = "/data/old"
    query: str = ""
    headers: Mapping[str, str] = {}
    body: bytes = b""


_COPY, _WHOLE = {"x-ms-copy-source": "SOURCE"}, {"x-ms-blob-type": "BlockBlob"}
_LISTED = [Asked("GET", "/data", "restype=container&comp=list")]
SERVED: dict[str, list[Asked]] = {
    "blob_download": [
        Asked("GET"),
        Asked("GET", headers={"x-ms-range": "bytes=0-3"}),
    ],
    "blob_get_properties": [Asked("HEAD")],
    "blob_delete": [Asked("DELETE")],
    "blob_set_http_headers": [Asked("PUT", query="comp=properties")],
    "blob_set_metadata": [Asked("PUT", query="comp=metadata")],
    "blob_start_copy_from_url": [Asked("PUT", headers=_COPY)],
    "blob_copy_from_url": [Asked("PUT", headers={**_COPY, "x-ms-requires-sync": "true"})],
    "blob_abort_copy_from_url": [
        Asked("PUT", query="comp=copy&copyid=1", headers={"x-ms-copy-action": "abort"})
    ],
    "block_blob_upload": [
        Asked("PUT", headers=_WHOLE, body=b"x"),
        Asked("PUT", headers={**_WHOLE, "x-ms-structured-body": FORM}, body=b"x"),
    ],
    "block_blob_put_blob_from_url": [Asked("PUT", headers=_COPY | _WHOLE)],
    "block_blob_stage_block": [
        Asked("PUT", query=f"comp=block&blockid={BLOCK}", body=b"x"),
        Asked("PUT", query=f"comp=block&blockid={BLOCK}", headers={"x-ms-structured-body": FORM}, body=b"x"),
    ],
    "block_blob_stage_block_from_url": [Asked("PUT", query=f"comp=block&blockid={BLOCK}", headers=_COPY)],
    "block_blob_commit_block_list": [Asked("PUT", query="comp=blocklist", body=LIST)],
    "block_blob_get_block_list": [Asked("GET", query="comp=blocklist")],
    "container_create": [Asked("PUT", "/new", "restype=container")],
    "container_get_properties": [Asked("GET", "/data", "restype=container")],
    "container_delete": [Asked("DELETE", "/data", "restype=container")],
    "container_set_metadata": [Asked("PUT", "/data", "restype=container&comp=metadata")],
    "container_list_blob_flat_segment": _LISTED,
    "container_list_blob_flat_segment_apache_arrow": _LISTED,
    "container_list_blob_hierarchy_segment": _LISTED,
    "container_list_blob_hierarchy_segment_apache_arrow": _LISTED,
    "container_get_access_policy": [Asked("GET", "/data", "restype=container&comp=acl")],
    "container_set_access_policy": [
        Asked("PUT", "/data", "restype=container&comp=acl", body=b"<SignedIdentifiers />")
    ],
    "service_list_containers_segment": [Asked("GET", "/", "comp=list")],
    "service_get_properties": [Asked("GET", "/", "restype=service&comp=properties")],
    "service_set_properties": [
        Asked("PUT", "/", "restype=service&comp=properties", body=b"<StorageServiceProperties />")
    ],
}
BLOBS = operations("azure.storage.blob")
UNSERVED = (
    *("page_blob", "append_blob", "undelete", "expiry", "immutability", "legal_hold", "lease", "snapshot"),
    *("tier", "account_info", "query", "tags", "statistics", "restore", "rename", "batch", "filter_blobs"),
)
"""Words in the names of operations that are refused as a whole, by name."""


@pytest.fixture
def seen(serving: BlobServing, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of headers and query parameters that operations ask for, once a request is let in."""
    seen: set[str] = set()
    run = serving.blobs.run

    async def watched(call: Call) -> Any:
        call.headers = Watched(call.headers, seen)
        call.query = Watched(call.query, seen)
        return await run(call)  # type: ignore[arg-type]

    monkeypatch.setattr(serving.blobs, "run", watched)
    return seen


def _ask(served: Served, asked: Asked) -> requests.Response:
    kinds = ResourceTypes(service=True, container=True, object=True)
    later = served.clock.now() + timedelta(hours=1)
    signed = generate_account_sas(ACCOUNT, KEY, kinds, "rwdlc", later)
    base = f"{served.url}/blob/{ACCOUNT}"
    headers = {
        name: text.replace("SOURCE", f"{base}/data/source?{signed}") for name, text in asked.headers.items()
    }
    if "comp=acl" in asked.query:  # for the account's key only
        length = {"content-length": str(len(asked.body))} if asked.body else {}
        known = {"x-ms-version": "2020-04-08", **length, **headers}
        headers = by_key(served, asked.method, asked.path, dict(parse_qsl(asked.query)), known)
        return requests.request(
            asked.method, f"{base}{asked.path}?{asked.query}", headers=headers, data=asked.body, timeout=10
        )
    url = f"{base}{asked.path}?{asked.query}&{signed}".replace("?&", "?")
    return requests.request(asked.method, url, headers=headers, data=asked.body, timeout=10)


def _prepare(container: ContainerClient) -> None:
    for name in ("old", "source"):
        container.upload_blob(name, b"content", overwrite=True)
    container.get_blob_client("old").stage_block("001", b"x")


@pytest.mark.parametrize("sent", [pytest.param(sent, id=sent.operation) for sent in BLOBS])
def test_every_name_is_looked_at_or_refused(
    served: Served, seen: set[str], container: ContainerClient, sent: Sent
) -> None:
    if sent.operation == "service_get_user_delegation_key":
        return  # for tokens only, and with no header of its own
    if sent.operation not in SERVED:
        assert any(word in sent.operation for word in UNSERVED), sent.operation
        return
    _prepare(container)
    seen.clear()
    for asked in SERVED[sent.operation]:
        answer = _ask(served, asked)
        expected = answer.headers.get("x-ms-error-code") in (None, "NoPendingCopyOperation")
        assert expected or FORM in asked.headers.values(), answer.text
    looked = seen | REFUSED.keys() | REFUSED_QUERY.keys() | REASONS.keys()
    looked |= NOTHING.get(sent.operation, {}).keys()
    assert sorted((sent.headers | sent.query) - looked) == []


def test_the_walk_finds_what_clients_send() -> None:
    assert len(BLOBS) > 60
    assert len({name for operation in BLOBS for name in operation.headers | operation.query}) > 90


def test_a_blob_is_not_deleted_for_its_snapshots(served: Served, container: ContainerClient) -> None:
    _prepare(container)
    for choice, status in (("only", 501), ("none", 400), ("include", 202)):
        answer = _ask(served, Asked("DELETE", headers={"x-ms-delete-snapshots": choice}))
        assert answer.status_code == status
        assert "x-ms-delete-snapshots" in answer.text or status == 202
        assert container.get_blob_client("old").exists() == (status != 202)


@pytest.mark.parametrize(
    ("name", "values", "code"),
    [
        ("content-md5", (_md5(b"other"), _md5(LIST)), "Md5Mismatch"),
        ("x-ms-content-crc64", (encode_crc64(1), encode_crc64(crc(LIST))), "Crc64Mismatch"),
    ],
)
def test_a_block_list_that_is_not_what_was_sent_makes_nothing(
    served: Served, container: ContainerClient, name: str, values: tuple[str, str], code: str
) -> None:
    _prepare(container)
    wrong, right = values
    old = container.get_blob_client("old")
    for value, expected, content in ((wrong, code, b"content"), (right, None, b"x")):
        answer = _ask(served, Asked("PUT", query="comp=blocklist", headers={name: value}, body=LIST))
        assert answer.headers.get("x-ms-error-code") == expected
        assert old.download_blob().readall() == content


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_header_that_is_refused_is_named(served: Served, name: str) -> None:
    url = f"{served.url}/blob/devaccount/data/new?{account_sas(served)}"
    sent = {"x-ms-blob-type": "BlockBlob", name: "1"}
    answer = requests.put(url, headers=sent, data=b"x", timeout=10)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (501, "NotImplemented")
    assert name in answer.text
    assert not (served.home.storage / "devaccount" / "_blob" / "data" / "new").exists()


@pytest.mark.parametrize("name", sorted(REFUSED_QUERY))
def test_a_parameter_that_is_refused_is_named(served: Served, name: str) -> None:
    url = f"{served.url}/blob/devaccount/data/new?{account_sas(served)}&{name}=1"
    answer = requests.get(url, timeout=10)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (501, "NotImplemented")
    assert REFUSED_QUERY[name] in answer.text


@pytest.mark.parametrize(("version", "tells"), [("2016-05-31", False), ("2018-03-28", True)])
def test_a_blob_tells_its_checksum_if_it_was_given_and_since_2017_its_age(
    served: Served, container: ContainerClient, version: str, tells: bool
) -> None:
    _prepare(container)
    given = {"x-ms-blob-type": "BlockBlob", "x-ms-blob-content-md5": _md5(b"content")}
    assert _ask(served, Asked("PUT", headers=given, body=b"content")).status_code == 201
    for method in ("GET", "HEAD"):
        answer = _ask(served, Asked(method, headers={"x-ms-version": version}))
        assert answer.headers["content-md5"] == _md5(b"content")
        assert ("x-ms-creation-time" in answer.headers) == tells
