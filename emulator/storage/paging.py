"""Pages of lists: what was asked for, repeated, and markers that lead from one to the next."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage.call import name_element
from batchai_scenario.emulator.storage.errors import bad_query

if TYPE_CHECKING:
    from batchai_scenario.emulator.storage.call import Call

MAX_RESULTS = 5000
"""Entries in one page, also when nothing was asked (service)."""


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
