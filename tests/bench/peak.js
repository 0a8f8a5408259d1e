/**
 * What one thread of this machine can do at most in this browser: multiply-adds on vectors, and
 * reading from memory. A WebAssembly module of two loops, assembled here.
 */

const MEMORY = 128 << 20; // bytes; more than caches hold
const CHAINS = 12; // independent sums, so that none waits for another
const LOADS = 8; // vectors an iteration

const [I32, F32, V128] = [0x7f, 0x7d, 0x7b];
const MADD = [0xfd, 0x85, 0x02]; // f32x4.relaxed_madd
const MUL = [0xfd, 0xe6, 0x01];
const ADD = [0xfd, 0xe4, 0x01];
const XOR = [0xfd, 0x51];
const SPLAT = [0xfd, 0x13];
const LOAD = [0xfd, 0x00];
const LANE_0 = [0xfd, 0x1f, 0];

const get = (/** @type {number} */ local) => [0x20, local];
const set = (/** @type {number} */ local) => [0x21, local];
const range = (/** @type {number} */ count, /** @type {number} */ from = 0) =>
  Array.from({ length: count }, (_, i) => from + i);

/** @param {number} value */
function leb(value) {
  const bytes = [];
  for (; value >= 0x80; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}

/** @param {number[][]} items */
const vector = (...items) => [...leb(items.length), ...items.flat()];

/**
 * @param {number} id
 * @param {number[]} content
 */
const section = (id, content) => [id, ...leb(content.length), ...content];

/**
 * @param {number[][]} locals  pairs of a count and a type
 * @param {number[]} body
 */
function code(locals, body) {
  const content = [...vector(...locals), ...body, 0x0b];
  return [...leb(content.length), ...content];
}

/**
 * `madd(count, x)` does `count` rounds of CHAINS multiply-adds of vectors.
 * @param {boolean} relaxed
 */
function madd(relaxed) {
  const factor = 2;
  const chains = range(CHAINS, 3);
  const step = relaxed ? MADD : [...MUL, ...get(factor), ...ADD];
  const inputs = (/** @type {number} */ chain) =>
    relaxed ? [...get(chain), ...get(factor), ...get(factor)] : [...get(chain), ...get(factor)];
  return code(
    [[1 + CHAINS, V128]],
    [
      ...[...get(1), ...SPLAT, ...set(factor)],
      ...chains.flatMap((chain) => [...get(factor), ...set(chain)]),
      ...[0x03, 0x40], // loop
      ...chains.flatMap((chain) => [...inputs(chain), ...step, ...set(chain)]),
      ...[...get(0), 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b], // until --count is 0
      ...get(chains[0]),
      ...chains.slice(1).flatMap((chain) => [...get(chain), ...ADD]),
      ...LANE_0,
    ],
  );
}

/** `read(end, x)` reads all memory from 0 to `end`. */
function read() {
  const pointer = 2;
  const sums = range(LOADS, 3);
  return code(
    [
      [1, I32],
      [LOADS, V128],
    ],
    [
      ...[0x03, 0x40],
      ...sums.flatMap((sum, i) => [
        ...[...get(sum), ...get(pointer), ...LOAD, 4, ...leb(16 * i)],
        ...[...XOR, ...set(sum)],
      ]),
      ...[...get(pointer), 0x41, ...leb(16 * LOADS)], // signed, but 128 reads the same
      ...[0x6a, 0x22, pointer, ...get(0), 0x49, 0x0d, 0, 0x0b], // until the pointer is at the end
      ...get(sums[0]),
      ...sums.slice(1).flatMap((sum) => [...get(sum), ...XOR]),
      ...LANE_0,
    ],
  );
}

/** @param {boolean} relaxed */
const assemble = (relaxed) =>
  new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector([0x60, 2, I32, F32, 1, F32])),
    ...section(3, vector([0], [0])),
    ...section(5, vector([0, ...leb(MEMORY >> 16)])),
    ...section(
      7,
      vector([1, 0x61, 0, 0], [1, 0x62, 0, 1], [1, 0x6d, 2, 0]), // a: madd, b: read, m: memory
    ),
    ...section(10, vector(madd(relaxed), read())),
  ]);

/**
 * The least milliseconds of some tries.
 * @param {() => void} work
 */
function least(work) {
  let best = Infinity;
  for (let i = 0; i < 10; i++) {
    const start = performance.now();
    work();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/** @type {any} */
let loops;

/** What one thread does: 10^9 FLOPs a second and 10^9 bytes a second. */
export async function measure() {
  if (!loops) {
    const relaxed = assemble(true);
    const bytes = WebAssembly.validate(relaxed) ? relaxed : assemble(false);
    loops = (await WebAssembly.instantiate(bytes)).instance.exports;
    new Uint8Array(loops.m.buffer).fill(1); // or all pages would be one page of zeros
  }
  const rounds = 200_000;
  return {
    gflops: (rounds * CHAINS * 8) / least(() => loops.a(rounds, 0.5)) / 1e6,
    gigabytes: MEMORY / least(() => loops.b(MEMORY, 0)) / 1e6,
  };
}
