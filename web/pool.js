/**
 * Starts the engine's workers and looks after them. What they do is agreed upon in the shared memory (wasm/src/pool.c);
 * a worker that doesn't come up, or dies, is missed there by nobody. Here it is ended, and the user is told, once.
 *
 * @typedef {object} PoolOptions
 * @property {WebAssembly.Module} module
 * @property {WebAssembly.Memory} memory
 * @property {Record<string, Function>} exports   of the caller's instance
 * @property {number} maxThreads                  as given to pyxnn_pool_create
 * @property {string} workerSource                the text of the worker's script
 * @property {string} [assetUrl]                  a folder that serves worker.js, to be used instead of the text
 * @property {(message: string) => void} warn
 */

/** Don't make anybody wait any longer for workers to come up. */
const START_TIMEOUT_MS = 10_000;

/**
 * One place in the pool. `stackTop` outlives a worker that couldn't start, for the next one to take.
 * @typedef {{index: number, stackTop: number, worker: Worker | null, up: boolean}} Place
 */

export class WorkerPool {
  /** Settles, and never rejects, when every worker is up or has failed; the value is `threadsReady()`. */
  ready;

  /** @param {PoolOptions} options */
  constructor(options) {
    this.options = options;
    this.warned = false;
    this.disposed = false;
    /** @type {Place[]} */
    this.places = [];
    for (let index = 1; index < options.maxThreads; index++) {
      const stackTop = options.exports.pyxnn_pool_worker_prepare(index) >>> 0;
      if (stackTop === 0) {
        this.warn("there is no memory for its stack");
        break;
      }
      this.places.push({ index, stackTop, worker: null, up: false });
    }
    this.ready = this.start(options.assetUrl);
  }

  /** @returns {number} */
  threadsReady() {
    return this.options.exports.pyxnn_pool_threads_ready();
  }

  /**
   * Tries those workers again that didn't come up.
   * @param {string} [assetUrl]   as in PoolOptions
   */
  retry(assetUrl) {
    this.warned = false;
    this.ready = this.start(assetUrl);
    return this.ready;
  }

  /**
   * Ends a worker that the engine gave up.
   * @param {number} index
   */
  gone(index) {
    const place = this.places.find((place) => place.index === index);
    if (place) {
      this.lose(place, "it stopped answering");
    }
  }

  dispose() {
    this.disposed = true;
    this.options.exports.pyxnn_pool_stop();
    for (const place of this.places) {
      place.worker?.terminate();
      place.worker = null;
    }
  }

  /**
   * @param {string | undefined} assetUrl
   * @returns {Promise<number>}
   */
  async start(assetUrl) {
    const missing = this.places.filter((place) => place.worker === null && !place.up);
    const blocked = watchForPolicy();
    const url =
      assetUrl === undefined
        ? URL.createObjectURL(new Blob([this.options.workerSource], { type: "text/javascript" }))
        : new URL("worker.js", new URL(assetUrl.replace(/\/?$/, "/"), location.href)).href;
    const why = () => {
      if (assetUrl !== undefined) {
        return (
          `${url} could not be run as a worker. It has to be on this page's origin, and be served as JavaScript with ` +
          "the header Cross-Origin-Embedder-Policy: require-corp"
        );
      }
      return blocked.seen()
        ? "this page's Content-Security-Policy forbids workers from blob: URLs. Allow blob: in worker-src, or serve " +
            "pyxnn's worker.js from your own site and call pyxnn.configure(asset_url=...)"
        : "the browser refused to start it";
    };
    let timer = 0;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, START_TIMEOUT_MS);
    });
    await Promise.race([late, Promise.all(missing.map((place) => this.startOne(place, url, why)))]);
    clearTimeout(timer);
    blocked.stop();
    if (assetUrl === undefined) {
      URL.revokeObjectURL(url);
    }
    return this.threadsReady();
  }

  /**
   * Starts the worker of one place.
   * @param {Place} place
   * @param {string} url
   * @param {() => string} why   says why a worker from this URL may have failed
   * @returns {Promise<void>}   settles when the worker is up or has failed
   */
  startOne(place, url, why) {
    return new Promise((resolve) => {
      try {
        place.worker = new Worker(url, { name: `pyxnn-${place.index}` });
      } catch {
        this.lose(place, why());
        resolve();
        return;
      }
      place.worker.onmessage = ({ data }) => {
        if (data.type === "up") {
          place.up = true;
        } else {
          this.lose(place, data.message);
        }
        resolve();
      };
      place.worker.onerror = (event) => {
        event.preventDefault();
        // The event of a script that could not be loaded carries no message.
        const message = event.message;
        // Chromium reports a blocked script before it reports the policy's violation.
        setTimeout(() => {
          this.lose(place, message || why());
          resolve();
        });
      };
      const { module, memory } = this.options;
      place.worker.postMessage({ module, memory, index: place.index, stackTop: place.stackTop });
    });
  }

  /**
   * Ends the worker of a place, and tells the engine if the engine had counted on it.
   * @param {Place} place
   * @param {string} reason
   */
  lose(place, reason) {
    if (this.disposed) {
      return;
    }
    if (place.up) {
      this.options.exports.pyxnn_pool_worker_lost(place.index);
    }
    place.worker?.terminate();
    place.worker = null;
    this.warn(reason);
  }

  /** @param {string} reason */
  warn(reason) {
    if (!this.warned) {
      this.warned = true;
      this.options.warn(`pyxnn goes on with fewer threads, as a worker is missing: ${reason}.`);
    }
  }
}

/** Notices when a Content-Security-Policy blocks a worker. */
function watchForPolicy() {
  let seen = false;
  /** @param {Event} event */
  const notice = (event) => {
    const directive = /** @type {SecurityPolicyViolationEvent} */ (event).effectiveDirective;
    seen ||= ["worker-src", "child-src", "script-src", "default-src"].includes(directive);
  };
  addEventListener("securitypolicyviolation", notice);
  return {
    seen: () => seen,
    stop: () => removeEventListener("securitypolicyviolation", notice),
  };
}
