"""Makes a .tflite file of a program of channels_last.py. Runs in TensorFlow's own environment, so imports nothing of ours.

python convert.py PROGRAM.json TARGET.tflite [--samples FILE.npy]   8-bit integers, calibrated by the samples
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

ACTIVATIONS = {None: lambda x: x, "relu": tf.nn.relu, "relu6": tf.nn.relu6}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--samples", type=Path)
    options = parser.parse_args()
    program = json.loads(options.program.read_text())
    weights = np.fromfile(options.program.with_suffix(".bin"), np.float32)
    constants = {}
    for name, place in program["constants"].items():
        start = place["offset"] // 4
        array = weights[start : start + math.prod(place["shape"])].reshape(place["shape"])
        constants[name] = tf.constant(array)

    def run(value: tf.Tensor) -> tf.Tensor:
        values = {**constants, "input": value}
        for step in program["steps"]:
            inputs = [values[name] for name in step["inputs"]]
            values[step["output"]] = STEPS[step["op"]](step, *inputs)
        return values[program["output"]]

    module = tf.Module()
    module.run = tf.function(run, [tf.TensorSpec(program["input_shape"], tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.run.get_concrete_function()], module
    )
    if options.samples:
        samples = np.load(options.samples)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample] for sample in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    options.target.write_bytes(converter.convert())


def padded(x: tf.Tensor, step: dict[str, Any]) -> tf.Tensor:
    pad = [step["pad"]] * 2
    return tf.pad(x, [[0, 0], pad, pad, [0, 0]]) if step["pad"] else x


def conv(step: dict[str, Any], x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    convolve = tf.nn.conv2d
    strides = [1, step["stride"], step["stride"], 1]
    if step["op"] == "depthwise":
        convolve = tf.nn.depthwise_conv2d
    same = step["stride"] == 1 and step["pad"] == (kernel.shape[0] - 1) // 2
    x = x if same else padded(x, step)
    y = convolve(x, kernel, strides, "SAME" if same else "VALID")
    return ACTIVATIONS[step["activation"]](tf.nn.bias_add(y, bias))


def deconv(step: dict[str, Any], x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    y = tf.nn.conv2d_transpose(x, kernel, step["shape"], step["stride"], "VALID")
    return tf.nn.bias_add(y, bias)


def linear(
    step: dict[str, Any], x: tf.Tensor, weights: tf.Tensor, bias: tf.Tensor | None = None
) -> tf.Tensor:
    y = tf.matmul(tf.reshape(x, [-1, x.shape[-1]]), weights)
    y = y if bias is None else tf.nn.bias_add(y, bias)
    return tf.reshape(ACTIVATIONS[step["activation"]](y), [*x.shape[:-1], weights.shape[-1]])


def max_pool(step: dict[str, Any], x: tf.Tensor) -> tf.Tensor:
    return tf.nn.max_pool2d(padded(x, step), step["size"], step["stride"], "VALID")


def layer_norm(step: dict[str, Any], x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    mean = tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(x, mean), -1, keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + step["epsilon"]) * scale + shift


STEPS: dict[str, Any] = {
    "conv": conv,
    "depthwise": conv,
    "deconv": deconv,
    "linear": linear,
    "matmul": lambda _, a, b: tf.matmul(a, b),
    "add": lambda _, a, b: a + b,
    "mul": lambda _, a, b: a * b,
    "div": lambda _, a, b: a / b,
    "relu": lambda _, x: tf.nn.relu(x),
    "relu6": lambda _, x: tf.nn.relu6(x),
    "sigmoid": lambda _, x: tf.sigmoid(x),
    "hardsigmoid": lambda _, x: tf.nn.relu6(x + 3) * (1 / 6),
    "affine": lambda step, x, scale, shift: ACTIVATIONS[step["activation"]](x * scale + shift),
    "concat": lambda _, *parts: tf.concat(parts, -1),
    "gelu": lambda _, x: tf.nn.gelu(x, approximate=False),
    "softmax": lambda _, x: tf.nn.softmax(x),
    "mean": lambda step, x: tf.reduce_mean(x, [1, 2], keepdims=step["keep"]),
    "avgpool": lambda step, x: tf.nn.avg_pool2d(x, step["size"], step["stride"], "VALID"),
    "maxpool": max_pool,
    "reshape": lambda step, x: tf.reshape(x, step["shape"]),
    "transpose": lambda step, x: tf.transpose(x, step["order"]),
    "layernorm": layer_norm,
}

if __name__ == "__main__":
    main()
