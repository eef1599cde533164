// A cluster's nodes as tiles, coloured by state.
import { h } from "./base.js";

export function tiles(cluster) {
  return h("ul", { class: "tiles", "aria-label": `Nodes of ${cluster.name}` }, cluster.nodes.map((node) =>
    h("li", { class: node.state, title: `${node.id}: ${node.state}${node.job ? `, job ${node.job.split("/").pop()}` : ""}` },
      h("span", { class: "hidden" }, `${node.id}: ${node.state}`))));
}
