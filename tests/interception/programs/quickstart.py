"""A program as people wrote them for the real service: it knows Azure's addresses and its credentials only.

Newest clients: azure-mgmt-batchai 7.0.0, azure-identity, azure-mgmt-resource, azure-storage-file.
"""

import os
import sys
import time

import requests
from azure.identity import ClientSecretCredential
from azure.mgmt.batchai import BatchAI, models
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.storage.file import FileService

GROUP, WORKSPACE, EXPERIMENT, CLUSTER, JOB = "mygroup", "myworkspace", "digits", "mycluster", "myjob"
SHARE, FOLDER = "training", "inputs"
ACCOUNT, KEY = os.environ["SCENARIO_STORAGE_ACCOUNT"], os.environ["SCENARIO_STORAGE_KEY"]
SUBSCRIPTION = os.environ["AZURE_SUBSCRIPTION_ID"]

credential = ClientSecretCredential(
    os.environ["AZURE_TENANT_ID"], os.environ["AZURE_CLIENT_ID"], os.environ["AZURE_CLIENT_SECRET"]
)
resources = ResourceManagementClient(credential, SUBSCRIPTION)
batchai = BatchAI(credential, SUBSCRIPTION)

resources.providers.register("Microsoft.BatchAI")
resources.resource_groups.create_or_update(GROUP, {"location": "eastus"})
batchai.workspaces.begin_create(GROUP, WORKSPACE, {"location": "eastus"}).result()
batchai.experiments.begin_create(GROUP, WORKSPACE, EXPERIMENT).result()

files = FileService(ACCOUNT, KEY)
files.create_share(SHARE, fail_on_exist=False)
files.create_directory(SHARE, FOLDER, fail_on_exist=False)
files.create_file_from_text(
    SHARE, FOLDER, "train.sh", "echo learning; wc -l < $AZ_BATCHAI_INPUT_DATA/data.txt\n"
)
files.create_file_from_text(SHARE, FOLDER, "data.txt", "one\ntwo\nthree\n")

share = models.AzureFileShareReference(
    account_name=ACCOUNT,
    azure_file_url=f"https://{ACCOUNT}.file.core.windows.net/{SHARE}",
    credentials=models.AzureStorageCredentialsInfo(account_key=KEY),
    relative_mount_path="afs",
)
cluster = batchai.clusters.begin_create(
    GROUP,
    WORKSPACE,
    CLUSTER,
    models.ClusterCreateParameters(
        vm_size="STANDARD_NC6",
        user_account_settings=models.UserAccountSettings(
            admin_user_name="demo", admin_user_password="pass-1"
        ),
        scale_settings=models.ScaleSettings(manual=models.ManualScaleSettings(target_node_count=1)),
        node_setup=models.NodeSetup(mount_volumes=models.MountVolumes(azure_file_shares=[share])),
    ),
).result()
print("cluster", cluster.name, cluster.provisioning_state)

job = batchai.jobs.begin_create(
    GROUP,
    WORKSPACE,
    EXPERIMENT,
    JOB,
    models.JobCreateParameters(
        cluster=models.ResourceId(id=cluster.id),
        node_count=1,
        std_out_err_path_prefix="$AZ_BATCHAI_MOUNT_ROOT/afs",
        input_directories=[models.InputDirectory(id="DATA", path=f"$AZ_BATCHAI_MOUNT_ROOT/afs/{FOLDER}")],
        custom_toolkit_settings=models.CustomToolkitSettings(
            command_line="sh $AZ_BATCHAI_INPUT_DATA/train.sh"
        ),
    ),
).result()
deadline = time.monotonic() + 60
while job.execution_state not in ("succeeded", "failed") and time.monotonic() < deadline:
    time.sleep(0.1)
    job = batchai.jobs.get(GROUP, WORKSPACE, EXPERIMENT, JOB)
print("job", job.execution_state, job.execution_info.exit_code)

wanted = models.JobsListOutputFilesOptions(outputdirectoryid="stdouterr")
for file in batchai.jobs.list_output_files(GROUP, WORKSPACE, EXPERIMENT, JOB, wanted):
    if file.name == "stdout.txt":
        print("link", file.download_url.partition("?")[0].rpartition("/jobs/")[0])
        sys.stdout.write(requests.get(file.download_url, timeout=20).text)

batchai.jobs.begin_delete(GROUP, WORKSPACE, EXPERIMENT, JOB).result()
batchai.clusters.begin_delete(GROUP, WORKSPACE, CLUSTER).result()
resources.resource_groups.begin_delete(GROUP).result()
print("gone", not resources.resource_groups.check_existence(GROUP))
