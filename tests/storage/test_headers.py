"""Nothing that Microsoft's client of Files can send is ignored in silence.

Its sources are walked for headers and query parameters, operation by operation. Each must be refused by name,
or looked at by what serves the operation, or stand below with the reason why it changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.storage.operations import ROWS, outcome
from batchai_scenario.emulator.storage.routes import _NOT_BUILT_HEADERS as REFUSED
from batchai_scenario.emulator.storage.structured import FORM
from tests.storage.serving import ACCOUNT, SMB
from tests.storage.test_operations import Request, prepared
from tests.storage.walking import Watched, mentioned, operations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.emulator.storage.call import Call
    from tests.storage.serving import Served
    from tests.storage.walking import Sent

ALWAYS = {
    "x-ms-version": "read of every request, before any operation",
    "x-ms-client-request-id": "echoed to every request",
    "x-ms-allow-trailing-dot": "read of every request, where its path is taken apart",
    "x-ms-file-request-intent": "read of every request that has a token",
    "sharesnapshot": "read of every request",
    "timeout": "how long the service may take: here nothing takes longer",
}
SAME = {
    "file_list_all_ranges": "File_GetRangeList",
    "share_restore": "Share_Restore",
    "file_abort_copy": "File_AbortCopy",
}
NOTHING: dict[str, dict[str, str]] = {
    "directory_list_handles": {"x-ms-recursive": "there are no handles", "marker": "", "maxresults": ""},
    "directory_force_close_handles": {"x-ms-recursive": "there are no handles", "marker": ""},
    "file_list_handles": {"marker": "there are no handles", "maxresults": ""},
    "file_force_close_handles": {"marker": "there are no handles"},
}
MORE: dict[str, list[dict[str, Any]]] = {
    # Changes to a request that make an operation look at what only matters beside them.
    "directory_rename": [{"path": "/data/f", "headers": {"x-ms-file-rename-replace-if-exists": "true"}}],
    "file_rename": [{"path": "/data/other", "headers": {"x-ms-file-rename-replace-if-exists": "true"}}],
    "file_create": [
        {"headers": {"x-ms-version": "2026-10-06"}, "body": b"x"},
        {"headers": {"x-ms-version": "2026-10-06", "x-ms-structured-body": FORM}, "body": b"x"},
    ],
    "file_upload_range": [
        {"headers": {"x-ms-structured-body": FORM}},
        {"headers": {"x-ms-range": None, "range": "bytes=0-0"}},
    ],
    "file_upload_range_from_url": [{"headers": {"x-ms-range": None, "range": "bytes=0-0"}}],
    "file_get_range_list": [{"query": {"prevsharesnapshot": "{snapshot}"}, "path": "/data/moved"}],
    "file_list_all_ranges": [{"query": {"prevsharesnapshot": "{snapshot}"}, "path": "/data/moved"}],
    "file_start_copy": [{"headers": {"x-ms-file-attributes": "source"}}],
}
RECEIVED_OR_OTHERWISE = {
    "x-ms-authorization-auxiliary": "for other services of Azure",
    "x-ms-rename-source": "of Data Lake",
    "x-ms-encryption-key": "of Blob",
    "x-ms-encryption-key-sha256": "of Blob",
    "x-ms-source-encryption-key": "of Blob",
    "x-ms-source-encryption-key-sha256": "of Blob",
}


@pytest.fixture
def seen(served: Served, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of headers and query parameters that operations ask for, once a request is let in."""
    seen: set[str] = set()
    run = served.service.run

    async def watched(call: Call) -> Any:
        call.headers = Watched(call.headers, seen)
        call.query = Watched(call.query, seen)
        return await run(call)

    monkeypatch.setattr(served.service, "run", watched)
    return seen


def _row(operation: str) -> Any:
    name = operation.replace("_", "").lower()
    named = SAME.get(operation, "").replace("_", "").lower() or name
    found = [row for row in ROWS if row.name.replace("_", "").lower() == named]
    assert found, f"no row of the table of operations is called like {operation}"
    return found[0]


def _varied(served: Served, request: Request, change: Mapping[str, Any]) -> Request:
    """Change a request, and make what the changed one needs."""
    query = dict(change.get("query", {}))
    if "prevsharesnapshot" in query:
        served.make("/data/earlier", b"content")
        taken = served.ask("PUT", "/data", {"restype": "share", "comp": "snapshot"})
        query["prevsharesnapshot"] = taken.headers["x-ms-snapshot"]
        source = {"x-ms-file-rename-source": f"{served.url}/{ACCOUNT}/data/earlier"}
        assert served.ask("PUT", "/data/moved", {"comp": "rename"}, source).status == 200
    elif change.get("path") == "/data/other":
        served.make("/data/f", b"content")
        served.make("/data/other", b"content")
    elif change.get("path") == "/data/f":
        (served.folder("data") / "a").mkdir()
    headers = {**request.headers, **change.get("headers", {})}
    return Request(
        request.method,
        change.get("path", request.path),
        request.query | query,
        {name: value for name, value in headers.items() if value is not None},
        change.get("body", request.body),
    )


FILES = operations("azure.storage.fileshare")


@pytest.mark.parametrize("sent", [pytest.param(sent, id=sent.operation) for sent in FILES])
def test_every_name_is_looked_at_or_refused(served: Served, seen: set[str], sent: Sent) -> None:
    row = _row(sent.operation)
    if outcome(row)[0] or row.name == "Service_GetUserDelegationKey":
        return  # refused as a whole, by name; or for tokens only, and with no header of its own
    request = prepared(served, row)
    seen.clear()
    assert request.ask(served).status < 300 or row.name in ("File_AbortCopy", "Share_Create")
    for change in MORE.get(sent.operation, []):
        _varied(served, request, change).ask(served)
    looked = seen | ALWAYS.keys() | REFUSED.keys() | NOTHING.get(sent.operation, {}).keys()
    assert sorted((sent.headers | sent.query) - looked) == []


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused_is_refused_by_name(served: Served, name: str) -> None:
    sent = {**SMB, "x-ms-type": "file", "x-ms-content-length": "0", name: "1"}
    answer = served.ask("PUT", "/data/f", headers=sent)
    assert (answer.status, answer.code) == (501, "NotImplemented")
    assert REFUSED[name] in answer.text("Message")
    assert not (served.folder("data") / "f").exists()


def test_the_walk_finds_what_clients_send() -> None:
    names = {name for sent in operations("azure.storage.fileshare") for name in sent.headers}
    assert len(names) > 60
    assert len(operations("azure.storage.fileshare")) > 50
    known = names | mentioned("azure.storage.fileshare")
    assert {"x-ms-structured-body", "x-ms-file-property-semantics", "x-ms-content-crc64"} <= known
    assert RECEIVED_OR_OTHERWISE.keys() <= known
