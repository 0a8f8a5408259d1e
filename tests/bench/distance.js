/** How far apart the cores of two threads are: as long as a cache line takes to the other and back. */

const TIMES = 20_000;

/** @type {Worker[]} */
const players = [];

/** The nanoseconds of a round trip, the least of some. */
export async function roundTrip() {
  const word = new Int32Array(new SharedArrayBuffer(4));
  while (players.length < 2) {
    players.push(new Worker("/bench/distance_worker.js", { type: "module" }));
  }
  const times = players.map(
    (player, turn) =>
      /** @type {Promise<number>} */ (
        new Promise((resolve) => {
          player.onmessage = (event) => resolve(event.data);
          player.postMessage([word, turn, TIMES]);
        })
      ),
  );
  return Math.min(...(await Promise.all(times)));
}
