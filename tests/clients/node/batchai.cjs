// A program as people wrote them for Node in 2018: @azure/arm-batchai 2.2.1 signed in by @azure/ms-rest-nodeauth,
// azure-arm-resource and azure-arm-storage by ms-rest-azure, and azure-storage.
//
// Usage: batchai.cjs [direct]. With "direct" nothing goes to Azure's names: the emulator's own addresses and a token
// of its managed identity. It makes every call of the quickstart, waits for its job, and reads what the job wrote.
"use strict";
const https = require("https");
const http = require("http");
const { BatchAIManagementClient } = require("@azure/arm-batchai");
const { loginWithServicePrincipalSecret } = require("@azure/ms-rest-nodeauth");
const { TokenCredentials } = require("@azure/ms-rest-js");
const msRest = require("ms-rest");
const msRestAzure = require("ms-rest-azure");
const { ResourceManagementClient } = require("azure-arm-resource");
const StorageManagementClient = require("azure-arm-storage");
const storage = require("azure-storage");

const direct = process.argv[2] === "direct";
const own = process.env.MSI_ENDPOINT.replace(/\/MSI\/token\/?$/, "");
const { AZURE_CLIENT_ID: id, AZURE_CLIENT_SECRET: secret, AZURE_TENANT_ID: tenant } = process.env;
const subscription = process.env.AZURE_SUBSCRIPTION_ID;
const [group, workspace, account, share] = ["learning", "class", "lessonfiles", "lessons"];
const quick = { longRunningOperationRetryTimeout: 0.1 };

const called = (object, name, ...values) =>
  new Promise((done, fail) => object[name](...values, (error, result) => (error ? fail(error) : done(result))));

const read = (url) =>
  new Promise((done, fail) => {
    (url.startsWith("https:") ? https : http).get(url, (answer) => {
      let text = "";
      answer.on("data", (part) => (text += part)).on("end", () => done(text));
    }).on("error", fail);
  });

async function signIn() {
  if (!direct) {
    const older = await msRestAzure.loginWithServicePrincipalSecret(id, secret, tenant);
    return [await loginWithServicePrincipalSecret(id, secret, tenant), older];
  }
  const query = "?api-version=2017-09-01&resource=https%3A%2F%2Fmanagement.azure.com%2F";
  const answer = await fetch(process.env.MSI_ENDPOINT + query, { headers: { Metadata: "true" } });
  const { access_token: token } = await answer.json();
  return [new TokenCredentials(token), new msRest.TokenCredentials(token)];
}

async function main() {
  const [newer, older] = await signIn();
  const uri = direct ? own : undefined;
  const resources = new ResourceManagementClient(older, subscription, uri, quick);
  const accounts = new StorageManagementClient(older, subscription, uri, quick);
  const client = new BatchAIManagementClient(newer, subscription, { ...quick, baseUri: uri });

  console.log("group", (await resources.resourceGroups.createOrUpdate(group, { location: "westus" })).name);
  const kind = { sku: { name: "Standard_LRS" }, kind: "StorageV2", location: "westus" };
  console.log("account", (await accounts.storageAccounts.create(group, account, kind)).provisioningState);
  const key = (await accounts.storageAccounts.listKeys(group, account)).keys[0].value;

  const place = direct ? `${own}/${account}` : undefined;
  const files = direct
    ? storage.createFileService(account, key, { primaryHost: place })
    : storage.createFileService(account, key);
  console.log("share", (await called(files, "createShareIfNotExists", share)).created);
  await called(files, "createDirectoryIfNotExists", share, "digits");
  const script = "echo taught $AZ_BATCHAI_NUM_GPUS >&2; cat $1/note.txt; echo model > $2/model.txt";
  await called(files, "createFileFromText", share, "digits", "lesson.sh", script);
  await called(files, "createFileFromText", share, "digits", "note.txt", "digits are learnt\n");

  console.log("workspace", (await client.workspaces.create(group, workspace, { location: "eastus" })).name);
  const cluster = await client.clusters.create(group, workspace, "nodes", {
    vmSize: "STANDARD_NC6",
    userAccountSettings: { adminUserName: "ada", adminUserPassword: "Lovelace-1" },
    scaleSettings: { manual: { targetNodeCount: 1 } },
    nodeSetup: {
      mountVolumes: {
        azureFileShares: [
          {
            accountName: account,
            azureFileUrl: `https://${account}.file.core.windows.net/${share}`,
            credentials: { accountKey: key },
            relativeMountPath: "afs",
          },
        ],
      },
    },
  });
  console.log("cluster", cluster.vmSize, cluster.provisioningState);
  console.log("unchanged", (await client.clusters.update(group, workspace, "nodes")).scaleSettings.manual.targetNodeCount);
  await client.experiments.create(group, workspace, "first");
  await client.jobs.create(group, workspace, "first", "lesson", {
    cluster: { id: cluster.id },
    nodeCount: 1,
    stdOutErrPathPrefix: "$AZ_BATCHAI_MOUNT_ROOT/afs",
    inputDirectories: [{ id: "LESSON", path: "$AZ_BATCHAI_MOUNT_ROOT/afs/digits" }],
    outputDirectories: [{ id: "MODEL", pathPrefix: "$AZ_BATCHAI_MOUNT_ROOT/afs", pathSuffix: "Models" }],
    customToolkitSettings: {
      commandLine: "sh $AZ_BATCHAI_INPUT_LESSON/lesson.sh $AZ_BATCHAI_INPUT_LESSON $AZ_BATCHAI_OUTPUT_MODEL",
    },
  });
  let job;
  do {
    await new Promise((done) => setTimeout(done, 100));
    job = await client.jobs.get(group, workspace, "first", "lesson");
  } while (!["succeeded", "failed"].includes(job.executionState));
  console.log("job", job.executionState, job.executionInfo.exitCode);
  for (const directory of ["stdOuterr", "MODEL"]) {
    const listed = await client.jobs.listOutputFiles(group, workspace, "first", "lesson", { outputdirectoryid: directory });
    for (const file of listed) {
      const text = ["stdout.txt", "model.txt"].includes(file.name) ? await read(file.downloadUrl) : "...";
      console.log(directory, file.name, text.trim());
    }
  }
  try {
    const none = { vmSize: "STANDARD_NC6", scaleSettings: { manual: { targetNodeCount: -1 } } };
    await client.clusters.create(group, workspace, "none", { ...none, userAccountSettings: { adminUserName: "ada", adminUserPassword: "Lovelace-1" } });
  } catch (error) {
    console.log("refused", error.statusCode, error.code);
  }
  await client.jobs.deleteMethod(group, workspace, "first", "lesson");
  await client.workspaces.deleteMethod(group, workspace);
  await resources.resourceGroups.deleteMethod(group);
  console.log("left", await resources.resourceGroups.checkExistence(group));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
