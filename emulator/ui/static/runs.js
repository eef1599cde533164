// All runs: sorted, filtered, compared two by two.
import { ask, between, complain, duration, facts, fill, h, jobLink, listen, moment, number, state, view } from "./base.js";

const EVERY = 3000, FIRST = 100;
const find = h("input", { type: "search", placeholder: "name, state, parameter" }), head = h("tr"), rows = h("tbody"), more = h("p"), side = h("div", { "aria-live": "polite" }), compare = h("button", { type: "button", class: "first", disabled: true }, "Compare two");
const chosen = new Set();
let runs = [], order = { key: "createdAt", down: true }, limit = FIRST, timer = 0, before = "";

const text = (values) => Object.entries(values).map(([name, value]) => `${name} ${typeof value === "number" ? number(value) : value}`).join(", ");
const COLUMNS = [
  ["id", "Run", (run) => run.id], ["state", "State", (run) => run.state], ["backend", "Backend", (run) => run.backend ?? ""],
  ["createdAt", "Started", (run) => run.createdAt ?? ""], ["took", "Took", (run) => (run.createdAt ? between(run.createdAt, run.endedAt) : -1)],
  ["parameters", "Parameters", (run) => text(run.parameters)], ["metrics", "Metrics", (run) => Object.values(run.metrics)[0] ?? Infinity]];

function sorted() {
  const wanted = find.value.trim().toLowerCase(), value = COLUMNS.find(([key]) => key === order.key)[2];
  const fits = runs.filter((run) => !wanted || `${run.id} ${run.state} ${run.backend} ${text(run.parameters)} ${text(run.metrics)}`.toLowerCase().includes(wanted));
  return fits.sort((a, b) => { const [x, y] = [value(a), value(b)]; return (x < y ? -1 : x > y ? 1 : 0) * (order.down ? -1 : 1); });
}

function draw() {
  fill(head, h("th", { scope: "col" }, h("span", { class: "hidden" }, "Choose")), COLUMNS.map(([key, title]) => h("th", { scope: "col", "aria-sort": order.key === key ? (order.down ? "descending" : "ascending") : "none" },
    h("button", { type: "button", onclick: () => { order = { key, down: order.key === key ? !order.down : key === "createdAt" }; draw(); head.querySelectorAll("button")[COLUMNS.findIndex((column) => column[0] === key)].focus(); } }, title, order.key === key ? (order.down ? " \u2193" : " \u2191") : ""))));
  const found = sorted();
  fill(rows, found.slice(0, limit).map((run) => h("tr", {},
    h("td", {}, h("input", { type: "checkbox", checked: chosen.has(run.id), "aria-label": `Choose ${run.id}`, onchange: (event) => { if (event.target.checked) chosen.add(run.id); else chosen.delete(run.id); tell(); } })),
    h("td", {}, h("button", { type: "button", class: "plain long", onclick: () => open(run.id) }, run.id)), h("td", {}, state(run.state)), h("td", {}, run.backend ?? ""),
    h("td", {}, moment(run.createdAt)), h("td", {}, run.createdAt ? duration(between(run.createdAt, run.endedAt)) : ""),
    h("td", {}, h("span", { class: "long" }, run.problem ?? text(run.parameters))), h("td", {}, h("span", { class: "long" }, text(run.metrics))))));
  const left = found.length - limit;
  fill(more, !runs.length ? h("span", { class: "notice" }, "No runs yet: 'scenario run hello --backend local' makes the first.") : !found.length ? "No run fits." : null,
    left > 0 ? h("button", { type: "button", onclick: () => { limit += 500; draw(); } }, `Show ${Math.min(500, left)} more of ${found.length}`) : null);
  tell();
}

function tell() {
  compare.disabled = chosen.size !== 2;
  compare.textContent = chosen.size === 2 ? "Compare these two" : `Compare two (${chosen.size} chosen)`;
}

async function open(id) {
  try {
    const run = await ask("run", { run: id });
    fill(side, h("section", { class: "panel", "aria-labelledby": "run-title", tabindex: -1 }, h("h2", { id: "run-title" }, run.id), h("p", {}, run.summary ?? ""),
      run.reasons?.map((reason) => h("p", { class: "notice bad" }, reason)),
      facts([["State", state(run.state)], ["Exit code", run.exitCode], ["Backend", run.backend], ...Object.entries(run.details ?? {}), ["Started", moment(run.createdAt)], ["Took", run.timings?.total === undefined ? "" : duration(run.timings.total)], ["Folder", h("span", { class: "mono" }, run.folder)]]),
      h("h3", {}, "Parameters"), facts(Object.entries(run.parameters ?? {}).map(([name, value]) => [name, String(value)])),
      h("h3", {}, "Metrics"), Object.keys(run.metrics).length ? facts(Object.entries(run.metrics).map(([name, value]) => [name, number(value)])) : h("p", { class: "quiet" }, "None."),
      h("p", {}, h("a", { href: `/ui/metrics?${new URLSearchParams({ run: id })}` }, "Curves of this run")),
      h("h3", {}, "Jobs"), h("ul", {}, Object.entries(run.jobs ?? {}).map(([name, job]) => h("li", {}, job.deleted || !job.id ? name : h("a", { href: jobLink(job.id.toLowerCase()) }, name), " ", state(job.state), job.exitCode === undefined ? "" : ` exit code ${job.exitCode}`, job.deleted ? ", deleted after the run" : ""))),
      h("details", {}, h("summary", {}, "Steps"), h("ul", {}, (run.timeline ?? []).map((step) => h("li", {}, step.text, step.endedAt ? `, ${duration(between(step.startedAt, step.endedAt))}` : "", step.ok === false ? h("strong", {}, " failed") : ""))))));
  } catch (error) { complain(side, error); }
  side.firstElementChild.focus();
  side.scrollIntoView({ block: "nearest" });
}

compare.addEventListener("click", async () => {
  const [left, right] = [...chosen];
  try {
    const found = await ask("compare", { left, right });
    const counting = found.differences.filter((one) => one.counts).length;
    fill(side, h("section", { class: "panel", "aria-labelledby": "compare-title", tabindex: -1 }, h("h2", { id: "compare-title" }, "Where they differ"),
      h("p", {}, counting ? `${counting} ${counting === 1 ? "difference" : "differences"} beside what is expected.` : "Requests, states, exit codes, files and variables are the same.",
        " ", h("a", { href: `/ui/metrics?${new URLSearchParams([["run", left], ["run", right]])}` }, "Curves of both")),
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Differences" }, h("table", {},
        h("thead", {}, h("tr", {}, ["", "What", found.left, found.right].map((name) => h("th", { scope: "col" }, name || h("span", { class: "hidden" }, "Part"))))),
        h("tbody", {}, found.differences.map((one) => h("tr", { class: one.counts ? "differs" : "" }, h("td", {}, one.section), h("td", {}, h("span", { class: "long" }, one.what)),
          h("td", {}, h("span", { class: "long" }, one.left)), h("td", {}, h("span", { class: "long" }, one.right), one.counts ? null : h("span", { class: "quiet" }, " (expected)")))))))));
  } catch (error) { complain(side, error); }
  side.firstElementChild.focus();
  side.scrollIntoView({ block: "nearest" });
});

async function look() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    runs = (await ask("runs")).runs;
    const now = JSON.stringify(runs.map((run) => [run.id, run.state, run.endedAt, run.metrics]));
    if (now !== before) { before = now; draw(); }
  } catch (error) {
    if (error.code === "NoRuns") { complain(view, error, "'scenario ui' and 'scenario emulator serve' know of all runs of the home."); return; }
  }
  timer = setTimeout(look, EVERY);
}

find.addEventListener("input", () => { limit = FIRST; draw(); });
fill(view, h("section", { class: "panel", "aria-labelledby": "runs-title" }, h("h2", { id: "runs-title" }, "All runs of this home"),
  h("div", { class: "bar" }, h("label", { class: "grow" }, "Find", find), compare),
  h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "List of runs" }, h("table", {}, h("thead", {}, head), rows)), more), side);
look();
listen({}, { back: look });
document.addEventListener("visibilitychange", look);
