// One job: its states, what it was asked for, what it saw, writes and left.
import { Board, Refused, ask, between, change, clusterLink, complain, duration, entitle, facts, fill, h, listen, moment, parameters, problems, question, state, view } from "./base.js";
import { LogPanel } from "./logpanel.js";
import { Outputs } from "./outputs.js";

const id = parameters.get("id") ?? "", board = new Board(), logs = new LogPanel(id);
const about = h("div"), said = h("div", { "aria-live": "polite" }), variables = h("div"), definition = h("div");
let outputs = null, before = "", job = null;

async function attempt(what, path) {
  try {
    await change(path, { id });
    fill(said, h("p", { class: "notice" }, `${what}: the emulator has begun.`));
  } catch (error) {
    fill(said, h("p", { class: "notice bad" }, `${what}: ${error.message}`));
  }
}

function buttons() {
  const over = ["succeeded", "failed"].includes(job.state);
  const terminate = async () => {
    if (await question({ title: `Terminate ${job.name}?`, text: "Its processes are ended, and the job fails. What it has written stays.", yes: "Terminate the job" })) attempt("Terminating", "job/terminate");
  };
  const remove = async () => {
    if (await question({ title: `Delete ${job.name}?`, text: over ? "Its record goes; its files stay on the share." : "It is ended first. Its files stay on the share.", yes: "Delete the job" })) attempt("Deleting", "job/delete");
  };
  return h("div", { class: "bar" }, h("button", { type: "button", class: "danger", onclick: terminate, disabled: over || job.state === "terminating" }, "Terminate ..."),
    h("button", { type: "button", class: "danger", onclick: remove, disabled: job.deleting }, "Delete ..."));
}

function draw() {
  fill(about,
    problems(job.errors),
    h("div", { class: "columns" },
      h("section", { class: "panel", "aria-labelledby": "about-title" }, h("h2", { id: "about-title" }, "About"),
        facts([["State", [state(job.state), job.deleting ? " is being deleted" : ""]], ["Exit code", job.exitCode], ["Cluster", h("a", { href: clusterLink(job.cluster) }, job.cluster.split("/").pop())],
          ["Nodes", job.nodes.length ? h("span", { class: "mono" }, job.nodes.join(", ")) : `${job.nodeCount} wanted`], ["Toolkit", job.toolkit],
          ["Workspace", job.workspace], ["Experiment", job.experiment], ["Id", h("span", { class: "mono" }, job.path)]]), buttons(), said),
      h("section", { class: "panel", "aria-labelledby": "states-title" }, h("h2", { id: "states-title" }, "States"),
        h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "State"), h("th", { scope: "col" }, "Since"), h("th", { scope: "col", class: "number" }, "Lasted"))),
          h("tbody", {}, job.times.map((entry, at) => h("tr", {}, h("td", {}, state(entry.state)), h("td", {}, moment(entry.at)),
            h("td", { class: "number" }, ["succeeded", "failed"].includes(entry.state) ? "" : duration(between(entry.at, job.times[at + 1]?.at))))))))));
  const pairs = Object.entries(job.variables);
  fill(variables, h("details", { class: "panel" }, h("summary", {}, `Variables of the job (${pairs.length})`),
    h("p", { class: "quiet" }, "As the service defines them, on a node whose folders are where the service had them; the engine puts the number of GPUs beside them."),
    h("dl", { class: "facts mono" }, pairs.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]))));
  fill(definition, h("details", { class: "panel" }, h("summary", {}, "Definition, secrets as their names"),
    h("pre", { tabindex: 0, "aria-label": "Definition" }, JSON.stringify(job.definition, null, 2))));
}

async function look() {
  try {
    job = await ask("job", { id });
  } catch (error) {
    if (error instanceof Refused && error.status !== 0) {
      complain(about, error, before ? "It was deleted; its files stay on the share." : "It may have been deleted: the overview lists those that are there.");
      before = "";
    }
    return;
  }
  entitle(job.name);
  const now = JSON.stringify([job.state, job.nodes, job.errors, job.deleting, job.exitCode]);
  if (now === before) return;
  before = now;
  draw();
  if (!outputs) { outputs = new Outputs(id, job.directories); place.replaceWith(outputs.element); }
  outputs.draw();
}

const place = h("div");
fill(view, about, logs.element, place, variables, definition);
if (!id) complain(view, new Error("This address names no job."), "Choose one on the overview.");
else {
  look();
  listen({ job: id }, {
    board: (told) => { board.take(told); if (told.gone.includes(id) || told.jobs.some((one) => one.id === id)) look(); },
    logs: ({ files }) => logs.take(files),
    back: look,
  });
}
