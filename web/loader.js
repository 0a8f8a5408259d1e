/**
 * Starts the engine: picks the binary this browser can run, gives it a memory, and starts its
 * worker pool.
 *
 * Everything up to the return of `createEngine` is synchronous, so that Python's `import pyxnn` can
 * call it; only the workers come up later (`engine.ready`), and a run takes those that are there.
 *
 * @typedef {object} EngineOptions
 * @property {((name: string) => Uint8Array) | Record<string, Uint8Array>} binaries the .wasm bytes
 *     by name: "relaxed-threads", "relaxed-single", "simd-threads", "simd-single". A function is
 *     asked for the one that is needed only.
 * @property {string} workerSource   the text of worker.js, started from a Blob URL
 * @property {string} [assetUrl]     a folder on this page's origin that serves worker.js; used in
 *     place of the Blob URL, for pages whose Content-Security-Policy forbids blob: workers
 * @property {number} [maxThreads]   the most threads, this one included; default: the number of
 *     cores
 * @property {(message: string) => void} [warn]   receives warnings; default: console.warn
 *
 * @typedef {object} Engine
 * @property {Record<string, Function>} exports   the functions of pyxnn.h; addresses and sizes are
 *     unsigned 32-bit, but a returned address above 2 GiB arrives negative: use `>>> 0` (in Python:
 *     `& 0xFFFFFFFF`)
 * @property {WebAssembly.Memory} memory
 * @property {string} binary                      which binary runs, e.g. "relaxed-threads"
 * @property {number} maxThreads                  threads when all workers are up; 1 in a one-thread
 *     binary
 * @property {import("./features.js").Features} features
 * @property {() => number} threadsReady          threads that would take part in a run now
 * @property {Promise<number>} ready              settles (never rejects) when every worker is up or
 *     has failed; the value is threadsReady()
 * @property {(address: number, size: number) => Uint8Array} view   the memory's bytes there, good
 *     until the memory grows, so take it anew for each copy
 * @property {(address: number) => string} text   the NUL-terminated UTF-8 string there
 * @property {(assetUrl?: string) => Promise<number>} retry   tries workers again that didn't come
 *     up, as `ready` does
 * @property {() => void} recover                 to be called when one of `exports` has thrown: takes
 *     back the stack it held
 * @property {() => void} dispose                 stops the workers; the engine can't be used
 *     afterwards
 */
import { detectFeatures } from "./features.js";
import { engineImports } from "./imports.js";
import { WorkerPool } from "./pool.js";

export { detectFeatures };

const PAGE = 65536;
const INITIAL_PAGES = 256; // 16 MiB, what the binaries are linked for
const MAXIMUM_PAGES = 65536; // 4 GiB
const MINIMUM_MAXIMUM_PAGES = 2048; // 128 MiB: with less, no model worth it would run

const MAX_THREADS = 64; // PYXNN_POOL_MAX_THREADS

const NOT_ISOLATED =
  "pyxnn runs on one thread, as this page is not cross-origin isolated. To use all cores, serve " +
  "the page, and the scripts of its workers, with the headers Cross-Origin-Opener-Policy: " +
  "same-origin and Cross-Origin-Embedder-Policy: require-corp (or credentialless).";

/**
 * @param {EngineOptions} options
 * @returns {Engine}
 */
export function createEngine(options) {
  const warn = options.warn ?? ((message) => console.warn(message));
  const features = detectFeatures();
  if (!features.simd) {
    throw new Error("pyxnn needs WebAssembly SIMD: Chrome 91, Firefox 89, Safari 16.4, or newer");
  }
  const wanted = Math.max(1, Math.min(options.maxThreads ?? features.cores, MAX_THREADS));
  const maxThreads = features.threads ? wanted : 1;
  if (maxThreads < wanted) {
    warn(NOT_ISOLATED);
  }

  const threaded = maxThreads > 1;
  const binary = `${features.relaxedSimd ? "relaxed" : "simd"}-${threaded ? "threads" : "single"}`;
  const bytes =
    typeof options.binaries === "function" ? options.binaries(binary) : options.binaries[binary];
  if (!bytes) {
    throw new Error(`the engine's binary ${binary} is missing`);
  }
  const module = new WebAssembly.Module(/** @type {Uint8Array<ArrayBuffer>} */ (bytes));
  const memory = createMemory(threaded);
  /** @type {WorkerPool | null} */
  let pool = null;
  const imports = engineImports(module, memory, {
    pyxnn_worker_gone: (/** @type {number} */ index) => pool?.gone(index),
  });
  const exports = /** @type {Record<string, any>} */ (
    new WebAssembly.Instance(module, imports).exports
  );

  /** @param {number} address */
  const text = (address) => {
    const bytes = new Uint8Array(memory.buffer);
    const start = address >>> 0;
    return new TextDecoder().decode(bytes.slice(start, bytes.indexOf(0, start)));
  };
  /**
   * @param {number} status
   * @param {string} what
   */
  const check = (status, what) => {
    if (status !== 0) {
      throw new Error(`${what} (${text(exports.pyxnn_error_message())})`);
    }
  };

  exports._initialize();
  const stack = exports.emscripten_stack_get_current();
  check(exports.pyxnn_initialize(), "the engine could not be started");
  check(
    exports.pyxnn_pool_create(maxThreads, Number(features.canBlock)),
    "the engine's pool of threads could not be made",
  );
  if (threaded) {
    const { workerSource, assetUrl } = options;
    pool = new WorkerPool({ module, memory, exports, maxThreads, workerSource, assetUrl, warn });
  }

  return {
    exports,
    memory,
    binary,
    maxThreads,
    features,
    get ready() {
      return pool ? pool.ready : Promise.resolve(1);
    },
    threadsReady: () => pool?.threadsReady() ?? 1,
    retry: (assetUrl) => pool?.retry(assetUrl) ?? Promise.resolve(1),
    view: (address, size) => new Uint8Array(memory.buffer, address >>> 0, size),
    text,
    recover: () => exports._emscripten_stack_restore(stack),
    dispose: () => pool?.dispose(),
  };
}

/**
 * Makes a memory that can grow to 4 GiB, or as far as the browser lets it: some refuse to set that
 * much aside.
 * @param {boolean} shared
 */
function createMemory(shared) {
  for (let maximum = MAXIMUM_PAGES; ; maximum /= 2) {
    try {
      return new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared });
    } catch (error) {
      if (maximum / 2 < MINIMUM_MAXIMUM_PAGES) {
        const mebibytes = (maximum * PAGE) / 2 ** 20;
        throw new Error(`the browser refuses even ${mebibytes} MiB of memory: ${error}`);
      }
    }
  }
}
