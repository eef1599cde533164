// The logs of a job: which file, follow, wrap, search, save.
import { address, bytes, fill, h } from "./base.js";
import { LogView } from "./log.js";

const PIECE = 4 << 20, MOST = 64 << 20;

export class LogPanel {
  constructor(job) {
    this.job = job; this.name = ""; this.offset = 0; this.files = []; this.reading = false; this.again = false;
    this.log = new LogView("Log");
    this.byHand = false;
    this.choice = h("select", { onchange: () => { this.byHand = true; this.choose(this.choice.value); } });
    this.following = h("input", { type: "checkbox", checked: true, onchange: () => this.log.setFollow(this.following.checked) });
    this.wrapping = h("input", { type: "checkbox", onchange: () => this.log.setWrap(this.wrapping.checked) });
    this.field = h("input", { type: "search", oninput: () => this.search() });
    this.count = h("output", { class: "quiet", "aria-live": "polite" });
    this.note = h("p", { class: "quiet", "aria-live": "polite" });
    this.save = h("a", { class: "button", download: true }, "Save");
    this.log.onfollow = (on) => { this.following.checked = on; };
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); this.step(event.shiftKey ? -1 : 1); }
    });
    this.element = h("section", { class: "panel", "aria-labelledby": "logs-title" }, h("h2", { id: "logs-title" }, "Logs"),
      h("div", { class: "bar" },
        h("label", {}, "File", this.choice),
        h("label", { class: "grow" }, "Search", this.field),
        h("button", { type: "button", onclick: () => this.step(-1) }, "Previous"), h("button", { type: "button", onclick: () => this.step(1) }, "Next"), this.count,
        h("label", { class: "check" }, this.following, "Follow"), h("label", { class: "check" }, this.wrapping, "Wrap"), this.save),
      this.note, this.log.element);
    this.note.textContent = "Nothing is written yet.";
  }

  /** Hear of the files as they are now. */
  take(files) {
    const names = files.map((file) => file.name);
    if (names.join("\n") !== this.files.map((file) => file.name).join("\n")) {
      fill(this.choice, files.map((file) => h("option", { value: file.name }, file.name)));
      this.choice.value = this.name;
    }
    this.files = files;
    if (!files.length) { this.note.textContent = "Nothing is written yet."; return; }
    // standard output may come after the service's own log: until somebody chooses, it is what is shown
    const first = files.find((file) => /^stdout[^_]*\.txt$/.test(file.name) && !file.name.includes("job_prep")) ?? files[0];
    if (!names.includes(this.name) || (!this.byHand && first.name !== this.name)) this.choose(first.name);
    else this.read();
  }

  choose(name) {
    this.name = name; this.offset = -1;
    this.choice.value = name;
    this.save.href = address("job/file", { id: this.job, directory: "stdouterr", path: name });
    this.log.clear();
    this.log.setFollow(this.following.checked);
    this.read();
  }

  /** Read what is new of the file. */
  async read() {
    if (this.reading) { this.again = true; return; }
    this.reading = true;
    try {
      do { this.again = false; await this.pieces(this.name); } while (this.again);
    } catch { this.note.textContent = "The log cannot be read now."; } finally { this.reading = false; }
  }

  async pieces(name) {
    for (;;) {
      const known = this.files.find((file) => file.name === name)?.size ?? 0;
      if (this.offset < 0) this.offset = Math.max(0, known - MOST);
      if (known < this.offset) { this.offset = 0; this.log.clear(); this.tell("The job made the file shorter: this is what it wrote since."); }
      if (known === this.offset) { if (!known) this.tell("The file is empty."); return; }
      const answer = await fetch(address("job/file", { id: this.job, directory: "stdouterr", path: name, offset: this.offset, length: PIECE }));
      if (!answer.ok) { this.tell("The file is not there any more."); return; }
      const data = new Uint8Array(await answer.arrayBuffer());
      if (name !== this.name) { this.again = true; return; }
      if (this.offset && !this.log.lines.length) this.tell(`The first ${bytes(this.offset)} are left out: save the file to see them.`);
      else if (!this.offset) this.tell("");
      this.offset += data.length;
      this.log.add(data);
      if (this.field.value) this.tally();
      if (data.length < PIECE) return;
    }
  }

  tell(text) { this.note.textContent = text; }
  search() { this.log.search(this.field.value); this.tally(); }
  step(by) { this.log.step(by); this.tally(); }
  tally() {
    const { hits, hit } = this.log;
    this.count.textContent = !this.field.value ? "" : hits.length ? `${hit >= 0 ? `${hit + 1} of ` : ""}${hits.length.toLocaleString("en")} lines` : "No line fits";
  }
}
