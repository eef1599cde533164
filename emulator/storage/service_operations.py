"""Operations on the service itself: its shares and its properties."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage import bearer
from batchai_scenario.emulator.storage.call import XML, document
from batchai_scenario.emulator.storage.errors import failure
from batchai_scenario.emulator.storage.parsing import parse_xml

if TYPE_CHECKING:
    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context

_PROTOCOLS_SINCE = "2019-12-12"
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
