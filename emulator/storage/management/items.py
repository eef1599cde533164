"""Shares and containers, and the services that hold them, as the resource manager shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol

from batchai_scenario.emulator.arm.messages import ArmResponse
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.state.clock import wire_time
from batchai_scenario.emulator.storage.errors import StorageError, failure
from batchai_scenario.emulator.storage.records import ShareRecord, entity_tag

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from batchai_scenario.emulator.arm.messages import ArmRequest
    from batchai_scenario.emulator.storage.deleted import DeletedShares
    from batchai_scenario.emulator.storage.management.kinds import Kind
    from batchai_scenario.emulator.storage.shares import Shares

_PAGE = 5000
_PAGING = ("$maxpagesize", "$skiptoken")


class HeldFolders(Protocol):
    """Where shares or containers are: ``ManagedShares`` or ``Containers``."""

    def list(self, account: str) -> list[str]:
        """List names, sorted."""
        ...

    def read(self, account: str, name: str) -> tuple[ShareRecord, os.stat_result]:
        """Read a record and its folder's status; StorageError if there is none."""
        ...

    def create(self, account: str, name: str, record: ShareRecord) -> object:
        """Make one; StorageError if it exists or cannot be."""
        ...

    def save(self, account: str, name: str, record: ShareRecord) -> None:
        """Write a record, changed now."""
        ...

    def delete(self, account: str, name: str) -> str:
        """Move it aside; StorageError if there is none."""
        ...

    def discard(self, folder: str) -> None:
        """Remove what was moved aside."""
        ...


class Settings(Protocol):
    """The properties of a service itself."""

    def tell(self, account: str) -> dict[str, Any]:
        """Give them."""
        ...

    def change(self, account: str, properties: Mapping[str, Any]) -> None:
        """Set some of them; ServiceError for what is wrong or cannot be."""
        ...


@dataclass(frozen=True, slots=True)
class Managed:
    """A service that is managed: what it holds, its properties, and what was deleted, where that is kept."""

    kind: Kind
    folders: HeldFolders
    settings: Settings
    deleted: DeletedShares | None = None


class ManagedShares:
    """Shares as ``Folders``; those that are deleted are kept for as long as their account says."""

    def __init__(self, shares: Shares, deleted: DeletedShares) -> None:
        self._shares, self._deleted = shares, deleted
        self.list, self.read = shares.list, shares.read
        self.create, self.save = shares.create, shares.save

    def delete(self, account: str, name: str) -> str:
        """Delete a share that has no snapshots; empty if it is kept."""
        if self._shares.snapshots(account, name):
            raise failure("ShareHasSnapshots")
        return "" if self._deleted.keep(account, name) else self._shares.delete(account, name)

    def discard(self, folder: str) -> None:
        """Remove what was moved aside, if anything was."""
        if folder:
            self._shares.discard(folder)


def answer(request: ArmRequest, managed: Managed, account: str, entity_id: str) -> ArmResponse:
    """Answer what is asked of a service of an account, or of what it holds.

    Raises:
        ServiceError: what there is not, or what is not emulated, by its name.
    """
    types, kind = request.types[1:], managed.kind
    item = _Item(managed, account, f"{entity_id}/{kind.service}/default/{kind.item}")
    is_list = len(types) > 1 and not types[1][1]
    if request.action:
        if managed.deleted and (request.method, request.action.lower()) == ("POST", "restore"):
            return _in_words(lambda: item.restore(request, managed.deleted, types[-1][1]))
        raise _refused(f"{kind.service}/{request.action}")
    _check_asked(request, _PAGING if is_list else (), expand=bool(is_list and managed.deleted))
    service = {
        "id": f"{entity_id}/{kind.service}/default",
        "name": "default",
        "type": f"Microsoft.Storage/storageAccounts/{kind.service}",
        "properties": managed.settings.tell(account),
    }
    if len(types) == 1 and not types[0][1]:
        return ArmResponse(200, {"value": [service]})
    if types[0][1].lower() != "default":
        raise ServiceError(
            404, "ResourceNotFound", f"There is no {kind.service}/{types[0][1]}: it is 'default'."
        )
    if len(types) == 1:
        if request.method == "PUT":
            managed.settings.change(account, (request.body or {}).get("properties") or {})
            service["properties"] = managed.settings.tell(account)
        elif request.method != "GET":
            raise _refused(f"{request.method} of {kind.service}")
        return ArmResponse(200, service)
    if len(types) > 2 or types[1][0] != kind.item:  # noqa: PLR2004 - service and item
        raise _refused("/".join(name for name, _ in types))
    return _in_words(lambda: item.list(request) if is_list else item.one(request, types[1][1]))


def _in_words(ask: Callable[[], ArmResponse]) -> ArmResponse:
    """Put a refusal of storage into the resource manager's words."""
    try:
        return ask()
    except StorageError as error:
        raise ServiceError(error.status, error.code, error.message) from None


@dataclass(frozen=True, slots=True)
class _Item:
    managed: Managed
    account: str
    prefix: str

    @property
    def kind(self) -> Kind:
        return self.managed.kind

    @property
    def folders(self) -> HeldFolders:
        return self.managed.folders

    def list(self, request: ArmRequest) -> ArmResponse:
        if request.method != "GET":
            raise _refused(f"{request.method} of {self.kind.item}")
        size = request.query.get("$maxpagesize", str(_PAGE))
        if not size.isascii() or not size.isdecimal() or not 1 <= int(size[:9]) <= _PAGE:
            text = f"$maxpagesize is a number from 1 to {_PAGE}."
            raise ServiceError(400, "InvalidQueryParameterValue", text, "$maxpagesize")
        start = request.query.get("$skiptoken", "")
        expand = request.query.get("$expand", "")
        gone = self._deleted() if expand else {}
        names = [name for name in sorted([*self.folders.list(self.account), *gone]) if name >= start]
        shown, more = names[: int(size)], names[int(size) :]
        found = (gone.get(name) or self._told(name) for name in shown)
        body: dict[str, Any] = {"value": [entity for entity in found if entity]}
        if more:
            query = f"api-version={request.api_version}&$maxpagesize={size}&$skiptoken={more[0]}"
            query += f"&$expand={expand}" if expand else ""
            body["nextLink"] = f"{request.base_url.rstrip('/')}{request.path}?{query}"
        return ArmResponse(200, body)

    def restore(self, request: ArmRequest, deleted: DeletedShares | None, name: str) -> ArmResponse:
        """Give a deleted share back, under its own name."""
        body = request.body or {}
        given, version = body.get("deletedShareName"), body.get("deletedShareVersion")
        if deleted is None or not isinstance(version, str) or given != name:
            text = "The body has deletedShareName, which is the share's own name, and deletedShareVersion."
            raise ServiceError(400, "InvalidValuesForRequestParameters", text, "deletedShareName")
        deleted.restore(self.account, name, version)
        return ArmResponse(200)

    def one(self, request: ArmRequest, name: str) -> ArmResponse:
        verbs = {"PUT": self._put, "PATCH": self._patch, "GET": self._get, "DELETE": self._delete}
        verb = verbs.get(request.method)
        if verb is None:
            raise _refused(f"{request.method} of {self.kind.item}")
        return verb(name, dict((request.body or {}).get("properties") or {}))

    def _put(self, name: str, properties: dict[str, Any]) -> ArmResponse:
        try:
            record, _ = self.folders.read(self.account, name)
        except StorageError as error:
            if error.status != 404:  # noqa: PLR2004 - anything but "not there" is wrong with the name
                raise
            record = ShareRecord()
            self.kind.read(record, properties)
            self.folders.create(self.account, name, record)
            return ArmResponse(201, self._entity(name))
        self.kind.read(record, properties)
        self.folders.save(self.account, name, record)
        return ArmResponse(200, self._entity(name))

    def _patch(self, name: str, properties: dict[str, Any]) -> ArmResponse:
        record, _ = self.folders.read(self.account, name)
        self.kind.read(record, properties)
        self.folders.save(self.account, name, record)
        return ArmResponse(200, self._entity(name))

    def _get(self, name: str, _: dict[str, Any]) -> ArmResponse:
        return ArmResponse(200, self._entity(name))

    def _delete(self, name: str, _: dict[str, Any]) -> ArmResponse:
        try:
            aside = self.folders.delete(self.account, name)
        except StorageError as error:
            if error.status != 404:  # noqa: PLR2004 - "not there" is what was asked for
                raise
            return ArmResponse(204)
        self.folders.discard(aside)
        return ArmResponse(200)

    def _told(self, name: str) -> dict[str, Any]:
        try:
            return self._entity(name)
        except StorageError:
            return {}  # it vanished meanwhile

    def _deleted(self) -> dict[str, dict[str, Any]]:
        """Describe deleted shares, by a key that stands behind their name."""
        return {
            f"{share.name}!{share.version}": self._entity(
                share.name,
                (share.record, share.status),
                deleted=True,
                version=share.version,
                deletedTime=wire_time(share.at),
                remainingRetentionDays=share.remaining,
            )
            for share in (self.managed.deleted.kept(self.account) if self.managed.deleted else ())
        }

    def _entity(
        self, name: str, known: tuple[ShareRecord, os.stat_result] | None = None, **more: object
    ) -> dict[str, Any]:
        record, status = known or self.folders.read(self.account, name)
        changed = datetime.fromtimestamp(record.changed / 1e9, timezone.utc)
        return {
            "id": f"{self.prefix}/{name}",
            "name": name,
            "type": f"Microsoft.Storage/storageAccounts/{self.kind.service}/{self.kind.item}",
            "etag": entity_tag(status, record.changed, directory=True),
            "properties": {
                "lastModifiedTime": wire_time(changed),
                "metadata": record.metadata,
                **self.kind.write(record),
                **more,
            },
        }


def _check_asked(request: ArmRequest, known: tuple[str, ...], *, expand: bool) -> None:
    """Refuse what would go unheard; ``include=none`` is so: a share with snapshots stays."""
    fine = [("include", "none"), *([("$expand", "deleted")] if expand else [])]
    for name, text in request.query.items():
        if name not in ("api-version", *known) and (name, text.lower()) not in fine:
            reason = f"{name} is not emulated here: leave it out."
            raise ServiceError(400, "InvalidQueryParameterValue", reason, name)
    if "x-ms-snapshot" in request.headers:
        reason = "x-ms-snapshot is not emulated here: the share's own endpoint reads and deletes snapshots."
        raise ServiceError(400, "InvalidHeaderValue", reason, "x-ms-snapshot")


def _refused(what: str) -> ServiceError:
    return ServiceError(404, "InvalidResourceType", f"'{what}' is not emulated in Microsoft.Storage.")
