/** onnxruntime-web as a peer: its WebAssembly provider. */

import * as ort from "/peers/onnxruntime-web/dist/ort.wasm.min.mjs";
import { fetchBytes } from "./peer.js";

/** @type {any} */
let session;
/** @type {Record<string, any>} */
let feeds;

/** @type {import("./peer.js").Peer["load"]} */
export async function load(threads, model, { name, shape, url }) {
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = "/peers/onnxruntime-web/dist/";
  const [content, data] = await Promise.all([fetchBytes(model), fetchBytes(url)]);
  await session?.release();
  const start = performance.now();
  session = await ort.InferenceSession.create(content, { executionProviders: ["wasm"] });
  const milliseconds = performance.now() - start;
  feeds = { [name]: new ort.Tensor("float32", new Float32Array(data.buffer), shape) };
  return milliseconds;
}

async function run() {
  const outputs = await session.run(feeds);
  return outputs[session.outputNames[0]];
}

/** @type {import("./peer.js").Peer["output"]} */
export async function output() {
  return Array.from((await run()).data);
}

/** @type {import("./peer.js").Peer["burst"]} */
export async function burst(count) {
  const times = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return times;
}
