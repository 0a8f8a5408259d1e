/** Adds one to a shared word whenever it is this worker's turn, and tells how many nanoseconds two turns take at least. */

const BLOCK = 1_000; // turns; performance.now() counts microseconds

onmessage = ({ data: [word, turn, times] }) => {
  let least = Infinity;
  let start = performance.now();
  for (let count = 1; count <= times; count++) {
    while ((Atomics.load(word, 0) & 1) !== turn);
    Atomics.add(word, 0, 1);
    if (count % BLOCK === 0) {
      const now = performance.now();
      if (count > BLOCK) least = Math.min(least, now - start); // the other may have come late to the first
      start = now;
    }
  }
  postMessage((least / BLOCK) * 1e6);
};
