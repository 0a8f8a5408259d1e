/** "Run a model": opens an ONNX file, shows what is in it, runs it and measures it. */

import { find, html } from "./dom.js";
import { bytes as size, milliseconds, number, shape } from "./format.js";
import { Graph } from "./graph.js";
import { imageInput, pixels } from "./picture.js";
import { Speed } from "./speed.js";

/** @typedef {import("./python.js").Python} Python */
/** @typedef {{ name: string, type: string, shape: (number | string | null)[] }} Value */

export class Model {
  #status = find("model-status", HTMLElement);
  #error = find("model-error", HTMLElement);
  #panel = find("model-panel", HTMLElement);
  #graph = new Graph();
  #speed;
  /** @type {Value[]} */
  #inputs = [];
  /** @type {Blob | undefined} */
  #image;

  /**
   * @param {Python} python
   * @param {number} threads as many as there are
   */
  constructor(python, threads) {
    this.python = python;
    this.#speed = new Speed(python, threads);
    this.#listenForFiles();
    for (const button of document.querySelectorAll("button[data-model]")) {
      const url = /** @type {HTMLButtonElement} */ (button).dataset.model ?? "";
      button.addEventListener("click", () => this.#attempt("Fetching…", () => this.#fetch(url)));
    }
    find("model-run", HTMLButtonElement).addEventListener("click", () => {
      this.#attempt("Running…", () => this.#run());
    });
    find("model-measure", HTMLButtonElement).addEventListener("click", () => {
      this.#attempt("Measuring…", () => this.#measure());
    });
    find("model-random", HTMLButtonElement).addEventListener("click", () => this.#useImage());
  }

  #listenForFiles() {
    const picker = find("model-file", HTMLInputElement);
    picker.addEventListener("change", () => {
      this.#take([...(picker.files ?? [])]);
      picker.value = "";
    });
    const zone = find("drop-zone", HTMLElement);
    const hover = (/** @type {boolean} */ on) => zone.classList.toggle("hover", on);
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      hover(true);
    });
    document.addEventListener("dragleave", (event) => hover(event.relatedTarget !== null));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      hover(false);
      this.#take([...(event.dataTransfer?.files ?? [])]);
    });
  }

  /** @param {File[]} files */
  #take([file]) {
    if (!file) return;
    if (!file.type.startsWith("image/")) {
      this.#attempt("Opening…", async () => this.#open(file.name, await file.arrayBuffer()));
    } else if (imageInput(this.#inputs)) {
      this.#useImage(file);
      this.#attempt("Running…", () => this.#run());
    } else {
      this.#fail({ summary: "An image needs a model that takes one: open such a model first." });
    }
  }

  /** @param {string} url */
  async #fetch(url) {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
    await this.#open(url.replace(/.*\//, ""), await response.arrayBuffer());
  }

  /**
   * @param {string} name
   * @param {ArrayBuffer} content
   */
  async #open(name, content) {
    this.#panel.hidden = true;
    const opened = await this.python.call("demo.open_model", new Uint8Array(content));
    this.#inputs = opened.inputs;
    this.#panel.hidden = false;
    find("model-name", HTMLElement).textContent = name;
    const parts = new Set(opened.nodes.map((/** @type {any} */ node) => node.segment)).size;
    find("model-facts", HTMLElement).textContent =
      `${size(content.byteLength)}, ${opened.nodes.length} nodes in ${parts} ` +
      `${parts === 1 ? "part" : "parts"}, ready in ${milliseconds(opened.milliseconds)}`;
    this.#showValues("model-inputs", opened.inputs);
    this.#showValues("model-outputs", opened.outputs);
    this.#showSizes(opened.inputs);
    this.#showReasons(opened.nodes);
    this.#graph.show(opened.nodes, names(opened.inputs), names(opened.outputs));
    find("model-results", HTMLElement).replaceChildren();
    this.#speed.clear();
    this.#useImage();
  }

  async #run() {
    const result = await this.python.call(
      "demo.run_model",
      this.#sizes(),
      await this.#imageInput(),
    );
    const rows = result.outputs.map((/** @type {any} */ output) => summary(output));
    const time = html("p", {}, `One run took ${milliseconds(result.milliseconds)}.`);
    find("model-results", HTMLElement).replaceChildren(time, ...rows);
  }

  async #measure() {
    await this.#speed.measure(this.#sizes(), await this.#imageInput());
  }

  /**
   * @param {string} id
   * @param {Value[]} values
   */
  #showValues(id, values) {
    const rows = values.map(({ name, type, shape: dims }) => {
      const plain = type.replace(/^tensor\((.*)\)$/, "$1");
      return html("li", {}, html("b", {}, name), ` ${plain}, ${shape(dims)}`);
    });
    find(id, HTMLElement).replaceChildren(...rows);
  }

  /**
   * A number field for each size that the model leaves open.
   * @param {Value[]} inputs
   */
  #showSizes(inputs) {
    const open = new Set(inputs.flatMap(({ shape: dims }) => dims.map(dimName)).filter(Boolean));
    const fields = [...open].map((name) => {
      const field = html("input", { type: "number", min: "1", value: "1", name: `${name}` });
      return html("label", {}, `${name} `, field);
    });
    find("model-sizes", HTMLElement).replaceChildren(...fields);
  }

  /** @returns {Record<string, number>} */
  #sizes() {
    const fields = find("model-sizes", HTMLElement).querySelectorAll("input");
    return Object.fromEntries([...fields].map(({ name, value }) => [name, Math.max(1, +value)]));
  }

  /** @param {import("./graph.js").Node[]} nodes */
  #showReasons(nodes) {
    const refused = nodes.filter(({ reason }) => reason);
    const rows = refused.map(({ op, name, reason }) => {
      return html("li", {}, html("b", {}, op), `${name && ` ${name}`}: ${reason}`);
    });
    const list = find("model-reasons", HTMLElement);
    list.replaceChildren(...rows);
    const details = /** @type {HTMLDetailsElement} */ (list.closest("details"));
    details.hidden = refused.length === 0;
    find("model-reasons-count", HTMLElement).textContent = `${refused.length}`;
  }

  /** @param {File} [file] without one, input is random again */
  #useImage(file) {
    this.#image = file;
    const takesImage = imageInput(this.#inputs) !== undefined;
    const image = takesImage
      ? "Random numbers; drop an image to use it instead."
      : "Random numbers.";
    find("model-input", HTMLElement).textContent = file ? `The image ${file.name}.` : image;
    find("model-random", HTMLButtonElement).hidden = !file;
  }

  /** @returns {Promise<import("./picture.js").ImageInput | null>} */
  async #imageInput() {
    const input = imageInput(this.#inputs);
    if (!this.#image || !input) return null;
    const sizes = this.#sizes();
    const dims = input.shape.map((dim) => (typeof dim === "number" ? dim : sizes[`${dim}`]));
    const last = dims[3] === 1 || dims[3] === 3;
    const [height, width] = last ? dims.slice(1, 3) : dims.slice(2);
    return { input: input.name, rgba: await pixels(this.#image, width, height), width, height };
  }

  /**
   * Does one thing at a time, says so, and shows what went wrong.
   * @param {string} status
   * @param {() => Promise<void>} work
   */
  async #attempt(status, work) {
    const buttons = find("model", HTMLElement).querySelectorAll("button");
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    this.#status.textContent = status;
    this.#error.hidden = true;
    for (const button of buttons) button.disabled = true;
    try {
      await work();
    } catch (error) {
      this.#fail(/** @type {Error} */ (error));
    }
    for (const button of buttons) button.disabled = false;
    if (document.activeElement === document.body) focused?.focus({ preventScroll: true });
    this.#status.textContent = "";
  }

  /** @param {{ summary?: string, message?: string }} error */
  #fail({ summary: text = "That did not work.", message = "" }) {
    this.#error.hidden = false;
    this.#error.replaceChildren(html("b", {}, text));
    if (message) this.#error.append(html("span", {}, message));
    this.#error.scrollIntoView({ block: "nearest" });
  }
}

/** @param {number | string | null} dim */
function dimName(dim) {
  return typeof dim === "number" ? "" : `${dim}`;
}

/** @param {Value[]} values */
function names(values) {
  return values.map(({ name }) => name);
}

/** @param {any} output as demo.py sums it up */
function summary({ name, shape: dims, type, min, max, mean, top }) {
  const facts = [`${type}, ${shape(dims)}`];
  if (min !== undefined) {
    facts.push(`from ${number(min)} to ${number(max)}, mean ${number(mean)}`);
  }
  if (top) {
    const best = top.map((/** @type {any} */ each) => `${each.index} (${number(each.score)})`);
    facts.push(`highest: ${best.join(", ")}`);
  }
  return html("p", {}, html("b", {}, name), ` ${facts.join("; ")}`);
}
