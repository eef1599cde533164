"""Resource providers as the resource manager lists them, registers them and guards their doors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm.messages import ArmResponse
from batchai_scenario.emulator.arm.paths import not_found
from batchai_scenario.emulator.arm.regions import REGIONS
from batchai_scenario.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchai_scenario.emulator.arm.messages import ArmRequest, ResourceProvider
    from batchai_scenario.emulator.state.store import Store

_KIND = "unregistered"

VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-\w+)?")
"""How every api-version is written."""

COMPANIONS = ("Microsoft.Batch", "Microsoft.Compute", "Microsoft.Network")
"""What people were told to register beside Batch AI (published quickstart, recipes)."""


class NamespaceOnly:
    """A provider that can be registered and looked at, and has no resources here."""

    resource_types: Mapping[str, tuple[str, ...]] = {}
    regions: Mapping[str, str] = REGIONS

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def handle(self, request: ArmRequest) -> ArmResponse:
        """Refuse: nothing of this provider is emulated."""
        text = f"Nothing of {self.namespace} is emulated; it can be registered, that is all."
        raise ServiceError(404, "InvalidResourceType", f"{text} ({request.path[:200]})")

    def delete_group(self, subscription: str, group: str) -> bool:  # noqa: ARG002 - what providers are asked
        """Say that nothing is left."""
        return True


class ProviderRegistry:
    """The providers. All are registered from the start (our decision); unregistering one is remembered."""

    def __init__(self, store: Store, providers: Sequence[ResourceProvider]) -> None:
        self.providers = tuple(providers)
        self._by_name = {provider.namespace.lower(): provider for provider in providers}
        self._types = {
            name: {kind.lower(): kind for kind in provider.resource_types}
            for name, provider in self._by_name.items()
        }
        self._store = store
        self._unregistered = {document.id for document in store.list(_KIND)}

    def find(self, namespace: str) -> ResourceProvider:
        """Find a provider; ServiceError 404 if there is none of that name."""
        found = self._by_name.get(namespace.lower())
        if found is None:
            text = (
                f"The resource namespace '{namespace}' is invalid. This emulator has "
                f"{', '.join(provider.namespace for provider in self.providers)}."
            )
            raise ServiceError(404, "InvalidResourceNamespace", text)
        return found

    def why_not(self, resource_type: str) -> str:
        """Say why a template cannot hold a type (``Microsoft.Storage/storageAccounts``); empty: it can."""
        namespace, _, kind = resource_type.partition("/")
        known = self._types.get(namespace.lower())
        if known is None:
            return f"{namespace} is not emulated"
        if kind.lower() not in known or kind.partition("/")[0] in _NO_RESOURCES - {"roleAssignments"}:
            return (
                f"{kind} of {namespace} is not emulated" if known else f"nothing of {namespace} is emulated"
            )
        return ""

    def list(self, request: ArmRequest) -> ArmResponse:
        """List the providers."""
        return ArmResponse(200, {"value": [self._entity(request, provider) for provider in self.providers]})

    def handle(self, request: ArmRequest, provider: ResourceProvider) -> ArmResponse:
        """Answer ``.../providers/P``, and ``/register`` and ``/unregister`` below it."""
        action = request.action.lower()
        key = _key(request, provider)
        if action == "register":
            self._store.delete(_KIND, key)
            self._unregistered.discard(key)
        elif action == "unregister":
            self._store.put(_KIND, key, {})
            self._unregistered.add(key)
        elif request.method != "GET":
            raise not_found(request.path)
        return ArmResponse(200, self._entity(request, provider))

    def check(self, request: ArmRequest, provider: ResourceProvider, location: str, asked: str) -> str:
        """Let a request pass to its provider: type, api-version and location must be ones that it has.

        ``location`` is the resource's, as far as it is known; ``asked`` is what the request itself says.
        Gives the version to serve: one that is newer than all that the provider knows is served as the
        newest (our decision: clients are older or newer than this table, and none of them chose its version).

        Raises:
            ServiceError: as the resource manager words it.
        """
        known = self._types[provider.namespace.lower()]
        kind = "/".join(name for name, _ in request.types)
        if request.types and not known:
            return request.api_version  # the provider itself says that it has nothing
        if request.types and kind not in known:
            text = (
                f"The resource type '{kind}' could not be found in the namespace '{provider.namespace}' for "
                f"api version '{request.api_version}'. The resource types are "
                f"'{', '.join(provider.resource_types)}'."
            )
            raise ServiceError(404, "InvalidResourceType", text)
        versions = provider.resource_types[known[kind]] if request.types else _all_versions(provider)
        newest = max(_all_versions(provider), default="")
        version = newest if is_newer(request.api_version, newest) else request.api_version
        if version not in versions or (asked and asked not in provider.regions):
            named = known.get(kind, request.action)
            raise _no_provider(asked or location, request.api_version, named, versions, provider.regions)
        if self._unregistered and _key(request, provider) in self._unregistered:
            text = (
                f"The subscription is not registered to use namespace '{provider.namespace}'. Register it "
                f"with POST /subscriptions/{request.subscription}/providers/{provider.namespace}/register."
            )
            raise ServiceError(409, "MissingSubscriptionRegistration", text)
        return version

    def _entity(self, request: ArmRequest, provider: ResourceProvider) -> dict[str, Any]:
        state = "Unregistered" if _key(request, provider) in self._unregistered else "Registered"
        prefix = f"/subscriptions/{request.subscription}" if request.subscription else ""
        regions = list(provider.regions.values())
        return {
            "id": f"{prefix}/providers/{provider.namespace}",
            "namespace": provider.namespace,
            "resourceTypes": [
                {
                    "resourceType": kind,
                    "locations": regions,
                    "apiVersions": list(versions),
                }
                for kind, versions in provider.resource_types.items()
            ],
            "registrationState": state,
        }


def listable(provider: ResourceProvider) -> list[str]:
    """Name the types whose resources stand directly in a resource group."""
    return [kind for kind in provider.resource_types if "/" not in kind and kind not in _NO_RESOURCES]


_NO_RESOURCES = frozenset(
    {
        *("operations", "locations", "usages", "checkNameAvailability", "skus"),
        *("roleAssignments", "roleDefinitions", "deployments"),
    }
)


def is_newer(version: str, newest: str) -> bool:
    """Tell whether a well-formed api-version is of a later day than the newest that is known."""
    return VERSION.fullmatch(version) is not None and version[:10] > newest[:10] > ""


def _no_provider(
    location: str, api_version: str, kind: str, versions: Sequence[str], regions: Mapping[str, str]
) -> ServiceError:
    """Refuse a location or api-version that a type does not have (text: recorded traffic)."""
    text = (
        f"No registered resource provider found for location '{location}' and API version '{api_version}' "
        f"for type '{kind}'. The supported api-versions are '{', '.join(versions)}'. The supported locations "
        f"are '{', '.join(regions)}'."
    )
    return ServiceError(400, "NoRegisteredProviderFound", text)


def _all_versions(provider: ResourceProvider) -> list[str]:
    return sorted({version for versions in provider.resource_types.values() for version in versions})


def _key(request: ArmRequest, provider: ResourceProvider) -> str:
    return f"{request.subscription}/{provider.namespace}".lower()
