/** Order statistics of a list of times. */

/**
 * @param {number[]} values at least one
 * @param {number} share from 0 (the least) to 1 (the greatest)
 */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  const position = share * (sorted.length - 1);
  const below = sorted[Math.floor(position)];
  return below + (sorted[Math.ceil(position)] - below) * (position % 1);
}
