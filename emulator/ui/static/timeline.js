// Which job ran on which node from when to when.
import { duration, h, jobLink, moment } from "./base.js";

const ROWS = 24, JOBS = 400, LABEL = 120, HEIGHT = 20;

/** Draw a board's newest jobs that began: a row for each node, a bar for each job. */
export function timeline(board, room) {
  const jobs = board.newest.filter((job) => job.started && job.nodes.length).slice(0, JOBS);
  if (!jobs.length) return h("p", { class: "quiet" }, "Nothing ran yet.");
  const now = Date.now();
  const nodes = [...new Set(jobs.flatMap((job) => job.nodes))];
  const rows = nodes.slice(0, ROWS).reverse();
  const shown = jobs.filter((job) => job.nodes.some((node) => rows.includes(node)));
  const from = Math.min(...shown.map((job) => Date.parse(job.started)));
  const to = Math.max(from + 1000, ...shown.map((job) => (job.ended ? Date.parse(job.ended) : now)));
  const width = Math.max(280, room), x = (time) => LABEL + ((time - from) / (to - from)) * (width - LABEL - 10);
  const height = rows.length * HEIGHT + 22;
  const bars = shown.flatMap((job) => rows.flatMap((node, row) => {
    if (!job.nodes.includes(node)) return [];
    const begin = Date.parse(job.started), end = job.ended ? Date.parse(job.ended) : now;
    const text = `${job.name} on ${node}: ${job.state}, ${moment(job.started)}, ${duration((end - begin) / 1000)}`;
    return [h("g", { class: /^[a-z]+$/.test(job.state) ? job.state : "" }, link(job, text,
      h("rect", { x: x(begin), y: row * HEIGHT + 2, width: Math.max(3, x(end) - x(begin)), height: HEIGHT - 4, rx: 2 }, h("title", {}, text))))];
  }));
  const labels = rows.map((node, row) => [
    h("line", { class: "row", x1: LABEL, x2: width, y1: row * HEIGHT + HEIGHT / 2, y2: row * HEIGHT + HEIGHT / 2 }),
    h("text", { x: 0, y: row * HEIGHT + 14 }, h("title", {}, node), node.replace(/-\d{8}t\d{6}z(-p)?$/, "").slice(0, 17))]);
  const picture = h("svg", { class: "timeline", viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": "Jobs over time" },
    labels, bars,
    h("text", { x: LABEL, y: height - 4 }, moment(new Date(from).toISOString())),
    h("text", { x: width - 10, y: height - 4, "text-anchor": "end" }, moment(new Date(to).toISOString())));
  const cut = nodes.length > ROWS ? h("p", { class: "quiet" }, `The ${ROWS} nodes that were used last, of ${nodes.length}.`) : null;
  return [h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Timeline" }, picture), cut];
}

function link(job, text, child) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", "a");
  element.setAttribute("href", jobLink(job.id));
  element.setAttribute("aria-label", text);
  element.append(child);
  return element;
}
