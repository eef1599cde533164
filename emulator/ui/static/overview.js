// Clusters with their nodes, jobs, storage, engine, and which job ran where and when.
import { Board, ask, between, bytes, clusterLink, complain, duration, facts, fill, h, jobLink, listen, moment, problems, soon, state, view } from "./base.js";
import { tiles } from "./tiles.js";
import { timeline } from "./timeline.js";

const FIRST = 100;
const STATES = ["idle", "running", "preparing", "unusable", "leaving"];
const board = new Board();
const engine = h("div"), usage = h("dd", {}, "..."), clusters = h("div", { class: "cards" }), trouble = h("div");
const counts = Object.fromEntries(["running", "waiting", "succeeded", "failed"].map((name) => [name, h("dd", {}, "0")]));
const times = h("div"), rows = h("tbody"), more = h("p"), filter = h("input", { type: "search", placeholder: "name, state, experiment", size: 22 });
let shown = FIRST, facts_ = {};

function numbers() {
  const jobs = [...board.jobs.values()];
  const of = (...names) => jobs.filter((job) => names.includes(job.state)).length;
  counts.running.textContent = of("running", "terminating");
  counts.waiting.textContent = of("queued");
  counts.succeeded.textContent = of("succeeded");
  counts.failed.textContent = of("failed");
}

function card(cluster) {
  const waiting = [...board.jobs.values()].filter((job) => job.cluster === cluster.id && job.state === "queued").length;
  const target = cluster.autoScale ? `${cluster.autoScale.minimumNodeCount ?? 0} to ${cluster.autoScale.maximumNodeCount ?? "?"}, by need` : cluster.target ?? 0;
  const states = STATES.map((name) => [name, cluster.nodes.filter((node) => node.state === name).length]).filter(([, count]) => count);
  return h("article", { class: "card" },
    h("h3", {}, h("a", { href: clusterLink(cluster.id) }, cluster.name), " ", state(cluster.state === "deleting" ? "deleting" : cluster.allocation)),
    tiles(cluster),
    h("p", { class: "quiet" }, states.map(([name, count]) => `${count} ${name}`).join(", ") || "no nodes", ` of ${target} wanted`),
    h("p", { class: "quiet" }, `${cluster.vmSize}, ${cluster.engine}; ${waiting} ${waiting === 1 ? "job" : "jobs"} in its queue`),
    cluster.errors.length ? h("p", {}, h("a", { href: clusterLink(cluster.id) }, `${cluster.errors.length} ${cluster.errors.length === 1 ? "error" : "errors"}`)) : null);
}

function row(job) {
  return h("tr", {},
    h("td", {}, h("a", { href: jobLink(job.id), class: "long" }, job.name)), h("td", {}, state(job.state)),
    h("td", {}, job.experiment), h("td", {}, job.cluster.split("/").pop()), h("td", { class: "number" }, job.exitCode ?? ""),
    h("td", {}, moment(job.started)), h("td", { class: "number" }, duration(between(job.started, job.ended))));
}

function list() {
  const wanted = filter.value.trim().toLowerCase();
  const jobs = board.newest.filter((job) => !wanted || `${job.name} ${job.state} ${job.experiment} ${job.cluster}`.toLowerCase().includes(wanted));
  fill(rows, jobs.slice(0, shown).map(row));
  const left = jobs.length - shown;
  fill(more, jobs.length === 0 ? h("span", { class: "quiet" }, wanted ? "No job fits." : "No jobs yet. 'scenario run hello --backend local' makes one.") : null,
    left > 0 ? h("button", { type: "button", onclick: () => { shown += 500; list(); } }, `Show ${Math.min(left, 500)} more of ${jobs.length}`) : null);
}

const draw = soon(() => {
  numbers();
  fill(clusters, board.clusters.map(card), board.clusters.length ? null : h("p", { class: "quiet" }, facts_.only ? "This emulator serves storage alone." : "No clusters yet. A run makes one: 'scenario run hello --backend local'."));
  fill(times, timeline(board, times.clientWidth));
  list();
});

async function look() {
  ask("engine").then((found) => fill(engine,
    found.problem ? h("div", { class: "notice bad" }, h("p", {}, found.problem), h("p", {}, found.remedy)) : null,
    found.notes.map((note) => h("p", { class: "quiet" }, note)),
    facts([["Engine of new clusters", found.name ? `${found.name} ${found.version}` : ""]])), (error) => complain(engine, error));
  ask("usage").then((found) => { usage.textContent = bytes(Object.values(found.accounts).reduce((sum, size) => sum + size, 0)); }, () => { usage.textContent = "unknown"; });
}

async function start() {
  try {
    const found = await ask("overview");
    facts_ = found.emulator;
    board.take(found.board);
  } catch (error) {
    complain(view, error, "Start the emulator with 'scenario emulator serve' and load this page again.");
    listen({}, { back: start });
    return;
  }
  filter.addEventListener("input", () => { shown = FIRST; list(); });
  fill(view,
    trouble,
    h("div", { class: "columns" },
      h("section", { class: "panel", "aria-labelledby": "jobs-now" }, h("h2", { id: "jobs-now" }, "Now"),
        h("dl", { class: "numbers" },
          h("div", {}, h("dt", {}, "Running"), counts.running), h("div", {}, h("dt", {}, "Waiting"), counts.waiting),
          h("div", {}, h("dt", {}, "Succeeded"), counts.succeeded), h("div", {}, h("dt", {}, "Failed"), counts.failed),
          h("div", {}, h("dt", {}, "Storage used"), usage))),
      h("section", { class: "panel", "aria-labelledby": "engine-title" }, h("h2", { id: "engine-title" }, "Engine"), engine,
        facts([["Since", moment(facts_.startedAt)], ["GPUs", facts_.gpus], ["Pace", facts_.strict ? "the service's own" : "at once"]])),
      h("section", { class: "panel wide", "aria-labelledby": "clusters-title" }, h("h2", { id: "clusters-title" }, "Clusters"), clusters,
        h("ul", { class: "tiles legend", "aria-label": "Colours of nodes" }, STATES.map((name) => h("li", { class: name }, h("span", {}, name))))),
      h("section", { class: "panel wide", "aria-labelledby": "timeline-title" }, h("h2", { id: "timeline-title" }, "Which job ran where"), times),
      h("section", { class: "panel wide", "aria-labelledby": "jobs-title" }, h("h2", { id: "jobs-title" }, "Jobs"),
        h("div", { class: "bar" }, h("label", { class: "grow" }, "Find", filter)),
        h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "List of jobs" }, h("table", {},
          h("thead", {}, h("tr", {}, ["Job", "State", "Experiment", "Cluster"].map((name) => h("th", { scope: "col" }, name)),
            h("th", { scope: "col", class: "number" }, "Exit code"), h("th", { scope: "col" }, "Started"), h("th", { scope: "col", class: "number" }, "Took"))),
          rows)), more)));
  fill(trouble, board.clusters.flatMap((cluster) => cluster.errors.length ? problems(cluster.errors) : []));
  draw();
  look();
  listen({}, {
    board: (told) => { board.take(told); fill(trouble, board.clusters.flatMap((cluster) => problems(cluster.errors))); draw(); },
    back: look,
  });
  addEventListener("resize", draw);
  setInterval(() => { if (!document.hidden && [...board.jobs.values()].some((job) => job.state === "running")) draw(); }, 5000);
}

start();
