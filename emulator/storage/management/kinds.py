"""What the resource manager tells of a share and of a container, and what can be set of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm.bodies import read_all, together
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.storage.premium import TIER, TIERS
from batchai_scenario.emulator.storage.records import DEFAULT_QUOTA, ShareRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


_TIER = "x-ms-access-tier"
_MOST_QUOTA = 102400


@dataclass(frozen=True, slots=True)
class Kind:
    """What differs between the two services: their type names, and the properties of what they hold.

    ``read`` puts a body's properties into a record, ``write`` tells them.
    """

    service: str
    item: str
    read: Callable[[ShareRecord, dict[str, Any]], None]
    write: Callable[[ShareRecord], dict[str, Any]]


def _metadata(record: ShareRecord, properties: dict[str, Any]) -> None:
    metadata = properties.pop("metadata", None)
    if metadata is not None:
        if not isinstance(metadata, dict):
            raise _wrong("metadata", "it is an object of texts")
        record.metadata = {str(name): str(text) for name, text in metadata.items()}


def _read_share(record: ShareRecord, properties: dict[str, Any], *, premium: bool = False) -> None:
    read_all(
        lambda: _metadata(record, properties),
        lambda: _quota(record, properties.pop("shareQuota", None)),
        lambda: _tier(record, properties.pop("accessTier", None), (TIER,) if premium else TIERS),
        lambda: _protocol(properties.pop("enabledProtocols", None)),
        lambda: _nothing_more(properties),
    )


def _quota(record: ShareRecord, quota: object) -> None:
    if quota is not None:
        if not isinstance(quota, int) or isinstance(quota, bool) or not 1 <= quota <= _MOST_QUOTA:
            raise _wrong("shareQuota", f"it is a number of GiB from 1 to {_MOST_QUOTA}")
        record.quota = quota


def _tier(record: ShareRecord, tier: object, tiers: Sequence[str]) -> None:
    if tier is not None:
        if tier not in tiers:
            others = "Premium in an account of kind FileStorage, and in others"
            raise _wrong("accessTier", f"it is {others} {', '.join(TIERS[:-1])} or {TIERS[-1]}")
        record.properties[_TIER] = str(tier)


def _protocol(protocol: object) -> None:
    if protocol not in (None, "SMB"):
        raise _wrong("enabledProtocols", "the emulator's shares are SMB")


def _write_share(record: ShareRecord, *, premium: bool = False) -> dict[str, Any]:
    return {
        "shareQuota": record.quota or DEFAULT_QUOTA,
        "accessTier": TIER if premium else record.properties.get(_TIER, TIERS[0]),
        "enabledProtocols": "SMB",
    }


def _read_container(record: ShareRecord, properties: dict[str, Any]) -> None:
    read_all(
        lambda: _metadata(record, properties),
        lambda: _private(properties.pop("publicAccess", None)),
        lambda: _nothing_more(properties),
    )


def _private(access: object) -> None:
    if access not in (None, "None"):
        text = "Public access is not permitted on this storage account."
        raise ServiceError(409, "PublicAccessNotPermitted", text, "properties.publicAccess")


def _write_container(_: ShareRecord) -> dict[str, Any]:
    return {
        "publicAccess": "None",
        "leaseStatus": "Unlocked",
        "leaseState": "Available",
        "hasImmutabilityPolicy": False,
        "hasLegalHold": False,
    }


def _nothing_more(properties: Mapping[str, Any]) -> None:
    wrong = [_wrong(name, "it is not emulated") for name, value in properties.items() if value is not None]
    if wrong:
        raise together(wrong)


def _wrong(name: str, why: str) -> ServiceError:
    target = f"properties.{name}"
    return ServiceError(400, "InvalidValuesForRequestParameters", f"{target}: {why}.", target)


SHARES = Kind("fileServices", "shares", _read_share, _write_share)
PREMIUM_SHARES = replace(
    SHARES, read=partial(_read_share, premium=True), write=partial(_write_share, premium=True)
)
"""Shares of accounts of kind FileStorage."""

CONTAINERS = Kind("blobServices", "containers", _read_container, _write_container)
