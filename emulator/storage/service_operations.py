"""Operations on the service itself: its shares and its properties."""

from __future__ import annotations

import base64
import binascii
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage import bearer
from batchai_scenario.emulator.storage.call import XML, document, element, name_element
from batchai_scenario.emulator.storage.errors import StorageError, bad_query, failure
from batchai_scenario.emulator.storage.parsing import parse_xml
from batchai_scenario.emulator.storage.records import entity_tag
from batchai_scenario.emulator.storage.times import http_date

if TYPE_CHECKING:
    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context

MAX_RESULTS = 5000
"""Entries in one page, also when nothing was asked (service)."""

_INCLUDES = {"metadata", "snapshots", "deleted"}
"""What a listing may include. There are no deleted shares here, so that finds none."""

_TOLD_SINCE = "2019-12-12"
_PROTOCOLS_SINCE = "2019-12-12"
_LEASE_ELEMENTS = {
    "x-ms-lease-status": "LeaseStatus",
    "x-ms-lease-state": "LeaseState",
    "x-ms-lease-duration": "LeaseDuration",
}
_OFF = (
    "<Version>1.0</Version><Enabled>false</Enabled>"
    "<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy>"
)
_DEFAULTS = {
    "HourMetrics": f"<HourMetrics>{_OFF}</HourMetrics>",
    "MinuteMetrics": f"<MinuteMetrics>{_OFF}</MinuteMetrics>",
    "Cors": "<Cors />",
    "ProtocolSettings": (
        "<ProtocolSettings><SMB><Multichannel><Enabled>false</Enabled></Multichannel></SMB></ProtocolSettings>"
    ),
}
_MAX_CORS = 5
"""Rules of CORS that an account may have (service)."""

_SECTIONS = ("HourMetrics", "MinuteMetrics", "Cors", "ProtocolSettings")


async def list_shares(context: Context, call: Call) -> Response:
    """List shares, and with ``include=snapshots`` their snapshots, by name and time, page by page."""
    include = {word.strip().lower() for word in call.query.get("include", "").split(",") if word.strip()}
    if not include <= _INCLUDES:
        raise bad_query("include", call.query["include"])
    prefix = call.query.get("prefix", "")
    limit = call.number("maxresults", MAX_RESULTS, 1, MAX_RESULTS)
    start = read_marker(call)
    account = call.account.name
    names: list[tuple[str, str]] = []
    for name in context.shares.list(account):
        if name.startswith(prefix):
            taken = context.shares.snapshots(account, name) if "snapshots" in include else []
            names += [(name, snapshot) for snapshot in (*taken, "")]
    # A snapshot stands before its share: no time comes after "~".
    keys = [f"{name}/{snapshot or '~'}" for name, snapshot in names]
    page = [item for item, key in zip(names, keys, strict=True) if key >= start]
    rows = [_share(context, call, name, snapshot, include) for name, snapshot in page[:limit]]
    following = ""
    if len(page) > limit:
        name, snapshot = page[limit]
        following = write_marker(f"{name}/{snapshot or '~'}")
    body = (
        f"<EnumerationResults ServiceEndpoint={service_endpoint(call)}>{echo(call)}"
        f"<Shares>{''.join(rows)}</Shares>{element('NextMarker', following)}</EnumerationResults>"
    )
    return call.answer(200, {}, document(body), content_type=XML)


def _share(context: Context, call: Call, name: str, snapshot: str, include: set[str]) -> str:
    try:
        record, status = context.shares.read(call.account.name, name, snapshot)
    except StorageError:
        return ""  # it vanished meanwhile
    tag = entity_tag(status, record.changed, directory=True)
    properties = (
        element("Last-Modified", http_date(record.changed // 1_000_000_000))
        + element("Etag", tag)
        + element("Quota", str(record.quota))
    )
    if call.version >= _TOLD_SINCE:
        tier = record.properties.get("x-ms-access-tier", "TransactionOptimized")
        properties += element("AccessTier", tier) + element("EnabledProtocols", "SMB")
        at = f"@{snapshot}" if snapshot else ""
        lease = context.leases.headers(call, f"{call.account.name}/{name}{at}")
        for header, tag in _LEASE_ELEMENTS.items():
            properties += element(tag, lease[header]) if header in lease else ""
    metadata = "".join(element(key, value) for key, value in record.metadata.items())
    extra = f"<Metadata>{metadata}</Metadata>" if "metadata" in include and metadata else ""
    at = element("Snapshot", snapshot) if snapshot else ""
    return f"<Share>{element('Name', name)}{at}<Properties>{properties}</Properties>{extra}</Share>"


async def get_delegation_key(context: Context, call: Call) -> Response:
    """Make a key with which the bearer of a token signs for itself, for 7 days at most."""
    return await bearer.get_delegation_key(call, context.tokens, context.clock.now(), "f")


async def get_properties(context: Context, call: Call) -> Response:
    """Tell the service's properties as they were set; at first no metrics, no CORS rules, and plain SMB."""
    kept = context.shares.records.service(call.account.name)
    parts = [kept.get(name, _DEFAULTS[name]) for name in _SECTIONS]
    if call.version < _PROTOCOLS_SINCE:
        parts.pop()
    content = document(f"<StorageServiceProperties>{''.join(parts)}</StorageServiceProperties>")
    return call.answer(200, {}, content, content_type=XML)


async def set_properties(context: Context, call: Call) -> Response:
    """Keep the service's properties, which do nothing here: there are no metrics, browsers or SMB clients.

    Sections that the request leaves out stay as they are (service).
    """
    root = parse_xml(await call.body(), "StorageServiceProperties")
    kept = context.shares.records.service(call.account.name)
    for section in root:
        if section.tag not in _SECTIONS:
            raise failure("UnsupportedXmlNode", XmlNodeName=section.tag)
        if section.tag == "Cors" and len(section) > _MAX_CORS:
            raise failure("InvalidXmlDocument")
        section.tail = None
        kept[section.tag] = ET.tostring(section, encoding="unicode")
    context.shares.records.save_service(call.account.name, kept)
    return call.answer(202, {})


def service_endpoint(call: Call) -> str:
    """Write the account's URL, as the client reached it, as an XML attribute."""
    scope = call.request.scope
    in_path = call.raw_path.startswith(f"/{call.account.name}/") or call.raw_path == f"/{call.account.name}"
    base = f"{scope['scheme']}://{call.headers.get('host', '')}/"
    url = f"{base}{call.account.name}/" if in_path else base
    return '"' + url.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;") + '"'


def echo(call: Call) -> str:
    """Repeat what a listing was asked for."""
    names = {"prefix": "Prefix", "marker": "Marker", "maxresults": "MaxResults"}
    return "".join(name_element(names[name], call.query[name]) for name in names if call.query.get(name))


def write_marker(name: str) -> str:
    """Make a marker from the first name of the next page."""
    return base64.urlsafe_b64encode(name.encode()).decode()


def read_marker(call: Call) -> str:
    """Read the first name of the page that is asked for.

    Raises:
        StorageError: InvalidQueryParameterValue for a marker that this service did not make.
    """
    marker = call.query.get("marker", "")
    try:
        return base64.b64decode(marker.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise bad_query("marker", marker) from None
