// A set-up script as people write it for Node today: @azure/identity, @azure/arm-resources, @azure/arm-storage, and a
// container and a blob with @azure/storage-blob, at Azure's address or, with an account's address as argument, there.
import { StorageManagementClient } from "@azure/arm-storage";
import { ResourceManagementClient } from "@azure/arm-resources";
import { EnvironmentCredential } from "@azure/identity";
import { BlobServiceClient, StorageSharedKeyCredential } from "@azure/storage-blob";

const { AZURE_SUBSCRIPTION_ID: subscription, SCENARIO_STORAGE_ACCOUNT: ours, SCENARIO_STORAGE_KEY: kept } = process.env;

async function names(pages) {
  const found = [];
  for await (const item of pages) found.push(item.name);
  return found.sort();
}

async function text(stream) {
  let all = "";
  for await (const part of stream) all += part;
  return all;
}

async function blobs(account, key, url) {
  const service = new BlobServiceClient(url, new StorageSharedKeyCredential(account, key));
  const container = service.getContainerClient("pictures");
  console.log("container", (await container.createIfNotExists()).succeeded);
  const blob = container.getBlockBlobClient("digits/seven #7.txt");
  await blob.upload("seven", 5, { metadata: { drawn: "byhand" }, blobHTTPHeaders: { blobContentType: "text/plain" } });
  const got = await blob.download();
  console.log("blob", got.contentType, got.metadata, await text(got.readableStreamBody));
  console.log("listed", await names(container.listBlobsFlat({ prefix: "digits/" })));
  await container.delete();
}

if (process.argv[2]) {
  await blobs(ours, kept, process.argv[2]);
} else {
  const credential = new EnvironmentCredential();
  const groups = new ResourceManagementClient(credential, subscription).resourceGroups;
  console.log("group", (await groups.createOrUpdate("modern", { location: "westus", tags: { by: "node" } })).tags);
  const storage = new StorageManagementClient(credential, subscription);
  const wanted = { sku: { name: "Standard_LRS" }, kind: "StorageV2", location: "westus" };
  const made = await storage.storageAccounts.create("modern", "modernpictures", wanted);
  console.log("account", made.provisioningState, made.primaryEndpoints.blob);
  const { keys } = await storage.storageAccounts.listKeys("modern", "modernpictures");
  await storage.fileShares.create("modern", "modernpictures", "lessons", {});
  console.log("shares", await names(storage.fileShares.list("modern", "modernpictures")));
  await blobs("modernpictures", keys[0].value, made.primaryEndpoints.blob);
  await storage.storageAccounts.delete("modern", "modernpictures");
  await groups.beginDeleteAndWait("modern", { updateIntervalInMs: 100 });
  console.log("left", await names(groups.list()));
}
