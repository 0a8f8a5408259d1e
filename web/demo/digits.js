/** "Draw a digit": the pad, the held-out samples, and the ten probabilities as they change. */

import { Bars } from "./bars.js";
import { find, html } from "./dom.js";
import { Pad, paintPixels } from "./draw.js";
import { milliseconds, percent } from "./format.js";

/** @typedef {import("./python.js").Python} Python */

export class Digits {
  #bars = new Bars(find("digit-bars", HTMLElement));
  #seen = find("digit-seen", HTMLCanvasElement);
  #verdict = find("digit-verdict", HTMLElement);
  #pad;
  /** The image to classify next; only the newest matters when Python is slower than the hand. */
  #next = /** @type {number[] | undefined} */ (undefined);
  #busy = false;

  /** @param {Python} python */
  constructor(python) {
    this.python = python;
    this.#pad = new Pad(find("digit-pad", HTMLCanvasElement), () => this.#show(this.#pad.pixels()));
    find("digit-clear", HTMLButtonElement).addEventListener("click", () => this.#clear());
    find("digit-check", HTMLButtonElement).addEventListener("click", () => this.#check());
    this.#clear();
  }

  async load() {
    const files = ["digits.onnx", "digits_held_out.npz"].map((name) => bytes(`./models/${name}`));
    /** @type {{ label: number, pixels: number[] }[]} */
    const samples = await this.python.call("demo.load_digits", ...(await Promise.all(files)));
    for (const sample of samples) this.#addSample(sample);
  }

  /** @param {{ label: number, pixels: number[] }} sample */
  #addSample({ label, pixels }) {
    const canvas = html("canvas", { width: "8", height: "8", "aria-hidden": "true" });
    const button = html("button", { type: "button", "aria-label": `Scanned ${label}` }, canvas);
    button.addEventListener("click", () => {
      this.#pad.show(pixels);
      this.#show(pixels);
    });
    find("digit-samples", HTMLElement).append(button);
    paintPixels(canvas, pixels);
  }

  #clear() {
    this.#pad.clear();
    this.#next = undefined;
    paintPixels(this.#seen, []);
    this.#bars.show(Array.from({ length: 10 }, (_, i) => ({ label: `${i}`, share: 0, text: "" })));
    this.#verdict.textContent = "Draw a digit, or pick a scanned one.";
  }

  /** @param {number[]} pixels */
  async #show(pixels) {
    paintPixels(this.#seen, pixels);
    this.#next = pixels;
    if (this.#busy) return;
    this.#busy = true;
    while (this.#next) await this.#classify();
    this.#busy = false;
  }

  async #classify() {
    const pixels = this.#next;
    this.#next = undefined;
    const result = await this.python.call("demo.classify", pixels).catch((error) => {
      this.#verdict.textContent = `${error.summary} (${error.message})`;
    });
    if (!result) return;
    /** @type {number[]} */
    const probabilities = result.probabilities;
    const best = probabilities.indexOf(Math.max(...probabilities));
    this.#bars.show(
      probabilities.map((share, i) => ({
        label: `${i}`,
        share,
        text: percent(share),
        tone: i === best ? "strong" : "",
      })),
    );
    const certainty = percent(probabilities[best]);
    const time = milliseconds(result.milliseconds);
    this.#verdict.textContent = `Read as ${best} (${certainty} sure) in ${time}.`;
  }

  async #check() {
    const { right, total, milliseconds: time } = await this.python.call("demo.check_digits");
    this.#verdict.textContent =
      `${right} of ${total} held-out images are right (${percent(right / total)}), ` +
      `all at once in ${milliseconds(time)}.`;
  }
}

/** @param {string} url */
async function bytes(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}
