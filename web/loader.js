/**
 * Starts the engine: picks the binary this browser can run, gives it a memory, and starts its worker pool.
 *
 * Everything up to the return of `createEngine` is synchronous, so that Python's `import pyxnn` can call it; only the
 * workers come up later (`engine.ready`), and a run takes those that are there.
 *
 * @typedef {object} EngineOptions
 * @property {((name: string) => Uint8Array) | Record<string, Uint8Array>} binaries
 *     the .wasm bytes by name: "relaxed-threads", "relaxed-single", "simd-threads", "simd-single". A function is asked
 *     for the one that is needed only.
 * @property {string} workerSource   the text of worker.js, started from a Blob URL
 * @property {string} [assetUrl]     a folder on this page's origin that serves worker.js; used in place of the Blob URL,
 *     for pages whose Content-Security-Policy forbids blob: workers
 * @property {number} [maxThreads]   the most threads, this one included; default: the number of cores
 * @property {(message: string) => void} [warn]   receives warnings; default: console.warn
 *
 * @typedef {object} Engine
 * @property {Record<string, Function>} exports   the functions of pyxnn.h; addresses and sizes are unsigned 32-bit, but a
 *     returned address above 2 GiB arrives negative: use `>>> 0` (in Python: `& 0xFFFFFFFF`)
 * @property {WebAssembly.Memory} memory
 * @property {string} binary                      which binary runs, e.g. "relaxed-threads"
 * @property {number} maxThreads                  threads when all workers are up; 1 in a one-thread binary
 * @property {import("./features.js").Features} features
 * @property {() => number} threadsReady          threads that would take part in a run now
 * @property {Promise<number>} ready              settles (never rejects) when every worker is up or has failed; the
 *     value is threadsReady()
 * @property {(address: number, size: number) => Uint8Array} view   the memory's bytes there, good until the memory grows:
 *     take it anew for each copy (in Python: `engine.view(a, n).assign(array)` and `.assign_to(array)`)
 * @property {(address: number, source: ArrayBufferView) => void} write   copies bytes in
 * @property {(address: number, target: ArrayBufferView) => void} read    copies bytes out
 * @property {(address: number) => string} text   the NUL-terminated UTF-8 string there
 * @property {() => void} dispose                 stops the workers; the engine can't be used afterwards
 */
