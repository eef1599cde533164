"""The resource manager: decides which provider a request is for, and answers what is nobody's."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from batchai_scenario.emulator.arm.asked import check_options, refuse_conditions, topped
from batchai_scenario.emulator.arm.authorization import AuthorizationProvider
from batchai_scenario.emulator.arm.deployments import DeploymentProvider
from batchai_scenario.emulator.arm.filters import read_resource_filter
from batchai_scenario.emulator.arm.groups import Groups
from batchai_scenario.emulator.arm.messages import ArmRequest, ArmResponse
from batchai_scenario.emulator.arm.paths import ArmPath, not_found, parse
from batchai_scenario.emulator.arm.providers import VERSION, ProviderRegistry, listable
from batchai_scenario.emulator.arm.regions import REGIONS, normal_region
from batchai_scenario.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchai_scenario.emulator.arm.messages import ResourceProvider
    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.store import Store

_CONDITIONAL = "microsoft.batchai"
"""The provider whose resources have ETags of the resource manager's."""

_SUBSCRIPTION = re.compile(r"[-\w.]{1,64}")


class ResourceManager:
    """Answers everything under ``/subscriptions``, ``/providers`` and ``/tenants``.

    Any subscription id is served. Providers are asked in the given order when a group is deleted.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        providers: Sequence[ResourceProvider],
        *,
        tenant: str,
        subscription: str,
        retry_after: str = "0",
    ) -> None:
        deployments = DeploymentProvider(store, clock, self._ask, self._why_not)
        everybody = (*providers, AuthorizationProvider(store, clock), deployments)
        self._registry = ProviderRegistry(store, everybody)
        self._groups = Groups(store, everybody, retry_after)
        self._tenant = tenant
        self._subscription = subscription

    def handle(
        self,
        method: str,
        raw_path: str,
        *,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None,
        base_url: str,
    ) -> ArmResponse:
        """Answer a request; names of query parameters and headers are in lower case.

        Raises:
            ServiceError: whatever the resource manager or a provider has to complain of.
        """
        path = parse(raw_path, method)
        api_version = query.get("api-version", "")
        request = ArmRequest(
            method=method,
            path=raw_path,
            base_url=base_url,
            subscription=path.subscription,
            group=path.group,
            provider=path.provider,
            types=path.types,
            action=path.action,
            api_version=api_version,
            query=query,
            headers=headers,
            body=body,
        )
        _check(request)
        check_options(request, path.keyword)
        if request.provider.lower() != _CONDITIONAL:
            refuse_conditions(request)
        self._groups.settle()
        if path.provider:
            return self._provider(request)
        if path.group:
            return self._in_group(request, path)
        return self._in_subscription(request, path) if path.subscription else self._above(request, path)

    def _why_not(self, resource_type: str) -> str:
        return self._registry.why_not(resource_type)

    def _ask(
        self, asker: ArmRequest, method: str, path: str, api_version: str, body: Mapping[str, Any] | None
    ) -> ArmResponse:
        """Answer what a deployment asks for."""
        return self.handle(
            method,
            quote(path, safe="/()"),
            query={"api-version": api_version},
            headers=asker.headers,
            body=body,
            base_url=asker.base_url,
        )

    def _provider(self, request: ArmRequest) -> ArmResponse:
        provider = self._registry.find(request.provider)
        if not request.types and (not request.action or request.action.lower() in ("register", "unregister")):
            return self._registry.handle(request, provider)
        location = ""
        if request.group:
            writes = request.method not in ("GET", "HEAD", "DELETE")
            location = self._groups.location(request.subscription, request.group, for_writing=writes)
        said = (request.body or {}).get("location")
        asked = normal_region(said) if isinstance(said, str) else ""
        if not asked and request.types and request.types[0][0] == "locations":
            asked = normal_region(request.types[0][1])
        version = self._registry.check(request, provider, location, asked)
        if version == request.api_version:
            return provider.handle(request)
        warning = {"Warning": f'299 - "api-version {request.api_version} is not known, served as {version}"'}
        try:
            answer = provider.handle(replace(request, api_version=version))
        except ServiceError as error:
            error.headers.update(warning)
            raise
        return replace(answer, headers={**answer.headers, **warning})

    def _in_group(self, request: ArmRequest, path: ArmPath) -> ArmResponse:
        if path.keyword == "resourcegroups":
            return self._groups.handle(request)
        if path.keyword == "resources" and request.method == "GET":
            self._groups.location(request.subscription, request.group, for_writing=False)
            return ArmResponse(200, topped(request, self._resources(request)))
        raise not_found(request.path)

    def _in_subscription(self, request: ArmRequest, path: ArmPath) -> ArmResponse:
        if path.keyword == "resourcegroups":
            return self._groups.handle(request)
        if request.method == "GET":
            if path.keyword == "operationresults" and path.name:
                return self._groups.poll(request, path.name)
            if path.keyword == "subscriptions":
                return ArmResponse(200, self._subscription_entity(request.subscription))
            if path.keyword == "locations":
                return ArmResponse(200, {"value": [_region(request.subscription, name) for name in REGIONS]})
            if path.keyword == "providers":
                return self._registry.list(request)
            if path.keyword == "resources":
                return ArmResponse(200, topped(request, self._resources(request)))
        raise not_found(request.path)

    def _above(self, request: ArmRequest, path: ArmPath) -> ArmResponse:
        if request.method == "GET":
            if path.keyword == "subscriptions":
                ids = dict.fromkeys((self._subscription, *self._groups.subscriptions()))
                return ArmResponse(200, {"value": [self._subscription_entity(id_) for id_ in ids]})
            if path.keyword == "tenants":
                return ArmResponse(
                    200, {"value": [{"id": f"/tenants/{self._tenant}", "tenantId": self._tenant}]}
                )
            if path.keyword == "providers":
                return self._registry.list(request)
        raise not_found(request.path)

    def _resources(self, request: ArmRequest) -> list[dict[str, Any]]:
        """List what every provider holds in a group or subscription, as resources without properties."""
        passes = read_resource_filter(request.query.get("$filter", ""))
        found = []
        for provider in self._registry.providers:
            for type_name in listable(provider):
                answer = provider.handle(_list_request(request, provider, type_name))
                entities = (answer.body or {}).get("value", [])
                wanted = filter(passes, entities)
                found += [{k: v for k, v in entity.items() if k != "properties"} for entity in wanted]
        return found

    def _subscription_entity(self, subscription: str) -> dict[str, Any]:
        return {
            "id": f"/subscriptions/{subscription}",
            "subscriptionId": subscription,
            "tenantId": self._tenant,
            "displayName": "Batch AI emulator",
            "state": "Enabled",
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "PayAsYouGo_2014-09-01",
                "spendingLimit": "Off",
            },
            "authorizationSource": "RoleBased",
        }


def _check(request: ArmRequest) -> None:
    """Check what every management request must have."""
    if request.subscription and _SUBSCRIPTION.fullmatch(request.subscription) is None:
        text = f"The provided subscription identifier '{request.subscription}' is malformed or invalid."
        raise ServiceError(400, "InvalidSubscriptionId", text)
    if not request.api_version:
        text = "The api-version query parameter (?api-version=) is required for all requests."
        raise ServiceError(400, "MissingApiVersionParameter", text)
    if not request.provider and VERSION.fullmatch(request.api_version) is None:
        text = f"The api-version '{request.api_version}' is invalid: it is written YYYY-MM-DD[-preview]."
        raise ServiceError(400, "InvalidApiVersionParameter", text)


def _list_request(request: ArmRequest, provider: ResourceProvider, type_name: str) -> ArmRequest:
    versions = provider.resource_types[type_name]
    return ArmRequest(
        method="GET",
        path=request.path,
        base_url=request.base_url,
        subscription=request.subscription,
        group=request.group,
        provider=provider.namespace,
        types=((type_name.lower(), ""),),
        action="",
        api_version=max(versions),
        query={},
        headers={},
        body=None,
    )


def _region(subscription: str, name: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{subscription}/locations/{name}",
        "name": name,
        "displayName": REGIONS[name],
    }
