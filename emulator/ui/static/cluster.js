// One cluster: its nodes, its setup task, its errors; resize and delete.
import { Board, Refused, address, ask, change, complain, entitle, facts, fill, h, jobLink, listen, moment, parameters, problems, question, state, view } from "./base.js";
import { tiles } from "./tiles.js";

const id = parameters.get("id") ?? "", board = new Board();
const said = h("div", { "aria-live": "polite" }), body = h("div");
let chosen = "";

function nodes(cluster) {
  if (!cluster.nodes.length) return h("p", { class: "quiet" }, cluster.target || cluster.autoScale ? "No node is there yet." : "No nodes: resize the cluster to get some.");
  return [tiles(cluster), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "List of nodes" }, h("table", {},
    h("thead", {}, h("tr", {}, ["Node", "State", "Address", "Job"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, cluster.nodes.map((node) => h("tr", {}, h("td", { class: "mono" }, node.id), h("td", {}, state(node.state)), h("td", {}, node.address),
      h("td", {}, node.job ? h("a", { href: jobLink(node.job) }, node.job.split("/").pop()) : ""))))))];
}

async function setup(cluster) {
  if (!cluster.hasSetup) return null;
  const text = h("pre", { tabindex: 0, "aria-label": "Output of the setup task" }), files = cluster.setup;
  const show = async (name) => {
    chosen = name;
    const answer = await fetch(address("job/file", { id, directory: "setup", path: name, length: 200000 }));
    text.textContent = answer.ok ? await answer.text() || "(empty)" : "The file cannot be read (any more).";
  };
  const list = h("select", { onchange: (event) => show(event.target.value) }, files.map((file) => h("option", { value: file.name }, file.name)));
  const first = files.find((file) => file.name.startsWith("stderr") && file.size) ?? files.find((file) => file.name.startsWith("stdout")) ?? files[0];
  if (files.length) await show(files.some((file) => file.name === chosen) ? chosen : first.name);
  list.value = chosen;
  return h("section", { class: "panel", "aria-labelledby": "setup-title" }, h("h2", { id: "setup-title" }, "Setup task"),
    files.length ? [h("div", { class: "bar" }, h("label", {}, "File", list)), text] : h("p", { class: "quiet" }, "It has written nothing yet."));
}

async function attempt(what, work) {
  try {
    await work();
    fill(said, h("p", { class: "notice" }, `${what}: the emulator has begun.`));
  } catch (error) {
    fill(said, h("p", { class: "notice bad" }, `${what}: ${error.message}`));
  }
}

function buttons(cluster) {
  const going = cluster.state === "deleting";
  const resize = async () => {
    const text = cluster.autoScale ? "It scales by itself now; with a number of yours it does so no more." : "Nodes that run a job are kept until it ends.";
    const nodes = await question({ title: `Resize ${cluster.name}`, text, yes: "Resize", danger: false, field: { label: "Nodes", min: 0, max: 100, value: cluster.target ?? cluster.nodes.length } });
    if (nodes !== null) attempt("Resizing", () => change("cluster/resize", { id, nodes }));
  };
  const remove = async () => {
    const yes = await question({ title: `Delete ${cluster.name}?`, text: "Jobs that run or wait on it fail. Files on shares stay.", yes: "Delete the cluster" });
    if (yes) attempt("Deleting", () => change("cluster/delete", { id }));
  };
  return h("div", { class: "bar" }, h("button", { type: "button", onclick: resize, disabled: going }, "Resize ..."),
    h("button", { type: "button", class: "danger", onclick: remove, disabled: going }, "Delete ..."));
}

async function draw() {
  let cluster;
  try {
    cluster = await ask("cluster", { id });
  } catch (error) {
    if (error instanceof Refused && error.status !== 0) complain(body, error, "It may have been deleted: the overview lists those that are there.");
    return;
  }
  entitle(cluster.name);
  const queue = board.newest.filter((job) => job.cluster === cluster.id && !["succeeded", "failed"].includes(job.state));
  const target = cluster.autoScale ? `${cluster.autoScale.minimumNodeCount ?? 0} to ${cluster.autoScale.maximumNodeCount}, by need` : String(cluster.target ?? 0);
  const task = await setup(cluster);
  fill(body,
    problems(cluster.errors),
    h("div", { class: "columns" },
      h("section", { class: "panel", "aria-labelledby": "about" }, h("h2", { id: "about" }, "About"),
        facts([["State", state(cluster.state === "deleting" ? "deleting" : cluster.allocation)], ["Nodes wanted", target], ["Size of a node", cluster.vmSize],
          ["Priority", cluster.priority], ["Engine", cluster.engine], ["GPUs", cluster.gpus], ["Workspace", cluster.workspace], ["Resource group", cluster.group],
          ["Made", moment(cluster.created)], ["Id", h("span", { class: "mono" }, cluster.path)]]), buttons(cluster), said),
      h("section", { class: "panel", "aria-labelledby": "queue" }, h("h2", { id: "queue" }, "Jobs here"),
        queue.length ? h("ul", {}, queue.slice(0, 50).map((job) => h("li", {}, h("a", { href: jobLink(job.id) }, job.name), " ", state(job.state)))) : h("p", { class: "quiet" }, "None runs or waits."),
        queue.length > 50 ? h("p", { class: "quiet" }, `and ${queue.length - 50} more`) : null)),
    h("section", { class: "panel", "aria-labelledby": "nodes" }, h("h2", { id: "nodes" }, "Nodes"), nodes(cluster)),
    task,
    h("details", { class: "panel" }, h("summary", {}, "Definition"), h("pre", { tabindex: 0, "aria-label": "Definition" }, JSON.stringify(cluster.definition, null, 2))));
}

fill(view, body);
if (!id) complain(body, new Error("This address names no cluster."), "Choose one on the overview.");
else {
  draw();
  listen({}, { board: (told) => { board.take(told); if (!document.querySelector("details[open]")) draw(); }, back: draw });
}
