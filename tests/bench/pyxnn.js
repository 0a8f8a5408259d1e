/**
 * pyxnn as a peer: the demo page's own Python. With `?provider=NAME` in this module's address, on
 * that provider alone.
 */

import { python, ready } from "/app.js";
import { fetchBytes } from "./peer.js";

const provider = new URL(import.meta.url).searchParams.get("provider") ?? undefined;

await ready;
await python.load("/bench/burst.py");

/** @type {import("./peer.js").Peer["load"]} */
export async function load(threads, model, { url, ...feed }) {
  const [content, data] = await Promise.all([fetchBytes(model), fetchBytes(url)]);
  return python.call("burst.load", content, threads, { ...feed, data }, provider);
}

/** @type {import("./peer.js").Peer["output"]} */
export const output = async () => new Float32Array((await python.call("burst.output")).buffer);

/** @type {import("./peer.js").Peer["burst"]} */
export const burst = (count) => python.call("burst.burst", count);

/** @param {number} count */
export const profile = (count) => python.call("burst.profile", count);

export const placement = () => python.call("burst.placement");

export const memory = () => python.call("burst.memory");

/** Which binary is in use and how many threads there are. */
export const device = () => python.call("demo.device");

/** How long each stage of starting took. */
export const stages = () => python.stages;

/** What the page's own JavaScript takes, in bytes. */
export const heap = () => /** @type {any} */ (performance).memory.usedJSHeapSize;
