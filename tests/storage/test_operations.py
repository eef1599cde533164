"""The table of Files operations: up to date, and true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl

import pytest

from batchai_scenario.emulator.storage.operations import FIRST, ROWS, outcome, page
from tests.storage.serving import ACCOUNT, SMB

if TYPE_CHECKING:
    from batchai_scenario.emulator.storage.operations import FilesOperation
    from tests.storage.serving import Answer, Served

PAGE = Path(__file__).parents[2] / "docs" / "files-operations.md"
GUID = "11111111-2222-3333-4444-555555555555"
NEEDS = {
    "Share_SetQuota": {"x-ms-share-quota": "7"},
    "Directory_Create": SMB,
    "Directory_ForceCloseHandles": {"x-ms-handle-id": "*"},
    "File_ForceCloseHandles": {"x-ms-handle-id": "*"},
    "File_Create": {**SMB, "x-ms-type": "file", "x-ms-content-length": "1"},
    "File_UploadRange": {"x-ms-range": "bytes=0-0"},
    "File_UploadRangeFromURL": {"x-ms-range": "bytes=0-0", "x-ms-source-range": "bytes=1-1"},
}
BODIES = {
    "Service_SetProperties": b"<StorageServiceProperties><Cors /></StorageServiceProperties>",
    "Share_SetAccessPolicy": b"<SignedIdentifiers />",
    "Share_CreatePermission": json.dumps({"permission": "O:BAG:BAD:(A;;FA;;;SY)"}).encode(),
    "File_UploadRange": b"x",
}
STATUS = {"PUT": {200, 201, 202}, "GET": {200}, "HEAD": {200}, "DELETE": {202}}
ODD = {"Service_GetUserDelegationKey": {403}, "File_AbortCopy": {409}, "Share_Create": {409}}


def test_the_page_in_docs_is_what_the_code_says() -> None:
    assert PAGE.read_text() == page(), (
        "python -m batchai_scenario.emulator.storage.operations > docs/files-operations.md"
    )


def test_enough_is_served() -> None:
    published = [row for row in ROWS if row.since == FIRST]
    assert sum(not outcome(row)[0] for row in published) >= 0.9 * len(published)


class Request(NamedTuple):
    """A request that an operation answers well."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def ask(self, served: Served) -> Answer:
        return served.ask(self.method, self.path, self.query, self.headers, self.body)


def prepared(served: Served, row: FilesOperation) -> Request:
    """Make what an operation needs, and the request for it."""
    served.make("/data/f", b"content")
    source = served.linked("data/f", "rwd")
    path, _, query = row.path.partition("?")
    place = {"{share}": "data", "{directory}": "a", "{file}": "f", "{id}": GUID}
    if row.name in ("Directory_Create", "Directory_Rename"):
        place["{directory}"] = "b"
    elif "{directory}" in row.path or row.name == "Directory_Rename":
        (served.folder("data") / "a").mkdir()
    if row.name == "Directory_Rename":
        (served.folder("data") / "a").mkdir()
        source = f"{served.url}/{ACCOUNT}/data/a"
    if row.name in ("File_Rename", "File_StartCopy"):
        place["{file}"] = "g"
    for name, text in place.items():
        path, query = path.replace(name, text), query.replace(name, text)
    headers = {**row.headers, **NEEDS.get(row.name, {}), "x-ms-version": max(row.since, FIRST)}
    headers = {name: source if value == "URL" else value for name, value in headers.items()}
    lease = {"x-ms-lease-id": GUID, "x-ms-proposed-lease-id": GUID, "x-ms-lease-duration": "-1"}
    if "comp=lease" in query:
        headers |= lease
        if row.headers["x-ms-lease-action"] != "acquire":
            held = {**headers, "x-ms-lease-action": "acquire"}
            assert served.ask("PUT", path, dict(parse_qsl(query)), held).status == 201
    if row.name == "Share_Restore":
        headers |= _deleted(served)
    if row.name == "Share_GetPermission":
        headers["x-ms-file-permission-key"] = served.ask("HEAD", "/data/f").headers[
            "x-ms-file-permission-key"
        ]
    return Request(row.method, path, dict(parse_qsl(query)), headers, BODIES.get(row.name, b""))


def _deleted(served: Served) -> dict[str, str]:
    """Delete the share, and give the headers that ask for it again."""
    deleted = served.service.deleted
    deleted.set_days(ACCOUNT, 7)
    assert served.ask("DELETE", "/data", {"restype": "share"}).status == 202
    deleted.set_days(ACCOUNT, 0)
    (gone,) = deleted.kept(ACCOUNT)
    return {"x-ms-deleted-share-name": "data", "x-ms-deleted-share-version": gone.version}


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
def test_what_the_table_says_is_so(served: Served, row: FilesOperation) -> None:
    answer = prepared(served, row).ask(served)
    refused, _ = outcome(row)
    if refused:
        assert (answer.status, answer.code) == (501, "NotImplemented")
        assert refused in answer.text("Message")
    else:
        assert answer.status in ODD.get(row.name, STATUS.get(row.method, set())), answer
