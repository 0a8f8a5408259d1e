/**
 * What the benchmark asks of a library's module: to load a model, to run it once, and to time
 * bursts of runs. A run takes its input from an array and leaves its output in one.
 *
 * @typedef {object} Feed   the model's one input, 32-bit floats
 * @property {string} name
 * @property {number[]} shape
 * @property {string} url
 *
 * @typedef {object} Peer
 * @property {(threads: number, model: string, feed: Feed) => Promise<number>} load
 *   opens a model in place of the last one; gives the milliseconds that making the session took
 * @property {() => Promise<Float32Array>} output  the first output of a run, flat
 * @property {(count: number) => Promise<number[]>} burst  the milliseconds of each run
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
