// The shares as folders: browse, put files in by dropping them, save.
import { address, ask, bytes, complain, fill, h, listen, moment, question, view } from "./base.js";

const start = new URLSearchParams(location.hash.slice(1));
const here = { account: start.get("account") ?? "", share: start.get("share") ?? "", path: start.get("path") ?? "" };
const places = h("select"), list = h("div"), said = h("div", { "aria-live": "polite" });
const pick = h("input", { type: "file", multiple: true, class: "hidden", id: "pick", tabindex: -1, "aria-label": "Files to put here" });
const drop = h("div", { class: "drop" }, h("p", {}, "Drop files here to put them into this folder, or"),
  h("button", { type: "button", onclick: () => pick.click() }, "Choose files ..."), pick);

const key = (account, share) => `${account}/${share}`;
const below = (name) => (here.path ? `${here.path}/${name}` : name);
const link = (path) => address("file", { account: here.account, share: here.share, path });

function go(path, push = true) {
  here.path = path;
  if (push) history.pushState(null, "", `#${new URLSearchParams(here)}`);
  fill(said);
  draw();
}

function row(file) {
  const path = below(file.name);
  const name = file.directory ? h("button", { type: "button", class: "plain long", onclick: () => go(path) }, `${file.name}/`) : h("span", { class: "long" }, file.name);
  return h("tr", {}, h("td", {}, name), h("td", { class: "number" }, file.directory ? "" : bytes(file.size)), h("td", {}, moment(file.modified)),
    h("td", {}, file.directory ? "" : h("a", { href: link(path), download: file.name, "aria-label": `Save ${file.name}` }, "Save")));
}

async function draw() {
  drop.hidden = !here.share || here.share.startsWith("_blob/");
  if (!here.share) { fill(list, h("p", { class: "quiet" }, "No share is there yet. A run makes one, or a program through Azure Files.")); return; }
  places.value = key(here.account, here.share);
  let files;
  try {
    ({ files } = await ask("files", here));
  } catch (error) {
    complain(list, error, "Choose another share.");
    return;
  }
  const way = here.path.split("/").filter(Boolean);
  const crumbs = h("ul", { class: "crumbs", "aria-label": "Folder" }, h("li", {}, h("button", { type: "button", onclick: () => go("") }, here.share)),
    way.map((name, at) => h("li", {}, h("button", { type: "button", onclick: () => go(way.slice(0, at + 1).join("/")) }, name))));
  fill(list, crumbs, files.length ? h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "List of files" }, h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Name"), h("th", { scope: "col", class: "number" }, "Size"), h("th", { scope: "col" }, "Changed"), h("th", { scope: "col" }, "Save"))),
    h("tbody", {}, files.map(row)))) : h("p", { class: "quiet" }, "This folder is empty."));
}

/** Put files into the folder, one after the other; each is there whole or not at all. */
async function put(files) {
  const folder = { ...here };
  let listed;
  try { listed = (await ask("files", folder)).files.map((file) => file.name); } catch (error) { fill(said, h("p", { class: "notice bad" }, error.message)); return; }
  const problems = [];
  let done = 0;
  for (const file of files) {
    if (listed.includes(file.name) && !await question({ title: `Replace ${file.name}?`, text: "A file of this name is there already.", yes: "Replace it" })) continue;
    fill(said, h("p", { class: "notice" }, `Putting ${file.name} (${bytes(file.size)}) ...`));
    try {
      await ask("file", { account: folder.account, share: folder.share, path: folder.path ? `${folder.path}/${file.name}` : file.name }, { method: "PUT", body: file });
      done += 1;
    } catch (error) { problems.push(`${file.name}: ${error.message}`); }
  }
  fill(said, done ? h("p", { class: "notice" }, `${done} ${done === 1 ? "file is" : "files are"} there.`) : null, problems.map((text) => h("p", { class: "notice bad" }, text)));
  draw();
}

async function shares() {
  let accounts;
  try { ({ accounts } = await ask("shares")); } catch (error) { complain(view, error, "Start the emulator with 'scenario emulator serve' and load this page again."); return; }
  const all = accounts.flatMap((account) => account.places.map((share) => [account.name, share]));
  fill(places, all.map(([account, share]) => h("option", { value: key(account, share) }, `${account}: ${share.startsWith("_blob/") ? `container ${share.slice(6)}` : share}`)));
  if (!all.some(([account, share]) => account === here.account && share === here.share)) [here.account, here.share] = all[0] ?? ["", ""];
  draw();
}

places.addEventListener("change", () => {
  const [account, ...share] = places.value.split("/");
  here.account = account; here.share = share.join("/");
  go("");
});
pick.addEventListener("change", () => { put([...pick.files]); pick.value = ""; });
drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("over"); put([...event.dataTransfer.files]); });
addEventListener("popstate", () => {
  const now = new URLSearchParams(location.hash.slice(1));
  if (now.get("share")) Object.assign(here, { account: now.get("account"), share: now.get("share") });
  go(now.get("path") ?? "", false);
});

fill(view, h("section", { class: "panel", "aria-labelledby": "files-title" }, h("h2", { id: "files-title" }, "Shares"),
  h("div", { class: "bar" }, h("label", { class: "grow" }, "Share or container", places), h("button", { type: "button", onclick: shares }, "Look again")),
  said, drop, list));
shares();
listen({}, { back: shares });
