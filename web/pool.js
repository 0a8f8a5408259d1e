/**
 * Starts the engine's workers and looks after them. What they do is agreed upon in the shared
 * memory (wasm/src/pool.c); a worker that doesn't come up, or dies, is missed there by nobody. Here
 * it is ended, and the user is told, once.
 *
 * @typedef {object} PoolOptions
 * @property {WebAssembly.Module} module
 * @property {WebAssembly.Memory} memory
 * @property {Record<string, Function>} exports   of the caller's instance
 * @property {number} maxThreads                  as given to pyxnn_pool_create
 * @property {string} workerSource                the text of the worker's script
 * @property {string} [assetUrl]                  a folder that serves worker.js, to be used instead
 *     of the text
 * @property {(message: string) => void} warn
 */

/** Don't make anybody wait for workers any longer than that many turns of TICK_MS. */
const START_TICKS = 100;
const TICK_MS = 100;

const BLOB_FORBIDDEN =
  "this page's Content-Security-Policy forbids workers from blob: URLs. Allow blob: in " +
  "worker-src, or serve pyxnn's worker.js from your own site and call " +
  "pyxnn.configure(asset_url=...)";

/**
 * One place in the pool. `stackTop` outlives a worker that couldn't start, for the next one to
 * take.
 * @typedef {{index: number, stackTop: number, worker: Worker | null, up: boolean}} Place
 */

export class WorkerPool {
  /**
   * Settles, and never rejects, when every worker is up or has failed; the value is
   * `threadsReady()`.
   */
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
    const url = assetUrl === undefined ? this.blobUrl() : assetAddress(assetUrl);
    const policy = watchPolicy();
    const why = () => {
      if (assetUrl !== undefined) {
        return (
          `${url} could not be run as a worker. It has to be on this page's origin and be served ` +
          "as JavaScript, with the header Cross-Origin-Embedder-Policy: require-corp"
        );
      }
      return policy.violated ? BLOB_FORBIDDEN : "the browser refused to start it";
    };
    const missing = this.places.filter((place) => place.worker === null && !place.up);
    let settled = false;
    const all = Promise.all(missing.map((place) => this.startOne(place, url, why))).then(() => {
      settled = true;
      policy.stop();
      URL.revokeObjectURL(url);
    });
    // Counted in turns of the event loop, so that a page too busy to start workers isn't the clock.
    const late = async () => {
      for (let i = 0; i < START_TICKS && !settled; i++) {
        await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      }
    };
    await Promise.race([all, late()]);
    return this.threadsReady();
  }

  blobUrl() {
    return URL.createObjectURL(new Blob([this.options.workerSource], { type: "text/javascript" }));
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

/**
 * The address of worker.js in a folder, which may be given relative to this page.
 * @param {string} folder
 */
function assetAddress(folder) {
  const base = location.protocol === "blob:" ? location.origin : location.href;
  const path = folder.endsWith("/") ? folder : `${folder}/`;
  try {
    return new URL(`${path}worker.js`, base).href;
  } catch {
    return `${path}worker.js`; // won't do: the worker's failure is what the user is told
  }
}

/** Watches for a Content-Security-Policy that blocks workers. */
function watchPolicy() {
  /** @param {Event} event */
  const notice = (event) => {
    const directive = /** @type {SecurityPolicyViolationEvent} */ (event).effectiveDirective;
    policy.violated ||= /^(worker|child|script|default)-src/.test(directive);
  };
  const policy = {
    violated: false,
    stop: () => removeEventListener("securitypolicyviolation", notice),
  };
  addEventListener("securitypolicyviolation", notice);
  return policy;
}
