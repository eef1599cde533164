"""Operations on the service itself: its shares and its properties."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from emulator.storage.call import XML, document, element
from emulator.storage.errors import StorageError, bad_query
from emulator.storage.records import entity_tag
from emulator.storage.times import http_date

if TYPE_CHECKING:
    from starlette.responses import Response

    from emulator.storage.call import Call, Context

MAX_RESULTS = 5000
"""Entries in one page, also when nothing was asked (service)."""

_INCLUDES = {"metadata", "snapshots", "deleted"}
"""What a listing may include. There are neither snapshots nor deleted shares here, so these find none."""


async def list_shares(context: Context, call: Call) -> Response:
    """List shares by name, page by page."""
    include = {word.strip() for word in call.query.get("include", "").split(",") if word.strip()}
    if not include <= _INCLUDES:
        raise bad_query("include", call.query["include"])
    prefix = call.query.get("prefix", "")
    limit = call.number("maxresults", MAX_RESULTS, 1, MAX_RESULTS)
    start = read_marker(call)
    names = [
        name for name in context.shares.list(call.account.name) if name.startswith(prefix) and name >= start
    ]
    shares = []
    for name in names[:limit]:
        try:
            record, status = context.shares.read(call.account.name, name)
        except StorageError:
            continue
        tag = entity_tag(status, record.changed, directory=True)
        properties = (
            element("Last-Modified", http_date(record.changed // 1_000_000_000))
            + element("Etag", tag)
            + element("Quota", str(record.quota))
        )
        metadata = "".join(element(key, value) for key, value in record.metadata.items())
        extra = f"<Metadata>{metadata}</Metadata>" if "metadata" in include and metadata else ""
        shares.append(f"<Share>{element('Name', name)}<Properties>{properties}</Properties>{extra}</Share>")
    following = write_marker(names[limit]) if len(names) > limit else ""
    return call.answer(
        200,
        {},
        document(
            f"<EnumerationResults ServiceEndpoint={service_endpoint(call)}>{echo(call)}"
            f"<Shares>{''.join(shares)}</Shares>{element('NextMarker', following)}</EnumerationResults>"
        ),
        content_type=XML,
    )


async def get_properties(_: Context, call: Call) -> Response:
    """Tell the service's properties: no metrics, no CORS rules; neither can be changed yet."""
    retention = "<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy>"
    off = f"<Version>1.0</Version><Enabled>false</Enabled>{retention}"
    body = f"<HourMetrics>{off}</HourMetrics><MinuteMetrics>{off}</MinuteMetrics><Cors />"
    content = document(f"<StorageServiceProperties>{body}</StorageServiceProperties>")
    return call.answer(200, {}, content, content_type=XML)


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
    return "".join(element(names[name], call.query[name]) for name in names if call.query.get(name))


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
