"""Microsoft.Storage: storage accounts and their keys behind the resource manager."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm.bodies import read_all, read_location, read_tags
from batchai_scenario.emulator.arm.messages import ArmResponse
from batchai_scenario.emulator.arm.regions import REGIONS, normal_region
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.state.clock import wire_time
from batchai_scenario.emulator.storage.accounts import KEY_NAMES, AccountExists
from batchai_scenario.emulator.storage.management.accounts import (
    DEFAULT_SKU,
    account_body,
    account_id,
    kind_of,
    merged_definition,
    sku_of,
)
from batchai_scenario.emulator.storage.management.catalogue import skus, usages
from batchai_scenario.emulator.storage.management.items import Managed, ManagedShares, answer
from batchai_scenario.emulator.storage.management.kinds import CONTAINERS, PREMIUM_SHARES, SHARES
from batchai_scenario.emulator.storage.management.settings import BlobSettings, FileSettings
from batchai_scenario.emulator.storage.management.signatures import account_sas, service_sas
from batchai_scenario.emulator.storage.names import is_account_name
from batchai_scenario.emulator.storage.premium import is_premium

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.emulator.arm.messages import ArmRequest
    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.storage.accounts import Account, Accounts
    from batchai_scenario.emulator.storage.blob.containers import Containers
    from batchai_scenario.emulator.storage.deleted import DeletedShares
    from batchai_scenario.emulator.storage.shares import Shares

_VERSIONS = (
    *("2024-01-01", "2023-05-01", "2023-04-01", "2023-01-01", "2022-09-01", "2022-05-01", "2021-09-01"),
    *("2021-08-01", "2021-06-01", "2021-04-01", "2021-02-01", "2021-01-01", "2019-06-01", "2019-04-01"),
    *("2018-11-01", "2018-07-01", "2018-03-01-preview", "2018-02-01", "2017-10-01", "2017-06-01"),
    *("2016-12-01", "2016-05-01", "2016-01-01"),
)
_INVALID_NAME = (
    "{} is not a valid storage account name. Storage account name must be between 3 and 24 characters in "
    "length and use numbers and lower-case letters only."
)
_TAKEN = "The storage account named {} is already taken."


class StorageProvider:
    """Creates, reads and deletes storage accounts; their content is served by ``FilesService``.

    Creation is done when it is answered; it is still answered 202 with a ``Location`` to poll, as the
    service does (recorded traffic). What is served stands in ``catalogue.OPERATIONS``. Accounts tell of
    endpoints for queues and tables, as the service does; nothing answers there.
    """

    namespace = "Microsoft.Storage"
    regions: Mapping[str, str] = REGIONS
    resource_types: Mapping[str, tuple[str, ...]] = {
        "storageAccounts": _VERSIONS,
        "storageAccounts/blobServices": _VERSIONS,
        "storageAccounts/blobServices/containers": _VERSIONS,
        "storageAccounts/fileServices": _VERSIONS,
        "storageAccounts/fileServices/shares": _VERSIONS,
        "skus": _VERSIONS,
        "usages": _VERSIONS,
        "locations/usages": _VERSIONS,
        "locations/asyncoperations": _VERSIONS,
        "checkNameAvailability": _VERSIONS,
        "operations": _VERSIONS,
    }

    def __init__(
        self,
        accounts: Accounts,
        shares: Shares,
        deleted: DeletedShares,
        containers: Containers,
        clock: Clock,
        *,
        retry_after: int = 0,
        blob_url: str = "",
    ) -> None:
        """Manage ``accounts``.

        Args:
            accounts: What is managed.
            shares: Their shares.
            deleted: Those of them that were deleted.
            containers: Their containers.
            clock: Tells when an account was made.
            retry_after: Seconds that clients are told to wait between polls.
            blob_url: Where containers are at ``/ACCOUNT``; empty: behind ``/blob`` at the emulator's address.
        """
        self._accounts = accounts
        self._shares = shares
        self._deleted = deleted
        properties = shares.records.properties
        self._services = {
            "fileservices": Managed(
                SHARES, ManagedShares(shares, deleted), FileSettings(properties, deleted), deleted
            ),
            "blobservices": Managed(CONTAINERS, containers, BlobSettings(properties)),
        }
        self._clock = clock
        self._blob_url = blob_url
        self._retry_after = retry_after

    def handle(self, request: ArmRequest) -> ArmResponse:
        """Answer a request."""
        kinds = "/".join(kind for kind, _ in request.types)
        if "checknameavailability" in (kinds, request.action.lower()):
            return self._check_name(request)
        if kinds == "operations":
            return ArmResponse(200, {"value": []})
        if kinds == "locations/asyncoperations":
            return self._poll(request)
        if request.method == "GET" and kinds in ("usages", "locations/usages"):
            return ArmResponse(200, usages(len(self._accounts.list(request.subscription.lower()))))
        if request.method == "GET" and kinds == "skus":
            return ArmResponse(200, skus(list(self.regions)))
        if not request.types or request.types[0][0] != "storageaccounts":
            raise _not_emulated("resource type", kinds or request.action)
        return self._account(request, request.types[0][1])

    def _account(self, request: ArmRequest, name: str) -> ArmResponse:
        if not name:
            return self._list(request)
        if len(request.types) > 1:
            account = self._find(request, name)
            service = self._services.get(request.types[1][0])
            if service is None:
                raise _not_emulated("resource type", "/".join(kind for kind, _ in request.types))
            if service.kind is SHARES and is_premium(account):
                service = replace(service, kind=PREMIUM_SHARES)
            return answer(request, service, account.name, account_id(account))
        if request.action:
            return self._act(request, self._find(request, name))
        if request.method == "PUT":
            return self._put(request, name)
        if request.method == "DELETE":
            return self._delete(request, name)
        account = self._find(request, name)
        if request.method == "PATCH":
            account = self._accounts.update(account.name, merged_definition(account, request.body or {}))
        return ArmResponse(200, self._body(account, request))

    def delete_group(self, subscription: str, group: str) -> bool:
        """Delete a resource group's accounts with all their files; done when it returns."""
        for account in self._accounts.list(f"{subscription}/{group}".lower()):
            self._remove(account.name)
        return True

    def _find(self, request: ArmRequest, name: str) -> Account:
        account = self._accounts.get(name.lower())
        if account is None or account.scope != _scope(request):
            raise ServiceError(
                404,
                "ResourceNotFound",
                f"The Resource 'Microsoft.Storage/storageAccounts/{name}' under resource group "
                f"'{request.group}' was not found.",
            )
        return account

    def _list(self, request: ArmRequest) -> ArmResponse:
        accounts = self._accounts.list(_scope(request))
        return ArmResponse(200, {"value": [self._body(account, request) for account in accounts]})

    def _put(self, request: ArmRequest, name: str) -> ArmResponse:
        body = request.body or {}
        account = self._accounts.get(name)
        if account is not None and account.scope == _scope(request):
            account = self._accounts.update(name, merged_definition(account, body))
            return ArmResponse(200, self._body(account, request))
        _, location, tags, sku, kind = read_all(
            lambda: _check_name(name),
            lambda: read_location(body),
            lambda: read_tags(body),
            lambda: sku_of(body),
            lambda: kind_of(body),
        )
        definition = {
            "subscription": request.subscription,
            "group": request.group,
            "location": normal_region(location),
            "tags": tags or {},
            "sku": sku or DEFAULT_SKU,
            "kind": kind or "Storage",
            "created": wire_time(self._clock.now()),
            "operation": str(uuid.uuid4()),
        }
        try:
            account = self._accounts.create(name, _scope(request), definition)
        except AccountExists:
            raise ServiceError(409, "StorageAccountAlreadyTaken", _TAKEN.format(name)) from None
        poll = (
            f"{request.base_url.rstrip('/')}/subscriptions/{request.subscription}/providers/Microsoft.Storage"
            f"/locations/{definition['location']}/asyncoperations/{definition['operation']}"
            f"?monitor=true&api-version={request.api_version}"
        )
        return ArmResponse(202, None, {"Location": poll, "Retry-After": str(self._retry_after)})

    def _poll(self, request: ArmRequest) -> ArmResponse:
        operation = request.types[1][1]
        for account in self._accounts.list(request.subscription.lower()):
            if account.definition["operation"] == operation:
                return ArmResponse(200, self._body(account, request))
        raise ServiceError(404, "ResourceNotFound", f"The operation '{operation}' was not found.")

    def _delete(self, request: ArmRequest, name: str) -> ArmResponse:
        account = self._accounts.get(name.lower())
        if account is None or account.scope != _scope(request):
            return ArmResponse(204)
        self._remove(account.name)
        return ArmResponse(200)

    def _remove(self, name: str) -> None:
        if self._accounts.delete(name):
            self._deleted.forget_all(name)
            self._shares.delete_all(name)

    def _act(self, request: ArmRequest, account: Account) -> ArmResponse:
        action = request.action.lower()
        signers = {"listaccountsas": account_sas, "listservicesas": service_sas}
        if request.method == "POST" and action in signers:
            return ArmResponse(200, signers[action](account, request.body or {}))
        if request.method != "POST" or action not in ("listkeys", "regeneratekey"):
            raise _not_emulated("action", request.action)
        if action == "regeneratekey":
            name = (request.body or {}).get("keyName")
            if name not in KEY_NAMES:
                raise ServiceError(
                    400, "InvalidRequestPropertyValue", f"The value '{name}' is not a key name."
                )
            account = self._accounts.regenerate_key(account.name, name)
        keys = [
            {"keyName": name, "value": key, "permissions": "FULL"}
            for name, key in zip(KEY_NAMES, account.keys, strict=True)
        ]
        return ArmResponse(200, {"keys": keys})

    def _check_name(self, request: ArmRequest) -> ArmResponse:
        name = str((request.body or {}).get("name", ""))
        if not is_account_name(name):
            reason, message = "AccountNameInvalid", _INVALID_NAME.format(name)
        elif self._accounts.is_taken(name):
            reason, message = "AlreadyExists", _TAKEN.format(name)
        else:
            return ArmResponse(200, {"nameAvailable": True})
        return ArmResponse(200, {"nameAvailable": False, "reason": reason, "message": message})

    def _body(self, account: Account, request: ArmRequest) -> dict[str, Any]:
        return account_body(account, request.base_url, self._blob_url)


def _not_emulated(what: str, name: str) -> ServiceError:
    return ServiceError(
        404, "InvalidResourceType", f"The {what} '{name}' is not emulated in Microsoft.Storage."
    )


def _scope(request: ArmRequest) -> str:
    return f"{request.subscription}/{request.group}".lower().rstrip("/")


def _check_name(name: str) -> None:
    if not is_account_name(name):
        raise ServiceError(400, "AccountNameInvalid", _INVALID_NAME.format(name))
