"""Stored access policies of shares and containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage.call import XML, document, element, stamps
from batchai_scenario.emulator.storage.errors import failure
from batchai_scenario.emulator.storage.parsing import parse_xml
from batchai_scenario.emulator.storage.records import entity_tag
from batchai_scenario.emulator.storage.times import parse_sas_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context

MOST = 5
"""Stored access policies of one share or container (service)."""

_LONGEST_ID = 64
_FIELDS = {"Start": "start", "Expiry": "expiry", "Permission": "permission"}


async def get_acl(context: Context, call: Call) -> Response:
    """Tell the stored access policies of a share."""
    record, status = context.shares.read(call.account.name, call.share)
    context.leases.check(call, call.share_key, locks=False, share=True)
    headers = stamps(entity_tag(status, record.changed, directory=True), record.changed)
    return call.answer(200, headers, write_policies(record.policies), content_type=XML)


async def set_acl(context: Context, call: Call) -> Response:
    """Replace the stored access policies of a share; they hold at once (up to 30 s later on the service)."""
    record, status = context.shares.read(call.account.name, call.share)
    context.leases.check(call, call.share_key, locks=False, share=True)
    policies = read_policies(await call.body())
    record, status = context.shares.read(call.account.name, call.share)
    record.policies = policies
    context.shares.records.save_share(call.share_key, record)
    return call.answer(200, stamps(entity_tag(status, record.changed, directory=True), record.changed))


def write_policies(policies: Sequence[Mapping[str, str]]) -> bytes:
    """Write stored access policies as a record keeps them."""
    rows = []
    for policy in policies:
        fields = "".join(element(tag, policy[name]) for tag, name in _FIELDS.items() if name in policy)
        inner = f"<AccessPolicy>{fields}</AccessPolicy>" if fields else ""
        rows.append(f"<SignedIdentifier>{element('Id', policy['id'])}{inner}</SignedIdentifier>")
    return document(f"<SignedIdentifiers>{''.join(rows)}</SignedIdentifiers>")


def read_policies(data: bytes) -> list[dict[str, str]]:
    """Read stored access policies as a record keeps them; an empty body holds none.

    Raises:
        StorageError: InvalidXmlDocument, InvalidXmlNodeValue and UnsupportedXmlNode (400).
    """
    if not data.strip():
        return []
    policies: list[dict[str, str]] = []
    for row in parse_xml(data, "SignedIdentifiers"):
        name = (row.findtext("Id") or "").strip()
        if row.tag != "SignedIdentifier" or not 1 <= len(name) <= _LONGEST_ID:
            raise failure("InvalidXmlNodeValue", XmlNodeName="Id", XmlNodeValue=name)
        policy = {"id": name}
        access = row.find("AccessPolicy")
        for child in () if access is None else access:
            field, text = _FIELDS.get(child.tag), (child.text or "").strip()
            if field is None:
                raise failure("UnsupportedXmlNode", XmlNodeName=child.tag)
            if text and field != "permission" and parse_sas_time(text) is None:
                raise failure("InvalidXmlNodeValue", XmlNodeName=child.tag, XmlNodeValue=text)
            if text:
                policy[field] = text
        policies.append(policy)
    if len(policies) > MOST or len({policy["id"] for policy in policies}) < len(policies):
        raise failure("InvalidXmlDocument")
    return policies
