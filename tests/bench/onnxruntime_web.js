/** onnxruntime-web as a peer: its WebAssembly provider. */

import * as ort from "/peers/onnxruntime-web/dist/ort.wasm.min.mjs";
import { fetchBytes, fetchFloats, times } from "./peer.js";

/** @type {any} */
let session;
/** @type {Record<string, any>} */
let feeds;

/** @type {import("./peer.js").Peer["load"]} */
export async function load(threads, model, { name, shape, url }) {
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = "/peers/onnxruntime-web/dist/";
  const [content, data] = await Promise.all([fetchBytes(model), fetchFloats(url)]);
  await session?.release();
  const start = performance.now();
  session = await ort.InferenceSession.create(content, { executionProviders: ["wasm"] });
  const milliseconds = performance.now() - start;
  feeds = { [name]: new ort.Tensor("float32", data, shape) };
  return milliseconds;
}

/** @type {import("./peer.js").Peer["output"]} */
export async function output() {
  const outputs = await session.run(feeds);
  return outputs[session.outputNames[0]].data;
}

/** @type {import("./peer.js").Peer["burst"]} */
export const burst = (count) => times(count, output);
