"""Deployments of templates: carried out, or refused as a whole before anything is made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.arm.templates import Template
from tests.front.signed_in import signed_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.front.signed_in import SignedIn

GROUP = "/subscriptions/s/resourceGroups/templates"
DEPLOYMENTS = f"{GROUP}/providers/Microsoft.Resources/deployments"
AI = "2018-05-01"
TEMPLATE: dict[str, Any] = {
    "$schema": "https://schema.management.azure.com/schemas/2015-01-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "parameters": {
        "prefix": {"type": "string", "defaultValue": "st"},
        "nodes": {"type": "int", "allowedValues": [0, 1]},
        "password": {"type": "securestring"},
    },
    "variables": {
        "account": "[concat(parameters('prefix'), uniqueString(resourceGroup().id))]",
    },
    "resources": [
        {
            "type": "Microsoft.BatchAI/workspaces/clusters",
            "apiVersion": AI,
            "name": "ws/nodes",
            "dependsOn": ["ws", "[resourceId('Microsoft.Storage/storageAccounts', variables('account'))]"],
            "properties": {
                "vmSize": "STANDARD_NC6",
                "userAccountSettings": {
                    "adminUserName": "[parameters('prefix')]",
                    "adminUserPassword": "[parameters('password')]",
                },
                "scaleSettings": {"manual": {"targetNodeCount": "[parameters('nodes')]"}},
            },
        },
        {
            "type": "Microsoft.BatchAI/workspaces",
            "apiVersion": AI,
            "name": "ws",
            "location": "[resourceGroup().location]",
            "tags": {"made": "[format('by {0}', deployment().name)]"},
        },
        {
            "type": "Microsoft.Storage/storageAccounts",
            "apiVersion": "2018-07-01",
            "name": "[variables('account')]",
            "location": "[resourceGroup().location]",
            "sku": {"name": "Standard_LRS"},
            "kind": "StorageV2",
            "properties": {},
        },
        {
            "type": "Microsoft.BatchAI/workspaces/experiments",
            "apiVersion": AI,
            "name": "[concat('ws/ex', copyIndex(1))]",
            "copy": {"name": "experiments", "count": 2},
            "dependsOn": ["[resourceId('Microsoft.BatchAI/workspaces', 'ws')]"],
        },
        {
            "type": "Microsoft.BatchAI/workspaces/experiments",
            "apiVersion": AI,
            "name": "ws/never",
            "condition": "[greater(parameters('nodes'), 5)]",
        },
    ],
    "outputs": {
        "account": {"type": "string", "value": "[variables('account')]"},
        "endpoint": {"type": "string", "value": "[reference(variables('account')).primaryEndpoints.file]"},
        "secret": {"type": "securestring", "value": "[parameters('password')]"},
        "key": {
            "type": "int",
            "value": "[length(listKeys(variables('account'), '2018-07-01').keys[0].value)]",
        },
    },
}
WORKSPACE: dict[str, Any] = TEMPLATE["resources"][1]
NESTED: dict[str, Any] = {
    **WORKSPACE,
    "name": "[concat('w', copyIndex())]",
    "copy": {"name": "many", "count": 100},
    "resources": [{"type": "experiments", "name": "[concat('e', copyIndex())]", "copy": {"count": 100}}],
}
DEEP: dict[str, Any] = {**WORKSPACE, "tags": json.loads("[" * 500 + "]" * 500)}
PARAMETERS = {"nodes": {"value": 0}, "password": {"value": "hunter2-hunter2"}}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deployed")


@pytest.fixture(scope="module")
def script(home: Path) -> Iterator[SignedIn]:
    with signed_in(home, AI) as found:
        yield found


@pytest.fixture(autouse=True)
def group(script: SignedIn) -> Iterator[None]:
    script.ask("PUT", GROUP, {"location": "eastus"})
    yield
    script.ask("DELETE", GROUP)
    while script.ask("GET", GROUP).status_code == 200:
        pass


def properties(template: dict[str, Any], parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"properties": {"mode": "Incremental", "template": template, "parameters": parameters, **more}}


def test_a_template_is_carried_out_in_the_order_of_its_needs(script: SignedIn) -> None:
    asked = properties(TEMPLATE, PARAMETERS)
    checked = script.ask("POST", f"{DEPLOYMENTS}/d/validate", asked)
    assert (checked.status_code, script.ask("GET", f"{DEPLOYMENTS}/d").status_code) == (200, 404)
    made = script.ask("PUT", f"{DEPLOYMENTS}/d", asked)
    told = made.json()["properties"]
    assert (made.status_code, told["provisioningState"]) == (201, "Succeeded"), made.text
    outputs = told["outputs"]
    account = outputs["account"]["value"]
    assert account.startswith("st")
    assert outputs["endpoint"]["value"].endswith(f"/{account}/")
    assert outputs["key"]["value"] == 88
    workspace = f"{GROUP}/providers/Microsoft.BatchAI/workspaces/ws"
    assert script.body("GET", workspace)["tags"] == {"made": "by d"}
    cluster = script.body("GET", f"{workspace}/clusters/nodes")["properties"]
    assert cluster["userAccountSettings"]["adminUserName"] == "st"
    experiments = script.body("GET", f"{workspace}/experiments")["value"]
    assert [one["name"] for one in experiments] == ["ex1", "ex2"]
    again = script.ask("PUT", f"{DEPLOYMENTS}/d", asked)
    assert (again.status_code, again.json()["properties"]["outputs"]["account"]) == (200, outputs["account"])


def test_what_is_kept_of_a_deployment_holds_no_secret(script: SignedIn) -> None:
    script.ask("PUT", f"{DEPLOYMENTS}/d", properties(TEMPLATE, PARAMETERS))
    listed = script.body("GET", DEPLOYMENTS)["value"]
    operations = script.body("GET", f"{DEPLOYMENTS}/d/operations")["value"]
    told = json.dumps([listed, operations, script.body("POST", f"{DEPLOYMENTS}/d/exportTemplate")])
    assert "hunter2" not in told
    assert listed[0]["properties"]["parameters"]["nodes"]["value"] == 0
    assert "value" not in listed[0]["properties"]["outputs"]["secret"]
    kinds = [one["properties"]["targetResource"]["resourceType"].rpartition("/")[2] for one in operations]
    assert (len(kinds), kinds.index("workspaces") < kinds.index("clusters")) == (5, True)
    assert script.ask("HEAD", f"{DEPLOYMENTS}/d").status_code == 204
    assert script.ask("DELETE", f"{DEPLOYMENTS}/d").status_code == 204
    assert script.ask("HEAD", f"{DEPLOYMENTS}/d").status_code == 404


def test_what_a_template_and_its_outputs_hold_is_sealed(script: SignedIn, home: Path) -> None:
    account = {"type": "string", "value": "[listKeys(variables('account'), '2018-07-01').keys[0].value]"}
    cluster = json.loads(json.dumps(TEMPLATE["resources"][0]))
    cluster["properties"]["userAccountSettings"]["adminUserPassword"] = "written-in-the-template"
    template = {**TEMPLATE, "resources": [cluster, *TEMPLATE["resources"][1:3]], "outputs": {"key": account}}
    made = script.body("PUT", f"{DEPLOYMENTS}/d", properties(template, PARAMETERS))
    key = made["properties"]["outputs"]["key"]["value"]
    assert script.body("GET", f"{DEPLOYMENTS}/d") == made == script.body("GET", DEPLOYMENTS)["value"][0]
    assert script.body("POST", f"{DEPLOYMENTS}/d/exportTemplate") == {"template": template}
    stored = b"".join(path.read_bytes() for path in home.glob("emulator/state.sqlite3*"))
    assert b"Microsoft.Resources/deployments" in stored
    assert not [one for one in (key, "written-in-the-template") if one.encode() in stored]


def test_a_resource_that_is_refused_fails_the_deployment_and_says_which(script: SignedIn) -> None:
    resources = [*TEMPLATE["resources"][1:2], {**TEMPLATE["resources"][0], "dependsOn": ["ws"]}]
    resources[1] = {**resources[1], "properties": {"vmSize": "NONSENSE"}}
    failed = script.ask(
        "PUT",
        f"{DEPLOYMENTS}/bad",
        properties({**TEMPLATE, "resources": resources, "outputs": {}}, PARAMETERS),
    )
    told = failed.json()["properties"]
    assert (told["provisioningState"], told["error"]["code"]) == ("Failed", "DeploymentFailed")
    assert told["error"]["details"][0]["code"] == "InvalidPropertyValue"
    template = {**TEMPLATE, "outputs": {"x": {"type": "string", "value": "[reference('none').id]"}}}
    told = script.ask("PUT", f"{DEPLOYMENTS}/out", properties(template, PARAMETERS)).json()["properties"]
    assert (told["provisioningState"], told["error"]["details"][0]["code"]) == ("Failed", "InvalidTemplate")


@pytest.mark.parametrize(
    ("change", "parameters", "text"),
    [
        (
            {"resources": [{"type": "Microsoft.Web/sites", "name": "x", "apiVersion": "2018-02-01"}]},
            {},
            "Microsoft.Web",
        ),
        ({"functions": []}, {}, "functions"),
        ({}, {"nodes": {"value": 7}}, "allowedValues"),
        ({}, {"nodes": {"value": "1"}}, "no int"),
        ({}, {"other": {"value": 1}}, "other"),
        ({}, {"password": {"reference": {}}}, "references"),
        ({"variables": {"account": "[variables('account')]"}}, {}, "needs itself"),
        ({"variables": {"account": "[dataUri('x')]"}}, {}, "dataUri"),
        ({"resources": [{"type": "Microsoft.BatchAI/workspaces", "name": "a/b"}]}, {}, "does not fit"),
        ({"resources": [{**WORKSPACE, "dependsOn": ["elsewhere"]}]}, {}, "'elsewhere'"),
        ({"resources": [{**WORKSPACE, "dependsOn": "ws"}]}, {}, "dependsOn must be an array"),
        ({"resources": [{**WORKSPACE, "scope": "/"}]}, {}, "scope"),
        ({"resources": [{**WORKSPACE, "condition": "false"}]}, {}, "true or false"),
        ({"resources": [{**WORKSPACE, "copy": [1]}]}, {}, "copy must be an object"),
        ({"resources": [{**WORKSPACE, "properties": {"x": [{"copy": []}]}}]}, {}, "copies within"),
        ({"resources": [{**WORKSPACE, "resources": 1}]}, {}, "resources must be an array"),
        ({"resources": {"symbol": WORKSPACE}}, {}, "resources must be an array"),
        ({"resources": [NESTED]}, {}, "more than 800"),
        ({"resources": [DEEP]}, {}, "deep"),
        ({"variables": {"copy": []}}, {}, "copies of variables"),
        ({"variables": []}, {}, "variables must be an object"),
        ({"outputs": {"x": {"type": "array", "copy": {}}}}, {}, "outputs.x.copy"),
        ({"outputs": {"x": 1}}, {}, "outputs.x must be an object"),
        ({"parameters": {"x": 1}}, {}, "parameters.x must be an object"),
        ({}, {"nodes": 1}, "no 'value'"),
        (
            {"parameters": {**TEMPLATE["parameters"], "prefix": {"type": "string", "minLength": 3}}},
            {"prefix": {"value": "st"}},
            "minLength",
        ),
        (
            {"parameters": {**TEMPLATE["parameters"], "nodes": {"type": "int", "maxValue": 3}}},
            {"nodes": {"value": 4}},
            "maxValue",
        ),
    ],
)
def test_a_template_that_cannot_be_carried_out_makes_nothing(
    script: SignedIn, change: dict[str, Any], parameters: dict[str, Any], text: str
) -> None:
    asked = properties({**TEMPLATE, **change}, {**PARAMETERS, **parameters})
    answer = script.ask("PUT", f"{DEPLOYMENTS}/d", asked)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidTemplate"), answer.text
    assert text in answer.json()["error"]["message"]
    assert script.body("GET", f"{GROUP}/resources")["value"] == []


def test_copies_are_waited_for_by_their_name_and_chains_may_be_long() -> None:
    kind = "Microsoft.BatchAI/workspaces"
    chain = {
        "type": f"{kind}/experiments",
        "name": "[concat('ws/e', sub(799, copyIndex(1)))]",
        "copy": {"name": "chain", "count": 798},
        "dependsOn": ["[if(equals(copyIndex(1), 798), 'ws', concat('ws/e', sub(798, copyIndex(1))))]"],
    }
    last = {"type": f"{kind}/experiments", "name": "ws/last", "dependsOn": ["chain"]}
    found = Template({"resources": [last, chain, {"type": kind, "name": "ws"}]}, {}, {}).resources()
    assert [one.name for one in found] == ["ws", *(f"ws/e{number}" for number in range(1, 799)), "ws/last"]


def test_a_resource_may_depend_on_one_that_is_not_meant() -> None:
    never = {**WORKSPACE, "name": "never", "tags": {}, "condition": False}
    found = Template({"resources": [{**WORKSPACE, "dependsOn": ["never"]}, never]}, {}, {}).resources()
    assert [one.name for one in found] == ["ws"]


@pytest.mark.parametrize(
    "text",
    [
        "[int(parameters('password'))]",
        "[add(parameters('password'), 1)]",
        "[variables(parameters('password'))]",
        "[resourceGroup()[parameters('password')]]",
        "[reference(parameters('password'))]",
        "[reference(concat(resourceGroup().id, '/x/', parameters('password')), '2018-05-01')]",
    ],
)
def test_an_error_does_not_quote_a_secret(script: SignedIn, text: str) -> None:
    template = {**TEMPLATE, "resources": [], "outputs": {"x": {"type": "int", "value": text}}}
    secret = {**PARAMETERS, "password": {"value": "Hunter2-hunter2"}}
    failed = script.ask("PUT", f"{DEPLOYMENTS}/d", properties(template, secret))
    assert failed.json()["properties"]["provisioningState"] == "Failed"
    assert "hunter2" not in (failed.text + script.ask("GET", f"{DEPLOYMENTS}/d").text).lower()


def test_a_resource_that_is_refused_does_not_quote_a_secret(script: SignedIn) -> None:
    for change in (
        {"name": "[concat('a b', parameters('password'))]"},
        {"name": "[concat('a/b', parameters('password'))]"},
        {"dependsOn": ["[parameters('password')]"]},
        {"type": "Microsoft.Web/sites", "name": "[parameters('password')]"},
    ):
        template = {**TEMPLATE, "resources": [{**WORKSPACE, **change}], "outputs": {}}
        failed = script.ask("PUT", f"{DEPLOYMENTS}/d", properties(template, PARAMETERS)).json()
        error = failed.get("error") or failed["properties"]["error"]
        assert "<secret>" in json.dumps(error)
        assert "hunter2" not in json.dumps(error)


@pytest.mark.parametrize("more", [{"mode": "Complete"}, {"templateLink": {"uri": "https://x"}}])
def test_what_would_be_ignored_is_refused(script: SignedIn, more: dict[str, Any]) -> None:
    answer = script.ask("PUT", f"{DEPLOYMENTS}/d", properties(TEMPLATE, PARAMETERS, **more))
    assert answer.json()["error"]["target"] == f"properties.{next(iter(more))}"
