/** The demo page: starts Python, then its two sections. */

import { Digits } from "./digits.js";
import { find } from "./dom.js";
import { Loading } from "./loading.js";
import { Model } from "./model.js";
import { Python } from "./python.js";

const loading = new Loading();
export const python = new Python((stage) => loading.show(stage));

/** Resolves once everything on the page works. */
export const ready = start().catch((error) => {
  loading.fail(error);
  throw error;
});

async function start() {
  await python.load("./demo.py");
  loading.show({ name: "digits model" });
  const start = performance.now();
  const digits = new Digits(python);
  await digits.load();
  loading.show({ name: "digits model", milliseconds: performance.now() - start });
  const device = await python.call("demo.device");
  new Model(python, device.threads);
  showDevice(device);
  loading.finish();
  find("main", HTMLElement).inert = false;
  document.body.classList.add("ready");
}

/** @param {{ binary: string, threads: number, cross_origin_isolated: boolean }} device */
function showDevice({ binary, threads, cross_origin_isolated: isolated }) {
  const count = `${threads} ${threads === 1 ? "thread" : "threads"}`;
  const simd = binary.startsWith("relaxed") ? "relaxed SIMD" : "SIMD";
  find("device", HTMLElement).textContent = `${count}, ${simd}`;
  find("isolation", HTMLElement).hidden = isolated;
}
