// Pyodide with numpy, onnx and pyxnn, in whatever context imports this.
import { loadPyodide } from "../pyodide/pyodide.mjs";

const RUNNER = `
import transfer
from pyodide.code import eval_code_async

async def run(code, values):
    return transfer.pack(await eval_code_async(code, transfer.unpack(values)))
`;

let pyodide;

/**
 * Loads Pyodide, pyxnn and what it needs: as packages of the site's lock file, or by micropip from the path of the wheel.
 * `transfer` is the source of transfer.py, which packs values for their way to the test.
 */
export async function boot(transfer, wheel) {
  const indexURL = new URL("../pyodide/", import.meta.url).href;
  pyodide = await loadPyodide({ indexURL });
  await pyodide.loadPackage(wheel ? "micropip" : "pyxnn", { messageCallback: () => {} });
  if (wheel) await pyodide.pyimport("micropip").install(wheel);
  pyodide.FS.writeFile("transfer.py", transfer);
  pyodide.runPython(RUNNER);
}

/** Runs code that sees the packed values as variables; returns its last expression, packed, or its error's text. */
export async function run(code, values) {
  const locals = pyodide.toPy({ code, values });
  try {
    return { value: await pyodide.runPythonAsync("await run(code, values)", { locals }) };
  } catch (error) {
    return { error: error.message };
  } finally {
    locals.destroy();
  }
}
