"""What an account's services are set to: metrics, logging, CORS, protocols, and the like."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.storage.cors import CorsRule, read_rules, write_rules
from batchai_scenario.emulator.storage.errors import StorageError, failure, not_built
from batchai_scenario.emulator.storage.numbers import is_number
from batchai_scenario.emulator.storage.parsing import parse_xml
from batchai_scenario.emulator.storage.times import parse_sas_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from batchai_scenario.emulator.state.store import Store

KIND = "storage-service"
FILE, BLOB = "file", "blob"
MOST_DAYS = 365
"""The longest time for which something is retained (service)."""

_PROTOCOLS_SINCE = "2019-12-12"
_WEBSITES_SINCE = "2018-03-28"
_RETAINED_SINCE = "2017-07-29"

_NO_DAYS = "<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy>"
_OFF = f"<Version>1.0</Version><Enabled>false</Enabled>{_NO_DAYS}"
_ONE_CHANNEL = "<SMB><Multichannel><Enabled>false</Enabled></Multichannel></SMB>"
_LOG = f"<Version>1.0</Version><Delete>false</Delete><Read>false</Read><Write>false</Write>{_NO_DAYS}"
_DEFAULTS = {
    FILE: {
        "HourMetrics": (f"<HourMetrics>{_OFF}</HourMetrics>", ""),
        "MinuteMetrics": (f"<MinuteMetrics>{_OFF}</MinuteMetrics>", ""),
        "Cors": ("<Cors />", ""),
        "ProtocolSettings": (f"<ProtocolSettings>{_ONE_CHANNEL}</ProtocolSettings>", _PROTOCOLS_SINCE),
    },
    BLOB: {
        "Logging": (f"<Logging>{_LOG}</Logging>", ""),
        "HourMetrics": (f"<HourMetrics>{_OFF}</HourMetrics>", ""),
        "MinuteMetrics": (f"<MinuteMetrics>{_OFF}</MinuteMetrics>", ""),
        "Cors": ("<Cors />", ""),
        "DefaultServiceVersion": ("", ""),
        "DeleteRetentionPolicy": (
            "<DeleteRetentionPolicy><Enabled>false</Enabled></DeleteRetentionPolicy>",
            _RETAINED_SINCE,
        ),
        "StaticWebsite": ("<StaticWebsite><Enabled>false</Enabled></StaticWebsite>", _WEBSITES_SINCE),
    },
}
"""What each service tells of itself, in order: what it is set to at first, and since which version."""


class ServiceProperties:
    """What the services ``file`` and ``blob`` of accounts are set to; safe from any thread.

    P1. ``rules`` reads memory only, after the first time: it is on the path of every request.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rules: dict[str, tuple[CorsRule, ...]] = {}

    def sections(self, account: str, service: str) -> dict[str, str]:
        """Give what was set of a service, by name: XML elements, and a few plain texts of our own."""
        found = self._store.get(KIND, _key(account, service))
        return {} if found is None else dict(found.body)

    def save(self, account: str, service: str, changed: Mapping[str, str]) -> None:
        """Set some of a service's properties; the others stay as they are (service)."""
        with self._store.transaction():
            whole = {**self.sections(account, service), **changed}
            self._store.put(KIND, _key(account, service), whole, parent=account)
        self._rules.pop(_key(account, service), None)

    def forget(self, account: str) -> None:
        """Forget what an account's services were set to."""
        for service in (FILE, BLOB):
            self._store.delete(KIND, _key(account, service))
            self._rules.pop(_key(account, service), None)

    def rules(self, account: str, service: str) -> Sequence[CorsRule]:
        """Give a service's rules for cross-origin requests (P1)."""
        key = _key(account, service)
        known = self._rules.get(key)
        if known is None:
            try:
                text = self.sections(account, service).get("Cors", "<Cors />")
                known = tuple(read_rules(ET.fromstring(text)))  # noqa: S314 - written by this service
            except StorageError:  # kept by a release that did not look at them
                known = ()
            self._rules[key] = known
        return known

    def set_rules(self, account: str, service: str, rules: Sequence[CorsRule]) -> None:
        """Set a service's rules for cross-origin requests."""
        self.save(account, service, {"Cors": write_rules(rules)})

    def set_by(self, account: str, service: str, body: bytes) -> None:
        """Set what a client sends; what it leaves out stays as it is (service).

        Raises:
            StorageError: InvalidXmlDocument, UnsupportedXmlNode, InvalidXmlNodeValue, and NotImplemented for
                what would have no effect here.
        """
        changed = {}
        for section in parse_xml(body, "StorageServiceProperties"):
            if section.tag not in _DEFAULTS[service]:
                raise failure("UnsupportedXmlNode", XmlNodeName=section.tag)
            _SECTIONS[section.tag](section)
            section.tail = None
            changed[section.tag] = ET.tostring(section, encoding="unicode")
        self.save(account, service, changed)

    def told(self, account: str, service: str, version: str) -> str:
        """Write a service's properties for clients of a version."""
        kept = self.sections(account, service)
        parts = [
            kept.get(name, default)
            for name, (default, since) in _DEFAULTS[service].items()
            if version >= since
        ]
        return f"<StorageServiceProperties>{''.join(parts)}</StorageServiceProperties>"

    def default_version(self, account: str) -> str:
        """Give the version that requests for blobs are of that name none; empty if none was set."""
        text = self.sections(account, BLOB).get("DefaultServiceVersion", "")
        return (ET.fromstring(text).text or "").strip() if text else ""  # noqa: S314 - written by this service


def _key(account: str, service: str) -> str:
    return account if service == FILE else f"{account}/{service}"


def _boolean(node: ET.Element) -> bool:
    text = (node.text or "").strip().lower()
    if text not in ("true", "false"):
        raise _wrong(node)
    return text == "true"


def _days(node: ET.Element) -> int:
    text = (node.text or "").strip()
    if not is_number(text) or not 1 <= int(text[:5]) <= MOST_DAYS:
        raise _wrong(node)
    return int(text)


def _analytics(node: ET.Element) -> None:
    if (node.text or "").strip() not in ("1.0", "2.0"):
        raise _wrong(node)


def _service_version(node: ET.Element) -> None:
    text = (node.text or "").strip()
    if text and (len(text) != len("2019-02-02") or parse_sas_time(text) is None):
        raise _wrong(node)


def _text(node: ET.Element) -> None:
    if len(node):
        raise _wrong(node)


def _group(
    rows: Mapping[str, Callable[[ET.Element], Any]], *needed: str
) -> Callable[[ET.Element], dict[str, Any]]:
    """Make what reads an element that holds others: each once, and those that are needed."""

    def read(section: ET.Element) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for node in section:
            if node.tag not in rows:
                raise failure("UnsupportedXmlNode", XmlNodeName=node.tag)
            if node.tag in found:
                raise failure("InvalidXmlDocument")
            found[node.tag] = rows[node.tag](node)
        if any(name not in found for name in needed):
            raise failure("InvalidXmlDocument")
        return found

    return read


def _retention(section: ET.Element) -> dict[str, Any]:
    rows = {"Enabled": _boolean, "Days": _days, "AllowPermanentDelete": _boolean}
    found = _group(rows, "Enabled")(section)
    if found["Enabled"] and "Days" not in found:
        raise failure("InvalidXmlDocument")
    return found


def _blob_retention(section: ET.Element) -> None:
    if _retention(section)["Enabled"]:
        raise not_built("soft deletion of blobs (DeleteRetentionPolicy)")


def _website(section: ET.Element) -> None:
    paths = ("IndexDocument", "DefaultIndexDocumentPath", "ErrorDocument404Path")
    if _group({"Enabled": _boolean, **dict.fromkeys(paths, _text)}, "Enabled")(section)["Enabled"]:
        raise not_built("static websites (StaticWebsite)")


def _nfs(_: ET.Element) -> None:
    raise not_built("NFS shares (NFS in ProtocolSettings)")


def _wrong(node: ET.Element) -> StorageError:
    return failure("InvalidXmlNodeValue", XmlNodeName=node.tag, XmlNodeValue=(node.text or "").strip())


_METRICS = _group(
    {"Version": _analytics, "Enabled": _boolean, "IncludeAPIs": _boolean, "RetentionPolicy": _retention},
    "Version",
    "Enabled",
)
_LOGGING = _group(
    {
        "Version": _analytics,
        "Delete": _boolean,
        "Read": _boolean,
        "Write": _boolean,
        "RetentionPolicy": _retention,
    },
    "Version",
    "Delete",
    "Read",
    "Write",
)
_CHANNELS = {
    "Multichannel": _group({"Enabled": _boolean}, "Enabled"),
    "EncryptionInTransit": _group({"Required": _boolean}, "Required"),
}
_SECTIONS: Mapping[str, Callable[[ET.Element], Any]] = {
    "Logging": _LOGGING,
    "HourMetrics": _METRICS,
    "MinuteMetrics": _METRICS,
    "Cors": read_rules,
    "ProtocolSettings": _group({"SMB": _group(_CHANNELS), "NFS": _nfs}),
    "DefaultServiceVersion": _service_version,
    "DeleteRetentionPolicy": _blob_retention,
    "StaticWebsite": _website,
}
