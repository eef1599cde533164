"""A program as people wrote them in April 2018: azure-mgmt-batchai 1.0.0 or 1.0.1, tenant, keyword options.

Usage: ``sdk_1_0.py IMAGE custom SCRIPT``. It makes every call of the quickstart of that month, in the same
order, waits for its job, and reads back what the job wrote.
"""

import os
import sys
import time

import azure.mgmt.batchai as batchai
import requests
from azure.common.credentials import ServicePrincipalCredentials
from azure.mgmt.batchai import models
from azure.mgmt.resource import ResourceManagementClient
from azure.storage.file import FileService

image, toolkit, script = sys.argv[1:]
account, key = os.environ["SCENARIO_STORAGE_ACCOUNT"], os.environ["SCENARIO_STORAGE_KEY"]
subscription = os.environ["AZURE_SUBSCRIPTION_ID"]

credentials = ServicePrincipalCredentials(
    client_id=os.environ["AZURE_CLIENT_ID"],
    secret=os.environ["AZURE_CLIENT_SECRET"],
    tenant=os.environ["AZURE_TENANT_ID"],
)
client = batchai.BatchAIManagementClient(credentials=credentials, subscription_id=subscription)
resources = ResourceManagementClient(credentials=credentials, subscription_id=subscription)

group, share, folder, mounted = "learning", "lessons", "digits", "afs"
print("group", resources.resource_groups.create_or_update(group, {"location": "eastus"}).name)

files = FileService(account, key)
print("share", files.create_share(share, fail_on_exist=False), files.create_share(share, fail_on_exist=False))
print("folder", files.create_directory(share, folder, fail_on_exist=False))
files.create_file_from_path(share, folder, os.path.basename(script), script)

root = "$AZ_BATCHAI_MOUNT_ROOT/" + mounted
mount = models.AzureFileShareReference(
    account_name=account,
    azure_file_url="https://{0}/{1}".format(files.primary_endpoint, share),
    credentials=models.AzureStorageCredentialsInfo(account_key=key),
    relative_mount_path=mounted,
)
wanted = models.ClusterCreateParameters(
    location="eastus",
    vm_size="STANDARD_NC6",
    user_account_settings=models.UserAccountSettings(admin_user_name="ada", admin_user_password="Lovelace-1"),
    scale_settings=models.ScaleSettings(manual=models.ManualScaleSettings(target_node_count=1)),
    node_setup=models.NodeSetup(mount_volumes=models.MountVolumes(azure_file_shares=[mount])),
)
client.clusters.create(group, "nodes", wanted).result()
cluster = client.clusters.get(group, "nodes")
counts = cluster.node_state_counts
allocated = str(cluster.allocation_state) in ("AllocationState.resizing", "AllocationState.steady")
print("cluster", allocated, cluster.scale_settings.manual.target_node_count)
known = (counts.idle_node_count, counts.unusable_node_count, counts.running_node_count)
print(
    "counted", all(type(n) is int for n in (*known, counts.preparing_node_count, counts.leaving_node_count))
)

line = "sh $AZ_BATCHAI_INPUT_LESSON/{0} $AZ_BATCHAI_OUTPUT_MODEL".format(os.path.basename(script))
work = models.JobCreateParameters(
    location=cluster.location,
    cluster=models.ResourceId(id=cluster.id),
    node_count=1,
    std_out_err_path_prefix=root,
    input_directories=[models.InputDirectory(id="LESSON", path=root + "/" + folder)],
    output_directories=[models.OutputDirectory(id="MODEL", path_prefix=root, path_suffix="Models")],
    container_settings=models.ContainerSettings(
        image_source_registry=models.ImageSourceRegistry(image=image)
    ),
    custom_toolkit_settings=models.CustomToolkitSettings(command_line=line),
)
client.jobs.create(group, "lesson", work).result()
job = client.jobs.get(group, "lesson")
while job.execution_state.name not in ("succeeded", "failed"):
    time.sleep(0.1)
    job = client.jobs.get(group, "lesson")
print("job", job.execution_state.name, job.execution_info.exit_code, job.type)

for directory in ("stdouterr", "MODEL"):
    options = models.JobsListOutputFilesOptions(outputdirectoryid=directory)
    for file in client.jobs.list_output_files(group, "lesson", options):
        text = requests.get(file.download_url).text
        print(directory, file.name, text.strip() if file.name in ("stdout.txt", "model.txt") else "...")

client.jobs.delete(group, "lesson")
client.clusters.delete(group, "nodes")
resources.resource_groups.delete(group).wait()
print(
    "left", resources.resource_groups.check_existence(group), [item.name for item in client.clusters.list()]
)
