// What all views share: elements, requests, the stream of changes, questions.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element; attributes with "on" in front are listeners; texts are texts, never markup. */
export function h(name, attributes = {}, ...children) {
  const svg = ["svg", "g", "path", "rect", "line", "text", "title", "circle", "polyline"].includes(name);
  const element = svg ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Put other children into an element. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const view = document.getElementById("view");
export const parameters = new URLSearchParams(location.search);

/** Name this view. */
export function entitle(text) {
  document.getElementById("title").textContent = text;
  document.title = `${text} - Batch AI emulator`;
}

export class Refused extends Error {
  constructor(status, code, message) { super(message); this.status = status; this.code = code; }
}

/** Write an address of the page's interface. */
export function address(path, query = {}) {
  const text = new URLSearchParams(query).toString();
  return `/ui/api/${path}${text ? `?${text}` : ""}`;
}

/** Ask the page's interface; gives JSON, or throws Refused with the sentence that came. */
export async function ask(path, query = {}, options = {}) {
  let answer;
  try {
    answer = await fetch(address(path, query), { credentials: "same-origin", ...options });
  } catch {
    throw new Refused(0, "Unreachable", "The emulator does not answer.");
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, body.error?.code ?? "", body.error?.message ?? `HTTP ${answer.status}`);
  return body;
}

/** Change something. */
export function change(path, body) {
  return ask(path, {}, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
}

/** Show that something cannot be shown, and the way out. */
export function complain(place, error, wayOut = "") {
  fill(place, h("div", { class: "notice bad", role: "alert" }, h("p", {}, error.message), wayOut ? h("p", {}, wayOut) : null));
}

// -- words ------------------------------------------------------------------------------------------------

export function bytes(size) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (size >= 1024 && at < units.length - 1) { size /= 1024; at += 1; }
  return `${at && size < 100 ? size.toFixed(1) : Math.round(size)} ${units[at]}`;
}

export function duration(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return "";
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function between(from, to) {
  return from ? ((to ? Date.parse(to) : Date.now()) - Date.parse(from)) / 1000 : NaN;
}

// made once: a thousand of them take longer than all else that a view draws
const CLOCK = new Intl.DateTimeFormat([], { timeStyle: "medium", hourCycle: "h23" });
const CALENDAR = new Intl.DateTimeFormat([], { dateStyle: "short", timeStyle: "medium", hourCycle: "h23" });

export function moment(text) {
  if (!text) return "";
  const time = new Date(text);
  const day = time.toDateString() === new Date().toDateString();
  return (day ? CLOCK : CALENDAR).format(time);
}

export function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return value === undefined ? "" : "no number";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-4 ? value.toExponential(3) : String(Number(value.toPrecision(5)));
}

export function state(name) { return h("span", { class: `state ${/^[a-z]+$/.test(name) ? name : ""}` }, name); }

/** A list of terms and what they are; what is empty is left out. */
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return h("dl", { class: "facts" }, shown.map(([term, value]) => [h("dt", {}, term), h("dd", {}, value)]));
}

export function problems(errors) {
  return errors.map((error) => h("div", { class: "notice bad" },
    h("p", {}, h("strong", {}, error.code), `: ${error.message}`),
    (error.details ?? []).map(([name, value]) => h("p", { class: "quiet" }, `${name}: ${value}`))));
}

export function jobLink(job) { return `/ui/job?${new URLSearchParams({ id: job })}`; }
export function clusterLink(cluster) { return `/ui/cluster?${new URLSearchParams({ id: cluster })}`; }

// -- questions --------------------------------------------------------------------------------------------

/** Ask a question in a dialog; gives true for yes, or what the field holds; null for no. */
export function question({ title, text, yes, danger = true, field = null }) {
  const dialog = document.getElementById("ask");
  return new Promise((resolve) => {
    const input = field ? h("input", { type: "number", min: field.min, max: field.max, value: field.value, required: true, name: "value" }) : null;
    const form = h("form", { method: "dialog" },
      h("h2", { id: "ask-title" }, title), h("p", {}, text),
      field ? h("label", {}, field.label, input) : null,
      h("div", { class: "bar" },
        h("button", { type: "button", onclick: () => dialog.close("") }, "Cancel"),
        h("button", { type: "submit", value: "yes", class: danger ? "danger" : "first" }, yes)));
    fill(dialog, form);
    dialog.returnValue = "";
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue !== "yes" ? null : field ? Number(input.value) : true);
    }, { once: true });
    dialog.showModal();
  });
}

// -- what changes -----------------------------------------------------------------------------------------

const connection = document.getElementById("connection");

function tell(lost) {
  const text = lost ? "The emulator does not answer. Start it again with 'scenario emulator serve': this page comes back by itself." : "";
  if (connection.textContent !== text) connection.textContent = text;
  connection.classList.toggle("lost", lost);
}

/**
 * Hear what changes while somebody looks at this page. Handlers by the name of the event; "back" is called
 * when an emulator answers again after one has gone.
 */
export function listen(query, handlers) {
  let source = null, timer = 0, was = false, instance = document.body.dataset.instance;
  const open = () => {
    clearTimeout(timer);
    source?.close();
    if (document.hidden) return;
    source = new EventSource(address("events", query));
    source.addEventListener("hello", (event) => {
      const now = JSON.parse(event.data).instance;
      const back = was || now !== instance;
      instance = now; was = false;
      tell(false);
      if (back) handlers.back?.();
    });
    for (const [name, handler] of Object.entries(handlers)) {
      if (name !== "back") source.addEventListener(name, (event) => handler(JSON.parse(event.data)));
    }
    source.addEventListener("error", () => {
      was = true;
      source.close();
      tell(true);
      timer = setTimeout(open, 1000);
    });
  };
  document.addEventListener("visibilitychange", () => { if (document.hidden) { source?.close(); clearTimeout(timer); } else open(); });
  addEventListener("pagehide", () => source?.close());
  open();
}

/** Clusters and jobs as the stream tells of them. */
export class Board {
  constructor() { this.clusters = []; this.jobs = new Map(); }
  take(told) {
    if (!told) return;
    if (told.whole) this.jobs.clear();
    if (told.clusters) this.clusters = told.clusters;
    for (const id of told.gone) this.jobs.delete(id);
    for (const job of told.jobs) this.jobs.set(job.id, job);
  }
  get newest() { return [...this.jobs.values()].sort((a, b) => b.number - a.number); }
}

/** Call a function soon, once for however many times it was asked for. */
export function soon(work) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; work(); });
  };
}
