/**
 * What this browser and this page allow: which of the engine's binaries can run here, and on how
 * many threads.
 *
 * @typedef {object} Features
 * @property {boolean} simd         WebAssembly SIMD (128 bits)
 * @property {boolean} relaxedSimd  WebAssembly relaxed SIMD
 * @property {boolean} isolated     the page is cross-origin isolated (its server sends COOP and
 *     COEP)
 * @property {boolean} threads      shared memory, atomics and workers can be used
 * @property {boolean} canBlock     this thread may sleep on Atomics.wait: false on a page's main
 *     thread
 * @property {number} cores         logical cores that the browser admits to, at least 1
 */

/** `(func (result v128) i32.const 0  i8x16.splat)`: valid only where there is SIMD. */
const SIMD_MODULE = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15,
  11,
];

/** The same, with `i8x16.relaxed_swizzle` of two such vectors. */
const RELAXED_SIMD_MODULE = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 0, 253, 15,
  65, 0, 253, 15, 253, 128, 2, 11,
];

/** @param {number[]} bytes */
function isValid(bytes) {
  return WebAssembly.validate(new Uint8Array(bytes));
}

function hasThreads() {
  if (typeof SharedArrayBuffer === "undefined" || typeof Worker === "undefined") {
    return false;
  }
  try {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    return memory.buffer instanceof SharedArrayBuffer;
  } catch {
    return false;
  }
}

function canBlock() {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
    return true;
  } catch {
    return false;
  }
}

/** @returns {Features} */
export function detectFeatures() {
  const isolated = globalThis.crossOriginIsolated === true;
  const threads = isolated && hasThreads();
  return {
    simd: isValid(SIMD_MODULE),
    relaxedSimd: isValid(RELAXED_SIMD_MODULE),
    isolated,
    threads,
    canBlock: threads && canBlock(),
    cores: Math.max(1, globalThis.navigator?.hardwareConcurrency ?? 1),
  };
}
