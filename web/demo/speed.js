/** How fast the open model runs: latency on one thread and on all, and where its time goes. */

import { find, html } from "./dom.js";
import { milliseconds, percent, shape } from "./format.js";
import { kind } from "./graph.js";
import { quantile } from "./statistics.js";

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string} kind      what ran
 * @property {string} provider
 * @property {string} kernel    by which kernel
 * @property {number[]} shape   of its output
 * @property {number} milliseconds
 * @property {number} gflops    10^9 FLOPs a second
 * @property {number} gigabytes 10^9 bytes a second
 */

const SECONDS = 1;
const SLOWEST = 15;

export class Speed {
  #panel = find("speed", HTMLElement);
  #rows = find("speed-rows", HTMLElement);
  #steps = find("speed-steps", HTMLElement);
  #count = find("steps-count", HTMLElement);

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
    this.#count.textContent =
      slowest.length < steps.length
        ? `The slowest ${slowest.length} of ${steps.length} steps, which took ${milliseconds(total)}, on all threads.`
        : `${steps.length} steps, which took ${milliseconds(total)}, on all threads.`;
    this.#steps.replaceChildren(
      ...slowest.map((step) => stepRow(step, total, slowest[0].milliseconds)),
    );
  }
}

/**
 * @param {Step} step
 * @param {number} total    milliseconds of all steps
 * @param {number} longest  milliseconds of the slowest, whose bar is as long as can be
 */
function stepRow(step, total, longest) {
  const length = `inline-size: ${(step.milliseconds / longest) * 100}%`;
  const fill = html("span", { class: "bar-fill", style: length });
  return html(
    "tr",
    { class: kind(step.provider) },
    html("th", { scope: "row", title: step.name }, step.kind),
    html("td", { class: "words" }, shape(step.shape)),
    html("td", {}, milliseconds(step.milliseconds)),
    html("td", {}, percent(step.milliseconds / total)),
    html("td", { class: "bar-track", "aria-hidden": "true" }, fill),
    html("td", { class: "words" }, step.kernel),
    html("td", {}, rate(step.gflops)),
    html("td", {}, rate(step.gigabytes)),
  );
}

/** @param {number} value */
const rate = (value) => (value ? (value < 1 ? value.toPrecision(2) : value.toFixed(1)) : "");

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
