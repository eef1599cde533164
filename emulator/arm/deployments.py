"""Microsoft.Resources: deployments of templates that hold only resources which are served here.

A deployment is carried out while it is asked for: its resources are put one after another, as a client would
put them. What cannot be carried out is told before anything is made, all of it at once.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm.expressions import ExpressionError
from batchai_scenario.emulator.arm.messages import ArmResponse
from batchai_scenario.emulator.arm.regions import REGIONS
from batchai_scenario.emulator.arm.resources import Resource, invalid_template
from batchai_scenario.emulator.arm.templates import Template
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.state.clock import wire_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.emulator.arm.messages import ArmRequest
    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.store import Document, Store

    Ask = Callable[[ArmRequest, str, str, str, Mapping[str, Any] | None], ArmResponse]

NAMESPACE = "Microsoft.Resources"

_KIND = "deployment"
_NAME = re.compile(r"[-\w.()]{1,64}")
_VERSIONS = (
    *("2015-01-01", "2015-11-01", "2016-02-01", "2016-06-01", "2016-09-01", "2017-05-10", "2018-02-01"),
    *("2018-05-01", "2019-05-01", "2019-05-10", "2019-07-01", "2019-10-01", "2020-06-01", "2020-10-01"),
    *("2021-01-01", "2021-04-01", "2022-09-01", "2024-03-01"),
)
_PROPERTIES = frozenset({"mode", "template", "parameters", "debugSetting", "expressionEvaluationOptions"})


class DeploymentProvider:
    """Carries out deployments in resource groups, and keeps what they were.

    Args:
        store: Keeps them, without the values of secure parameters.
        clock: Tells when they were.
        ask: Sends a request to the resource manager: (the request that it is for, method, path, api-version,
            body).
        serves: Says why a resource type cannot be deployed here, from namespace and type; empty if it can.
    """

    namespace = NAMESPACE
    regions: Mapping[str, str] = REGIONS
    resource_types: Mapping[str, tuple[str, ...]] = {
        "deployments": _VERSIONS,
        "deployments/operations": _VERSIONS,
    }

    def __init__(self, store: Store, clock: Clock, ask: Ask, serves: Callable[[str], str]) -> None:
        self._store = store
        self._clock = clock
        self._ask = ask
        self._serves = serves

    def handle(self, request: ArmRequest) -> ArmResponse:
        """Answer a request; ServiceError for what cannot be carried out."""
        kinds = "/".join(kind for kind, _ in request.types)
        name = request.types[0][1] if request.types else ""
        action = request.action.lower()
        if not request.group or not kinds.startswith("deployments"):
            text = f"'{request.path[:200]}' is not emulated: deployments in a resource group are."
            raise ServiceError(404, "InvalidResourceType", text)
        if kinds == "deployments/operations" and request.method == "GET":
            return self._operations(request, name)
        if not name and request.method == "GET":
            if "$filter" in request.query:
                text = "Lists of deployments are not filtered: leave $filter out and filter the answer."
                raise ServiceError(400, "InvalidFilterInQueryString", text, "$filter")
            found = self._store.list(_KIND, _scope(request))
            return ArmResponse(200, {"value": [self._told(document) for document in found]})
        if action == "validate" and request.method == "POST":
            template, resources = self._read(request)
            return ArmResponse(200, self._entity(request, name, template, resources, "Succeeded"))
        if action == "exporttemplate" and request.method == "POST":
            template_given = json.loads(self._sealed(self._find(request, name))["template"])
            return ArmResponse(200, {"template": template_given})
        if not action and kinds == "deployments":
            verbs = {"PUT": self._put, "GET": self._get, "HEAD": self._head, "DELETE": self._delete}
            if request.method in verbs:
                return verbs[request.method](request, name)
        raise ServiceError(404, "InvalidResourceType", f"'{action or kinds}' of deployments is not emulated.")

    def delete_group(self, subscription: str, group: str) -> bool:
        """Forget a resource group's deployments."""
        for document in self._store.list(_KIND, f"{subscription}/{group}".lower()):
            self._store.delete(_KIND, document.id)
        return True

    def _put(self, request: ArmRequest, name: str) -> ArmResponse:
        if _NAME.fullmatch(name) is None:
            text = f"The deployment name '{name}' is not valid: 1 to 64 letters, digits, '-', '.', '_', '()'."
            raise ServiceError(400, "InvalidDeployment", text)
        template, resources = self._read(request)
        more = {
            "reference": lambda *args: self._reference(request, resources, *args),
            "listkeys": lambda *args: self._list_keys(request, resources, *args),
        }
        done: list[dict[str, Any]] = []
        problem: ServiceError | None = None
        for resource in resources:
            try:
                body = template.body(resource, more)
                self._ask(request, "PUT", resource.path(_prefix(request)), resource.api_version, body)
            except ServiceError as error:
                problem = template.hiding(error)
            done.append(_operation(request, name, resource, problem))
            if problem is not None:
                break
        outputs: dict[str, Any] = {}
        if problem is None:
            try:
                outputs = template.outputs(more)
            except ServiceError as error:
                problem = template.hiding(error)
        state = "Succeeded" if problem is None else "Failed"
        entity = self._entity(request, name, template, resources, state)
        if problem is not None:
            entity["properties"]["error"] = {
                "code": "DeploymentFailed",
                "message": "At least one resource deployment operation failed. See details.",
                "details": [{"code": problem.code, "message": problem.message, "target": problem.target}],
            }
        given = request.body["properties"]["template"]  # type: ignore[index] # it was read
        secrets = {"template": json.dumps(given), "outputs": json.dumps(outputs)}
        kept = {"entity": entity, "operations": done}
        known = self._store.get(_KIND, _key(request, name)) is not None
        self._store.put(_KIND, _key(request, name), kept, parent=_scope(request), secrets=secrets)
        return ArmResponse(200 if known else 201, self._told(self._find(request, name)))

    def _read(self, request: ArmRequest) -> tuple[Template, list[Resource]]:
        """Read a deployment's body, and refuse what cannot be carried out, all of it at once."""
        properties = (request.body or {}).get("properties")
        if not isinstance(properties, dict):
            raise invalid_template("the request needs properties with a template")
        for name, value in properties.items():
            if name not in _PROPERTIES and value is not None:
                text = f"properties.{name} is not emulated: give the template and its parameters themselves."
                raise ServiceError(400, "PropertyNotSupported", text, f"properties.{name}")
        if str(properties.get("mode", "Incremental")).lower() != "incremental":
            text = "properties.mode: only Incremental is emulated."
            raise ServiceError(400, "PropertyNotSupported", text, "properties.mode")
        given = properties.get("template")
        parameters = properties.get("parameters") or {}
        if not isinstance(given, dict) or not isinstance(parameters, dict):
            raise invalid_template("template and parameters are JSON objects")
        parameters = parameters.get("parameters", parameters)
        if not isinstance(parameters, dict):
            raise invalid_template("template and parameters are JSON objects")
        template = Template(given, parameters, self._place(request))
        resources = template.resources()
        refused = [(one, why) for one in resources if (why := self._serves(one.type))]
        if refused:
            told = "; ".join(f"{one.type} '{one.name}': {why}" for one, why in refused)
            text = f"nothing was deployed, because of {told}"
            raise template.hiding(invalid_template(text, "resources"))
        return template, resources

    def _place(self, request: ArmRequest) -> dict[str, Callable[..., Any]]:
        """Give the functions that tell of the place of a deployment."""
        prefix = _prefix(request)
        group = self._ask(request, "GET", prefix, "2018-05-01", None).body
        subscription = {
            "id": f"/subscriptions/{request.subscription}",
            "subscriptionId": request.subscription,
            "tenantId": "",
            "displayName": "",
        }
        return {
            "resourcegroup": lambda: group,
            "subscription": lambda: subscription,
            "deployment": lambda: {"name": request.types[0][1]},
            "resourceid": lambda *parts: _resource_id(request, [str(part) for part in parts]),
            "utcnow": lambda _="": self._clock.now().strftime("%Y%m%dT%H%M%SZ"),
            "newguid": lambda: str(uuid.uuid4()),
        }

    def _reference(self, request: ArmRequest, resources: list[Resource], *args: str) -> Any:  # noqa: ANN401
        path, version = _meant(request, resources, args)
        body = self._ask(request, "GET", path, version, None).body or {}
        return body if len(args) > 2 and args[2].lower() == "full" else body.get("properties", {})  # noqa: PLR2004

    def _list_keys(self, request: ArmRequest, resources: list[Resource], *args: str) -> Any:  # noqa: ANN401
        path, version = _meant(request, resources, args)
        return self._ask(request, "POST", f"{path}/listKeys", version, None).body

    def _sealed(self, document: Document) -> dict[str, str]:
        """Give what may hold secrets, as JSON: the template as it was written, and outputs, such as keys."""
        return self._store.secrets(_KIND, document.id)

    def _told(self, document: Document) -> dict[str, Any]:
        entity: dict[str, Any] = document.body["entity"]
        outputs = json.loads(self._sealed(document)["outputs"])
        return {**entity, "properties": {**entity["properties"], "outputs": outputs}}

    def _find(self, request: ArmRequest, name: str) -> Document:
        found = self._store.get(_KIND, _key(request, name))
        if found is None:
            raise ServiceError(404, "DeploymentNotFound", f"Deployment '{name}' could not be found.")
        return found

    def _get(self, request: ArmRequest, name: str) -> ArmResponse:
        return ArmResponse(200, self._told(self._find(request, name)))

    def _head(self, request: ArmRequest, name: str) -> ArmResponse:
        return ArmResponse(404 if self._store.get(_KIND, _key(request, name)) is None else 204)

    def _delete(self, request: ArmRequest, name: str) -> ArmResponse:
        self._store.delete(_KIND, _key(request, name))
        return ArmResponse(204)

    def _operations(self, request: ArmRequest, name: str) -> ArmResponse:
        operations = self._find(request, name).body["operations"]
        wanted = request.types[1][1]
        if not wanted:
            return ArmResponse(200, {"value": operations})
        for operation in operations:
            if operation["operationId"] == wanted:
                return ArmResponse(200, operation)
        raise ServiceError(404, "DeploymentOperationNotFound", f"There is no operation '{wanted}'.")

    def _entity(
        self, request: ArmRequest, name: str, template: Template, resources: list[Resource], state: str
    ) -> dict[str, Any]:
        namespaces = sorted({one.type.partition("/")[0] for one in resources})
        return {
            "id": f"{_prefix(request)}/providers/{NAMESPACE}/deployments/{name}",
            "name": name,
            "type": f"{NAMESPACE}/deployments",
            "properties": {
                "mode": "Incremental",
                "provisioningState": state,
                "timestamp": wire_time(self._clock.now()),
                "duration": "PT0S",
                "correlationId": str(uuid.uuid4()),
                "parameters": template.told_parameters(),
                "providers": [{"namespace": one} for one in namespaces],
                "dependencies": [],
                "outputResources": [{"id": one.path(_prefix(request))} for one in resources],
            },
        }


def _operation(
    request: ArmRequest, name: str, resource: Resource, problem: ServiceError | None
) -> dict[str, Any]:
    guid = str(uuid.uuid4())
    path = resource.path(_prefix(request))
    status: dict[str, Any] = {"statusCode": "OK", "provisioningState": "Succeeded"}
    if problem is not None:
        message = {"error": {"code": problem.code, "message": problem.message, "target": problem.target}}
        status = {"statusCode": "BadRequest", "provisioningState": "Failed", "statusMessage": message}
    return {
        "id": f"{_prefix(request)}/providers/{NAMESPACE}/deployments/{name}/operations/{guid}",
        "operationId": guid,
        "properties": {
            **status,
            "provisioningOperation": "Create",
            "targetResource": {
                "id": path,
                "resourceType": resource.type,
                "resourceName": resource.name,
            },
        },
    }


def _meant(request: ArmRequest, resources: list[Resource], args: tuple[str, ...]) -> tuple[str, str]:
    """Find the path and api-version of what ``reference`` or ``listKeys`` is asked for."""
    for resource in resources:
        if args and resource.is_meant(args[0]):
            version = args[1] if len(args) > 1 else resource.api_version
            return resource.path(_prefix(request)), version
    if args and args[0].startswith("/subscriptions/") and len(args) > 1:
        return args[0], args[1]
    raise ExpressionError(
        f"'{args[0] if args else ''}' is no resource of the template, and no id with a version"
    )


def _resource_id(request: ArmRequest, parts: list[str]) -> str:
    at = next((index for index, part in enumerate(parts) if "/" in part), -1)
    if at < 0 or at > 2:  # noqa: PLR2004 - a subscription and a group may come first
        raise ExpressionError("resourceId takes a type and its names")
    subscription = parts[0] if at == 2 else request.subscription  # noqa: PLR2004 - as above
    group = parts[at - 1] if at else request.group
    namespace, *types = parts[at].split("/")
    names = parts[at + 1 :]
    if len(types) != len(names):
        raise ExpressionError(f"resourceId of '{parts[at]}' takes {len(types)} names, not {len(names)}")
    pairs = "/".join(f"{kind}/{name}" for kind, name in zip(types, names, strict=True))
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{namespace}/{pairs}"


def _prefix(request: ArmRequest) -> str:
    return f"/subscriptions/{request.subscription}/resourceGroups/{request.group}"


def _scope(request: ArmRequest) -> str:
    return f"{request.subscription}/{request.group}".lower()


def _key(request: ArmRequest, name: str) -> str:
    return f"{_scope(request)}/{name}".lower()
