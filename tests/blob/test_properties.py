"""Properties of the blob service: what holds, what is kept, and what is refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobAnalyticsLogging, CorsRule, Metrics, RetentionPolicy, StaticWebsite

from tests.blob.serving import account_sas, signed
from tests.storage.serving import ACCOUNT

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient

    from tests.storage.serving import Served

PAGE = "https://page.example"
SERVICE = {"restype": "service", "comp": "properties"}


def test_what_is_set_is_told_and_what_is_left_out_stays(service: BlobServiceClient) -> None:
    found = service.get_service_properties()
    assert (found["cors"], found["static_website"].enabled) == ([], False)
    assert (found["delete_retention_policy"].enabled, found["target_version"]) == (False, None)
    week = RetentionPolicy(enabled=True, days=7)
    service.set_service_properties(
        analytics_logging=BlobAnalyticsLogging(read=True, retention_policy=week),
        hour_metrics=Metrics(enabled=True, include_apis=True, retention_policy=week),
        delete_retention_policy=RetentionPolicy(enabled=False),
        static_website=StaticWebsite(enabled=False),
    )
    service.set_service_properties(cors=[CorsRule([PAGE], ["GET"])])
    found = service.get_service_properties()
    assert (found["analytics_logging"].read, found["analytics_logging"].retention_policy.days) == (True, 7)
    assert (found["hour_metrics"].enabled, found["minute_metrics"].enabled) == (True, False)
    assert found["cors"][0].allowed_origins == PAGE


def test_rules_hold_for_blobs_and_are_not_those_of_files(served: Served, service: BlobServiceClient) -> None:
    service.set_service_properties(cors=[CorsRule([PAGE], ["GET"])])
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    for base, status in ((f"{served.url}/blob/{ACCOUNT}", 200), (f"{served.url}/{ACCOUNT}", 403)):
        assert requests.options(f"{base}/data/b", headers=asked, timeout=10).status_code == status
    service.get_blob_client("data", "b").upload_blob(b"content", overwrite=True)
    url = f"{served.url}/blob/{ACCOUNT}/data/b?{account_sas(served)}"
    answer = requests.get(url, headers={"Origin": PAGE}, timeout=10)
    assert (answer.content, answer.headers["access-control-allow-origin"]) == (b"content", PAGE)
    service.set_service_properties(cors=[])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("delete_retention_policy", RetentionPolicy(enabled=True, days=7), "DeleteRetentionPolicy"),
        ("static_website", StaticWebsite(enabled=True, index_document="i.html"), "StaticWebsite"),
    ],
)
def test_what_would_have_no_effect_is_refused_by_name(
    service: BlobServiceClient, name: str, value: object, said: str
) -> None:
    changed: dict[str, Any] = {name: value}
    with pytest.raises(HttpResponseError, match=said) as refused:
        service.set_service_properties(**changed)
    assert refused.value.status_code == 501


def test_the_default_version_is_that_of_requests_that_name_none(
    served: Served, service: BlobServiceClient
) -> None:
    sent = signed(served, "GET", "/", SERVICE, {})
    url = f"{served.url}/blob/{ACCOUNT}/"
    assert requests.get(url, params=SERVICE, headers=sent, timeout=10).status_code == 400
    service.set_service_properties(target_version="2017-07-29")
    answer = requests.get(url, params=SERVICE, headers=sent, timeout=10)
    assert (answer.status_code, answer.headers["x-ms-version"]) == (200, "2017-07-29")
    assert "DeleteRetentionPolicy" in answer.text
    assert "StaticWebsite" not in answer.text
