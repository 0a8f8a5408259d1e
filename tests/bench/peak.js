/**
 * What threads of this machine can do at most in this browser: multiply-adds on vectors, reading
 * and writing. A WebAssembly module of loops, assembled here; the page's module is its workers' too.
 */

const MEMORY = 128 << 20; // bytes; more than caches hold
const TRIES = 20; // milliseconds
const CHAINS = 12; // independent sums, so that none waits for another
const VECTORS = 8; // that an iteration reads or writes
const SWEEP = 16 * VECTORS; // bytes

const [I32, F32, V128] = [0x7f, 0x7d, 0x7b];
const MADD = [0xfd, 0x85, 0x02]; // f32x4.relaxed_madd
const MUL = [0xfd, 0xe6, 0x01];
const ADD = [0xfd, 0xe4, 0x01];
const XOR = [0xfd, 0x51];
const SPLAT = [0xfd, 0x13];
const LOAD = [0xfd, 0x00];
const STORE = [0xfd, 0x0b];
const PLUS = [0x6a];
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

/**
 * A loop over all vectors from an address to an end: `read(from, end)` takes them into sums, `write`
 * stores sums there, and `copy(from, end, distance)` puts what it reads so many bytes further on.
 * @param {(i: number) => number[]} body  of vector i of an iteration
 */
function sweeping(body) {
  const [from, end] = [0, 1];
  return code(
    [
      [1, I32],
      [VECTORS, V128],
    ],
    [
      ...[0x03, 0x40],
      ...[...get(from), ...get(2), ...PLUS, ...set(TARGET)],
      ...range(VECTORS).flatMap(body),
      ...[...get(from), 0x41, ...leb(SWEEP)], // signed, but 128 reads the same
      ...[...PLUS, 0x22, from, ...get(end), 0x49, 0x0d, 0, 0x0b], // until it is at the end
      ...get(SUMS),
      ...range(VECTORS - 1, SUMS + 1).flatMap((sum) => [...get(sum), ...XOR]),
      ...LANE_0,
    ],
  );
}

const [TARGET, SUMS] = [3, 4];
const load = (/** @type {number} */ i) => [...get(0), ...LOAD, 4, ...leb(16 * i)];
const store = (/** @type {number[]} */ value, /** @type {number} */ i) => [
  ...[...get(TARGET), ...value, ...STORE, 4, ...leb(16 * i)],
];

const read = () => sweeping((i) => [...get(SUMS + i), ...load(i), ...XOR, ...set(SUMS + i)]);
const write = () => sweeping((i) => store(get(SUMS + i), i));
const copy = () => sweeping((i) => store(load(i), i));

/**
 * An export.
 * @param {string} name
 * @param {number} kind
 * @param {number} index
 */
const named = (name, kind, index) => [
  ...vector(...[...name].map((letter) => [letter.charCodeAt(0)])),
  ...[kind, index],
];

/** @param {boolean} relaxed */
const assemble = (relaxed) =>
  new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector([0x60, 2, I32, F32, 1, F32], [0x60, 3, I32, I32, I32, 1, F32])),
    ...section(3, vector([0], [1], [1], [1])),
    ...section(5, vector([0, ...leb(MEMORY >> 16)])),
    ...section(
      7,
      vector(
        named("memory", 2, 0),
        ...["madd", "read", "write", "copy"].map((name, i) => named(name, 0, i)),
      ),
    ),
    ...section(10, vector(madd(relaxed), read(), write(), copy())),
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

/** @type {Promise<any> | undefined} */
let instance;

/** The loops, and their memory. */
function loops() {
  const relaxed = assemble(true);
  const bytes = WebAssembly.validate(relaxed) ? relaxed : assemble(false);
  instance ??= WebAssembly.instantiate(bytes).then((made) => made.instance.exports);
  return instance;
}

/** What one thread does: 10^9 FLOPs a second and 10^9 bytes a second, read from memory. */
export async function measure() {
  const { madd, read, memory } = await loops();
  new Uint8Array(memory.buffer).fill(1); // or all pages would be one page of zeros
  const rounds = 200_000;
  return {
    gflops: (rounds * CHAINS * 8) / least(() => madd(rounds, 0.5)) / 1e6,
    gigabytes: MEMORY / least(() => read(0, MEMORY, 0)) / 1e6,
  };
}

/**
 * In a worker: milliseconds of reading and writing so many bytes again and again, as far as possible
 * in one loop; the median of some tries.
 * @param {number} bytesRead
 * @param {number} bytesWritten
 */
async function sweepAlone(bytesRead, bytesWritten) {
  const { read, write, copy, memory } = await loops();
  const half = MEMORY / 2;
  const [from, to] = [bytesRead, bytesWritten].map((bytes) => SWEEP * Math.ceil(bytes / SWEEP));
  const both = Math.min(from, to);
  new Uint8Array(memory.buffer, 0, from).fill(1);
  const pass = () => {
    if (both) copy(0, both, half);
    if (from > both) read(both, from, 0);
    if (to > both) write(half + both, half + to, 0);
  };
  const passes = Math.ceil(1 / Math.max(least(pass), 0.001));
  const times = [];
  for (const begin = performance.now(); performance.now() < begin + TRIES;) {
    const start = performance.now();
    for (let i = 0; i < passes; i++) pass();
    times.push((performance.now() - start) / passes);
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}

/** @type {Worker[]} */
const workers = [];

/**
 * Milliseconds in which threads read and write so many bytes, shared evenly among them.
 * @param {number} threads
 * @param {number} bytesRead
 * @param {number} bytesWritten
 */
export async function sweep(threads, bytesRead, bytesWritten) {
  while (workers.length < threads) workers.push(new Worker(import.meta.url, { type: "module" }));
  const answers = workers.slice(0, threads).map(
    (worker) =>
      new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = reject;
        worker.postMessage([bytesRead / threads, bytesWritten / threads]);
      }),
  );
  return Math.max(...(await Promise.all(answers)));
}

if (!globalThis.document)
  globalThis.onmessage = async ({ data: [bytesRead, bytesWritten] }) =>
    globalThis.postMessage(await sweepAlone(bytesRead, bytesWritten));
