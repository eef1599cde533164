// A log of any length: lines are kept as texts, and only those that are seen are elements.
import { classes, plain, stripped, styled } from "./ansi.js";
import { h, soon } from "./base.js";

const ROW = 18, AROUND = 12, LONGEST = 20000, MARKS = 200;
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001a\u001c-\u001f\u007f]/g;

/** Bytes as lines: half characters wait for their rest, a very long line keeps its beginning. */
export class Lines {
  constructor() { this.texts = []; this.styles = []; this.dropped = new Map(); this.style = plain; this.reset(); }

  reset() {
    this.texts.length = this.styles.length = 0;
    this.dropped.clear();
    this.style = plain;
    this.decoder = new TextDecoder("utf-8");
    this.rest = ""; this.left = 0; this.open = false;
  }

  /** Take bytes; with "last" what has no end is a line too, until more comes. */
  take(data) {
    const parts = this.decoder.decode(data, { stream: true }).split("\n");
    if (this.open) { this.texts.pop(); this.styles.pop(); this.style = this.before; this.open = false; }
    for (let at = 0; at < parts.length; at += 1) {
      this.grow(parts[at]);
      if (at < parts.length - 1) this.end();
    }
    if (this.rest || this.left) {  // shown as far as it is there
      this.before = this.style;
      this.push();
      this.open = true;
    }
  }

  grow(text) {
    const room = LONGEST - this.rest.length;
    if (text.length <= room) this.rest += text;
    else {
      // a bar that draws itself again and again goes back with \r: what counts is behind the last one
      const back = text.lastIndexOf("\r", text.length - 2);
      if (back >= 0 && text.length - back <= LONGEST) { this.rest = text.slice(back + 1); return; }
      this.rest += text.slice(0, room);
      this.left += text.length - room;
    }
  }

  end() { this.push(); this.rest = ""; this.left = 0; }

  push() {
    let text = this.rest.endsWith("\r") ? this.rest.slice(0, -1) : this.rest;
    const back = text.lastIndexOf("\r");
    if (back >= 0) text = text.slice(back + 1);
    text = text.replace(CONTROLS, (control) => (control === "\u007f" ? "\u2421" : String.fromCharCode(0x2400 + control.charCodeAt(0))));
    const at = this.texts.length;
    if (this.left) this.dropped.set(at, this.left); else this.dropped.delete(at);
    this.texts.push(text);
    this.styles.push(this.style);
    if (text.includes("\u001b")) [, this.style] = styled(text, this.style);
  }

  get length() { return this.texts.length; }
}

/** Shows lines. "label" names the region for who cannot see it. */
export class LogView {
  constructor(label) {
    this.lines = new Lines();
    this.shown = h("div", { class: "shown" });
    this.whole = h("div", { class: "whole" }, this.shown);
    this.element = h("div", { class: "log", tabindex: 0, role: "region", "aria-label": label }, this.whole);
    this.follow = true; this.wrap = false; this.wanted = ""; this.hits = []; this.hit = -1; this.tops = null;
    this.draw = soon(() => this.render());
    this.element.addEventListener("scroll", () => { this.moved(); this.draw(); });
    new ResizeObserver(() => { this.tops = null; this.draw(); }).observe(this.element);
    this.onfollow = () => {};
  }

  moved() {
    const box = this.element, end = box.scrollHeight - box.clientHeight - box.scrollTop < ROW * 1.5;
    if (this.placing === box.scrollTop) return;
    if (this.follow !== end && !this.busy) { this.follow = end; this.onfollow(end); }
  }

  add(data) { const before = this.lines.length; this.lines.take(data); this.changed(before); }
  clear() { this.lines.reset(); this.tops = null; this.hits = []; this.hit = -1; this.element.scrollTop = 0; this.draw(); }

  changed(before) {
    if (this.wrap) this.tops = null;
    if (this.wanted) this.search(this.wanted, Math.max(0, before - 1));
    this.draw();
  }

  setWrap(on) { this.wrap = on; this.tops = null; this.element.classList.toggle("wrap", on); this.draw(); }
  setFollow(on) { this.follow = on; this.draw(); }

  /** Find lines; gives how many fit. */
  search(wanted, from = 0) {
    if (from === 0 || wanted !== this.wanted) { this.hits = []; this.hit = -1; from = 0; }
    this.wanted = wanted;
    const text = wanted.toLowerCase(), texts = this.lines.texts;
    while (this.hits.length && this.hits[this.hits.length - 1] >= from) this.hits.pop();
    if (text) for (let at = from; at < texts.length; at += 1) if (stripped(texts[at]).toLowerCase().includes(text)) this.hits.push(at);
    this.draw();
    return this.hits.length;
  }

  /** Go to the next or last line that fits. */
  step(by) {
    if (!this.hits.length) return;
    this.hit = this.hit < 0 ? (by > 0 ? 0 : this.hits.length - 1) : (this.hit + by + this.hits.length) % this.hits.length;
    this.follow = false;
    this.onfollow(false);
    this.element.scrollTop = Math.max(0, this.top(this.hits[this.hit]) - this.element.clientHeight / 2);
    this.draw();
  }

  measure() {
    if (!this.wrap) { this.tops = null; return; }
    if (this.tops && this.tops.length === this.lines.length + 1) return;
    const probe = h("span", {}, "0".repeat(100)), line = h("div", { class: "line" }, h("b", {}, "0"), probe);
    this.shown.append(line);
    const width = probe.getBoundingClientRect().width / 100 || 8, gutter = line.firstChild.getBoundingClientRect().width + 12;
    line.remove();
    const columns = Math.max(10, Math.floor((this.element.clientWidth - gutter) / width));
    const texts = this.lines.texts;
    this.tops = new Float64Array(texts.length + 1);
    for (let at = 0; at < texts.length; at += 1) this.tops[at + 1] = this.tops[at] + ROW * Math.max(1, Math.ceil(stripped(texts[at]).length / columns));
  }

  top(index) { this.measure(); return this.tops ? this.tops[index] : index * ROW; }

  at(place) {
    if (!this.tops) return Math.floor(place / ROW);
    let low = 0, high = this.tops.length - 1;
    while (low < high) { const middle = (low + high + 1) >> 1; if (this.tops[middle] <= place) low = middle; else high = middle - 1; }
    return low;
  }

  render() {
    const box = this.element, count = this.lines.length;
    if (!box.isConnected) return;
    this.busy = true;
    this.measure();
    this.whole.style.height = `${this.top(count)}px`;
    if (this.follow) { box.scrollTop = box.scrollHeight; this.placing = box.scrollTop; }
    const first = Math.max(0, this.at(box.scrollTop) - AROUND), last = Math.min(count, this.at(box.scrollTop + box.clientHeight) + AROUND);
    this.shown.style.transform = `translateY(${this.top(first)}px)`;
    const elements = [];
    for (let at = first; at < last; at += 1) elements.push(this.line(at));
    this.shown.replaceChildren(...elements);
    if (this.follow && this.wrap) { box.scrollTop = box.scrollHeight; this.placing = box.scrollTop; }
    this.busy = false;
  }

  line(at) {
    const now = this.hit >= 0 && this.hits[this.hit] === at, left = this.lines.dropped.get(at);
    const [pieces] = styled(this.lines.texts[at], this.lines.styles[at]);
    const text = h("span", {}, pieces.map(([piece, style]) => {
      const parts = marked(piece, this.wanted, now), name = classes(style);
      return name ? h("span", { class: name }, parts) : parts;
    }));
    if (left) text.append(h("span", { class: "quiet" }, ` \u2026 and ${left.toLocaleString("en")} characters more: save the file to see them`));
    return h("div", { class: "line" }, h("b", { "aria-hidden": "true" }, String(at + 1)), text);
  }
}

/** Mark what was searched for. */
function marked(text, wanted, now) {
  if (!wanted) return [text];
  const small = text.toLowerCase(), what = wanted.toLowerCase(), parts = [];
  let at = 0;
  for (let found = small.indexOf(what); found >= 0 && parts.length < MARKS; found = small.indexOf(what, at)) {
    if (found > at) parts.push(text.slice(at, found));
    parts.push(h("mark", { class: now ? "now" : "" }, text.slice(found, found + what.length)));
    at = found + what.length;
  }
  if (at < text.length) parts.push(text.slice(at));
  return parts;
}
