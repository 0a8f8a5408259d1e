/**
 * What the engine's module imports: its memory, a clock, and functions of Emscripten's runtime that
 * it links but has no use for.
 *
 * @param {WebAssembly.Module} module
 * @param {WebAssembly.Memory} memory
 * @param {Record<string, Function>} [own]   functions that the engine calls for its own purposes,
 *     by name
 * @returns {WebAssembly.Imports}
 */
export function engineImports(module, memory, own = {}) {
  let words = new Uint32Array(memory.buffer);
  /** @type {Record<string, Function>} */
  const functions = {
    /**
     * WASI's clock; all of its clocks are one here.
     * @param {number} _clock
     * @param {bigint} _precision
     * @param {number} address   receives nanoseconds, 64 bits
     */
    clock_time_get(_clock, _precision, address) {
      if (words.buffer !== memory.buffer) {
        words = new Uint32Array(memory.buffer);
      }
      const nanoseconds = Math.round(performance.now() * 1e6);
      const index = address >>> 2;
      words[index] = nanoseconds % 2 ** 32;
      words[index + 1] = nanoseconds / 2 ** 32;
      return 0;
    },
    /** @param {number} code */
    proc_exit(code) {
      throw new Error(`the engine has ended itself (${code})`);
    },
    ...own,
  };
  /** @type {Record<string, Record<string, any>>} */
  const imports = {};
  for (const { module: space, name, kind } of WebAssembly.Module.imports(module)) {
    imports[space] ??= {};
    imports[space][name] = kind === "memory" ? memory : (functions[name] ?? (() => 0));
  }
  return imports;
}
