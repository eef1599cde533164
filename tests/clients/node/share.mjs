// Azure Files from another language: everything a program does with a share, through the addresses of Azure.
import {
  FileSASPermissions,
  ShareFileClient,
  ShareServiceClient,
  StorageSharedKeyCredential,
  newPipeline,
} from "@azure/storage-file-share";

const { SCENARIO_STORAGE_ACCOUNT: account, SCENARIO_STORAGE_KEY: key, FILES_URL: url } = process.env;
const credential = new StorageSharedKeyCredential(account, key);
const service = new ShareServiceClient(url ?? `https://${account}.file.core.windows.net`, newPipeline(credential));
const say = (...words) => console.log(...words.map((word) => (typeof word === "string" ? word : JSON.stringify(word))));

async function collect(pages) {
  const found = [];
  for await (const item of pages) found.push(`${item.kind ?? "share"} ${item.name}`);
  return found.sort();
}

const share = service.getShareClient("lessons");
await share.create({ quota: 7, metadata: { course: "digits" } });
const again = await share.createIfNotExists();
say("share", again.succeeded, again.errorCode);
say("shares", await collect(service.listShares({ prefix: "les" })));
const described = await share.getProperties();
say("described", described.quota, described.metadata);

const folder = share.getDirectoryClient("träning");
await folder.create();
const inner = folder.getDirectoryClient("inner");
await inner.create({ metadata: { depth: "2" } });

const text = folder.getFileClient("notes #1.txt");
await text.create(11, { fileHttpHeaders: { fileContentType: "text/plain" }, metadata: { author: "ada" } });
await text.uploadRange("hello", 0, 5);
await text.uploadRange("world", 6, 5);
await text.clearRange(0, 1);
const ranges = await text.getRangeList();
say("ranges", ranges.rangeList.map(({ start, end }) => [start, end]));
say("text", (await text.downloadToBuffer()).toString().replaceAll("\0", "_"));
say("part", (await text.downloadToBuffer(6, 5)).toString());

const large = Buffer.alloc(9 * 1024 * 1024, "0123456789abcdef");
const file = inner.getFileClient("large.bin");
await file.uploadData(large, { rangeSize: 4 * 1024 * 1024, concurrency: 2 });
say("same", large.equals(await file.downloadToBuffer(0, undefined, { concurrency: 2 })));

say("entries", await collect(folder.listFilesAndDirectories()));
await text.setMetadata({ author: "grace", year: "1843" });
await text.setHttpHeaders({ fileContentType: "text/markdown" });
const known = await text.getProperties();
say("file", known.contentLength, known.contentType, known.metadata);
let notes = text;
if (!url) {
  // The library forgets the account's part of a path-style address when it renames.
  notes = (await text.rename("träning/renamed.txt")).destinationFileClient;
  await text.getProperties().catch((error) => say("gone", error.statusCode, error.details.errorCode));
}

const link = file.generateSasUrl({
  permissions: FileSASPermissions.parse("r"),
  expiresOn: new Date(Date.now() + 60_000),
});
const linked = new ShareFileClient(link);
say("link", (await linked.downloadToBuffer(16, 16)).toString());
await linked.delete().catch((error) => say("refused", error.statusCode, error.code));
await folder.delete().catch((error) => say("kept", error.statusCode, error.code));
await notes.delete();
await file.delete();
await inner.delete();
await folder.delete();
await share.delete();
say("left", await collect(service.listShares()));
