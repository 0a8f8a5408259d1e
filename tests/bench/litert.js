/** LiteRT.js as a peer: .tflite files on its CPU provider. */

import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { fetchBytes, fetchFloats, times } from "./peer.js";

/** @type {Promise<unknown> | undefined} */
let runtime;
/** @type {Map<string, any>} */
const models = new Map();

/** @type {import("./peer.js").Peer["load"]} */
export async function load(name, threads, url, feed) {
  runtime ??= loadLiteRt("/peers/@litertjs/core/wasm/", { threads: threads > 1 });
  const [content, data] = await Promise.all([fetchBytes(url), fetchFloats(feed.url), runtime]);
  const start = performance.now();
  const model = await loadAndCompile(content, {
    accelerator: "wasm",
    cpuOptions: { numThreads: threads },
  });
  const milliseconds = performance.now() - start;
  models.set(name, { model, data, shape: feed.shape });
  return milliseconds;
}

/** @type {import("./peer.js").Peer["output"]} */
export async function output(name) {
  const { model, data, shape } = models.get(name);
  const input = new Tensor(data, shape);
  const [result] = await model.run([input]);
  const values = result.toTypedArray().slice();
  result.delete();
  input.delete();
  return values;
}

/** @type {import("./peer.js").Peer["burst"]} */
export const burst = (name, count) => times(count, () => output(name));
