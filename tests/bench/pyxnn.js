/** pyxnn as a peer: the demo page's own Python. */

import { python, ready } from "/app.js";
import { fetchBytes } from "./peer.js";

await ready;
await python.load("/bench/burst.py");

/** @type {import("./peer.js").Peer["load"]} */
export async function load(threads, model, { url, ...feed }) {
  const [content, data] = await Promise.all([fetchBytes(model), fetchBytes(url)]);
  return python.call("burst.load", content, threads, { ...feed, data });
}

/** @type {import("./peer.js").Peer["output"]} */
export const output = () => python.call("burst.output");

/** @type {import("./peer.js").Peer["burst"]} */
export const burst = (count) => python.call("burst.burst", count);

/** The milliseconds of one run's steps, without copies and calls. */
export const kernels = () => python.call("burst.kernels");

/** Which binary is in use and how many threads there are. */
export const device = () => python.call("demo.device");

/** How long each stage of starting took. */
export const stages = () => python.stages;
