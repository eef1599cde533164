// A job's output directories: browse, look at texts and pictures, save.
import { address, ask, bytes, fill, h, moment } from "./base.js";

const SEEN = 100000, IMAGE = /\.(png|jpe?g|gif|webp|bmp)$/i;

export class Outputs {
  constructor(job, directories) {
    this.job = job; this.path = "";
    this.directory = directories[1] ?? directories[0];
    this.choice = h("select", { onchange: () => { this.directory = this.choice.value; this.path = ""; this.draw(); } },
      directories.map((name) => h("option", { value: name, selected: name === this.directory }, name)));
    this.list = h("div"); this.preview = h("div", { class: "preview", "aria-live": "polite" });
    this.element = h("section", { class: "panel", "aria-labelledby": "outputs-title" }, h("h2", { id: "outputs-title" }, "Output files"),
      h("div", { class: "bar" }, h("label", {}, "Directory", this.choice), h("button", { type: "button", onclick: () => this.draw() }, "Look again")),
      this.list, this.preview);
  }

  url(path, more = {}) { return address("job/file", { id: this.job, directory: this.directory, path, ...more }); }
  below(name) { return this.path ? `${this.path}/${name}` : name; }
  enter(path) { this.path = path; this.draw(); }

  async draw() {
    let files;
    try {
      ({ files } = await ask("job/files", { id: this.job, directory: this.directory, path: this.path }));
    } catch (error) {
      fill(this.list, h("p", { class: "notice" }, error.message));
      return;
    }
    const way = this.path.split("/").filter(Boolean);
    const crumbs = h("ul", { class: "crumbs", "aria-label": "Folder" }, h("li", {}, h("button", { type: "button", onclick: () => this.enter("") }, this.directory)),
      way.map((name, at) => h("li", {}, h("button", { type: "button", onclick: () => this.enter(way.slice(0, at + 1).join("/")) }, name))));
    fill(this.list, crumbs, files.length ? h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "List of files" }, h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Name"), h("th", { scope: "col", class: "number" }, "Size"), h("th", { scope: "col" }, "Changed"), h("th", { scope: "col" }, "Save"))),
      h("tbody", {}, files.map((file) => this.row(file))))) : h("p", { class: "quiet" }, "Nothing is here (yet)."));
  }

  row(file) {
    const path = this.below(file.name);
    const open = file.directory ? () => this.enter(path) : () => this.look(file, path);
    return h("tr", {},
      h("td", {}, h("button", { type: "button", onclick: open, class: "plain long" }, file.directory ? `${file.name}/` : file.name)),
      h("td", { class: "number" }, file.directory ? "" : bytes(file.size)), h("td", {}, moment(file.modified)),
      h("td", {}, file.directory ? "" : h("a", { href: this.url(path), download: file.name, "aria-label": `Save ${file.name}` }, "Save")));
  }

  async look(file, path) {
    const title = h("h3", {}, file.name);
    if (IMAGE.test(file.name)) {
      fill(this.preview, title, h("img", { src: this.url(path), alt: `The picture ${file.name}` }));
      return;
    }
    const answer = await fetch(this.url(path, { length: SEEN })).catch(() => null);
    if (!answer?.ok) { fill(this.preview, title, h("p", { class: "notice bad" }, "The file cannot be read (any more).")); return; }
    const data = new Uint8Array(await answer.arrayBuffer());
    if (data.subarray(0, 4096).includes(0)) { fill(this.preview, title, h("p", { class: "quiet" }, "This is no text: save it to open it with a program.")); return; }
    fill(this.preview, title, h("pre", { tabindex: 0, "aria-label": `Beginning of ${file.name}` }, new TextDecoder().decode(data)),
      file.size > SEEN ? h("p", { class: "quiet" }, `The first ${bytes(SEEN)} of ${bytes(file.size)}.`) : null);
  }
}
