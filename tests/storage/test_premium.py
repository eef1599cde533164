"""Premium shares: what is provisioned is told, paid bursting is kept; other accounts have neither."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.fileshare import ShareServiceClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.storage.serving import Served

NAME = "fastaccount"


@pytest.fixture
def fast(served: Served) -> Iterator[ShareServiceClient]:
    """Today's client of an account that the resource manager made as FileStorage."""
    account = served.accounts.create(NAME, "sub/group", {"kind": "FileStorage"})
    key: Any = {"account_name": NAME, "account_key": account.keys[0]}
    with ShareServiceClient(f"{served.url}/{NAME}", credential=key, retry_total=0) as service:
        yield service


def _listed(service: ShareServiceClient, name: str) -> Any:
    (found,) = [share for share in service.list_shares() if share.name == name]
    return found


def test_what_is_provisioned_follows_from_the_quota(served: Served, fast: ShareServiceClient) -> None:
    share = fast.create_share("large", quota=1030)
    told: Any
    for told in (share.get_share_properties(), _listed(fast, "large")):
        assert told.access_tier == "Premium"
        assert (told.provisioned_iops, told.provisioned_bandwidth) == (4030, 100 + 42 + 62)
        assert (told.provisioned_ingress_mbps, told.provisioned_egress_mbps) == (40 + 42, 60 + 62)
        assert told.paid_bursting_enabled is None
        hours = (told.next_allowed_quota_downgrade_time - served.clock.now()) / timedelta(hours=1)
        assert 23 < hours <= 24
    share.set_share_quota(100_000)
    assert share.get_share_properties().provisioned_iops == 100_000


def test_paid_bursting_is_kept_and_told(fast: ShareServiceClient) -> None:
    share = fast.create_share("bursts", paid_bursting_enabled=True, paid_bursting_iops=1000)
    for told in (share.get_share_properties(), _listed(fast, "bursts")):
        assert told.paid_bursting_enabled
        assert (told.paid_bursting_iops, told.paid_bursting_bandwidth_mibps) == (1000, 10_340)
    share.set_share_properties(access_tier="Premium", root_squash="NoRootSquash", paid_bursting_enabled=False)
    told = share.get_share_properties()
    assert (told.paid_bursting_enabled, told.paid_bursting_iops) == (False, None)


@pytest.mark.parametrize(
    ("wanted", "status", "named"),
    [
        ({"access_tier": "Hot"}, 400, "x-ms-access-tier"),
        ({"paid_bursting_iops": 5}, 400, "x-ms-share-paid-bursting-max-iops"),
        ({"paid_bursting_enabled": True, "paid_bursting_iops": 102_401}, 400, "bursting-max-iops"),
        ({"headers": {"x-ms-root-squash": "RootSquash"}}, 501, "x-ms-root-squash"),
        ({"protocols": "NFS"}, 501, "x-ms-enabled-protocols"),
        ({"provisioned_iops": 500}, 501, "x-ms-share-provisioned-iops"),
    ],
)
def test_what_a_premium_share_cannot_be_is_refused_by_name(
    fast: ShareServiceClient, wanted: dict[str, Any], status: int, named: str
) -> None:
    with pytest.raises(HttpResponseError) as refused:
        fast.create_share("odd", **wanted)
    assert refused.value.status_code == status
    assert named in str(refused.value)
    assert list(fast.list_shares()) == []


def test_a_file_of_a_premium_account_takes_no_header_of_shares(fast: ShareServiceClient) -> None:
    file = fast.create_share("plain").get_file_client("f")
    with pytest.raises(HttpResponseError, match="x-ms-share-paid-bursting-enabled"):
        file.create_file(1, headers={"x-ms-share-paid-bursting-enabled": "true"})
