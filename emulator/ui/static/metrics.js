// Curves of every metric: of runs, of the jobs of a sweep, of jobs that write a file of metrics; live while they run.
import { Board, ask, complain, fill, h, listen, parameters, state, view } from "./base.js";
import { Chart } from "./chart.js";

const EVERY = 1500, CHOSEN = 5, LISTED = 60;
const sources = new Map(), charts = new Map(), board = new Board();
const chosen = new Set(parameters.getAll("run").map((id) => `run ${id}`).concat(parameters.getAll("job").map((id) => `job ${id}`)));
const list = h("ul", { class: "choices" }), place = h("div", { class: "charts" }), empty = h("div"), find = h("input", { type: "search" });
const axis = h("select", {}, h("option", { value: "step" }, "steps"), h("option", { value: "time" }, "time"));
const smooth = h("input", { type: "range", min: 0, max: .99, step: .01, value: 0 }), shown = h("span", {}, "0");
const log = h("input", { type: "checkbox" });
let hasRuns = true, timer = 0;

const over = (name) => ["succeeded", "failed", "interrupted", "unreadable"].includes(name);

/** Learn which runs and jobs there are. */
async function known() {
  if (hasRuns) {
    try {
      for (const run of (await ask("runs")).runs) remember(`run ${run.id}`, { id: run.id, kind: "run", name: run.id, state: run.state, jobs: run.jobs });
    } catch (error) { hasRuns = error.code !== "NoRuns"; if (hasRuns) throw error; }
  }
  const ofRuns = new Set([...sources.values()].flatMap((source) => Object.values(source.jobs ?? {}).map((job) => job.id)));
  for (const job of board.newest.slice(0, LISTED)) if (!ofRuns.has(job.id)) remember(`job ${job.id}`, { id: job.id, kind: "job", name: job.name, state: job.state });
}

function remember(key, source) { sources.set(key, { series: [], done: false, ...sources.get(key), ...source }); }

async function read(key) {
  const source = sources.get(key);
  if (!source || source.done) return;
  const ended = over(source.state);
  try {
    const { series, more } = source.kind === "run" ? await ofRun(source) : await ask("job/metrics", { id: source.id });
    source.series = series;
    source.done = ended && !more;
  } catch { source.done = ended; }
}

/** A run's own series; until its jobs are over, what they write into files is asked of these. */
async function ofRun(source) {
  const found = (await ask("series", { run: source.id })).series, kept = new Set(found.filter((one) => one.file).map((one) => one.job));
  let more = false;
  for (const [name, job] of Object.entries(source.jobs)) {
    if (kept.has(name) || over(source.state) || !board.jobs.has(job.id)) continue;
    const told = await ask("job/metrics", { id: job.id });
    found.push(...told.series.map((one) => ({ ...one, job: name })));
    more ||= told.more;
  }
  return { series: found, more };
}

function choices() {
  const wanted = find.value.trim().toLowerCase();
  const all = [...sources.entries()].filter(([key, source]) => chosen.has(key) || !wanted || source.name.toLowerCase().includes(wanted));
  fill(list, all.slice(0, LISTED).map(([key, source]) => h("li", {}, h("label", { class: "check" },
    h("input", { type: "checkbox", checked: chosen.has(key), onchange: async (event) => {
      if (event.target.checked) chosen.add(key); else chosen.delete(key);
      address();
      await read(key);
      draw();
    } }), h("span", { class: "long" }, source.name), state(source.state)))), all.length > LISTED ? h("li", { class: "quiet" }, `and ${all.length - LISTED} more: search for them`) : null);
}

function address() {
  const query = new URLSearchParams();
  for (const key of chosen) query.append(...[key.slice(0, 3), key.slice(4)]);
  history.replaceState(null, "", `?${query}`);
}

function draw() {
  const options = { x: axis.value, smooth: Number(smooth.value), log: log.checked }, metrics = new Map();
  shown.textContent = smooth.value;
  for (const key of chosen) {
    const source = sources.get(key);
    for (const one of source?.series ?? []) {
      const first = one.points.find((point) => point[1])?.[1], began = first ? Date.parse(first) : NaN;
      const several = Object.keys(source.jobs ?? {}).length > 1;
      const points = one.points.map(([step, at, value]) => [step, at && first ? (Date.parse(at) - began) / 1000 : step, value]);
      const whose = source.kind === "run" && several ? `${source.name} ${one.job}` : source.name, name = one.file ? `${whose} ${one.file}` : whose;
      if (!metrics.has(one.name)) metrics.set(one.name, { unit: one.unit ?? "", curves: [] });
      metrics.get(one.name).curves.push({ name, points });
    }
  }
  for (const [name, chart] of charts) if (!metrics.has(name)) { chart.element.remove(); charts.delete(name); }
  for (const [name, { unit, curves }] of metrics) {
    if (!charts.has(name)) { charts.set(name, new Chart(name, unit)); place.append(charts.get(name).element); }
    charts.get(name).set(curves, options);
  }
  fill(empty, metrics.size ? null : h("p", { class: "notice" }, !sources.size ? "There are no runs and no jobs yet: 'scenario run mnist --backend local' makes one, whose loss is drawn here while it falls."
    : !chosen.size ? "Choose runs or jobs above." : "Nothing was measured in what is chosen (yet). A scenario names metrics below 'expect'; a job may also write metrics.jsonl into an output directory."));
}

async function look() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    await known();
    await Promise.all([...chosen].map(read));
    if (document.activeElement?.closest(".choices") === null || document.activeElement === document.body) choices();
    if ([...chosen].some((key) => !sources.get(key)?.done || sources.get(key)?.fresh !== true)) draw();
    for (const key of chosen) if (sources.get(key)?.done) sources.get(key).fresh = true;
  } catch { /* the stream tells that nobody answers */ }
  timer = setTimeout(look, EVERY);
}

async function start() {
  let found;
  try { found = await ask("overview"); } catch (error) { complain(view, error, "Start the emulator with 'scenario emulator serve' and load this page again."); return; }
  board.take(found.board);
  hasRuns = found.hasRuns;
  await known().catch(() => {});
  if (!chosen.size) {
    const all = [...sources.entries()], live = all.filter(([, source]) => !over(source.state) && source.kind === "run");
    for (const [key] of (live.length ? live : all).slice(0, live.length ? CHOSEN : 1)) chosen.add(key);
  }
  fill(view, h("section", { class: "panel", "aria-labelledby": "choose" }, h("h2", { id: "choose" }, "Runs and jobs"),
    h("div", { class: "bar" }, h("label", { class: "grow" }, "Find", find), h("label", {}, "Over", axis), h("label", {}, h("span", {}, "Smoothing ", shown), smooth), h("label", { class: "check" }, log, "Log scale")), list), empty, place);
  for (const input of [axis, smooth, log]) input.addEventListener("input", draw);
  find.addEventListener("input", choices);
  choices();
  await look();
  draw();
  listen({}, { board: (told) => board.take(told), back: look });
  document.addEventListener("visibilitychange", look);
}

start();
