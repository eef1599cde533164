"""Shares of premium accounts (kind ``FileStorage``): what is provisioned for a share follows from its quota.

It is told as the service computes it, and nothing is faster or slower for it; so is paid bursting.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage.errors import bad_header, not_built
from batchai_scenario.emulator.storage.times import http_date

if TYPE_CHECKING:
    from datetime import datetime

    from batchai_scenario.emulator.storage.accounts import Account
    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.records import ShareRecord

TIER = "Premium"
TIERS = ("TransactionOptimized", "Hot", "Cool")
"""What shares of other accounts have; the first if nobody said."""

BURSTING = "x-ms-share-paid-bursting-enabled"
MOST = {"x-ms-share-paid-bursting-max-iops": 102_400, "x-ms-share-paid-bursting-max-bandwidth-mibps": 10_340}
"""The highest that may be asked for, which is also what a share has that asks for none (service)."""

HEADERS = frozenset({BURSTING, *MOST})
"""What only a premium account's shares may be asked for."""

DOWNGRADE = "x-ms-share-next-allowed-quota-downgrade-time"
_HOLD = timedelta(hours=24)
_SQUASH = "x-ms-root-squash"


def is_premium(account: Account) -> bool:
    """Tell whether an account has premium shares, and none but those."""
    return str(account.definition.get("kind", "")) == "FileStorage"


def may_ask(call: Call, kind: str, name: str) -> bool:
    """Tell whether a request may have a header that is otherwise refused by name.

    ``NoRootSquash`` is what every SMB share has.
    """
    if kind != "share" or not is_premium(call.account):
        return False
    return name in HEADERS or (name == _SQUASH and call.headers[name] == "NoRootSquash")


def read_tier(call: Call) -> str:
    """Read the access tier that a request asks for; empty if none.

    Raises:
        StorageError: InvalidHeaderValue; NotImplemented for a premium share in another account.
    """
    tier = call.headers.get("x-ms-access-tier", "")
    premium = is_premium(call.account)
    if tier == TIER and not premium:
        raise not_built("premium shares in accounts of another kind than FileStorage (x-ms-access-tier)")
    if tier and tier not in ((TIER,) if premium else TIERS):
        raise bad_header("x-ms-access-tier", tier)
    return tier


def read_bursting(call: Call) -> dict[str, str]:
    """Read what a request says of paid bursting, by header; empty if nothing.

    Raises:
        StorageError: InvalidHeaderValue, also for a limit where bursting is not turned on.
    """
    given = {name: call.length(name) for name in MOST}
    enabled = call.flag(BURSTING)
    for name, value in given.items():
        if value is not None and (not enabled or not 0 < value <= MOST[name]):
            raise bad_header(name, str(value))
    if enabled:
        return {BURSTING: "true"} | {name: str(given[name] or most) for name, most in MOST.items()}
    return {BURSTING: "false"} if BURSTING in call.headers else {}


def note_quota(call: Call, record: ShareRecord, before: int, now: datetime) -> None:
    """Note from when on a quota may be lowered, if it was raised: a day later (service)."""
    if is_premium(call.account) and record.quota > before:
        record.properties[DOWNGRADE] = http_date(int((now + _HOLD).timestamp()))


def told(account: Account, record: ShareRecord) -> dict[str, str]:
    """Give a share's tier and, of a premium one, what is provisioned, by header."""
    if not is_premium(account):
        return {"x-ms-access-tier": TIERS[0]} | record.properties
    share, part = record.quota, -(-record.quota * 4 // 100)
    more = -(-share * 6 // 100)
    bursting = record.properties.get(BURSTING) == "true"
    return {
        DOWNGRADE: http_date(record.changed // 1_000_000_000),
        "x-ms-share-provisioned-iops": str(min(3000 + share, 100_000)),
        "x-ms-share-provisioned-ingress-mbps": str(40 + part),
        "x-ms-share-provisioned-egress-mbps": str(60 + more),
        "x-ms-share-provisioned-bandwidth-mibps": str(100 + part + more),
        **{name: text for name, text in record.properties.items() if bursting or name not in MOST},
        "x-ms-access-tier": TIER,
    }


ELEMENTS = {
    "x-ms-access-tier": "AccessTier",
    "x-ms-share-provisioned-iops": "ProvisionedIops",
    "x-ms-share-provisioned-ingress-mbps": "ProvisionedIngressMBps",
    "x-ms-share-provisioned-egress-mbps": "ProvisionedEgressMBps",
    "x-ms-share-provisioned-bandwidth-mibps": "ProvisionedBandwidthMiBps",
    DOWNGRADE: "NextAllowedQuotaDowngradeTime",
    BURSTING: "PaidBurstingEnabled",
    "x-ms-share-paid-bursting-max-iops": "PaidBurstingMaxIops",
    "x-ms-share-paid-bursting-max-bandwidth-mibps": "PaidBurstingMaxBandwidthMibps",
}
"""How a list of shares calls them."""
