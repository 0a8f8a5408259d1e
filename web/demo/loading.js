/** The loading bar: one stage after the other, each with its time once it is done. */

import { find, html } from "./dom.js";
import { milliseconds } from "./format.js";

/** @typedef {import("./python_worker.js").Stage} Stage */

/** Stages in order, with the share of the bar that each takes (about its share of the time). */
const STAGES = new Map([
  ["Python", 40],
  ["packages", 20],
  ["import numpy", 12],
  ["import onnx", 18],
  ["import pyxnn", 4],
  ["threads", 2],
  ["digits model", 4],
]);

export class Loading {
  #bar = find("loading-bar", HTMLProgressElement);
  #stages = find("loading-stages", HTMLOListElement);
  #section = find("loading", HTMLElement);

  constructor() {
    for (const name of STAGES.keys()) {
      this.#stages.append(
        html("li", { "data-stage": name }, name, html("span", { class: "time" })),
      );
    }
  }

  /** @param {Stage} stage */
  show({ name, milliseconds: time }) {
    const row = this.#stages.querySelector(`[data-stage="${name}"]`);
    if (!row) return;
    row.classList.toggle("done", time !== undefined);
    row.classList.toggle("current", time === undefined);
    if (time === undefined) return;
    /** @type {HTMLElement} */ (row.lastElementChild).textContent = milliseconds(time);
    this.#bar.value += STAGES.get(name) ?? 0;
  }

  finish() {
    this.#section.hidden = true;
  }

  /** @param {Error & { summary?: string }} error */
  fail(error) {
    this.#section.classList.add("failed");
    const text = find("loading-error", HTMLParagraphElement);
    text.hidden = false;
    text.textContent = `${error.summary ?? "The page could not start."} (${error.message})`;
  }
}
