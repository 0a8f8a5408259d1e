/** The page's side of python_worker.js: calls Python functions and waits for their answers. */

/** @typedef {import("./python_worker.js").Failure} Failure */
/** @typedef {import("./python_worker.js").Stage} Stage */

/** An exception from Python, in words for the person at the page. */
export class PythonError extends Error {
  /** @param {Failure} failure */
  constructor({ kind, summary, message }) {
    super(message);
    this.name = kind;
    this.summary = summary;
  }
}

export class Python {
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();
  #calls = 0;
  /** @type {Required<Stage>[]} how long starting took, stage by stage */
  stages = [];
  #worker = new Worker(new URL("./python_worker.js", import.meta.url), { type: "module" });

  /** @param {(stage: Stage) => void} onStage */
  constructor(onStage) {
    this.#worker.addEventListener("message", ({ data }) => {
      if (!data.stage) return this.#settle(data);
      if (data.stage.milliseconds !== undefined) this.stages.push(data.stage);
      onStage(data.stage);
    });
    this.#worker.addEventListener("error", (event) => {
      const summary = "Python could not start in this browser.";
      const error = {
        kind: "Fatal",
        summary,
        message: event.message ?? "The worker failed to load.",
      };
      for (const id of this.#waiting.keys()) this.#settle({ id, error });
    });
  }

  /**
   * Fetches a Python module, so that its functions can be called.
   * @param {string} url relative to the page
   * @returns {Promise<void>}
   */
  load(url) {
    return this.#send({ load: new URL(url, document.baseURI).href });
  }

  /**
   * Calls `module.name(*args)`.
   * @param {string} path "module.name"
   * @param {...unknown} args values that can be cloned
   * @returns {Promise<any>}
   */
  call(path, ...args) {
    const [module, name] = path.split(".");
    return this.#send({ module, name, args });
  }

  /** @param {object} request */
  #send(request) {
    const id = this.#calls++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...request });
    });
  }

  /** @param {{ id: number, value?: unknown, error?: Failure }} answer */
  #settle({ id, value, error }) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new PythonError(error));
    else waiting?.resolve(value);
  }
}
