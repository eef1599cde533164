"""The command line of April 2019 (core 2.0.62, batchai 0.4.8), from login to the last delete."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.conftest import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.clients.conftest import Emulated

pytestmark = [pytest.mark.clients, pytest.mark.network, pytest.mark.timeout(600)]

MOUNTED = "$AZ_BATCHAI_JOB_MOUNT_ROOT/afs"
JOB = {
    "properties": {
        "nodeCount": 2,
        "customToolkitSettings": {
            "commandLine": "sh $AZ_BATCHAI_INPUT_LESSON/lesson.sh $AZ_BATCHAI_OUTPUT_MODEL"
        },
        "stdOutErrPathPrefix": MOUNTED,
        "inputDirectories": [{"id": "LESSON", "path": f"{MOUNTED}/digits"}],
        "outputDirectories": [{"id": "MODEL", "pathPrefix": MOUNTED, "pathSuffix": "Models"}],
        "mountVolumes": {
            "azureFileShares": [
                {
                    "azureFileUrl": "https://learningdata.file.core.windows.net/lessons",
                    "relativeMountPath": "afs",
                }
            ]
        },
        "containerSettings": {"imageSourceRegistry": {"image": "microsoft/cntk:2.5.1-cpu-python3.5"}},
    }
}


@dataclass
class Az:
    """Runs the command line in one folder, where its files are looked for."""

    python: str
    folder: Path
    variables: Mapping[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, "-m", "azure.cli", *arguments],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def text(self, *arguments: str) -> str:
        """Run to its end, which must be good; gives its standard output."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"az {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def __call__(self, *arguments: str) -> Any:
        return json.loads(self.text(*arguments, "--output", "json") or "null")


@pytest.fixture
def az(emulated: Emulated, environment: Callable[[str, str], str], tmp_path: Path) -> Iterator[Az]:
    python = environment("az-0.4.8", "3.6")
    folder = tmp_path / "work"
    folder.mkdir()
    shutil.copy(PROGRAMS / "lesson.sh", folder)
    (folder / "job.json").write_text(json.dumps(JOB))
    with emulated.serving():
        yield Az(python, folder, emulated.intercepted())


def test_from_login_to_the_last_delete(az: Az) -> None:
    known = az.variables
    client, secret, tenant = (known[f"AZURE_{name}"] for name in ("CLIENT_ID", "CLIENT_SECRET", "TENANT_ID"))
    refused = az.run("login", "--service-principal", "-u", client, "-p", "wrong", "-t", tenant)
    assert (refused.returncode, "AADSTS7000215" in refused.stderr) == (1, True), refused.stderr
    accounts = az("login", "--service-principal", "-u", client, "-p", secret, "-t", tenant)
    assert [found["id"] for found in accounts] == [known["AZURE_SUBSCRIPTION_ID"]]

    assert az("group", "create", "-n", "learning", "-l", "eastus")["location"] == "eastus"
    account = ("-n", "learningdata", "-g", "learning")
    az("storage", "account", "create", *account, "-l", "eastus", "--sku", "Standard_LRS")
    key = az("storage", "account", "keys", "list", *account)[0]["value"]
    holder = ("--account-name", "learningdata")
    assert az("storage", "share", "create", "-n", "lessons", *holder, "--account-key", key)["created"]
    assert az("storage", "directory", "create", "-s", "lessons", "-n", "digits", *holder)["created"]
    az("storage", "file", "upload", "-s", "lessons", "-p", "digits", "--source", "lesson.sh", *holder)

    space = ("-g", "learning", "-w", "space")
    assert az("batchai", "workspace", "create", "-g", "learning", "-n", "space")["location"] == "eastus"
    experiment = az("batchai", "experiment", "create", *space, "-n", "tries")
    assert experiment["provisioningState"] == "succeeded"
    size = ("-s", "Standard_NC6", "-t", "2", "-u", "ada", "-p", "Lovelace-1")
    cluster = az("batchai", "cluster", "create", *space, "-n", "nodes", *size)
    assert (cluster["vmSize"], cluster["scaleSettings"]["manual"]["targetNodeCount"]) == ("STANDARD_NC6", 2)
    assert az("batchai", "cluster", "show", *space, "-n", "nodes")["name"] == "nodes"

    tries = (*space, "-e", "tries")
    described = ("-c", "nodes", "-f", "job.json", "--storage-account-name", "learningdata")
    assert az("batchai", "job", "create", *tries, "-n", "lesson", *described)["toolType"] == "custom"
    assert az.text("batchai", "job", "file", "stream", *tries, "-j", "lesson", "-f", "stdout.txt") == (
        "seen 3 lines\n"
    )
    az.text("batchai", "job", "wait", *tries, "-n", "lesson")
    nodes = az("batchai", "cluster", "node", "list", *space, "-c", "nodes")
    assert nodes == az("batchai", "job", "node", "list", *tries, "-j", "lesson")
    assert len({(node["nodeId"], node["ipAddress"], node["port"]) for node in nodes}) == 2
    second = ("-c", "nodes", "-n", nodes[1]["nodeId"], "-p", "Lovelace-1")
    there = az.text(
        "batchai", "cluster", "node", "exec", *space, *second, "--exec", "echo $((6 * 7)); hostname"
    )
    assert there == f"42\n{nodes[1]['nodeId'].replace('_', '-')}\n"
    (model,) = az("batchai", "job", "file", "list", *tries, "-j", "lesson", "-d", "MODEL")
    assert (model["name"], model["fileType"], model["contentLength"]) == ("model.txt", "file", 19)
    clusters = az("batchai", "list-usages", "-l", "eastus")[0]
    assert (clusters["name"]["value"], clusters["currentValue"]) == ("Clusters", 1)

    az.text("batchai", "job", "delete", *tries, "-n", "lesson", "-y")
    az.text("batchai", "cluster", "delete", *space, "-n", "nodes", "-y")
    az.text("batchai", "experiment", "delete", *space, "-n", "tries", "-y")
    az.text("batchai", "workspace", "delete", "-g", "learning", "-n", "space", "-y")
    az.text("group", "delete", "-n", "learning", "-y")
    assert az("group", "exists", "-n", "learning") is False


def test_a_script_that_sets_up_from_zero(az: Az, tmp_path: Path) -> None:
    """A service principal, a role for it, a template: what set-up scripts do before anything else."""
    known = az.variables
    az("login", "--service-principal", "-u", known["AZURE_CLIENT_ID"], "-p", known["AZURE_CLIENT_SECRET"],
       "-t", known["AZURE_TENANT_ID"])  # fmt: skip
    made = az("ad", "sp", "create-for-rbac", "-n", "http://batch-ai-script")
    assert made["name"] == "http://batch-ai-script"
    az("group", "create", "-n", "zero", "-l", "westus")
    role = az("role", "assignment", "create", "--assignee", made["appId"], "--role", "Reader", "-g", "zero")
    assert role["scope"].endswith("/resourceGroups/zero")
    roles = az("role", "assignment", "list", "--assignee", made["appId"], "-g", "zero")
    assert [one["roleDefinitionName"] for one in roles] == ["Reader"]
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2015-01-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {"name": {"type": "string"}},
        "resources": [
            {
                "type": "Microsoft.Storage/storageAccounts",
                "apiVersion": "2018-07-01",
                "name": "[parameters('name')]",
                "location": "[resourceGroup().location]",
                "sku": {"name": "Standard_LRS"},
                "kind": "Storage",
                "properties": {},
            }
        ],
    }
    (az.folder / "template.json").write_text(json.dumps(template))
    deployed = az("group", "deployment", "create", "-g", "zero", "--template-file", "template.json",
                  "--parameters", "name=zeroaccount")  # fmt: skip
    assert deployed["properties"]["provisioningState"] == "Succeeded"
    assert [one["name"] for one in az("storage", "account", "list", "-g", "zero")] == ["zeroaccount"]
    az("login", "--service-principal", "-u", made["appId"], "-p", made["password"], "-t", made["tenant"])
    assert az("group", "exists", "-n", "zero") is True
    az.text("ad", "sp", "delete", "--id", made["appId"])
    refused = az.run(
        "login", "--service-principal", "-u", made["appId"], "-p", made["password"], "-t", made["tenant"]
    )
    assert refused.returncode == 1
