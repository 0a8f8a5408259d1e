/**
 * Pyodide in a dedicated worker, so that the page never freezes.
 *
 * Messages in: {id, module, name, args} calls a function of a Python module; {id, load: url} fetches
 * a Python module and imports it. Messages out: {stage} while starting, then {id, value | error}.
 */

const PYODIDE = "./pyodide/";
const PACKAGES = ["numpy", "onnx", "pyxnn"];

/** @typedef {{ kind: string, summary: string, message: string }} Failure */
/** @typedef {{ name: string, milliseconds?: number }} Stage */
/** @typedef {{ load: string } | { module: string, name: string, args: unknown[] }} Call */

/**
 * @template T
 * @param {string} name what the loading bar shows meanwhile
 * @param {() => Promise<T>} work
 */
async function stage(name, work) {
  postMessage({ stage: { name } });
  const start = performance.now();
  const result = await work();
  postMessage({ stage: { name, milliseconds: performance.now() - start } });
  return result;
}

async function start() {
  const python = await stage("Python", async () => {
    const { loadPyodide } = await import(`${PYODIDE}pyodide.mjs`);
    return loadPyodide({ indexURL: PYODIDE });
  });
  await stage("packages", async () => {
    /** @type {string[]} */
    const errors = []; // loadPackage tells of them but does not fail
    await python.loadPackage(PACKAGES, {
      messageCallback: () => {},
      errorCallback: (/** @type {string} */ message) => errors.push(message),
    });
    if (errors.length) throw new Error(errors.join("; "));
  });
  for (const name of PACKAGES) {
    await stage(`import ${name}`, async () => python.pyimport(name));
  }
  await stage("threads", () => python.pyimport("pyxnn").ready());
  return python;
}

/** @type {Map<string, any>} */
const modules = new Map();

const starting = start().then(async (python) => {
  const load = async (/** @type {string} */ url) => {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
    const name = url.replace(/^.*\/|\.py$/g, "");
    python.FS.writeFile(`/home/pyodide/${name}.py`, await response.text());
    python.pyimport("importlib").invalidate_caches();
    modules.set(name, python.pyimport(name));
  };
  await load("./bridge.py");
  return load;
});

/**
 * @param {Call} request
 * @returns {Promise<{ value?: unknown, error?: Failure }>}
 */
async function answer(request) {
  const load = await starting;
  if ("load" in request) return { value: await load(request.load) };
  const { module, name, args } = request;
  return modules.get("bridge").call(modules.get(module)[name], args);
}

addEventListener("message", async ({ data }) => {
  try {
    postMessage({ id: data.id, ...(await answer(data)) });
  } catch (error) {
    const summary = "Python could not start or has stopped. Reload the page to try again.";
    postMessage({ id: data.id, error: { kind: "Fatal", summary, message: String(error) } });
  }
});

export {}; // a module, so that others can import its types
