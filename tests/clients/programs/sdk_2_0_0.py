"""A program as people wrote them from June 2018 on: azure-mgmt-batchai 2.0.0, workspaces and experiments.

Usage: ``sdk_2_0_0.py IMAGE custom SCRIPT``. The quickstart's steps in the shape of that version.
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
space, experiment = "space", "tries"
print("group", resources.resource_groups.create_or_update(group, {"location": "eastus"}).name)
print("workspace", client.workspaces.create(group, space, "eastus").result().location)
print("experiment", client.experiments.create(group, space, experiment).result().name)
usages = {usage.name.value: usage.limit for usage in client.usages.list("eastus")}
print("usages", len(usages) > 1 and all(limit >= 0 for limit in usages.values()))

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
    vm_size="STANDARD_NC6",
    user_account_settings=models.UserAccountSettings(admin_user_name="ada", admin_user_password="Lovelace-1"),
    scale_settings=models.ScaleSettings(manual=models.ManualScaleSettings(target_node_count=1)),
)
cluster = client.clusters.create(group, space, "nodes", wanted).result()
cluster = client.clusters.get(group, space, "nodes")
counts = cluster.node_state_counts
print(
    "cluster",
    cluster.allocation_state in ("resizing", "steady"),
    cluster.scale_settings.manual.target_node_count,
)
known = (counts.idle_node_count, counts.unusable_node_count, counts.running_node_count)
print(
    "counted", all(type(n) is int for n in (*known, counts.preparing_node_count, counts.leaving_node_count))
)

line = "sh $AZ_BATCHAI_INPUT_LESSON/{0} $AZ_BATCHAI_OUTPUT_MODEL; echo $SECRET".format(
    os.path.basename(script)
)
job_root = "$AZ_BATCHAI_JOB_MOUNT_ROOT/" + mounted
work = models.JobCreateParameters(
    cluster=models.ResourceId(id=cluster.id),
    node_count=1,
    mount_volumes=models.MountVolumes(azure_file_shares=[mount]),
    std_out_err_path_prefix=job_root,
    input_directories=[models.InputDirectory(id="LESSON", path=job_root + "/" + folder)],
    output_directories=[models.OutputDirectory(id="MODEL", path_prefix=job_root, path_suffix="Models")],
    container_settings=models.ContainerSettings(
        image_source_registry=models.ImageSourceRegistry(image=image)
    ),
    custom_toolkit_settings=models.CustomToolkitSettings(command_line=line),
    secrets=[models.EnvironmentVariableWithSecretValue(name="SECRET", value="hush")],
)
job = client.jobs.create(group, space, experiment, "lesson", work).result()
while job.execution_state not in ("succeeded", "failed"):
    time.sleep(0.1)
    job = client.jobs.get(group, space, experiment, "lesson")
print("job", job.execution_state, job.execution_info.exit_code, job.secrets[0].value)

for directory in ("stdouterr", "MODEL"):
    options = models.JobsListOutputFilesOptions(outputdirectoryid=directory)
    for file in client.jobs.list_output_files(group, space, experiment, "lesson", options):
        text = requests.get(file.download_url).text
        shown = "+".join(text.split("\n")[:-1]) if file.name in ("stdout.txt", "model.txt") else "..."
        print(directory, file.name, file.file_type, shown)

print("jobs", [item.name for item in client.jobs.list_by_experiment(group, space, experiment)])
client.jobs.delete(group, space, experiment, "lesson").result()
client.clusters.delete(group, space, "nodes").result()
client.workspaces.delete(group, space).result()
resources.resource_groups.delete(group).wait()
print("left", [item.name for item in client.workspaces.list()])
