/** onnxruntime-web as a peer: its WebAssembly provider. */

import * as ort from "/peers/onnxruntime-web/dist/ort.wasm.min.mjs";
import { fetchBytes, fetchFloats, times } from "./peer.js";

/** @type {Map<string, any>} */
const models = new Map();

/** @type {import("./peer.js").Peer["load"]} */
export async function load(key, threads, model, { name, shape, url }) {
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = "/peers/onnxruntime-web/dist/";
  const [content, data] = await Promise.all([fetchBytes(model), fetchFloats(url)]);
  const start = performance.now();
  const session = await ort.InferenceSession.create(content, { executionProviders: ["wasm"] });
  const milliseconds = performance.now() - start;
  models.set(key, { session, feeds: { [name]: new ort.Tensor("float32", data, shape) } });
  return milliseconds;
}

/** @type {import("./peer.js").Peer["output"]} */
export async function output(key) {
  const { session, feeds } = models.get(key);
  const outputs = await session.run(feeds);
  return outputs[session.outputNames[0]].data;
}

/** @type {import("./peer.js").Peer["burst"]} */
export const burst = (key, count) => times(count, () => output(key));
