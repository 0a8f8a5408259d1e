/** TensorFlow.js as a peer: programs of tools/bench/channels_last.py, played with its operators. */

import { fetchFloats, times } from "./peer.js";

/** @type {any} */
let tf;
/** @type {Map<string, any>} */
const models = new Map();

/** @type {import("./peer.js").Peer["load"]} */
export async function load(name, threads, model, { url }) {
  tf ??= await start(threads);
  const response = await fetch(model);
  const [program, weights, data] = await Promise.all([
    response.json(),
    fetchFloats(model.replace(/json$/, "bin")),
    fetchFloats(url),
  ]);
  const begin = performance.now();
  const constants = new Map();
  for (const [tensor, { shape, offset }] of Object.entries(program.constants)) {
    const size = shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
    constants.set(tensor, tf.tensor(weights.subarray(offset / 4, offset / 4 + size), shape));
  }
  models.set(name, { program, constants, data });
  return performance.now() - begin;
}

/**
 * The library takes no more threads than half of the cores that it believes there are.
 * @param {number} threads
 */
async function start(threads) {
  Object.defineProperty(navigator, "hardwareConcurrency", { value: 2 * threads });
  await script("/peers/@tensorflow/tfjs-core/dist/tf-core.min.js");
  await script("/peers/@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.min.js");
  const library = /** @type {any} */ (globalThis).tf;
  library.wasm.setWasmPaths("/peers/@tensorflow/tfjs-backend-wasm/wasm-out/");
  library.wasm.setThreadsCount(threads);
  library.env().set("WASM_HAS_MULTITHREAD_SUPPORT", threads > 1);
  if (!(await library.setBackend("wasm"))) throw new Error("tfjs has no wasm backend here");
  await library.ready();
  if (threads > 1 && library.wasm.getThreadsCount() !== threads)
    throw new Error(`tfjs runs on ${library.wasm.getThreadsCount()} threads, not ${threads}`);
  return library;
}

/** @param {string} url */
function script(url) {
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = url;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${url} can't be loaded`));
    document.head.append(element);
  });
}

/** @type {import("./peer.js").Peer["output"]} */
export async function output(name) {
  const { program, constants, data } = models.get(name);
  return tf
    .tidy(() => {
      const values = new Map(constants).set("input", tf.tensor(data, program.input_shape));
      for (const step of program.steps) {
        const inputs = step.inputs.map((/** @type {string} */ name) => values.get(name));
        values.set(step.output, STEPS[step.op](step, ...inputs));
      }
      return values.get(program.output);
    })
    .dataSync();
}

/** @type {import("./peer.js").Peer["burst"]} */
export const burst = (name, count) =>
  times(count, async () => {
    const before = tf.memory().numTensors;
    await output(name);
    if (tf.memory().numTensors > before + 1) throw new Error("tfjs keeps tensors of each run");
  });

/** @param {any} step */
const activation = (step) => step.activation ?? "linear";

/** @type {(step: any, ...inputs: any[]) => any} */
const convolution = (step, x, filter, bias) => ({
  x,
  filter,
  strides: step.stride,
  pad: step.pad,
  dimRoundingMode: "floor",
  bias,
  activation: activation(step),
});

/** @type {Record<string, (step: any, ...inputs: any[]) => any>} */
const STEPS = {
  conv: (step, ...inputs) => tf.fused.conv2d(convolution(step, ...inputs)),
  depthwise: (step, ...inputs) => tf.fused.depthwiseConv2d(convolution(step, ...inputs)),
  deconv(step, x, filter, bias) {
    return tf.add(tf.conv2dTranspose(x, filter, step.shape, step.stride, "valid"), bias);
  },
  linear(step, x, b, bias) {
    const a = tf.reshape(x, [-1, x.shape.at(-1)]);
    const y = tf.fused.matMul({ a, b, bias, activation: activation(step) });
    return tf.reshape(y, [...x.shape.slice(0, -1), b.shape[1]]);
  },
  matmul: (_, a, b) => tf.matMul(a, b),
  add: (_, a, b) => tf.add(a, b),
  mul: (_, a, b) => tf.mul(a, b),
  div: (_, a, b) => tf.div(a, b),
  relu: (_, x) => tf.relu(x),
  relu6: (_, x) => tf.relu6(x),
  sigmoid: (_, x) => tf.sigmoid(x),
  hardsigmoid: (_, x) => tf.mul(tf.relu6(tf.add(x, 3)), 1 / 6),
  affine(step, x, scale, shift) {
    const y = tf.add(tf.mul(x, scale), shift);
    return step.activation ? tf[step.activation](y) : y;
  },
  concat: (_, ...parts) => tf.concat(parts, 3),
  gelu: (_, x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
  softmax: (_, x) => tf.softmax(x),
  mean: (step, x) => tf.mean(x, [1, 2], step.keep),
  avgpool: (step, x) => tf.avgPool(x, step.size, step.stride, 0),
  maxpool: (step, x) => tf.maxPool(x, step.size, step.stride, step.pad, "floor"),
  reshape: (step, x) => tf.reshape(x, step.shape),
  transpose: (step, x) => tf.transpose(x, step.order),
  layernorm(step, x, scale, shift) {
    const mean = tf.mean(x, -1, true);
    const centred = tf.sub(x, mean);
    const variance = tf.mean(tf.square(centred), -1, true);
    const normal = tf.mul(centred, tf.rsqrt(tf.add(variance, step.epsilon)));
    return tf.add(tf.mul(normal, scale), shift);
  },
};
