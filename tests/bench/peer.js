/**
 * What the benchmark asks of a library's module: to load models, to run one once, and to time
 * bursts of its runs. A run takes its input from an array and leaves its output in one.
 *
 * @typedef {object} Feed   the model's one input, 32-bit floats
 * @property {string} name
 * @property {number[]} shape
 * @property {string} url
 *
 * @typedef {object} Peer
 * @property {(name: string, threads: number, model: string, feed: Feed) => Promise<number>} load
 *   opens a model under a name; gives the milliseconds that making the session took
 * @property {(name: string) => Promise<Float32Array>} output  the first output of a run, flat
 * @property {(name: string, count: number) => Promise<number[]>} burst  milliseconds of each run
 */

/** @param {string} url */
export async function fetchBytes(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** @param {string} url */
export const fetchFloats = async (url) => new Float32Array((await fetchBytes(url)).buffer);

/**
 * @param {number} count
 * @param {() => unknown} run
 */
export async function times(count, run) {
  const milliseconds = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await run();
    milliseconds.push(performance.now() - start);
  }
  return milliseconds;
}
