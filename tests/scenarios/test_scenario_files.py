"""Scenario files: what is read, and what is refused with the file, the line, the property and the fix."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends.bodies import check
from batchai_scenario.backends.errors import InvalidScenario, UserError
from batchai_scenario.scenarios.definition.bodies import NUMBERS, share_folders
from batchai_scenario.scenarios.definition.discovery import find, find_all
from batchai_scenario.scenarios.definition.scenario import Scenario
from batchai_scenario.schema.secrets import redacted
from tests.scenarios.worlds import SMALL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[..., Path]


def test_parameters_reach_every_text_and_a_lone_placeholder_keeps_its_type(write: Write) -> None:
    resolved = Scenario(write(SMALL)).resolve({"epochs": "12"})
    assert resolved.parameters == {"epochs": 12}
    assert resolved.jobs["train"]["customToolkitSettings"]["commandLine"] == "train 12"
    (rule,) = resolved.expect["train"].outputs["MODEL"]
    assert not isinstance(rule, str)
    assert rule.count == 12


def test_dollar_signs_and_other_braces_are_left_alone(write: Write) -> None:
    command = "echo ${HOME} $(date) $AZ_BATCHAI_INPUT_X {{.State}} ${epochs}"
    resolved = Scenario(write(SMALL.replace("train {{ epochs }}", command))).resolve()
    assert resolved.jobs["train"]["customToolkitSettings"]["commandLine"] == command


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        ("summary:", "sumary:", "scenario.yaml:1", "unknown property 'sumary' (did you mean 'summary'?"),
        ("nodeCount: 1", "nodeCount: 3", "jobs.train.nodeCount", "needs 3 nodes"),
        ("train {{ epochs }}", "train {{ epoch }}", "commandLine", "did you mean 'epochs'?"),
        ("minimum: 1", "minimun: 1", ":3: parameters.epochs", "did you mean 'minimum'?"),
        ("default: 2", "default: two", "parameters.epochs", "'two' is not an integer"),
        ("type: integer", "type: int", "parameters.epochs.type", "'integer'"),
        ("below: 1,", "bellow: 1,", "expect.train.metrics.loss", "did you mean 'below'?"),
        ("loss ([\\d.]+)", "loss ([", "metrics.loss.pattern", "no regular expression"),
        ("when: epochs >= 10", "when: epoch >= 10", "limits[0].when", "no parameter 'epoch'"),
        ("when: epochs >= 10", "when: many epochs", "limits[0].when", "write e.g. epochs >= 40"),
        ("outputs: {MODEL:", "outputs: {MODLE:", "expect.train.outputs.MODLE", "did you mean 'MODEL'?"),
        ("expect:\n  train:", "expect:\n  trian:", "expect.trian", "did you mean 'train'?"),
        ("share: small,", "share: small, share: other,", "share", "stands here twice"),
        ("parameters:", "parameters: {{ x }}", "scenario.yaml:", "this is not YAML"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_its_fix(
    write: Write, old: str, new: str, where: str, message: str
) -> None:
    text = SMALL.replace(old, new)
    assert text != SMALL
    with pytest.raises(InvalidScenario) as caught:
        Scenario(write(text)).resolve()
    assert "scenario.yaml" in caught.value.field
    assert where in caught.value.field
    assert message in str(caught.value)


def test_values_are_typed_and_held_to_their_limits(write: Write) -> None:
    scenario = Scenario(write(SMALL))
    for value, message in [
        ("0", "below the minimum 1"),
        ("2.5", "not an integer"),
        ("many", "not an integer"),
    ]:
        with pytest.raises(UserError, match=message):
            scenario.resolve({"epochs": value})
    with pytest.raises(UserError, match="did you mean 'epochs'") as caught:
        scenario.resolve({"epoch": "3"})
    assert caught.value.exit_code == 2


def test_a_parameter_without_a_default_must_be_set(write: Write) -> None:
    scenario = Scenario(write(SMALL.replace("default: 2, ", "")))
    with pytest.raises(InvalidScenario, match="--set epochs=VALUE: how often"):
        scenario.resolve()
    assert scenario.resolve({"epochs": "3"}).parameters == {"epochs": 3}


@pytest.mark.parametrize("to", ["../other", "/root", "a/../../b", "a\\b", "a//b", "a:b"])
def test_an_upload_that_climbs_out_of_the_share_is_refused(write: Write, to: str) -> None:
    file = write(SMALL + f"uploads: [{{share: small, to: {json.dumps(to)}, from: [scenario.yaml]}}]\n")
    with pytest.raises(InvalidScenario, match=r"climbs out of the share|no path in a share"):
        Scenario(file)


def test_a_missing_upload_is_refused_before_anything_else(write: Write) -> None:
    file = write(SMALL + "uploads: [{share: small, from: [absent.txt]}]\n")
    with pytest.raises(InvalidScenario, match="there is no file or folder") as caught:
        Scenario(file).resolve()
    assert "uploads[0].from[0]" in caught.value.field


@pytest.mark.parametrize(
    ("entry", "message"),
    [("dataset:nonsense", "there is no data set"), ("training:../pyproject.toml", "climbs out")],
)
def test_unknown_data_sets_and_training_paths_are_refused(write: Write, entry: str, message: str) -> None:
    file = write(SMALL + f"uploads: [{{share: small, from: ['{entry}']}}]\n")
    with pytest.raises(InvalidScenario, match=message):
        Scenario(file).resolve()


def test_folders_keep_their_names_and_with_a_slash_give_their_contents(write: Write) -> None:
    file = write(SMALL + "uploads: [{share: small, to: t, from: [data, other/]}]\n")
    for name in ("data/a.txt", "data/deep/b.txt", "other/c.txt"):
        (file.parent / name).parent.mkdir(parents=True, exist_ok=True)
        (file.parent / name).write_text("x")
    resolved = Scenario(file).resolve()
    assert [item.path for item in resolved.uploads] == ["t/data/a.txt", "t/data/deep/b.txt", "t/c.txt"]


def test_two_files_for_one_path_are_refused(write: Write) -> None:
    file = write(SMALL + "uploads: [{share: small, from: [a/x.txt, b/X.TXT]}]\n")
    for name in ("a/x.txt", "b/X.TXT"):
        (file.parent / name).parent.mkdir(exist_ok=True)
        (file.parent / name).write_text("x")
    with pytest.raises(InvalidScenario, match=r"both go to small/X.TXT"):
        Scenario(file).resolve()


def test_files_kept_from_az_batchai_drop_in(write: Write) -> None:
    text = SMALL[: SMALL.index("cluster:")] + (
        "cluster: {file: cluster.json}\njobs: {train: {file: job.json, nodeCount: 1}}\n"
    )
    file = write(text)
    shares = [
        {
            "azureFileUrl": "https://<AZURE_BATCHAI_STORAGE_ACCOUNT>.file.core.windows.net/logs",
            "accountName": "<AZURE_BATCHAI_STORAGE_ACCOUNT>",
            "credentials": {"accountKey": "<AZURE_BATCHAI_STORAGE_KEY>"},
            "relativeMountPath": "logs",
        }
    ]
    cluster = {
        "$schema": "https://example.org/cluster.json",
        "properties": {"vmSize": "STANDARD_NC6", "nodeSetup": {"mountVolumes": {"azureFileShares": shares}}},
    }
    (file.parent / "cluster.json").write_text(json.dumps(cluster))
    (file.parent / "job.json").write_text(json.dumps({"$schema": "x", "properties": {"nodeCount": 4}}))
    resolved = Scenario(file).resolve()
    (mount,) = resolved.cluster["nodeSetup"]["mountVolumes"]["azureFileShares"]
    assert mount["azureFileUrl"] == "$STORAGE_URL/logs"
    assert mount["accountName"] == "$STORAGE_ACCOUNT"
    assert mount["credentials"] == {"accountKey": "$STORAGE_KEY"}
    assert resolved.jobs["train"] == {"nodeCount": 1}


def test_properties_beside_properties_are_refused(write: Write) -> None:
    file = write(
        SMALL[: SMALL.index("cluster:")] + "cluster: {file: c.json}\njobs: {train: {nodeCount: 1}}\n"
    )
    (file.parent / "c.json").write_text(json.dumps({"properties": {}, "location": "eastus"}))
    with pytest.raises(InvalidScenario, match="'location' stands beside 'properties'"):
        Scenario(file).resolve()


def test_a_hook_may_compute_what_yaml_cannot(write: Write) -> None:
    file = write(SMALL + "hook: hook.py\n")
    hook = file.parent / "hook.py"
    hook.write_text(
        "def adjust(sections, parameters):\n"
        "    sections['jobs']['train']['environmentVariables'] = "
        "[{'name': 'E', 'value': str(parameters['epochs'] ** 2)}]\n"
        "    return sections\n"
    )
    assert Scenario(file).resolve().jobs["train"]["environmentVariables"] == [{"name": "E", "value": "4"}]
    hook.write_text("def adjust(sections, parameters):\n    return 1 / 0\n")
    with pytest.raises(InvalidScenario, match=r"hook\.py:2: the hook failed: ZeroDivisionError"):
        Scenario(file)


def test_scenarios_are_found_by_name_by_folder_and_by_file(write: Write) -> None:
    file = write(SMALL, "mine")
    assert find("hello").name == "hello"
    assert find(str(file)).name == find(str(file.parent)).name == "mine"
    assert {"mine", "hello"} <= {item.name for item in find_all([file.parent.parent])}
    with pytest.raises(UserError, match="did you mean 'hello'"):
        find("helo")
    with pytest.raises(UserError, match="there is no scenario at"):
        find(str(file.parent / "absent"))


def test_every_scenario_of_the_library_can_be_read() -> None:
    for item in find_all():
        assert item.load().summary


def test_secrets_become_names() -> None:
    body = {
        "secrets": [{"name": "TOKEN", "value": "hidden"}],
        "userAccountSettings": {"adminUserName": "me", "adminUserPassword": "hidden"},
        "m": [{"credentials": {"accountKey": "$STORAGE_KEY"}}, {"credentials": {"accountKey": "hidden"}}],
    }
    text = json.dumps(redacted(body))
    assert "hidden" not in text
    assert "<secret TOKEN>" in text
    assert "$STORAGE_KEY" in text


def test_outputs_are_found_on_shares_by_the_services_layout() -> None:
    mount = {"azureFileUrl": "https://a.file.core.windows.net/s1", "relativeMountPath": "afs"}
    own = {"azureFileUrl": "https://a.file.core.windows.net/s2/", "relativeMountPath": "data"}
    cluster = {"nodeSetup": {"mountVolumes": {"azureFileShares": [mount]}}}
    job = {
        "mountVolumes": {"azureFileShares": [own]},
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs/",
        "outputDirectories": [
            {"id": "MODEL", "pathPrefix": "$AZ_BATCHAI_JOB_MOUNT_ROOT/data/x", "pathSuffix": "Models"},
            {"id": "ALL", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs"},
            {"id": "LOCAL", "pathPrefix": "$AZ_BATCHAI_JOB_TEMP_DIR"},
        ],
    }
    assert share_folders(cluster, job, "sub/rg/guid") == {
        "stdouterr": ("s1", "sub/rg/guid/stdouterr"),
        "MODEL": ("s2", "x/sub/rg/guid/outputs/Models"),
        "ALL": ("s1", "sub/rg/guid/outputs"),
    }


def test_a_number_stays_a_text_where_the_service_has_one(write: Write) -> None:
    text = SMALL.replace("parameters:\n", "parameters:\n  slow: {type: number, default: 1.5e-05}\n")
    text = text.replace('"train {{ epochs }}"', '"{{ slow }}"').replace(
        "nodeCount: 1", 'nodeCount: "{{ epochs }}"'
    )
    text = text.replace("targetNodeCount: 1", 'targetNodeCount: "{{ epochs }}"')
    resolved = Scenario(write(text)).resolve()
    job = resolved.jobs["train"]
    assert job["customToolkitSettings"]["commandLine"] == "1.5e-05"
    assert job["nodeCount"] == resolved.cluster["scaleSettings"]["manual"]["targetNodeCount"] == 2


def test_arguments_that_are_one_number_are_taken(write: Write) -> None:
    text = SMALL.replace("parameters:\n", "parameters:\n  slow: {type: number, default: 1.5e-05}\n")
    given = 'pythonScriptFilePath: train.py, commandLineArgs: "{{ slow }}", processCount: "{{ epochs }}"'
    toolkit = f"cntkSettings: {{{given}}}"
    text = text.replace('customToolkitSettings: {commandLine: "train {{ epochs }}"}', toolkit)
    job = Scenario(write(text)).resolve().jobs["train"]
    assert job["cntkSettings"]["commandLineArgs"] == "1.5e-05"
    assert job["cntkSettings"]["processCount"] == 2
    check("Job", job)


def test_the_properties_that_are_no_texts_are_the_services() -> None:
    from azure.mgmt.batchai import models

    found: set[str] = set()
    waiting = ["ClusterCreateParameters", "JobCreateParameters"]
    seen = set(waiting)
    while waiting:
        for entry in getattr(models, waiting.pop())._attribute_map.values():
            kind = entry["type"].strip("[]{}")
            if kind in ("int", "bool", "float"):
                found.add(entry["key"].rpartition(".")[2])
            elif hasattr(models, kind) and kind not in seen:
                seen.add(kind)
                waiting.append(kind)
    assert found <= NUMBERS
    assert NUMBERS - found == {"createNew", "diskCount", "diskSizeInGB"}


@pytest.mark.parametrize("text", [r'"\ud800"', r'"a {{ epochs }} \udfff"'])
def test_half_characters_are_refused(write: Write, text: str) -> None:
    with pytest.raises(InvalidScenario):
        Scenario(write(SMALL.replace('"train {{ epochs }}"', text))).resolve()
    file = write(
        SMALL.replace('customToolkitSettings: {commandLine: "train {{ epochs }}"}', "file: job.json")
    )
    (file.parent / "job.json").write_text(json.dumps({"customToolkitSettings": {"commandLine": "\udfff"}}))
    with pytest.raises(InvalidScenario, match="half a character"):
        Scenario(file).resolve()
