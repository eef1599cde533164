"""The same program with the last SDK: azure-mgmt-batchai 7.0.0, azure-identity, azure-storage-file-share.

Usage: ``sdk_7_0_0.py IMAGE custom SCRIPT``.
"""

import os
import sys
import time

import requests
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.mgmt.batchai import BatchAI, models
from azure.mgmt.resource import ResourceManagementClient
from azure.storage.fileshare import ShareServiceClient

image, toolkit, script = sys.argv[1:]
account, key = os.environ["SCENARIO_STORAGE_ACCOUNT"], os.environ["SCENARIO_STORAGE_KEY"]
subscription = os.environ["AZURE_SUBSCRIPTION_ID"]

credential = ClientSecretCredential(
    os.environ["AZURE_TENANT_ID"], os.environ["AZURE_CLIENT_ID"], os.environ["AZURE_CLIENT_SECRET"]
)
client = BatchAI(credential, subscription)
resources = ResourceManagementClient(credential, subscription)

group, space, experiment = "learning", "space", "tries"
print("group", resources.resource_groups.create_or_update(group, {"location": "eastus"}).name)
made = client.workspaces.begin_create(
    group, space, models.WorkspaceCreateParameters(location="eastus")
).result()
print("workspace", made.location)
print("experiment", client.experiments.begin_create(group, space, experiment).result().name)

service = ShareServiceClient(f"https://{account}.file.core.windows.net", credential=key)
share = service.get_share_client("lessons")
share.create_share()
try:
    share.create_share()
except ResourceExistsError as error:
    print("share", error.error_code)
folder = share.create_directory("digits")
with open(script, "rb") as stream:
    folder.upload_file(os.path.basename(script), stream)
print("folder", [entry["name"] for entry in folder.list_directories_and_files()])

root = "$AZ_BATCHAI_MOUNT_ROOT/afs"
mount = models.AzureFileShareReference(
    account_name=account,
    azure_file_url=share.url,
    credentials=models.AzureStorageCredentialsInfo(account_key=key),
    relative_mount_path="afs",
)
wanted = models.ClusterCreateParameters(
    vm_size="STANDARD_NC6",
    user_account_settings=models.UserAccountSettings(admin_user_name="ada", admin_user_password="Lovelace-1"),
    scale_settings=models.ScaleSettings(manual=models.ManualScaleSettings(target_node_count=1)),
    node_setup=models.NodeSetup(mount_volumes=models.MountVolumes(azure_file_shares=[mount])),
)
cluster = client.clusters.begin_create(group, space, "nodes", wanted).result()
print("cluster", cluster.provisioning_state, cluster.scale_settings.manual.target_node_count)

line = f"sh $AZ_BATCHAI_INPUT_LESSON/{os.path.basename(script)} $AZ_BATCHAI_OUTPUT_MODEL"
work = models.JobCreateParameters(
    cluster=models.ResourceId(id=cluster.id),
    node_count=1,
    std_out_err_path_prefix=root,
    input_directories=[models.InputDirectory(id="LESSON", path=root + "/digits")],
    output_directories=[models.OutputDirectory(id="MODEL", path_prefix=root, path_suffix="Models")],
    container_settings=models.ContainerSettings(
        image_source_registry=models.ImageSourceRegistry(image=image)
    ),
    custom_toolkit_settings=models.CustomToolkitSettings(command_line=line),
)
job = client.jobs.begin_create(group, space, experiment, "lesson", work).result()
while job.execution_state not in ("succeeded", "failed"):
    time.sleep(0.1)
    job = client.jobs.get(group, space, experiment, "lesson")
print("job", job.execution_state, job.execution_info.exit_code)

for directory in ("stdouterr", "MODEL"):
    options = models.JobsListOutputFilesOptions(outputdirectoryid=directory)
    for file in client.jobs.list_output_files(group, space, experiment, "lesson", options):
        text = requests.get(file.download_url, timeout=20).text
        shown = text.strip() if file.name in ("stdout.txt", "model.txt") else "..."
        print(directory, file.name, file.file_type, shown)

client.jobs.begin_delete(group, space, experiment, "lesson").result()
client.clusters.begin_delete(group, space, "nodes").result()
resources.resource_groups.begin_delete(group).result()
try:
    client.workspaces.get(group, space)
except ResourceNotFoundError as error:
    print("left", error.error.code)
