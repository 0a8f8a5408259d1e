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
export async function load(name, threads, model, { url, ...feed }) {
  const [content, data] = await Promise.all([fetchBytes(model), fetchBytes(url)]);
  return python.call("burst.load", name, content, threads, { ...feed, data }, provider);
}

/** @type {import("./peer.js").Peer["output"]} */
export const output = async (name) =>
  new Float32Array((await python.call("burst.output", name)).buffer);

/** @type {import("./peer.js").Peer["burst"]} */
export const burst = (name, count) => python.call("burst.burst", name, count);

/**
 * @param {string} name
 * @param {number} count
 */
export const profile = (name, count) => python.call("burst.profile", name, count);

/** @param {string} name */
export const placement = (name) => python.call("burst.placement", name);

export const memory = () => python.call("burst.memory");

/** Which binary is in use and how many threads there are. */
export const device = () => python.call("demo.device");

/** How long each stage of starting took. */
export const stages = () => python.stages;

/** What the page's own JavaScript takes, in bytes. */
export const heap = () => /** @type {any} */ (performance).memory.usedJSHeapSize;
