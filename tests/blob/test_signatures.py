"""Signatures for folders, snapshots, versions and encryption scopes of blobs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import requests
from azure.storage.blob import generate_blob_sas

from batchai_scenario.emulator.storage.signing import BLOBS, sign_service
from batchai_scenario.emulator.storage.times import sas_time
from tests.storage.serving import ACCOUNT, KEY

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

    from tests.storage.serving import Served


def _get(served: Served, name: str, query: str) -> tuple[int, str, str]:
    answer = requests.get(f"{served.url}/blob/{ACCOUNT}/data/{name}?{query}", timeout=10)
    return answer.status_code, answer.headers.get("x-ms-error-code", ""), answer.text


@pytest.mark.parametrize(
    ("folder", "depth", "name", "status"),
    [
        ("a/b", "2", "a/b/c", 200),
        ("a/b", "2", "a/b/d/e", 200),
        ("a", "1", "a/b/c", 200),
        ("", "0", "top", 200),
        ("a/b", "2", "a/bc", 403),
        ("a/b", "1", "a/b/c", 403),
        ("a/b", "2", "top", 403),
        ("a/b", "x", "a/b/c", 403),
        ("a/b", "", "a/b/c", 403),
    ],
)
def test_a_signature_for_a_folder_opens_what_is_below(  # noqa: PLR0917 - the table's columns
    served: Served, container: ContainerClient, folder: str, depth: str, name: str, status: int
) -> None:
    for blob in ("a/b/c", "a/b/d/e", "a/bc", "top"):
        container.upload_blob(blob, b"content", overwrite=True)
    account = served.accounts.get(ACCOUNT)
    assert account is not None
    query = {"sv": "2020-02-10", "sr": "d", "sp": "r", "sdd": depth}
    query["se"] = sas_time(served.clock.now() + timedelta(hours=1))
    resource = f"/blob/{ACCOUNT}/data/{folder}".rstrip("/")
    query["sig"] = sign_service(resource, account.secrets[0], query, BLOBS)
    assert _get(served, name, urlencode(query))[0] == status


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("snapshot", "2026-01-01T00:00:00.0000000Z", "snapshots of blobs (snapshot)"),
        ("version_id", "2026-01-01T00:00:00.0000000Z", "versions of blobs (versionid)"),
        ("encryption_scope", "scope", "encryption scopes (ses)"),
    ],
)
def test_what_is_not_there_is_refused_by_name_and_not_as_a_wrong_signature(
    served: Served, container: ContainerClient, option: str, value: str, said: str
) -> None:
    container.upload_blob("b", b"content", overwrite=True)
    later = served.clock.now() + timedelta(hours=1)
    options: dict[str, Any] = {option: value}
    signed = generate_blob_sas(ACCOUNT, "data", "b", account_key=KEY, permission="r", expiry=later, **options)
    more = {"snapshot": f"&snapshot={value}", "version_id": f"&versionid={value}"}.get(option, "")
    more = "" if more[1:].partition("=")[0] + "=" in signed else more
    status, code, text = _get(served, "b", signed + more)
    assert (status, code, said in text) == (501, "NotImplemented", True)
    wrong = signed.replace("sp=r", "sp=rw") + more
    assert _get(served, "b", wrong)[:2] == (403, "AuthenticationFailed")
