"""Bodies that are wrong: where, with what, and what is said of it."""

from __future__ import annotations

from typing import Any

SERVER_ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.BatchAI/workspaces/w/fileServers/none"
MOUNTS = "nodeSetup.mountVolumes"
DELETE = object()
KEY_VAULT = {"sourceVault": {"id": "/x"}, "secretUrl": "https://x"}
SETUP = "properties.nodeSetup.setupTask"
COUNTERS = "properties.nodeSetup.performanceCountersSettings.appInsightsReference"
COMPONENT = "/subscriptions/s/resourceGroups/g/providers/microsoft.insights/components/c"
SHARE = f"properties.{MOUNTS}.azureFileShares[0]"


CLUSTERS: list[tuple[str, Any, str, str]] = [
    (
        SETUP,
        {"commandLine": "x" * 131_072, "stdOutErrPathPrefix": "/mnt/x"},
        "InvalidPropertyValue",
        f"{SETUP}.commandLine",
    ),
    (
        SETUP,
        {
            "commandLine": "x",
            "stdOutErrPathPrefix": "/mnt/x",
            "environmentVariables": [{"name": "A", "value": "x" * 131_072}],
        },
        "InvalidPropertyValue",
        f"{SETUP}.environmentVariables[0].value",
    ),
    ("properties.colour", "red", "InvalidRequestContent", "properties.colour"),
    ("location", "eastus", "InvalidRequestContent", "location"),
    ("properties", DELETE, "InvalidPropertyValue", "properties"),
    ("properties.vmSize", DELETE, "InvalidPropertyValue", "properties.vmSize"),
    ("properties.vmSize", "huge", "InvalidPropertyValue", "properties.vmSize"),
    ("properties.vmSize", "STANDARD_A0", "InvalidPropertyValue", "properties.vmSize"),
    ("properties.vmSize", "Standard_DS3_v2", "InvalidPropertyValue", "properties.vmSize"),
    ("properties.vmPriority", "urgent", "InvalidPropertyValue", "properties.vmPriority"),
    ("properties.userAccountSettings", DELETE, "InvalidPropertyValue", "properties.userAccountSettings"),
    (
        "properties.userAccountSettings.adminUserPassword",
        DELETE,
        "InvalidPropertyValue",
        "properties.userAccountSettings",
    ),
    (
        "properties.scaleSettings.manual.targetNodeCount",
        -1,
        "InvalidPropertyValue",
        "properties.scaleSettings.manual.targetNodeCount",
    ),
    (
        "properties.scaleSettings.manual.targetNodeCount",
        101,
        "InvalidPropertyValue",
        "properties.scaleSettings.manual.targetNodeCount",
    ),
    (
        "properties.scaleSettings",
        {"autoScale": {"minimumNodeCount": 2, "maximumNodeCount": 1}},
        "InvalidPropertyValue",
        "properties.scaleSettings.autoScale.minimumNodeCount",
    ),
    (
        "properties.scaleSettings",
        {"autoScale": {"minimumNodeCount": 0, "maximumNodeCount": 1, "initialNodeCount": 2}},
        "InvalidPropertyValue",
        "properties.scaleSettings.autoScale.initialNodeCount",
    ),
    (
        "properties.scaleSettings",
        {"autoScale": {"minimumNodeCount": 0, "maximumNodeCount": 101}},
        "InvalidPropertyValue",
        "properties.scaleSettings.autoScale.maximumNodeCount",
    ),
    (
        "properties.scaleSettings",
        {"autoScale": {"minimumNodeCount": 0}},
        "InvalidPropertyValue",
        "properties.scaleSettings.autoScale.maximumNodeCount",
    ),
    (
        "properties.scaleSettings",
        {"autoScale": {"minimumNodeCount": 0, "maximumNodeCount": 1}, "manual": {"targetNodeCount": 1}},
        "InvalidPropertyValue",
        "properties.scaleSettings",
    ),
    ("properties.scaleSettings", {}, "InvalidPropertyValue", "properties.scaleSettings"),
    ("properties.subnet", {"id": "/x"}, "InvalidPropertyValue", "properties.subnet.id"),
    (
        "properties.userAccountSettings.adminUserSshPublicKey",
        "ssh-rsa AAAA\nssh-rsa BBBB",
        "InvalidPropertyValue",
        "properties.userAccountSettings.adminUserSshPublicKey",
    ),
    (
        "properties.virtualMachineConfiguration",
        {"imageReference": {"publisher": "p", "offer": "o", "sku": "s", "virtualMachineImageId": "/x"}},
        "InvalidPropertyValue",
        "properties.virtualMachineConfiguration.imageReference.virtualMachineImageId",
    ),
    (
        SETUP,
        {"commandLine": " ", "stdOutErrPathPrefix": "/tmp"},
        "InvalidPropertyValue",
        f"{SETUP}.commandLine",
    ),
    (
        SETUP,
        {"commandLine": "true", "stdOutErrPathPrefix": "logs"},
        "InvalidPropertyValue",
        f"{SETUP}.stdOutErrPathPrefix",
    ),
    (
        SETUP,
        {"commandLine": "true", "stdOutErrPathPrefix": "$AZ_BATCHAI_JOB_TEMP/x"},
        "InvalidPropertyValue",
        f"{SETUP}.stdOutErrPathPrefix",
    ),
    (
        SETUP,
        {"commandLine": "true", "stdOutErrPathPrefix": "/tmp", "secrets": [{"name": "A"}]},
        "InvalidPropertyValue",
        f"{SETUP}.secrets[0].value",
    ),
    (
        SETUP,
        {
            "commandLine": "true",
            "stdOutErrPathPrefix": "/tmp",
            "secrets": [{"name": "A", "valueSecretReference": KEY_VAULT}],
        },
        "PropertyNotSupported",
        f"{SETUP}.secrets[0].valueSecretReference",
    ),
    (
        COUNTERS,
        {"component": {"id": "/x"}, "instrumentationKey": "k"},
        "InvalidPropertyValue",
        f"{COUNTERS}.component.id",
    ),
    (
        COUNTERS,
        {"component": {"id": COMPONENT}},
        "InvalidPropertyValue",
        f"{COUNTERS}.instrumentationKey",
    ),
    (
        COUNTERS,
        {"component": {"id": COMPONENT}, "instrumentationKeySecretReference": KEY_VAULT},
        "PropertyNotSupported",
        f"{COUNTERS}.instrumentationKeySecretReference",
    ),
    (
        f"properties.{MOUNTS}.azureBlobFileSystems",
        [{"accountName": "a", "containerName": "c", "credentials": {}, "relativeMountPath": "p"}],
        "InvalidPropertyValue",
        f"properties.{MOUNTS}.azureBlobFileSystems[0].credentials.accountKey",
    ),
    (
        f"properties.{MOUNTS}.fileServers",
        [{"fileServer": {"id": "/x"}, "relativeMountPath": "p"}],
        "InvalidPropertyValue",
        f"properties.{MOUNTS}.fileServers[0].fileServer.id",
    ),
    (
        f"properties.{MOUNTS}.fileServers",
        [{"fileServer": {"id": SERVER_ID}, "relativeMountPath": "p"}],
        "InvalidPropertyValue",
        f"properties.{MOUNTS}.fileServers[0].fileServer.id",
    ),
    (
        f"properties.{MOUNTS}.unmanagedFileSystems",
        [{"mountCommand": " ", "relativeMountPath": "p"}],
        "InvalidPropertyValue",
        f"properties.{MOUNTS}.unmanagedFileSystems[0].mountCommand",
    ),
    (
        f"{SHARE}.credentials",
        {"accountKeySecretReference": KEY_VAULT},
        "PropertyNotSupported",
        f"{SHARE}.credentials.accountKeySecretReference",
    ),
    (f"{SHARE}.credentials", {}, "InvalidPropertyValue", f"{SHARE}.credentials.accountKey"),
    (f"{SHARE}.azureFileUrl", "share", "InvalidPropertyValue", f"{SHARE}.azureFileUrl"),
    (f"{SHARE}.relativeMountPath", "../up", "InvalidPropertyValue", f"{SHARE}.relativeMountPath"),
    (f"{SHARE}.relativeMountPath", "/abs", "InvalidPropertyValue", f"{SHARE}.relativeMountPath"),
    (f"{SHARE}.relativeMountPath", "", "InvalidPropertyValue", f"{SHARE}.relativeMountPath"),
    (f"{SHARE}.accountName", "a\x00b", "InvalidPropertyValue", f"{SHARE}.accountName"),
    (f"{SHARE}.accountName", "a\ud800b", "InvalidPropertyValue", f"{SHARE}.accountName"),
    (f"{SHARE}.accountName", ["a"], "InvalidPropertyValue", f"{SHARE}.accountName"),
]


SCRIPT = {"pythonScriptFilePath": "train.py"}


JOBS: list[tuple[str, Any, str, str]] = [
    (
        "properties.tensorFlowSettings",
        {**SCRIPT, "workerCount": 9},
        "InvalidPropertyValue",
        "properties.tensorFlowSettings.workerCount",
    ),
    (
        "properties.pyTorchSettings",
        {**SCRIPT, "processCount": 2},
        "InvalidPropertyValue",
        "properties.pyTorchSettings.communicationBackend",
    ),
    (
        "properties.chainerSettings",
        {},
        "InvalidPropertyValue",
        "properties.chainerSettings.pythonScriptFilePath",
    ),
    (
        "properties.customMpiSettings",
        {"commandLine": "x", "processCount": 0},
        "InvalidPropertyValue",
        "properties.customMpiSettings.processCount",
    ),
    (
        "properties.caffeSettings",
        {**SCRIPT, "configFilePath": "solver.prototxt"},
        "InvalidPropertyValue",
        "properties.caffeSettings.configFilePath",
    ),
    ("properties.nodeCount", 101, "InvalidPropertyValue", "properties.nodeCount"),
    ("properties.nodeCount", 0, "InvalidPropertyValue", "properties.nodeCount"),
    ("properties.nodeCount", "many", "InvalidPropertyValue", "properties.nodeCount"),
    (
        "properties.cntkSettings",
        {**SCRIPT, "languageType": "BrainScript"},
        "InvalidPropertyValue",
        "properties.cntkSettings.configFilePath",
    ),
    (
        "properties.cntkSettings",
        {**SCRIPT, "configFilePath": "x", "languageType": "python"},
        "InvalidPropertyValue",
        "properties.cntkSettings.configFilePath",
    ),
    ("properties.cntkSettings", {}, "InvalidPropertyValue", "properties.cntkSettings.pythonScriptFilePath"),
    ("properties.cluster.id", "c", "InvalidPropertyValue", "properties.cluster.id"),
    (
        "properties.stdOutErrPathPrefix",
        "$AZ_BATCHAI_MOUNT_ROOT/afs/../..",
        "InvalidPropertyValue",
        "properties.stdOutErrPathPrefix",
    ),
    ("properties.stdOutErrPathPrefix", "afs", "InvalidPropertyValue", "properties.stdOutErrPathPrefix"),
    (
        "properties.outputDirectories",
        [{"id": "A", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs", "pathSuffix": "x/../../y"}],
        "InvalidPropertyValue",
        "properties.outputDirectories[0].pathSuffix",
    ),
    (
        "properties.outputDirectories",
        [{"id": "A", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/.."}],
        "InvalidPropertyValue",
        "properties.outputDirectories[0].pathPrefix",
    ),
    (
        "properties.outputDirectories",
        [{"id": "A", "pathPrefix": "/a"}, {"id": "A", "pathPrefix": "/b"}],
        "InvalidPropertyValue",
        "properties.outputDirectories[1].id",
    ),
    (
        "properties.inputDirectories",
        [{"id": "not ok", "path": "/a"}],
        "InvalidPropertyValue",
        "properties.inputDirectories[0].id",
    ),
    (
        "properties.environmentVariables",
        [{"name": "A=B", "value": "x"}],
        "InvalidPropertyValue",
        "properties.environmentVariables[0].name",
    ),
    (
        "properties.environmentVariables",
        [{"name": "A"}],
        "InvalidPropertyValue",
        "properties.environmentVariables[0].value",
    ),
    ("properties.secrets", [{"name": "A"}], "InvalidPropertyValue", "properties.secrets[0].value"),
    (
        "properties.secrets",
        [{"name": "A", "valueSecretReference": KEY_VAULT}],
        "PropertyNotSupported",
        "properties.secrets[0].valueSecretReference",
    ),
    (
        "properties.containerSettings",
        {"imageSourceRegistry": {"image": "i", "credentials": {"username": "u"}}},
        "InvalidPropertyValue",
        "properties.containerSettings.imageSourceRegistry.credentials.password",
    ),
    (
        "properties.containerSettings",
        {"imageSourceRegistry": {"image": "team/train", "serverUrl": "127.0.0.1:5057"}},
        "InvalidPropertyValue",
        "properties.containerSettings.imageSourceRegistry.image",
    ),
    (
        "properties.environmentVariables",
        [{"name": "A", "value": "x" * 131_072}],
        "InvalidPropertyValue",
        "properties.environmentVariables[0].value",
    ),
    (
        "properties.customToolkitSettings.commandLine",
        "x" * 131_072,
        "InvalidPropertyValue",
        "properties.customToolkitSettings.commandLine",
    ),
    (
        "properties.constraints.maxWallClockTime",
        "P8D",
        "InvalidPropertyValue",
        "properties.constraints.maxWallClockTime",
    ),
    (
        "properties.constraints.maxWallClockTime",
        "an hour",
        "InvalidPropertyValue",
        "properties.constraints.maxWallClockTime",
    ),
    (
        "properties.constraints.maxWallClockTime",
        "PT0S",
        "InvalidPropertyValue",
        "properties.constraints.maxWallClockTime",
    ),
]
