from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.engines.base import NodePlace
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.launch.build import JobToPlan, node_system, plan_job
from batchai_scenario.emulator.launch.layout import (
    JobLayout,
    expand,
    locate,
    output_directory,
)
from batchai_scenario.schema.layout import Layout
from batchai_scenario.schema.older import OlderFields, with_older
from batchai_scenario.schema.sizes import gpus_of, slots_of
from batchai_scenario.training.toolkits.base import mpirun

if TYPE_CHECKING:
    from batchai_scenario.emulator.launch.plan import LaunchPlan, NodeTask

SEGMENT = "sub/group/workspaces/ws/experiments/exp/jobs/train/0f1e"
ROOT = PurePosixPath("/mnt/batch/tasks/shared/LS_root")
NODE = NodePlace("c1", "tvm-1_1-20180606t120000z", "10.0.0.4", Path("/disks/n1"), ROOT)


def quickstart() -> dict[str, Any]:
    return {
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/azurefileshare",
        "inputDirectories": [
            {"id": "SAMPLE", "path": "$AZ_BATCHAI_MOUNT_ROOT/azurefileshare/mnistcntksample"}
        ],
        "outputDirectories": [
            {
                "id": "MODEL",
                "pathPrefix": "${AZ_BATCHAI_MOUNT_ROOT}/azurefileshare/",
                "pathSuffix": "Models",
            }
        ],
        "containerSettings": {
            "imageSourceRegistry": {"image": "microsoft/cntk:2.1-gpu-python3.5-cuda8.0-cudnn6.0"}
        },
        "cntkSettings": {
            "pythonScriptFilePath": "$AZ_BATCHAI_INPUT_SAMPLE/ConvNet_MNIST.py",
            "commandLineArgs": "$AZ_BATCHAI_INPUT_SAMPLE $AZ_BATCHAI_OUTPUT_MODEL",
        },
    }


def plan(definition: dict[str, Any], **more: Any) -> LaunchPlan:
    values: dict[str, Any] = {
        "job_guid": "0F1E",
        "workspace": "ws",
        "experiment": "exp",
        "job": "train",
        "segment": SEGMENT,
        "definition": definition,
        "secrets": {},
        "nodes": [NODE],
        "cluster_mounts": [("azurefileshare", Path("/home/storage/acct/share"))],
        "job_mounts": [],
    }
    return plan_job(JobToPlan(**{**values, **more}))


def only(definition: dict[str, Any], **more: Any) -> NodeTask:
    (task,) = plan(definition, **more).tasks
    return task


def test_the_quickstart_is_laid_out_as_on_the_service() -> None:
    task = only(quickstart())
    share = ROOT / "mounts" / "azurefileshare"
    assert task.main is not None
    assert task.main.stdout == share / SEGMENT / "stdouterr" / "stdout.txt"
    assert task.environment["AZ_BATCHAI_INPUT_SAMPLE"] == str(share / "mnistcntksample")
    assert task.environment["AZ_BATCHAI_OUTPUT_MODEL"] == str(share / SEGMENT / "outputs" / "Models")
    assert task.environment["AZ_BATCHAI_STDOUTERR_DIR"] == str(share / SEGMENT / "stdouterr")
    assert task.environment["AZ_BATCHAI_MOUNT_ROOT"] == str(ROOT / "mounts")
    assert task.environment["AZ_BATCHAI_JOB_MOUNT_ROOT"] == str(ROOT / "jobs/ws/exp/train/mounts")
    assert share / SEGMENT / "outputs" / "Models" in task.directories
    assert share / "mnistcntksample" not in task.directories
    assert [mount.target for mount in task.mounts] == [ROOT, share]
    assert task.main.command == (
        "python $AZ_BATCHAI_INPUT_SAMPLE/ConvNet_MNIST.py $AZ_BATCHAI_INPUT_SAMPLE $AZ_BATCHAI_OUTPUT_MODEL"
    )
    assert task.preparation is None
    assert task.id == "0f1e-0"


def test_a_node_that_has_another_root_gets_every_path_below_it() -> None:
    place = NodePlace("c1", "n1", "127.0.0.1", Path("/disks/n1"), PurePosixPath("/disks/n1/LS_root"))
    task = only(quickstart(), nodes=[place])
    assert task.mounts[0].source == Path(task.mounts[0].target)
    assert all(path.is_relative_to(place.root) for path in task.directories)


@pytest.mark.parametrize(
    ("settings", "command"),
    [
        ({"configFilePath": "$C/a.cntk", "commandLineArgs": "x=1"}, "cntk configFile=$C/a.cntk x=1"),
        (
            {"pythonScriptFilePath": "a.py", "pythonInterpreterPath": "python3", "languageType": "Python"},
            "python3 a.py",
        ),
        ({"pythonScriptFilePath": "/my data/a.py"}, 'python "/my data/a.py"'),
        (
            {"pythonScriptFilePath": "a.py", "processCount": 2},
            mpirun("python a.py", 2, 1),
        ),
    ],
)
def test_cntk_command_lines(settings: dict[str, Any], command: str) -> None:
    task = only({**quickstart(), "cntkSettings": settings})
    assert task.main is not None
    assert task.main.command == command
    assert task.environment["KERAS_BACKEND"] == "cntk"


@pytest.mark.parametrize(
    ("change", "target"),
    [
        ({"stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/../../etc"}, "properties.stdOutErrPathPrefix"),
        ({"stdOutErrPathPrefix": "relative"}, "properties.stdOutErrPathPrefix"),
        ({"stdOutErrPathPrefix": "$NOWHERE/x"}, "properties.stdOutErrPathPrefix"),
        (
            {"outputDirectories": [{"id": "M", "pathPrefix": "/x", "pathSuffix": "../y"}]},
            "properties.outputDirectories[0].pathSuffix",
        ),
        ({"outputDirectories": [{"id": "a-b", "pathPrefix": "/x"}]}, "properties.outputDirectories[0].id"),
        ({"inputDirectories": [{"id": "A", "path": "x"}]}, "properties.inputDirectories[0].path"),
        (
            {"environmentVariables": [{"name": "A B", "value": ""}]},
            "properties.environmentVariables[0].name",
        ),
        (
            {"environmentVariables": [{"name": "AZ_BATCHAI_JOB_TEMP", "value": "/"}]},
            "properties.environmentVariables[0].name",
        ),
        ({"secrets": [{"name": "A"}]}, "properties.secrets[0].value"),
        ({"cntkSettings": {}}, "properties.cntkSettings.pythonScriptFilePath"),
        (
            {"cntkSettings": {"configFilePath": "x", "languageType": "Python"}},
            "properties.cntkSettings.pythonScriptFilePath",
        ),
        (
            {"cntkSettings": None, "pyTorchSettings": {"pythonScriptFilePath": "x", "processCount": 2}},
            "properties.pyTorchSettings.communicationBackend",
        ),
        (
            {"cntkSettings": None, "customToolkitSettings": {"commandLine": " "}},
            "properties.customToolkitSettings.commandLine",
        ),
        ({"customToolkitSettings": {"commandLine": "true"}}, "properties"),
        (
            {"containerSettings": {"imageSourceRegistry": {"image": "a"}, "shmSize": "lots"}},
            "properties.containerSettings.shmSize",
        ),
    ],
)
def test_what_cannot_be_planned_is_refused_by_name(change: dict[str, Any], target: str) -> None:
    with pytest.raises(ServiceError) as caught:
        plan({**quickstart(), **change})
    assert caught.value.status == 400
    assert caught.value.target == target
    assert target in caught.value.message


@pytest.mark.parametrize("path", ["", "../x", "/abs", "a/../../b", "."])
def test_a_mount_stays_below_its_root(path: str) -> None:
    with pytest.raises(ServiceError, match=r"mountVolumes\[0\]\.relativeMountPath"):
        plan(quickstart(), job_mounts=[(path, Path("/x"))])


def test_variables_and_secrets_reach_the_job_and_its_preparation() -> None:
    definition = {
        **quickstart(),
        "environmentVariables": [
            {"name": "WHERE", "value": "$AZ_BATCHAI_OUTPUT_MODEL/$HOME"},
            {"name": "PYTHONUNBUFFERED", "value": ""},
        ],
        "secrets": [{"name": "PASSWORD"}],
        "jobPreparation": {"commandLine": "echo hi"},
    }
    task = only(definition, secrets={"/secrets/0/value": "s'3\n"})
    assert task.environment["PASSWORD"] == "s'3\n"
    assert task.environment["WHERE"].endswith("/outputs/Models/$HOME")
    assert task.environment["PYTHONUNBUFFERED"] == ""
    assert task.preparation is not None
    assert task.preparation.stdout.name == "stdout-job_prep.txt"
    assert "s'3" not in repr(task)


def test_several_nodes_are_a_list_whose_first_is_the_master() -> None:
    nodes = [NodePlace("c1", f"n{i}", f"10.0.0.{i + 4}", Path(f"/disks/{i}"), ROOT) for i in range(2)]
    definition = {**quickstart(), "jobPreparation": {"commandLine": "true"}}
    first, second = plan(definition, nodes=nodes).tasks
    assert (first.id, second.id) == ("0f1e-0", "0f1e-1")
    assert first.main is not None
    assert second.main is None
    assert second.preparation is not None
    assert second.preparation.stderr.name == "stderr-job_prep-n1.txt"
    assert first.environment["AZ_BATCH_HOST_LIST"] == "10.0.0.4,10.0.0.5"
    assert first.files[0][1] == "10.0.0.4 slots=1\n10.0.0.5 slots=1\n"


def test_a_node_path_is_found_on_the_deepest_mount() -> None:
    task = only(quickstart(), job_mounts=[("logs", Path("/home/storage/acct/logs"))])
    layout = JobLayout("ws", "exp", "train")
    path = output_directory(
        {**quickstart(), "stdOutErrPathPrefix": "$AZ_BATCHAI_JOB_MOUNT_ROOT/logs"},
        SEGMENT,
        "stdouterr",
        layout,
    )
    found = locate(path, task.mounts)
    assert found is not None
    assert (found[0].source.name, str(found[1])) == ("logs", f"{SEGMENT}/stdouterr")
    assert locate(PurePosixPath("/tmp/x"), task.mounts) is None
    assert locate(PurePosixPath(f"{ROOT}/mounts/azurefileshare2"), task.mounts[1:]) is None
    with pytest.raises(KeyError):
        output_directory(quickstart(), SEGMENT, "NONE", layout)


def test_ids_of_output_directories_are_found_in_any_case() -> None:
    layout = JobLayout.of(quickstart(), "ws", "ex", "job")
    for recorded, plain in (("stdOuterr", "stdouterr"), ("model", "MODEL")):
        found = output_directory(quickstart(), SEGMENT, recorded, layout)
        assert found == output_directory(quickstart(), SEGMENT, plain, layout)


@pytest.mark.parametrize("text", ["$A/x", "${A}/x", "$A$B", "$AB", "a$", "$1", "${A", "$A-$B.", "€$A"])
def test_expansion_agrees_with_the_shell_where_names_are_known(text: str) -> None:
    names = {"A": "one", "B": "two", "AB": "three"}
    if text == "${A":
        assert expand(text, names) == text  # the shell calls this an error
        return
    shell = subprocess.run(
        ["sh", "-c", f'printf %s "{text}"'], env=names, capture_output=True, text=True, check=True
    ).stdout
    assert expand(text, names) == (shell if text != "$1" else "$1")


@pytest.mark.parametrize(("layout", "logs"), [(Layout.FLAT, f"{SEGMENT}/stdouterr"), (Layout.FIRST, SEGMENT)])
def test_jobs_of_older_versions(layout: Layout, logs: str) -> None:
    definition = with_older(quickstart(), OlderFields(layout))
    prefix = "$AZ_BATCHAI_MOUNT_ROOT/azurefileshare"
    definition["outputDirectories"] += [
        {"id": "MINE", "pathPrefix": prefix, "pathSuffix": "kept", "type": "custom", "createNew": False},
        {"id": "NEW", "pathPrefix": prefix, "type": "custom", "createNew": True},
    ]
    task = only(definition)
    share = f"{ROOT}/mounts/azurefileshare"
    assert task.environment["AZ_BATCHAI_JOB_TEMP"] == f"{ROOT}/jobs/train"
    assert task.environment["AZ_BATCHAI_STDOUTERR_DIR"] == f"{share}/{logs}"
    assert task.environment["AZ_BATCHAI_OUTPUT_MINE"] == f"{share}/kept"
    assert task.environment["AZ_BATCHAI_OUTPUT_NEW"] == f"{share}/{SEGMENT}/outputs"
    made = [str(path) for path in task.directories]
    assert f"{share}/{SEGMENT}/outputs" in made
    assert f"{share}/kept" not in made


def test_nodes_of_a_job_share_a_folder_and_a_door_and_keep_the_rest_to_themselves() -> None:
    second = NodePlace("c1", "tvm-1_2-20180606t120000z", "10.0.0.5", Path("/disks/n2"), ROOT)
    preparation = {"jobPreparation": {"commandLine": "true"}, "nodeCount": 2}
    tasks = plan({**quickstart(), **preparation}, nodes=[NODE, second], slots=4).tasks
    shared = ROOT / "jobs/ws/exp/train/shared"
    for index, task in enumerate(tasks):
        assert task.gang is not None
        assert task.gang.index == index
        assert [member.address for member in task.gang.members] == ["10.0.0.4", "10.0.0.5"]
        assert task.gang.members[1].name == "tvm-1-2-20180606t120000z"
        sources = {mount.target: mount.source for mount in task.mounts}
        assert sources[shared] == Path("/disks/n1/shared/0f1e-0/temp")
        assert sources[ROOT / "door"] == Path("/disks/n1/shared/0f1e-0/door")
        assert sources[ROOT] == Path(f"/disks/n{index + 1}/LS_root")
        assert task.files[0][1] == "10.0.0.4 slots=4\n10.0.0.5 slots=4\n"
        assert task.environment["AZ_BATCH_HOST_LIST"] == "10.0.0.4,10.0.0.5"
        assert task.preparation is not None
        assert task.preparation.stdout.name == f"stdout-job_prep-{task.node}.txt"
    assert [task.main is None for task in tasks] == [False, True]
    assert only(quickstart()).gang is None


@pytest.mark.parametrize(
    ("size", "gpus"),
    [
        ("STANDARD_NC6", 1),
        ("STANDARD_NC24s_v2", 4),
        ("STANDARD_NC24r", 4),
        ("Standard_ND12s", 2),
        ("STANDARD_ND40s_v2", 8),
        ("STANDARD_NV12", 2),
        ("STANDARD_D2", 0),
        ("STANDARD_D2_V2", 0),
        ("STANDARD_NV12s_v3", 1),
        ("STANDARD_H16r", 0),
        ("STANDARD_DS13-4_V2", 0),
        ("STANDARD_NC8as_T4_v3", None),
        ("HAL_9000", None),
    ],
)
def test_gpus_of_sizes(size: str, gpus: int | None) -> None:
    assert gpus_of(size) == gpus
    assert slots_of(size) == max(1, gpus or 0)
    assert gpus_of(size, {size.upper(): 3}) == 3
    assert slots_of(size, 3) == (3 if gpus is None else max(1, gpus))


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ({}, "node/ubuntuserver:16.04-lts"),
        (
            {"publisher": "Canonical", "offer": "UbuntuServer", "sku": "16.04-LTS"},
            "node/ubuntuserver:16.04-lts",
        ),
        (
            {"publisher": "microsoft-ads", "offer": "linux-data-science-vm-ubuntu", "sku": "linuxdsvmubuntu"},
            "node/linux-data-science-vm-ubuntu:linuxdsvmubuntu",
        ),
    ],
)
def test_a_nodes_own_system_is_named_after_its_clusters_image(reference: dict[str, str], name: str) -> None:
    assert node_system(reference) == name
    settings = {
        "customToolkitSettings": {"commandLine": "true"},
        "stdOutErrPathPrefix": "$AZ_BATCHAI_JOB_TEMP",
    }
    assert only(settings, system=name).node_image == name
