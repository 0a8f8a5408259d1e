/** LiteRT.js as a peer: .tflite files on its CPU provider. */

import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { fetchBytes, fetchFloats, times } from "./peer.js";

/** @type {Promise<unknown> | undefined} */
let runtime;
/** @type {any} */
let model;
/** @type {Float32Array} */
let data;
/** @type {number[]} */
let shape;

/** @type {import("./peer.js").Peer["load"]} */
export async function load(threads, url, feed) {
  runtime ??= loadLiteRt("/peers/@litertjs/core/wasm/", { threads: threads > 1 });
  const [content, values] = await Promise.all([fetchBytes(url), fetchFloats(feed.url), runtime]);
  model?.delete();
  data = values;
  shape = feed.shape;
  const start = performance.now();
  model = await loadAndCompile(content, {
    accelerator: "wasm",
    cpuOptions: { numThreads: threads },
  });
  return performance.now() - start;
}

/** @type {import("./peer.js").Peer["output"]} */
export async function output() {
  const input = new Tensor(data, shape);
  const [result] = await model.run([input]);
  const values = result.toTypedArray().slice();
  result.delete();
  input.delete();
  return values;
}

/** @type {import("./peer.js").Peer["burst"]} */
export const burst = (count) => times(count, output);
