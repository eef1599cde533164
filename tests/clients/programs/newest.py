"""A set-up script with the clients of today: storage and blob 2026, resource 26, identity; the machine's identity, too.

Usage: ``newest.py SCRIPT``.
"""

import os
import sys
from datetime import datetime, timedelta, timezone

from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential, EnvironmentCredential, ManagedIdentityCredential
from azure.mgmt.batchai import BatchAI, models
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.storage import StorageManagementClient
from azure.storage.blob import (
    AccessPolicy,
    BlobServiceClient,
    ContainerSasPermissions,
    generate_container_sas,
)
from azure.storage.fileshare import ShareServiceClient

script, subscription = sys.argv[1], os.environ["AZURE_SUBSCRIPTION_ID"]
scope = "https://management.azure.com/.default"
for credential in (EnvironmentCredential(), ManagedIdentityCredential(), DefaultAzureCredential()):
    print("token", type(credential).__name__, len(credential.get_token(scope).token) > 100)

resources = ResourceManagementClient(credential, subscription)
stores = StorageManagementClient(credential, subscription)
group, name = "today", "storeoftoday"
print("group", resources.resource_groups.create_or_update(group, {"location": "westus"}).location)
wanted = {"location": "westus", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": {}}
made = stores.storage_accounts.begin_create(group, name, wanted).result()
print("account", made.name, made.sku.name, made.kind)
print("taken", stores.storage_accounts.check_name_availability({"name": name}).name_available)
key = stores.storage_accounts.list_keys(group, name).keys_property[0].value
stores.file_shares.create(group, name, "lessons", {"properties": {"shareQuota": 7}})
stores.blob_containers.create(group, name, "kept", {})
print("kept", [one.name for one in stores.blob_containers.list(group, name)])

service = BlobServiceClient(made.primary_endpoints.blob, credential=key)
kept = service.get_container_client("kept")
later = datetime.now(timezone.utc) + timedelta(hours=1)
kept.set_container_access_policy(
    {"all": AccessPolicy(ContainerSasPermissions(read=True, write=True), expiry=later)}
)
print("policy", kept.get_container_access_policy()["signed_identifiers"][0].access_policy.permission)
signed = generate_container_sas(name, "kept", account_key=key, policy_id="all")
by_policy = BlobServiceClient(made.primary_endpoints.blob, credential=signed).get_blob_client("kept", "note")
by_policy.upload_blob(b"by policy")
print(
    "blob",
    BlobServiceClient(service.url, credential=credential)
    .get_blob_client("kept", "note")
    .download_blob()
    .readall(),
)
share = ShareServiceClient(made.primary_endpoints.file, credential=key).get_share_client("lessons")
with open(script, "rb") as stream:
    share.create_directory("digits").upload_file(os.path.basename(script), stream)
print("share", share.get_share_properties().quota)

template = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "resources": [
        {
            "type": "Microsoft.BatchAI/workspaces",
            "apiVersion": "2018-05-01",
            "name": "space",
            "location": "eastus",
        }
    ],
}
deployments = DeploymentsMgmtClient(credential, subscription)
done = deployments.deployments.begin_create_or_update(
    group, "first", {"properties": {"mode": "Incremental", "template": template}}
).result()
print("deployed", done.properties.provisioning_state)
client = BatchAI(credential, subscription)
print("workspace", client.workspaces.get(group, "space").location)
client.experiments.begin_create(group, "space", "tries").result()
user = models.UserAccountSettings(admin_user_name="ada", admin_user_password="Lovelace-1")
try:
    client.clusters.begin_create(
        group, "space", "nodes", models.ClusterCreateParameters(vm_size="tiny", user_account_settings=user)
    ).result()
except HttpResponseError as error:
    print("refused", error.error.code, error.error.target)
found = {one.type.lower(): one.name for one in resources.resources.list_by_resource_group(group)}
print("listed", sorted(found))
resources.resource_groups.begin_delete(group).result()
print("left", [one.name for one in resources.resource_groups.list()])
