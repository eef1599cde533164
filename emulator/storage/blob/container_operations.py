"""Operations on containers, and the list of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage import bearer
from batchai_scenario.emulator.storage.blob.listing import read_include, service_endpoint
from batchai_scenario.emulator.storage.call import XML, document, element, metadata_headers, stamps
from batchai_scenario.emulator.storage.conditions import check_conditions
from batchai_scenario.emulator.storage.errors import StorageError, bad_header, failure
from batchai_scenario.emulator.storage.paging import MAX_RESULTS, echo, read_marker, write_marker
from batchai_scenario.emulator.storage.policies import read_policies, write_policies
from batchai_scenario.emulator.storage.properties import BLOB
from batchai_scenario.emulator.storage.records import ShareRecord, entity_tag
from batchai_scenario.emulator.storage.times import http_date

if TYPE_CHECKING:
    from starlette.responses import Response

    from batchai_scenario.emulator.storage.blob.call import BlobCall
    from batchai_scenario.emulator.storage.blob.context import BlobContext

_PLAIN = (
    ("has-immutability-policy", "false", "HasImmutabilityPolicy"),
    ("has-legal-hold", "false", "HasLegalHold"),
    ("default-encryption-scope", "$account-encryption-key", "DefaultEncryptionScope"),
    ("deny-encryption-scope-override", "false", "DenyEncryptionScopeOverride"),
    ("immutable-storage-with-versioning-enabled", "false", "ImmutableStorageWithVersioningEnabled"),
)
"""What every container is like here: header, value, element of a listing."""

_FREE = {"x-ms-lease-status": "unlocked", "x-ms-lease-state": "available"}


async def create_container(context: BlobContext, call: BlobCall) -> Response:
    """Make a container; only a private one."""
    _refuse_public(call)
    made = ShareRecord(metadata=call.metadata())
    record, status = context.containers.create(call.account.name, call.share, made)
    return call.answer(201, stamps(entity_tag(status, record.changed, directory=True), record.changed))


async def get_container(context: BlobContext, call: BlobCall) -> Response:
    """Read a container's properties and metadata."""
    record, status = context.containers.read(call.account.name, call.share)
    headers = stamps(entity_tag(status, record.changed, directory=True), record.changed)
    headers |= metadata_headers(record.metadata) | _FREE
    headers |= {f"x-ms-{name}": value for name, value, _ in _PLAIN}
    return call.answer(200, headers)


async def set_container_metadata(context: BlobContext, call: BlobCall) -> Response:
    """Replace a container's metadata."""
    metadata = call.metadata()
    record, status = context.containers.read(call.account.name, call.share)
    check_conditions(call, entity_tag(status, record.changed, directory=True), record.changed)
    record.metadata = metadata
    context.containers.save(call.account.name, call.share, record)
    return call.answer(200, stamps(entity_tag(status, record.changed, directory=True), record.changed))


async def get_container_acl(context: BlobContext, call: BlobCall) -> Response:
    """Tell a container's stored access policies; it is private."""
    record, status = context.containers.read(call.account.name, call.share)
    headers = stamps(entity_tag(status, record.changed, directory=True), record.changed)
    return call.answer(200, headers, write_policies(record.policies), content_type=XML)


async def set_container_acl(context: BlobContext, call: BlobCall) -> Response:
    """Replace a container's stored access policies; they hold at once (up to 30 s later on the service)."""
    _refuse_public(call)
    policies = read_policies(await call.body())
    record, status = context.containers.read(call.account.name, call.share)
    check_conditions(call, entity_tag(status, record.changed, directory=True), record.changed)
    record.policies = policies
    context.containers.save(call.account.name, call.share, record)
    return call.answer(200, stamps(entity_tag(status, record.changed, directory=True), record.changed))


def _refuse_public(call: BlobCall) -> None:
    """Refuse to open a container to everybody, as accounts do that allow none to be public."""
    given = call.headers.get("x-ms-blob-public-access", "")
    if given.lower() in ("container", "blob"):
        raise failure("PublicAccessNotPermitted")
    if given:
        raise bad_header("x-ms-blob-public-access", given)


async def delete_container(context: BlobContext, call: BlobCall) -> Response:
    """Delete a container with all that it holds; its name is free at once."""
    record, status = context.containers.read(call.account.name, call.share)
    check_conditions(call, entity_tag(status, record.changed, directory=True), record.changed)
    aside = context.containers.delete(call.account.name, call.share)
    await asyncio.get_running_loop().run_in_executor(None, context.containers.discard, aside)
    return call.answer(202, {})


async def get_properties(context: BlobContext, call: BlobCall) -> Response:
    """Tell the service's properties as they were set."""
    content = context.records.properties.told(call.account.name, BLOB, call.version)
    return call.answer(200, {}, document(content), content_type=XML)


async def set_properties(context: BlobContext, call: BlobCall) -> Response:
    """Set the service's properties: CORS rules and the default version hold at once, the rest is kept."""
    context.records.properties.set_by(call.account.name, BLOB, await call.body())
    return call.answer(202, {})


async def get_delegation_key(context: BlobContext, call: BlobCall) -> Response:
    """Make a key with which the bearer of a token signs for itself."""
    return await bearer.get_delegation_key(call, context.tokens, context.clock.now(), "b")


async def list_containers(context: BlobContext, call: BlobCall) -> Response:
    """List an account's containers by name, page by page."""
    include = read_include(call, {"metadata"}, {"deleted", "system"}, "List Containers")
    limit = call.number("maxresults", MAX_RESULTS, 1, MAX_RESULTS)
    prefix, start = call.query.get("prefix", ""), read_marker(call)
    names = [
        name
        for name in context.containers.list(call.account.name)
        if name.startswith(prefix) and name >= start
    ]
    rows = [_row(context, call, name, metadata=bool(include)) for name in names[:limit]]
    following = write_marker(names[limit]) if len(names) > limit else ""
    body = (
        f"<EnumerationResults ServiceEndpoint={service_endpoint(call)}>{echo(call)}"
        f"<Containers>{''.join(rows)}</Containers>{element('NextMarker', following)}</EnumerationResults>"
    )
    return call.answer(200, {}, document(body), content_type=XML)


def _row(context: BlobContext, call: BlobCall, name: str, *, metadata: bool) -> str:
    try:
        record, status = context.containers.read(call.account.name, name)
    except StorageError:
        return ""  # it vanished meanwhile
    properties = (
        element("Last-Modified", http_date(record.changed // 1_000_000_000))
        + element("Etag", entity_tag(status, record.changed, directory=True))
        + element("LeaseStatus", "unlocked")
        + element("LeaseState", "available")
        + "".join(element(tag, value) for _, value, tag in _PLAIN)
    )
    told = "".join(element(key, value) for key, value in record.metadata.items()) if metadata else ""
    extra = f"<Metadata>{told}</Metadata>" if told else ""
    return f"<Container>{element('Name', name)}<Properties>{properties}</Properties>{extra}</Container>"
