"""The flat API versions, 2017-09-01-preview and 2018-03-01: where things live, and what they look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.front.conftest import AI, CLUSTER, JOB, RG, SUBSCRIPTION
from tests.front.flat.conftest import HERE, HOME, MARCH, MAY, PREVIEW, SERVER, body, cluster, job, names

if TYPE_CHECKING:
    from tests.front.conftest import Front


def test_a_cluster_stands_in_its_group_with_location_and_tags(old: Front, version: str) -> None:
    read = body(old.ask("GET", f"{AI}/clusters/C", version=version))
    properties = read.pop("properties")
    assert read == {
        "id": f"{HERE}/clusters/c",
        "name": "c",
        "type": "Microsoft.BatchAI/Clusters",
        "location": "eastus",
        "tags": {"a": "b"},
    }
    assert properties["userAccountSettings"] == {
        "adminUserName": "demo",
        "adminUserSSHPublicKey": "ssh-rsa AAAA",
    }
    assert properties["vmSize"] == "STANDARD_NC6"
    assert properties["vmPriority"] == "dedicated"
    assert "older" not in properties
    secret = old.clusters.secrets[f"{HERE}/workspaces/migrated-eastus/clusters/c".lower()]
    assert "pass word" in secret.values()


def test_newer_clients_find_it_in_the_migrated_workspace(old: Front) -> None:
    workspace = body(old.ask("GET", HOME))
    assert workspace["location"] == "eastus"
    read = body(old.ask("GET", f"{HOME}/clusters/c"))
    assert set(read) == {"id", "name", "type", "properties"}
    assert read["type"] == "Microsoft.BatchAI/workspaces/clusters"
    assert "adminUserSshPublicKey" in read["properties"]["userAccountSettings"]
    found = body(old.ask("GET", f"{HOME}/experiments/migrated/jobs/j"))["properties"]
    assert found["cluster"] == {"id": f"/subscriptions/{SUBSCRIPTION}/{HOME}/clusters/c"}
    assert (found["schedulingPriority"], found["experimentName"]) == ("normal", "migrated")
    assert not {"older", "priority"} & set(found)


def test_older_clients_see_nothing_of_other_workspaces(old: Front, version: str) -> None:
    for name in ("other", "migrated-westus2", "migrated-eastus"):
        old.ask("PUT", f"{AI}/workspaces/{name}", {"location": "eastus"})
    new = {"properties": CLUSTER}
    for name in ("other", "migrated-westus2"):  # the second is not where eastus was migrated to
        old.ask("PUT", f"{AI}/workspaces/{name}/clusters/new-{name}", new)
        assert old.refused("GET", f"{AI}/clusters/new-{name}", version=version).status == 404
    assert names(old.ask("GET", f"{AI}/clusters", version=version)) == ["c"]
    old.ask("PUT", f"{HOME}/clusters/seen", new)
    seen = body(old.ask("GET", f"{AI}/clusters/seen", version=version))
    assert (seen["id"], seen["location"]) == (f"{HERE}/clusters/seen", "eastus")
    assert "tags" not in seen
    old.ask("PUT", f"{HOME}/experiments/elsewhere")
    mine = {"properties": {**JOB, "cluster": {"id": f"/subscriptions/{SUBSCRIPTION}/{HOME}/clusters/c"}}}
    old.ask("PUT", f"{HOME}/experiments/elsewhere/jobs/unseen", mine)
    old.ask("PUT", f"{HOME}/experiments/migrated/jobs/high", mine)
    assert names(old.ask("GET", f"{AI}/jobs", version=version)) == ["j", "high"]


def test_what_is_not_there_is_told_by_the_resource_manager(old: Front, version: str) -> None:
    for kind in ("clusters", "jobs", "fileServers"):
        for method, path in (("GET", ""), ("POST", "/terminate"), ("PATCH", "")):
            error = old.refused(method, f"{AI}/{kind}/no{path}", {}, version=version)
            assert (error.status, error.code) == (404, "ResourceNotFound")
            assert str(error.message) == (
                f"The Resource 'Microsoft.BatchAI/{kind}/no' under resource group 'rg' was not found."
            )
            assert error.headers == {"x-ms-failure-cause": "gateway"}
        assert old.ask("DELETE", f"{AI}/{kind}/no", version=version).status == 204
    unknown = job()
    unknown["properties"]["cluster"]["id"] = f"{HERE}/clusters/no"
    assert old.refused("PUT", f"{AI}/jobs/x", unknown, version=version).code == "ClusterNotFound"


def test_a_refused_body_leaves_no_workspace(front: Front, version: str) -> None:
    front.ask("PUT", RG, {"location": "eastus"})
    for path, content, code in (
        ("clusters/c", {"properties": CLUSTER}, "LocationRequired"),
        ("clusters/c", {"location": "nowhere", "properties": CLUSTER}, "NoRegisteredProviderFound"),
        ("clusters/c", {"location": "eastus", "properties": {}}, "InvalidPropertyValue"),
        ("clusters/c", {"location": "eastus", "surprise": 1, "properties": CLUSTER}, "InvalidRequestContent"),
        ("clusters/..", cluster(), "InvalidResourceName"),
        ("jobs/j", job(), "ClusterNotFound"),
    ):
        assert front.refused("PUT", f"{AI}/{path}", content, version=version).code == code
    assert names(front.ask("GET", f"{AI}/workspaces")) == []


def test_location_and_name(old: Front, version: str) -> None:
    elsewhere = old.refused("PUT", f"{AI}/clusters/c", cluster() | {"location": "westus2"}, version=version)
    assert (elsewhere.status, elsewhere.target) == (409, "location")
    wrong = old.refused("PUT", f"{AI}/jobs/x", job("westus2"), version=version)
    assert (wrong.code, wrong.target) == ("InvalidPropertyValue", "properties.cluster.id")
    nested = job()
    nested["properties"]["cluster"]["id"] = f"/subscriptions/{SUBSCRIPTION}/{HOME}/clusters/c"
    assert old.refused("PUT", f"{AI}/jobs/x", nested, version=version).target == "properties.cluster.id"
    assert old.ask("PUT", f"{AI}/clusters/with.dots", cluster(), version=version).status == 202
    assert names(old.ask("GET", "providers/Microsoft.BatchAI/clusters", version=version)) == [
        "c",
        "with.dots",
    ]


@pytest.mark.parametrize(
    ("path", "value", "known_in"),
    [
        ("mountVolumes", {}, MARCH),
        ("secrets", [], MARCH),
        ("schedulingPriority", "low", ""),
        ("horovodSettings", {"pythonScriptFilePath": "x"}, ""),
        ("containerSettings", {"imageSourceRegistry": {"image": "a"}, "shmSize": "1g"}, ""),
        ("priority", 1001, ""),
    ],
)
def test_properties_of_other_versions_are_unknown(
    old: Front, version: str, path: str, value: Any, known_in: str
) -> None:
    content = job(**{path: value})
    if version == known_in:
        assert old.ask("PUT", f"{AI}/jobs/x", content, version=version).status == 202
        return
    error = old.refused("PUT", f"{AI}/jobs/x", content, version=version)
    assert error.status == 400
    assert error.target.startswith(f"properties.{path}")


def test_tags_and_size_are_patched(old: Front, version: str) -> None:
    before = old.ask("GET", f"{AI}/clusters/c", version=version)
    old.clock.advance(seconds=5)
    tagged = old.ask("PATCH", f"{AI}/clusters/c", {"tags": {"x": "y"}}, version=version)
    assert body(tagged)["tags"] == {"x": "y"}
    assert tagged.headers["ETag"] != before.headers["ETag"]
    scale = {"properties": {"scaleSettings": {"manual": {"targetNodeCount": 0}}}}
    sized = body(old.ask("PATCH", f"{AI}/clusters/c", scale, version=version))
    assert sized["properties"]["scaleSettings"]["manual"]["targetNodeCount"] == 0
    assert sized["tags"] == {"x": "y"}
    same = {"manual": {"targetNodeCount": 0}}
    content = cluster(tags={"p": "q"})
    content["properties"]["scaleSettings"] = same
    again = old.ask("PUT", f"{AI}/clusters/c", content, version=version)
    assert (again.status, body(again)["tags"]) == (200, {"p": "q"})


def test_a_cluster_scales_by_itself(old: Front, version: str) -> None:
    content = cluster()
    automatic = {"minimumNodeCount": 0, "maximumNodeCount": 4, "initialNodeCount": 1}
    content["properties"]["scaleSettings"] = {"autoScale": automatic}
    assert old.ask("PUT", f"{AI}/clusters/auto", content, version=version).status == 202
    seen = body(old.ask("GET", f"{AI}/clusters/auto", version=version))
    assert seen["properties"]["scaleSettings"] == {"autoScale": automatic}
    wrong = {"properties": {"scaleSettings": {"autoScale": {**automatic, "minimumNodeCount": 5}}}}
    error = old.refused("PATCH", f"{AI}/clusters/c", wrong, version=version)
    assert error.target == "properties.scaleSettings.autoScale.minimumNodeCount"


def test_a_setup_task_is_shown_as_each_version_did(old: Front, version: str) -> None:
    content = cluster()
    task = {"commandLine": "true", "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs", "runElevated": True}
    content["properties"]["nodeSetup"] = {**content["properties"].get("nodeSetup", {}), "setupTask": task}
    assert old.ask("PUT", f"{AI}/clusters/setup", content, version=version).status == 202
    shown = body(old.ask("GET", f"{AI}/clusters/setup", version=version))["properties"]["nodeSetup"]
    suffix = shown["setupTask"].pop("stdOutErrPathSuffix", None)
    assert shown["setupTask"] == task
    if version == "2017-09-01-preview":
        assert suffix is None
    else:
        assert suffix.startswith(f"{SUBSCRIPTION}/rg/clusters/setup/")
    newer = body(old.ask("GET", f"{HOME}/clusters/setup"))["properties"]["nodeSetup"]["setupTask"]
    assert "runElevated" not in newer


def test_volumes_are_read_and_shown_as_the_first_sdk_wrote_them(old: Front, version: str) -> None:
    content = cluster()
    (share,) = content["properties"]["nodeSetup"]["mountVolumes"]["azureFileShares"]
    share["credentialsInfo"] = share.pop("credentials")
    path = f"{AI}/clusters/first"
    if version == MARCH:
        assert old.refused("PUT", path, content, version=version).target.endswith("[0].credentialsInfo")
        return
    for _ in range(2):
        assert old.ask("PUT", path, content, version=version).status in (200, 202)
    whole = body(old.ask("GET", path, version=version))["properties"]
    assert (whole["subnet"], whole["lastModified"]) == ({}, whole["creationTime"])
    shown = whole["nodeSetup"]["mountVolumes"]
    assert shown["azureFileShares"][0].items() >= {**share, "credentialsInfo": {}}.items()
    assert "credentials" not in shown["azureFileShares"][0]
    later = body(old.ask("GET", f"{HOME}/clusters/first"))["properties"]
    assert not {"subnet", "lastModified"} & set(later)
    assert later["nodeSetup"]["mountVolumes"]["azureFileShares"][0]["credentials"] == {}
    key = old.clusters.secrets[f"{HERE}/workspaces/migrated-eastus/clusters/first".lower()]
    assert share["credentialsInfo"]["accountKey"] in key.values()
    vault = {"sourceVault": {"id": "/vault"}, "secretUrl": "https://vault/secret"}
    share["credentialsInfo"] = {"accountKeySecretReference": vault}
    refused = old.refused("PUT", path, content, version=version)
    assert refused.code == "PropertyNotSupported"
    assert refused.target.endswith("[0].credentialsInfo.accountKeySecretReference")
    share["credentialsInfo"] = {}
    where = "properties.nodeSetup.mountVolumes.azureFileShares[0].credentialsInfo"
    assert old.refused("PUT", path, content, version=version).target.startswith(where)


def test_usages_are_those_of_the_time(old: Front, version: str) -> None:
    path = "providers/Microsoft.BatchAI/locations/eastus/usages"
    if version == PREVIEW:
        assert old.refused("GET", path, version=version).status in (400, 404)
        return
    found = body(old.ask("GET", path, version=version))["value"]
    assert len(found) == 12
    assert [one["name"]["value"].split()[1] for one in found[2:6]] == ["D", "NC", "Dv2", "NV"]
    assert [one["limit"] for one in found] == [20, *[24] * 5, *[50] * 5, 20]
    assert found[-1] == {
        "unit": "Count",
        "currentValue": 1,
        "limit": 20,
        "name": {"value": "ActiveJobs", "localizedValue": "Active Jobs"},
    }
    old.clusters.finish("j", 0)
    assert body(old.ask("GET", path, version=version))["value"][-1]["currentValue"] == 0


def test_what_exists_is_not_changed_by_another_body(old: Front, version: str) -> None:
    assert old.ask("PUT", f"{AI}/jobs/j", job(), version=version).status == 200
    for name, changed in (("priority", job(priority=5)), ("experimentName", job(experimentName="x"))):
        error = old.refused("PUT", f"{AI}/jobs/j", changed, version=version)
        assert error.status == 409
        assert error.target in (f"properties.{name}", "properties.schedulingPriority")


def test_a_workspace_that_is_in_the_way(front: Front, version: str) -> None:
    front.ask("PUT", RG, {"location": "eastus"})
    front.ask("PUT", HOME, {"location": "westus2"})
    error = front.refused("PUT", f"{AI}/clusters/c", cluster(), version=version)
    assert (error.status, error.target) == (409, "location")


def test_lists_are_filtered_selected_and_paged(old: Front, version: str) -> None:
    for number, name in enumerate(("k", "l", "m")):
        old.clock.advance(milliseconds=500)
        old.ask("PUT", f"{AI}/jobs/{name}", job(priority=number, experimentName="night"), version=version)
    assert names(old.ask("GET", f"{AI}/jobs", version=version)) == ["j", "k", "l", "m"]
    everywhere = "providers/Microsoft.BatchAI/jobs"
    two: dict[str, Any] = {"$filter": "properties/priority ge 1", "$select": "properties/priority"}
    assert body(old.ask("GET", everywhere, version=version, **two))["value"] == [
        {
            "id": f"{HERE}/jobs/{name}",
            "name": name,
            "type": "Microsoft.BatchAI/Jobs",
            "properties": {"priority": number},
        }
        for name, number in (("l", 1), ("m", 2))
    ]
    query: dict[str, Any] = {"$filter": "properties/experimentName eq 'night'", "maxresults": "2"}
    first = body(old.ask("GET", f"{AI}/jobs", version=version, **query))
    assert [one["name"] for one in first["value"]] == ["k", "l"]
    assert "filter" in first["nextLink"]
    key = (
        first["nextLink"]
        .rpartition("skiptoken=")[2]
        .replace("%2F", "/")
        .replace("+", " ")
        .replace("%3A", ":")
    )
    last = body(old.ask("GET", f"{AI}/jobs", version=version, **{"$skiptoken": key}, **query))
    assert [one["name"] for one in last["value"]] == ["m"]
    refused = old.refused("GET", f"{AI}/jobs", version=version, **{"$filter": "what?"})
    assert (refused.code, refused.target) == ("InvalidFilterInQueryString", "$filter")
    newer = old.refused("GET", f"{HOME}/experiments/migrated/jobs", **{"$filter": "name eq 'j'"})
    assert newer.target == "$filter"


def test_operations_and_usages(front: Front, version: str) -> None:
    found = names(front.ask("GET", "/providers/Microsoft.BatchAI/operations", version=version))
    assert "Microsoft.BatchAI/jobs/write" in found
    assert "Microsoft.BatchAI/fileservers/read" in found
    assert not [name for name in found if "workspaces" in name]
    usages = "providers/Microsoft.BatchAI/locations/eastus/usages"
    if version == PREVIEW:
        assert front.refused("GET", usages, version=version).code == "NoRegisteredProviderFound"
    else:
        assert len(body(front.ask("GET", usages, version=version))["value"]) == 12


@pytest.mark.parametrize(
    ("path", "version"),
    [
        (f"{AI}/clusters", MAY),
        (f"{AI}/workspaces", MARCH),
        (f"{AI}/clusters", "2019-01-01"),
        ("providers/Microsoft.BatchAI/jobs", MAY),
    ],
)
def test_a_type_in_a_version_that_it_does_not_have(front: Front, path: str, version: str) -> None:
    front.ask("PUT", RG, {"location": "eastus"})
    error = front.refused("GET", path, version=version)
    assert (error.status, error.code) == (400, "NoRegisteredProviderFound")
    assert f"API version '{version}'" in error.message


def test_a_group_is_deleted_with_its_flat_resources(old: Front, version: str) -> None:
    old.ask("PUT", f"{AI}/fileServers/f", SERVER, version=version)
    old.ask("DELETE", RG)
    old.clusters.bury()
    assert names(old.ask("GET", "providers/Microsoft.BatchAI/jobs", version=version)) == []
    old.clusters.bury()
    assert old.refused("GET", RG).status == 404
    assert old.store.list("file server") == []


def test_location_and_tags_are_read_in_any_case(old: Front, version: str) -> None:
    content = {"LOCATION": "eastus", "Tags": {"a": "b"}, "properties": cluster()["properties"]}
    old.ask("PUT", f"{AI}/clusters/c", content, version=version)
    shown = body(old.ask("GET", f"{AI}/clusters/c", version=version))
    assert (shown["location"], shown["tags"]) == ("eastus", {"a": "b"})
