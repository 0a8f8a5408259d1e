/** How fast the open model runs: latency on one thread and on all, and its slowest steps. */

import { Bars } from "./bars.js";
import { find, html } from "./dom.js";
import { milliseconds, percent, shape } from "./format.js";
import { kind } from "./graph.js";
import { quantile } from "./statistics.js";

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string} kind      what ran
 * @property {string} provider
 * @property {number} milliseconds
 * @property {number[]} shape   of its output
 */

const SECONDS = 1;
const SLOWEST = 10;

export class Speed {
  #panel = find("speed", HTMLElement);
  #rows = find("speed-rows", HTMLElement);
  #steps = new Bars(find("speed-steps", HTMLElement));

  /**
   * @param {import("./python.js").Python} python
   * @param {number} threads as many as there are
   */
  constructor(python, threads) {
    this.python = python;
    this.counts = [...new Set([1, threads])];
  }

  clear() {
    this.#panel.hidden = true;
  }

  /**
   * @param {Record<string, number>} sizes of the dimensions that the model leaves open
   * @param {import("./picture.js").ImageInput | null} image
   */
  async measure(sizes, image) {
    /** @type {number[]} */
    const medians = [];
    /** @type {HTMLElement[]} */
    const rows = [];
    for (const threads of this.counts) {
      const times = await this.python.call("demo.measure", threads, sizes, image, SECONDS);
      medians.push(quantile(times, 0.5));
      rows.push(row(threads, times, medians[0] / quantile(times, 0.5)));
    }
    const steps = await this.python.call("demo.profile", sizes, image);
    this.#panel.hidden = false;
    this.#rows.replaceChildren(...rows);
    this.#showSteps(steps);
  }

  /** @param {Step[]} steps */
  #showSteps(steps) {
    const slowest = [...steps].sort((a, b) => b.milliseconds - a.milliseconds).slice(0, SLOWEST);
    const total = steps.reduce((sum, step) => sum + step.milliseconds, 0) || 1;
    const longest = slowest[0]?.milliseconds || 1;
    this.#steps.show(
      slowest.map((step) => ({
        tone: kind(step.provider),
        label: `${step.kind} · ${step.name} · ${shape(step.shape)}`,
        share: step.milliseconds / longest,
        text: `${milliseconds(step.milliseconds)} (${percent(step.milliseconds / total)})`,
      })),
    );
  }
}

/**
 * @param {number} threads
 * @param {number[]} times
 * @param {number} gain
 */
function row(threads, times, gain) {
  return html(
    "tr",
    {},
    html("th", { scope: "row" }, `${threads} ${threads === 1 ? "thread" : "threads"}`),
    html("td", {}, milliseconds(quantile(times, 0.5))),
    html("td", {}, milliseconds(quantile(times, 0.9))),
    html("td", {}, `${times.length}`),
    html("td", {}, `${gain.toFixed(2)}×`),
  );
}
