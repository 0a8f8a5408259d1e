/** Numbers as people read them. */

/** @param {number} value */
export function milliseconds(value) {
  if (value > 0 && value < 0.1) return `${(value * 1000).toFixed(0)} µs`;
  if (value >= 1000) return `${(value / 1000).toFixed(value >= 10_000 ? 0 : 1)} s`;
  return `${value.toPrecision(value < 100 ? 2 : 3).replace(/\.0$/, "")} ms`;
}

/** @param {number} value */
export function bytes(value) {
  if (value < 1e3) return `${value} bytes`;
  return value < 1e6 ? `${(value / 1e3).toFixed(0)} kB` : `${(value / 1e6).toFixed(1)} MB`;
}

/** @param {number} share of one */
export function percent(share) {
  const value = share * 100;
  return `${value > 99.9 && value < 100 ? "> 99.9" : value.toFixed(value < 10 || value > 99 ? 1 : 0)} %`;
}

/** @param {number} value */
export function number(value) {
  return Math.abs(value) < 1e5 ? `${Number(value.toPrecision(4))}` : value.toExponential(2);
}

/** @param {(number | string | null)[]} dims */
export function shape(dims) {
  return dims.length ? dims.map((dim) => dim ?? "?").join(" × ") : "scalar";
}
