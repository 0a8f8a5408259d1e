/** The picture of a model's graph: boxes coloured by provider, with a border round each part. */

import { find, svg } from "./dom.js";
import { BOX_HEIGHT, layout } from "./layout.js";

/**
 * @typedef {object} Node
 * @property {string} name
 * @property {string} op
 * @property {string[]} inputs
 * @property {string[]} outputs
 * @property {string} provider
 * @property {number} segment
 * @property {boolean} [planned]  evaluated while planning, not at each run
 * @property {string | null} [reason]
 */

const CHARACTER = 7;
const MARGIN = 7; // of a region round its boxes
const BAND = 11; // of a region on either side of its lines
const MIN_SCALE = 0.55;
const ZOOM = 1.25;

export class Graph {
  #frame = find("graph-frame", HTMLElement);
  #detail = find("graph-detail", HTMLElement);
  #scale = 1;
  #width = 0;

  constructor() {
    find("graph-in", HTMLButtonElement).addEventListener("click", () => this.#zoom(ZOOM));
    find("graph-out", HTMLButtonElement).addEventListener("click", () => this.#zoom(1 / ZOOM));
  }

  /**
   * @param {Node[]} nodes in execution order
   * @param {string[]} inputs names of the graph's inputs
   * @param {string[]} outputs names of the graph's outputs
   */
  show(nodes, inputs, outputs) {
    const end = { op: "", provider: "", segment: -1, inputs: [], outputs: [] };
    const vertices = [
      ...inputs.map((name) => ({ ...end, name, outputs: [name] })),
      ...nodes,
      ...outputs.map((name) => ({ ...end, name, inputs: [name] })),
    ].map((node) => ({ ...node, width: (node.op || node.name).length * CHARACTER + 18 }));
    const space = this.#frame.clientWidth;
    const picture = layout(vertices, space / Math.max(420, window.innerHeight * 0.55));
    this.#width = picture.width;
    const image = svg("svg", {
      viewBox: `0 0 ${picture.width} ${picture.height}`,
      role: "listbox",
      "aria-label": `Graph of ${nodes.length} nodes`,
    });
    image.append(...regions(vertices, picture), ...lines(vertices, picture));
    const boxes = vertices.map((node, i) => box(node, picture.places[i]));
    image.append(...boxes);
    this.#frame.replaceChildren(image);
    this.#scale = Math.min(1, Math.max(MIN_SCALE, space / picture.width));
    this.#zoom(1);
    this.#detail.textContent = "Point at a box, or use the arrow keys, to see what it is.";
    this.#listen(image, boxes, vertices);
  }

  /** @param {number} factor */
  #zoom(factor) {
    this.#scale *= factor;
    const image = this.#frame.firstElementChild;
    image?.setAttribute("width", `${this.#width * this.#scale}`);
  }

  /**
   * One box at a time can be tabbed to; the arrow keys move on from there.
   * @param {SVGElement} image
   * @param {SVGElement[]} boxes
   * @param {Node[]} nodes
   */
  #listen(image, boxes, nodes) {
    let current = 0;
    boxes[0]?.setAttribute("tabindex", "0");
    const select = (/** @type {number} */ i) => {
      boxes[current].setAttribute("tabindex", "-1");
      boxes[current].setAttribute("aria-selected", "false");
      current = i;
      boxes[current].setAttribute("tabindex", "0");
      boxes[current].setAttribute("aria-selected", "true");
      this.#detail.textContent = description(nodes[i]);
    };
    boxes.forEach((each, i) => {
      each.addEventListener("pointerenter", () => select(i));
      each.addEventListener("focus", () => select(i));
    });
    image.addEventListener("keydown", ({ key }) => {
      const steps = new Map(
        Object.entries({ ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }),
      );
      const ends = new Map(Object.entries({ Home: 0, End: boxes.length - 1 }));
      const target = ends.get(key) ?? current + (steps.get(key) ?? 0);
      if (target === current || !boxes[target]) return;
      boxes[target].focus();
      boxes[target].scrollIntoView({ block: "nearest", inline: "nearest" });
    });
    image.addEventListener("keydown", (event) => {
      if (event.key.startsWith("Arrow")) event.preventDefault();
    });
  }
}

/**
 * The CSS class of a provider's colour.
 * @param {string} provider
 */
export function kind(provider) {
  if (!provider) return "end";
  return provider === "XnnpackExecutionProvider" ? "xnnpack" : "cpu";
}

/** @param {Node} node */
function description({ op, name, provider, segment, planned, reason }) {
  if (!provider) return name;
  const where = kind(provider) === "xnnpack" ? "XNNPACK" : "CPU";
  const why = reason ? `: ${reason}` : planned ? ", worked out once for each input shape" : "";
  return `${op} “${name}”, part ${segment + 1}, on ${where}${why}`;
}

/**
 * @param {Node & { width: number }} node
 * @param {{ x: number, y: number }} place
 */
function box(node, { x, y }) {
  const group = svg("g", {
    class: `node ${kind(node.provider)}`,
    transform: `translate(${x} ${y})`,
    role: "option",
    tabindex: -1,
    "aria-selected": "false",
    "aria-label": description(node),
  });
  group.append(
    svg("rect", {
      x: -node.width / 2,
      y: -BOX_HEIGHT / 2,
      width: node.width,
      height: BOX_HEIGHT,
      rx: node.provider ? 5 : BOX_HEIGHT / 2,
    }),
    svg("text", { y: 4 }, node.op || node.name),
  );
  return group;
}

/**
 * @param {Node[]} nodes
 * @param {import("./layout.js").Picture} picture
 */
function lines(nodes, { lines }) {
  return lines.map(({ source, targets, path }) => {
    const inside = [...targets].some((target) => nodes[target].segment === nodes[source].segment);
    return svg("path", { class: inside ? "edge" : "edge crossing", d: path });
  });
}

/**
 * A region for each part of the graph: its boxes and the lines between them, drawn wide; first in
 * the border's colour, then a little narrower in the filling's.
 * @param {(Node & { width: number })[]} nodes
 * @param {import("./layout.js").Picture} picture
 */
function regions(nodes, { places, lines }) {
  const segments = [...new Set(nodes.map((node) => node.segment))].filter(
    (segment) => segment >= 0,
  );
  return segments.map((segment) => {
    const members = nodes.flatMap((node, i) => (node.segment === segment ? [i] : []));
    const inside = lines.filter(
      ({ source, targets }) =>
        nodes[source].segment === segment &&
        [...targets].some((target) => nodes[target].segment === segment),
    );
    const shapes = (/** @type {string} */ layer, /** @type {number} */ inset) => [
      ...inside.map(({ path }) =>
        svg("path", { class: layer, d: path, "stroke-width": 2 * (BAND - inset), fill: "none" }),
      ),
      ...members.map((i) =>
        svg("rect", {
          class: layer,
          x: places[i].x - nodes[i].width / 2 - MARGIN + inset,
          y: places[i].y - BOX_HEIGHT / 2 - MARGIN + inset,
          width: nodes[i].width + 2 * (MARGIN - inset),
          height: BOX_HEIGHT + 2 * (MARGIN - inset),
          rx: 5 + MARGIN - inset,
        }),
      ),
    ];
    return svg(
      "g",
      { class: `region ${kind(nodes[members[0]].provider)}`, "aria-hidden": "true" },
      ...shapes("border", 0),
      ...shapes("filling", 1.2),
    );
  });
}
