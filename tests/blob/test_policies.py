"""Stored access policies of containers: kept, given back, and what signatures that name them may do."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import AccessPolicy, generate_blob_sas, generate_container_sas

from tests.storage.serving import ACCOUNT, KEY

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient, ContainerClient

    from tests.storage.serving import Served

NOW = datetime.now(timezone.utc).replace(microsecond=0)
LATER = NOW + timedelta(hours=1)


def test_they_are_kept_and_given_back(service: BlobServiceClient, container: ContainerClient) -> None:
    assert container.get_container_access_policy() == {"public_access": None, "signed_identifiers": []}
    before = container.get_container_properties().etag
    readers = AccessPolicy(permission="rl", start=NOW, expiry=LATER)
    container.set_container_access_policy({"readers": readers, "open": AccessPolicy()})
    found = container.get_container_access_policy()["signed_identifiers"]
    assert [(one.id, one.access_policy and one.access_policy.permission) for one in found] == [
        ("readers", "rl"),
        ("open", None),
    ]
    assert found[0].access_policy.expiry.startswith(f"{LATER:%Y-%m-%dT%H:%M:%S}")
    assert container.get_container_properties().etag != before
    container.delete_container()
    assert service.create_container("data").get_container_access_policy()["signed_identifiers"] == []


def test_they_open_and_close_what_they_signed(served: Served, container: ContainerClient) -> None:
    container.upload_blob("a/b", b"content")
    container.set_container_access_policy(
        {
            "readers": AccessPolicy(permission="r", expiry=LATER),
            "old": AccessPolicy(permission="r", expiry=NOW - timedelta(hours=1)),
        }
    )
    url = f"{served.url}/blob/{ACCOUNT}/data/a/b"

    def of_container(policy: str) -> str:
        return f"{url}?{generate_container_sas(ACCOUNT, 'data', KEY, policy_id=policy)}"

    of_blob = f"{url}?{generate_blob_sas(ACCOUNT, 'data', 'a/b', account_key=KEY, policy_id='readers')}"
    for signed in (of_container("readers"), of_blob):
        assert requests.get(signed, timeout=10).text == "content"
        assert requests.delete(signed, timeout=10).status_code == 403  # the policy lets it read
    for policy in ("old", "unknown"):
        assert requests.get(of_container(policy), timeout=10).status_code == 403
    copy = container.get_blob_client("copy")
    assert copy.start_copy_from_url(of_blob)["copy_status"] == "success"
    container.set_container_access_policy({})
    for signed in (of_container("readers"), of_blob):
        assert requests.get(signed, timeout=10).status_code == 403
    with pytest.raises(HttpResponseError):
        copy.start_copy_from_url(of_blob)


def test_what_a_container_may_not_be_given(
    served: Served, service: BlobServiceClient, container: ContainerClient
) -> None:
    for level in ("blob", "container"):
        with pytest.raises(HttpResponseError) as refused:
            container.set_container_access_policy({}, public_access=level)
        assert refused.value.error_code == "PublicAccessNotPermitted"  # type: ignore[attr-defined]
    with pytest.raises(HttpResponseError) as changed:
        container.set_container_access_policy({}, if_unmodified_since=NOW - timedelta(days=1))
    assert changed.value.status_code == 412
    sas = generate_container_sas(ACCOUNT, "data", KEY, permission="rwdlc", expiry=LATER)
    url = f"{served.url}/blob/{ACCOUNT}/data?restype=container&comp=acl&{sas}"
    assert [requests.request(method, url, timeout=10).status_code for method in ("GET", "PUT")] == [403, 403]
    with pytest.raises(HttpResponseError) as missing:
        service.get_container_client("nowhere").get_container_access_policy()
    assert missing.value.error_code == "ContainerNotFound"  # type: ignore[attr-defined]
