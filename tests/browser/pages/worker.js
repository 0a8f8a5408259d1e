import { boot, run } from "./python.js";

const calls = { boot, run };

onmessage = async ({ data: { id, call } }) => {
  const [name, ...values] = call;
  try {
    postMessage({ id, value: await calls[name](...values) });
  } catch (error) {
    postMessage({ id, error: String(error) });
  }
};
