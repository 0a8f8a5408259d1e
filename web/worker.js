/**
 * A thread of the engine: a dedicated worker that instantiates the engine's module on the engine's
 * memory and enters its loop, which returns only when the pool stops. Meanwhile the worker hears no
 * messages; it is told what to do through the shared memory.
 *
 * It answers with `{type: "up"}` when runs may count on it, and `{type: "lost", message}` when it
 * has failed.
 *
 * @typedef {object} WorkerStart
 * @property {WebAssembly.Module} module
 * @property {WebAssembly.Memory} memory
 * @property {number} index      which worker this is, from 1
 * @property {number} stackTop   the top of its stack
 */
import { engineImports } from "./imports.js";

/** @param {MessageEvent<WorkerStart>} event */
function run({ data: { module, memory, index, stackTop } }) {
  /** @type {any} */
  let engine = null;
  try {
    engine = new WebAssembly.Instance(module, engineImports(module, memory)).exports;
    engine.pyxnn_pool_worker_start(index, stackTop);
    postMessage({ type: "up" });
    engine.pyxnn_pool_worker_run(index);
  } catch (error) {
    engine?.pyxnn_pool_worker_lost(index);
    postMessage({ type: "lost", message: String(error) });
  }
  close();
}

addEventListener("message", run, { once: true });
