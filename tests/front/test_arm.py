"""The resource manager: groups, providers, subscriptions, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.front.conftest import Front

RG = "resourceGroups/rg"


def test_a_group_is_created_updated_read_listed_and_deleted(front: Front) -> None:
    created = front.ask("PUT", RG, {"location": "East US", "tags": {"a": "b"}})
    assert created.status == 201
    assert created.body is not None
    assert created.body["location"] == "eastus"
    assert created.body["properties"] == {"provisioningState": "Succeeded"}
    assert created.body["id"].endswith("/resourceGroups/rg")
    assert "type" not in created.body
    assert front.ask("PUT", "resourcegroups/RG", {"location": "eastus"}).status == 200
    read = front.ask("GET", "resourcegroups/Rg", version="2021-04-01")
    assert read.body is not None
    assert read.body["name"] == "rg"  # as it was first spelled
    assert read.body["type"] == "Microsoft.Resources/resourceGroups"
    patched = front.ask("PATCH", RG, {"tags": {"c": "d"}})
    assert patched.body is not None
    assert patched.body["tags"] == {"c": "d"}
    assert front.ask("HEAD", RG).status == 204
    listed = front.ask("GET", "resourcegroups")
    assert listed.body is not None
    assert [group["name"] for group in listed.body["value"]] == ["rg"]
    deleted = front.ask("DELETE", RG)
    assert deleted.status == 202
    assert deleted.headers["Retry-After"] == "0"
    assert front.ask("GET", deleted.headers["Location"]).status == 200
    assert front.ask("HEAD", RG).status == 404
    error = front.refused("GET", RG)
    assert (error.status, error.code) == (404, "ResourceGroupNotFound")


def test_groups_are_listed_by_a_tag_and_other_filters_are_refused(front: Front) -> None:
    for name, tags in (("one", {"Owner": "ada"}), ("two", {"owner": ""}), ("three", None)):
        front.ask("PUT", f"resourceGroups/{name}", {"location": "eastus", "tags": tags})
    for text, names in (
        ("tagName eq 'owner'", ["one", "two"]),
        ("tagname eq 'owner' and tagvalue eq 'ada'", ["one"]),
        ("tagName eq 'owner' and tagValue eq ''", ["two"]),
    ):
        query: dict[str, Any] = {"$filter": text}
        listed = front.ask("GET", "resourcegroups", **query).body
        assert listed is not None
        assert [group["name"] for group in listed["value"]] == names
    assert front.refused("GET", "resourcegroups", **{"$filter": "name eq 'one'"}).target == "$filter"


@pytest.mark.parametrize("path", [RG, f"{RG}/providers/Microsoft.BatchAI/workspaces/ws"])
def test_what_a_group_or_workspace_does_not_know_is_refused_by_name(populated: Front, path: str) -> None:
    front = populated
    known = front.ask("GET", path).body
    assert known is not None
    for method in ("PUT", "PATCH"):
        error = front.refused(method, path, {"location": "eastus", "tag": {"a": "b"}})
        assert (error.status, error.code, error.target) == (400, "InvalidRequestContent", "tag")
        assert front.ask(method, path, known).status == 200
        assert front.ask(method, path, {"Location": "East US", "TAGS": None, "managedBy": None}).status == 200
    assert front.refused("PATCH", path, {"location": "westus2"}).status == 409


def test_deleting_a_group_waits_for_what_is_in_it_and_survives_a_restart(populated: Front) -> None:
    front = populated
    location = front.ask("DELETE", RG).headers["Location"]
    assert front.ask("GET", location).status == 202
    assert front.refused("PUT", RG, {"location": "eastus"}).code == "ResourceGroupBeingDeleted"
    assert front.refused("PUT", f"{RG}/providers/Microsoft.BatchAI/workspaces/w2", {}).status == 409
    front.restart()
    still = front.ask("GET", RG)
    assert still.body is not None
    assert still.body["properties"]["provisioningState"] == "Deleting"
    front.clusters.bury()  # the jobs and clusters whose deletion was begun
    assert front.ask("GET", location).status == 200
    assert front.ask("HEAD", RG).status == 404
    assert not front.clusters.jobs
    assert not front.clusters.clusters


@pytest.mark.parametrize(
    ("body", "status", "code", "target"),
    [
        ({}, 400, "LocationRequired", "location"),
        ({"location": "mars"}, 400, "LocationNotAvailableForResourceGroup", "location"),
        ({"location": 5}, 400, "InvalidRequestContent", "location"),
        ({"location": "eastus", "tags": {"a": 1}}, 400, "InvalidRequestContent", "tags"),
        ({"location": "westeurope"}, 409, "InvalidResourceGroupLocation", "location"),
    ],
)
def test_a_group_that_is_wrong_is_refused(
    front: Front, body: dict[str, Any], status: int, code: str, target: str
) -> None:
    front.ask("PUT", RG, {"location": "eastus"})
    error = front.refused("PUT", RG, body)
    assert (error.status, error.code, error.target) == (status, code, target)


@pytest.mark.parametrize("name", ["bad.", "with%20space", "x" * 91, "a%2Fb"])
def test_a_group_with_a_wrong_name_is_refused(front: Front, name: str) -> None:
    assert front.refused("PUT", f"resourceGroups/{name}", {"location": "eastus"}).status == 400


def test_any_subscription_is_served_and_listed_once_used(front: Front) -> None:
    front.ask("PUT", "/subscriptions/mine/resourceGroups/g", {"location": "eastus"})
    listed = front.ask("GET", "/subscriptions", version="2016-06-01").body
    assert listed is not None
    assert [one["subscriptionId"] for one in listed["value"]][1:] == ["mine"]
    assert all(one["state"] == "Enabled" and one["displayName"] for one in listed["value"])
    one = front.ask("GET", "/subscriptions/other", version="2016-06-01").body
    assert one is not None
    assert one["id"] == "/subscriptions/other"
    tenants = front.ask("GET", "/tenants", version="2016-06-01").body
    assert tenants == {"value": [{"id": "/tenants/t", "tenantId": "t"}]}


def test_providers_register_and_unregister(front: Front) -> None:
    front.ask("PUT", RG, {"location": "eastus"})
    state = front.ask("GET", "providers/microsoft.batchai", version="2018-05-01").body
    assert state is not None
    assert state["namespace"] == "Microsoft.BatchAI"
    assert state["registrationState"] == "Registered"
    assert {"workspaces", "workspaces/clusters"} <= {one["resourceType"] for one in state["resourceTypes"]}
    front.ask("POST", "providers/Microsoft.BatchAI/unregister")
    front.restart()
    path = f"{RG}/providers/Microsoft.BatchAI/workspaces"
    assert front.refused("GET", path).code == "MissingSubscriptionRegistration"
    front.ask("POST", "providers/Microsoft.BatchAI/register")
    assert front.ask("GET", path).status == 200


@pytest.mark.parametrize("version", ["2018-05-02", "2025-08-01", "2026-09-01-preview"])
def test_a_version_newer_than_all_is_served_as_the_newest_and_says_so(front: Front, version: str) -> None:
    front.ask("PUT", RG, {"location": "eastus"}, version=version)
    path = f"{RG}/providers/Microsoft.BatchAI/workspaces/w"
    made = front.ask("PUT", path, {"location": "eastus"}, version=version)
    assert made.headers["Warning"] == f'299 - "api-version {version} is not known, served as 2018-05-01"'
    known = front.ask("GET", path, version="2018-05-01")
    assert front.ask("GET", path, version=version).body == known.body
    assert "Warning" not in known.headers
    missing = front.refused("GET", f"{path}/clusters/none", version=version)
    assert (missing.code, version in missing.headers["Warning"]) == ("ClusterNotFound", True)


def test_groups_may_be_in_every_region_and_batch_ai_only_in_its_own(front: Front) -> None:
    for region in ("westus", "Japan East", "germanywestcentral"):
        front.ask("PUT", f"resourceGroups/in-{region[:4]}", {"location": region})
    base = "resourceGroups/in-west/providers/Microsoft.BatchAI/workspaces"
    assert front.ask("GET", base).body == {"value": []}
    assert front.refused("PUT", f"{base}/w", {"location": "westus"}).code == "NoRegisteredProviderFound"
    assert front.ask("PUT", f"{base}/w", {"location": "West US 2"}).status == 200


def test_what_nobody_provides_is_refused_with_what_there_is(front: Front) -> None:
    front.ask("PUT", RG, {"location": "eastus"})
    base = f"{RG}/providers"
    version = front.refused("GET", f"{base}/Microsoft.BatchAI/workspaces/w", version="2018-01-01")
    assert (version.status, version.code) == (400, "NoRegisteredProviderFound")
    assert "'2018-01-01' for type 'workspaces'" in version.message
    assert "The supported api-versions are '2018-05-01'" in version.message
    place = front.refused("PUT", f"{base}/Microsoft.BatchAI/workspaces/w", {"location": "mars"})
    assert place.code == "NoRegisteredProviderFound"
    assert "location 'mars'" in place.message
    assert front.refused("GET", f"{base}/Microsoft.Nope/things").code == "InvalidResourceNamespace"
    assert front.refused("GET", f"{base}/Microsoft.BatchAI/things").code == "InvalidResourceType"
    assert front.refused("GET", "resourceGroups/none/providers/Microsoft.BatchAI/workspaces").code == (
        "ResourceGroupNotFound"
    )
    assert front.refused("GET", RG, version="").code == "MissingApiVersionParameter"
    assert front.refused("GET", RG, version="latest").code == "InvalidApiVersionParameter"
    assert front.refused("GET", "nothing/at/all").status == 404
    assert front.refused("DELETE", "resourceGroups").status == 405


def test_resources_of_a_group_are_listed_without_properties(populated: Front) -> None:
    listed = populated.ask("GET", f"{RG}/resources", version="2021-04-01").body
    assert listed is not None
    assert [sorted(one) for one in listed["value"]] == [["id", "location", "name", "type"]]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("resourceType eq 'Microsoft.BatchAI/workspaces'", ["ws"]),
        ("name eq 'WS' and resourcetype eq 'microsoft.batchai/workspaces'", ["ws"]),
        ("resourceType eq 'Microsoft.Storage/storageAccounts'", []),
        ("location eq 'eastus' and not (name eq 'a')", ["ws"]),
        ("resourceGroup ne 'rg'", []),
        ("tagName eq 'Team' and tagValue eq 'x'", ["ws"]),
        ("tagName eq 'Team' and tagValue eq 'X'", []),
        ("tagName eq 'team' and tagValue eq 'y'", []),
    ],
)
def test_resources_are_filtered(populated: Front, text: str, names: list[str]) -> None:
    populated.ask(
        "PUT",
        f"{RG}/providers/Microsoft.BatchAI/workspaces/ws",
        {"location": "eastus", "tags": {"a": "y", "team": "x"}},
    )
    query: dict[str, Any] = {"$filter": text}
    listed = populated.ask("GET", f"{RG}/resources", version="2021-04-01", **query).body
    assert listed is not None
    assert [one["name"] for one in listed["value"]] == names


@pytest.mark.parametrize("text", ["x", "kind eq 'x'", "startswith(name, 'w')", "name eq 'ws' or"])
def test_filters_of_resources_that_are_not_emulated_are_refused(populated: Front, text: str) -> None:
    refused = populated.refused("GET", f"{RG}/resources", **{"$filter": text})
    assert (refused.status, refused.target) == (400, "$filter")
