// Curves in one SVG: our own, because it is small. Axes, a hair under the pointer, PNG and CSV of what is shown.
import { fill, h, number } from "./base.js";

const HEIGHT = 280, LEFT = 64, RIGHT = 14, TOP = 12, BOTTOM = 34, COLOURS = 8, MOST = 1200;
const DASHES = ["", "6 3", "2 3", "8 3 2 3"];

/** Mean of what came before, the more the nearer "much" is to 1; gaps stay gaps. */
export function smoothed(values, much) {
  let mean = null;
  return values.map((value) => {
    if (value === null) return null;
    mean = mean === null ? value : mean * much + value * (1 - much);
    return mean;
  });
}

/** Round steps for an axis. */
export function ticks(low, high, count) {
  const raw = (high - low) / count || 1, size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((by) => by * size >= raw) * size, found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) found.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  return found;
}

function decades(low, high) {
  const found = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); power += 1) if (power >= low - 1e-9 && power <= high + 1e-9) found.push(power);
  return found.length > 1 ? found : ticks(low, high, 4);
}

export class Chart {
  constructor(title, unit = "") {
    this.title = title; this.unit = unit; this.curves = []; this.options = { x: "step", smooth: 0, log: false };
    this.place = h("div", { class: "chart" });
    this.keys = h("ul", { class: "keys" });
    this.note = h("p", { class: "quiet" });
    this.id = `chart-${title.replace(/\W+/g, "-")}-${Math.random().toString(36).slice(2, 7)}`;
    this.element = h("section", { class: "panel", "aria-labelledby": this.id }, h("div", { class: "bar" },
      h("h2", { id: this.id, class: "grow" }, unit ? `${title} (${unit})` : title),
      h("button", { type: "button", onclick: () => this.png(), "aria-label": `Save the picture of ${title}` }, "PNG"),
      h("button", { type: "button", onclick: () => this.csv(), "aria-label": `Save the values of ${title}` }, "CSV")), this.place, this.keys, this.note);
    this.width = 0;
    new ResizeObserver(() => { if (this.place.clientWidth !== this.width && this.options.ready) this.draw(); }).observe(this.place);
  }

  /** Curves: {name, points: [[step, seconds, value or null]]}. */
  set(curves, options) {
    this.curves = curves;
    this.options = { ...options, ready: true };
    this.draw();
  }

  x(point) { return this.options.x === "time" ? point[1] : point[0]; }

  prepared() {
    const { smooth, log } = this.options;
    let left = 0;
    const curves = this.curves.map((curve, index) => {
      const raw = curve.points.map((point) => {
        if (point[2] === null || (log && point[2] <= 0)) { left += 1; return null; }
        return log ? Math.log10(point[2]) : point[2];
      });
      return { ...curve, index, xs: curve.points.map((point) => this.x(point)), raw, values: smooth ? smoothed(raw, smooth) : raw };
    });
    return [curves, left];
  }

  draw() {
    const [curves, left] = this.prepared(), { log, smooth } = this.options, WIDTH = Math.max(260, this.place.clientWidth);
    this.width = this.place.clientWidth;
    this.note.textContent = left ? `${left} ${left === 1 ? "value is" : "values are"} left out: ${log ? "not above zero, or " : ""}no finite number.` : "";
    const xs = curves.flatMap((curve) => curve.xs.filter((_, at) => curve.raw[at] !== null)), ys = curves.flatMap((curve) => curve.raw.filter((value) => value !== null));
    if (!ys.length) { fill(this.place, h("p", { class: "quiet" }, "No value to draw.")); fill(this.keys); return; }
    let [x0, x1, y0, y1] = [min(xs), max(xs), min(ys), max(ys)];
    if (x1 === x0) { x0 -= .5; x1 += .5; }
    if (y1 === y0) { const by = Math.abs(y0) * .1 || 1; y0 -= by; y1 += by; }
    const gap = (y1 - y0) * .04;
    y0 -= gap; y1 += gap;
    const X = (x) => LEFT + ((x - x0) / (x1 - x0)) * (WIDTH - LEFT - RIGHT), Y = (y) => HEIGHT - BOTTOM - ((y - y0) / (y1 - y0)) * (HEIGHT - TOP - BOTTOM);
    this.scale = { x0, x1, X, Y };
    const grid = [
      (log ? decades(y0, y1) : ticks(y0, y1, 5)).map((y) => [h("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: Y(y), y2: Y(y) }),
        h("text", { x: LEFT - 6, y: Y(y) + 4, "text-anchor": "end" }, number(log ? 10 ** y : y))]),
      ticks(x0, x1, Math.max(3, Math.floor(WIDTH / 110))).map((x) => [h("line", { class: "grid", x1: X(x), x2: X(x), y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM + 4 }),
        h("text", { x: X(x), y: HEIGHT - BOTTOM + 17, "text-anchor": "middle" }, this.options.x === "time" ? clock(x) : number(x))]),
      h("text", { x: WIDTH - RIGHT, y: HEIGHT - 3, "text-anchor": "end" }, this.options.x === "time" ? "time since the first value" : "step")];
    const lines = curves.map((curve) => [
      smooth ? h("path", { class: "raw", d: path(curve.xs, curve.raw, X, Y), stroke: colour(curve.index) }) : null,
      h("path", { class: "curve", d: path(curve.xs, curve.values, X, Y), stroke: colour(curve.index), "stroke-dasharray": dash(curve.index) }),
      alone(curve.values).map((at) => h("circle", { cx: X(curve.xs[at]), cy: Y(curve.values[at]), r: 3.5, fill: colour(curve.index) }))]);
    this.hair = h("line", { class: "hair", y1: TOP, y2: HEIGHT - BOTTOM, x1: -9, x2: -9 });
    const last = curves.map((curve) => `${curve.name}: ${number(lastOf(curve.points.map((point) => point[2])))}`).join("; ");
    this.svg = h("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", tabindex: 0, "aria-label": `${this.title}, last values: ${last}` }, grid, lines, this.hair);
    this.svg.addEventListener("pointermove", (event) => {
      const box = this.svg.getBoundingClientRect();
      this.point(x0 + ((((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT)) * (x1 - x0));
    });
    this.svg.addEventListener("pointerleave", () => this.point(null));
    this.svg.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const all = [...new Set(xs)].sort((a, b) => a - b), now = all.findIndex((x) => x >= (this.now ?? x0));
      this.point(all[Math.max(0, Math.min(all.length - 1, (this.now === undefined || this.now === null ? (by > 0 ? -1 : all.length) : now) + by))]);
    });
    const focused = this.place.contains(document.activeElement);
    fill(this.place, this.svg);
    if (focused) this.svg.focus();
    this.ready = curves;
    fill(this.keys, curves.map((curve) => h("li", {}, h("svg", { viewBox: "0 0 22 10", "aria-hidden": "true" }, h("line", { x1: 0, x2: 22, y1: 5, y2: 5, stroke: colour(curve.index), "stroke-width": 3, "stroke-dasharray": dash(curve.index) })),
      `${curve.name}: `, h("output", {}))));
    this.point(this.now ?? null);
  }

  /** Tell the values at a place; null: the last ones. */
  point(x) {
    this.now = x;
    const { X } = this.scale;
    this.hair.setAttribute("x1", x === null ? -9 : X(x));
    this.hair.setAttribute("x2", x === null ? -9 : X(x));
    this.ready.forEach((curve, row) => {
      const at = x === null ? curve.points.length - 1 : nearest(curve.xs, x);
      const point = curve.points[at], where = point ? (this.options.x === "time" ? clock(point[1]) : `step ${number(point[0])}`) : "";
      this.keys.children[row].querySelector("output").textContent = point ? `${point[2] === null ? "no number" : number(point[2])}${this.unit ? ` ${this.unit}` : ""} (${where})` : "";
    });
  }

  csv() {
    const rows = [["curve", "step", "seconds", this.title]];
    for (const curve of this.curves) for (const point of curve.points) rows.push([curve.name, point[0], point[1], point[2] ?? "nan"]);
    // a cell that begins like a formula would be one in a spreadsheet
    const cell = (value) => { const text = typeof value === "string" && /^[=+\-@\t]/.test(value) ? `'${value}` : String(value); return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text; };
    save(new Blob([rows.map((row) => row.map(cell).join(",")).join("\n"), "\n"], { type: "text/csv" }), `${this.title}.csv`);
  }

  async png() {
    const copy = this.svg.cloneNode(true), WIDTH = Math.max(260, this.width), style = getComputedStyle(document.documentElement);
    const paint = (name) => style.getPropertyValue(name).trim();
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("width", WIDTH * 2);
    copy.setAttribute("height", (HEIGHT + 22) * 2);
    copy.setAttribute("viewBox", `0 -22 ${WIDTH} ${HEIGHT + 22}`);
    copy.prepend(h("rect", { x: 0, y: -22, width: WIDTH, height: HEIGHT + 22, fill: paint("--ground") }), h("text", { x: LEFT, y: -6 }, `${this.title}${this.unit ? ` (${this.unit})` : ""}   ${this.curves.map((curve) => curve.name).join(", ")}`.slice(0, 130)));
    for (const text of copy.querySelectorAll("text")) { text.setAttribute("fill", paint("--text")); text.setAttribute("font-family", "sans-serif"); text.setAttribute("font-size", 12); }
    for (const line of copy.querySelectorAll(".grid")) line.setAttribute("stroke", paint("--line"));
    for (const spot of copy.querySelectorAll("circle")) spot.setAttribute("fill", paint(spot.getAttribute("fill").slice(4, -1)));
    for (const line of copy.querySelectorAll("path")) {
      line.setAttribute("fill", "none");
      line.setAttribute("stroke", paint(line.getAttribute("stroke").slice(4, -1)));
      line.setAttribute("stroke-width", line.classList.contains("raw") ? 1 : 2);
      if (line.classList.contains("raw")) line.setAttribute("opacity", .3);
    }
    const url = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" }));
    const picture = new Image();
    picture.src = url;
    await picture.decode();
    const canvas = h("canvas", { width: WIDTH * 2, height: (HEIGHT + 22) * 2 });
    canvas.getContext("2d").drawImage(picture, 0, 0);
    URL.revokeObjectURL(url);
    canvas.toBlob((blob) => save(blob, `${this.title}.png`));
  }
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// arrays of a hundred thousand values are too many arguments for Math.min
const min = (values) => values.reduce((a, b) => (a < b ? a : b)), max = (values) => values.reduce((a, b) => (a > b ? a : b));
const colour = (index) => `var(--c${index % COLOURS})`, dash = (index) => DASHES[Math.floor(index / COLOURS) % DASHES.length];
const lastOf = (values) => values[values.length - 1];

/** Values with gaps on both sides: a line does not show them. */
function alone(values) {
  return values.flatMap((value, at) => (value !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null ? [at] : []));
}

function clock(seconds) {
  if (seconds < 100) return `${Number(seconds.toFixed(1))} s`;
  return seconds < 3600 ? `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}` : `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

function nearest(xs, x) {
  let low = 0, high = xs.length - 1;
  while (low < high) { const middle = (low + high) >> 1; if (xs[middle] < x) low = middle + 1; else high = middle; }
  return low > 0 && Math.abs(xs[low - 1] - x) <= Math.abs(xs[low] - x) ? low - 1 : low;
}

/** A line through what there is; of very many points the lowest and the highest of each piece. */
function path(xs, values, X, Y) {
  const size = Math.max(1, Math.ceil(values.length / MOST)), parts = [];
  let pen = false;
  for (let at = 0; at < values.length; at += size) {
    const piece = [];
    for (let one = at; one < Math.min(values.length, at + size); one += 1) if (values[one] !== null) piece.push(one);
    if (!piece.length) { pen = false; continue; }
    const low = piece.reduce((a, b) => (values[a] <= values[b] ? a : b)), high = piece.reduce((a, b) => (values[a] >= values[b] ? a : b));
    for (const one of new Set([piece[0], Math.min(low, high), Math.max(low, high), piece[piece.length - 1]])) {
      parts.push(`${pen ? "L" : "M"}${X(xs[one]).toFixed(1)} ${Y(values[one]).toFixed(1)}`);
      pen = true;
    }
  }
  return parts.join("");
}
