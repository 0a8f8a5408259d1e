"""Trains the digits classifier: a small CNN on scikit-learn's bundled 8x8 images, in plain NumPy.

    python -m tests.models.train_digits      writes digits.onnx and digits_held_out.npz again

Strokes drawn in a browser differ from scanned ones, so training shifts, turns, scales and thickens
its images at random. Everything is seeded.
"""

from __future__ import annotations

import math

import numpy as np
import onnx
from numpy.typing import NDArray

from tests.models.builder import Builder
from tests.models.digits import HELD_OUT_PATH, MODEL_PATH, Digits, accuracy

EPOCHS = 60
BATCH = 64
LEARNING_RATE = 3e-3
CHANNELS = (16, 32, 64)

Array = NDArray[np.float32]
Parameters = dict[str, Array]


def load_split() -> tuple[Digits, Digits]:
    """scikit-learn's digits as (training, held-out) parts, a fifth of each class held out."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data = load_digits()
    images = (data.images / 16).astype(np.float32)[:, None]
    split = train_test_split(
        images, data.target, test_size=0.2, random_state=0, stratify=data.target
    )
    return Digits(split[0], split[2]), Digits(split[1], split[3])


def augment(images: Array, random: np.random.Generator) -> Array:
    """Each image under its own small affine map, then with its strokes made bolder or fainter."""
    n, _, height, width = images.shape
    angle, shear = random.uniform(-0.2, 0.2, (2, n))
    scale_y, scale_x = random.uniform(0.85, 1.2, (2, n))
    shift_y, shift_x = random.uniform(-0.7, 0.7, (2, n))
    y, x = np.mgrid[:height, :width] - np.array([height - 1, width - 1]).reshape(2, 1, 1) / 2
    cos, sin = np.cos(angle), np.sin(angle)

    def mapped(a: NDArray[np.float64], b: NDArray[np.float64], shift: NDArray[np.float64]) -> Array:
        columns = [value[:, None, None] for value in (a, b, shift)]
        return (columns[0] * y + columns[1] * x + columns[2]).astype(np.float32)

    source_y = mapped(cos / scale_y, -sin / scale_y, shift_y) + (height - 1) / 2
    source_x = mapped((sin + shear) / scale_x, cos / scale_x, shift_x) + (width - 1) / 2
    moved = _bilinear(images[:, 0], source_y, source_x)
    gamma = random.uniform(0.6, 1.5, (n, 1, 1))
    return np.power(moved, gamma).astype(np.float32)[:, None]


def _bilinear(images: Array, y: Array, x: Array) -> Array:
    """Samples each (H, W) image at its own points; zero outside."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    y = np.clip(y + 1, 0, padded.shape[1] - 1.001)
    x = np.clip(x + 1, 0, padded.shape[2] - 1.001)
    top, left = y.astype(int), x.astype(int)
    down, right = y - top, x - left
    i = np.arange(len(images))[:, None, None]
    upper = padded[i, top, left] * (1 - right) + padded[i, top, left + 1] * right
    lower = padded[i, top + 1, left] * (1 - right) + padded[i, top + 1, left + 1] * right
    return upper * (1 - down) + lower * down


def initial_parameters(random: np.random.Generator) -> Parameters:
    parameters: Parameters = {}

    def layer(name: str, *shape: int) -> None:
        std = math.sqrt(2 / math.prod(shape[1:]))
        parameters[f"{name}.weight"] = (random.standard_normal(shape) * std).astype(np.float32)
        parameters[f"{name}.bias"] = np.zeros(shape[0], np.float32)

    inputs = 1
    for i, outputs in enumerate(CHANNELS):
        layer(f"conv{i}", outputs, inputs, 3, 3)
        inputs = outputs
    layer("classifier", 10, inputs * 2 * 2)
    return parameters


class Conv:
    """A same-padded 3x3 convolution with ReLU, forwards and backwards."""

    def __init__(self, name: str) -> None:
        self.weight, self.bias = f"{name}.weight", f"{name}.bias"

    def forward(self, x: Array, parameters: Parameters) -> Array:
        w = parameters[self.weight]
        n, _, height, width = x.shape
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        self.columns = windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * height * width, -1)
        flat = self.columns @ w.reshape(len(w), -1).T + parameters[self.bias]
        y = np.maximum(flat, 0).reshape(n, height, width, len(w)).transpose(0, 3, 1, 2)
        self.positive = y > 0
        return y

    def backward(self, dy: Array, parameters: Parameters, gradients: Parameters) -> Array:
        w = parameters[self.weight]
        n, outputs, height, width = dy.shape
        flat = (dy * self.positive).transpose(0, 2, 3, 1).reshape(-1, outputs)
        gradients[self.weight] = (flat.T @ self.columns).reshape(w.shape)
        gradients[self.bias] = flat.sum(0)
        windows = (flat @ w.reshape(outputs, -1)).reshape(n, height, width, -1, 3, 3)
        padded = np.zeros((n, w.shape[1], height + 2, width + 2), np.float32)
        for i in range(3):
            for j in range(3):
                padded[:, :, i : i + height, j : j + width] += windows[..., i, j].transpose(
                    0, 3, 1, 2
                )
        return padded[:, :, 1:-1, 1:-1]


class MaxPool:
    """A 2x2 maximum with stride 2."""

    def forward(self, x: Array) -> Array:
        n, c, height, width = x.shape
        blocks = x.reshape(n, c, height // 2, 2, width // 2, 2)
        y: Array = blocks.max(axis=(3, 5))
        self.chosen = blocks == y[:, :, :, None, :, None]
        return y

    def backward(self, dy: Array) -> Array:
        n, c, height, width = dy.shape
        dx = self.chosen * dy[:, :, :, None, :, None]
        return dx.reshape(n, c, height * 2, width * 2).astype(np.float32)


class Network:
    """conv, conv, pool, conv, pool, classifier."""

    def __init__(self) -> None:
        self.convs = [Conv(f"conv{i}") for i in range(len(CHANNELS))]
        self.pools = [MaxPool(), MaxPool()]

    def forward(self, x: Array, parameters: Parameters) -> Array:
        """The logits, (N, 10)."""
        x = self.convs[0].forward(x, parameters)
        x = self.pools[0].forward(self.convs[1].forward(x, parameters))
        x = self.pools[1].forward(self.convs[2].forward(x, parameters))
        self.features_shape = x.shape
        self.features = x.reshape(len(x), -1)
        weight, bias = parameters["classifier.weight"], parameters["classifier.bias"]
        return self.features @ weight.T + bias

    def backward(self, dlogits: Array, parameters: Parameters) -> Parameters:
        gradients = {
            "classifier.weight": dlogits.T @ self.features,
            "classifier.bias": dlogits.sum(0),
        }
        dx = (dlogits @ parameters["classifier.weight"]).reshape(self.features_shape)
        dx = self.convs[2].backward(self.pools[1].backward(dx), parameters, gradients)
        dx = self.convs[1].backward(self.pools[0].backward(dx), parameters, gradients)
        self.convs[0].backward(dx, parameters, gradients)
        return gradients


class Adam:
    """Kingma and Ba 2015, with decoupled weight decay."""

    def __init__(self, parameters: Parameters, *, decay: float = 1e-2) -> None:
        self.parameters = parameters
        self.decay = decay
        self.step = 0
        self.mean = {name: np.zeros_like(value) for name, value in parameters.items()}
        self.square = {name: np.zeros_like(value) for name, value in parameters.items()}

    def update(self, gradients: Parameters, rate: float) -> None:
        self.step += 1
        for name, gradient in gradients.items():
            mean, square, parameter = self.mean[name], self.square[name], self.parameters[name]
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient * gradient - square)
            unbiased = mean / (1 - 0.9**self.step)
            scale = np.sqrt(square / (1 - 0.999**self.step)) + 1e-8
            parameter -= np.float32(rate) * (unbiased / scale + self.decay * parameter)


def softmax(logits: Array) -> Array:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def train(data: Digits, *, epochs: int = EPOCHS, seed: int = 0) -> Parameters:
    """Parameters after `epochs` passes of Adam with a cosine learning rate and soft labels."""
    random = np.random.default_rng(seed)
    parameters = initial_parameters(random)
    network, adam = Network(), Adam(parameters)
    targets = (np.eye(10) * 0.95 + 0.005).astype(np.float32)
    steps = len(data.images) // BATCH
    for step in range(epochs * steps):
        if step % steps == 0:
            order = random.permutation(len(data.images))
        chosen = order[step % steps * BATCH :][:BATCH]
        logits = network.forward(augment(data.images[chosen], random), parameters)
        dlogits = (softmax(logits) - targets[data.labels[chosen]]) / np.float32(BATCH)
        rate = LEARNING_RATE * (1 + math.cos(math.pi * step / (epochs * steps))) / 2
        adam.update(network.backward(dlogits, parameters), rate)
    return parameters


def to_onnx(parameters: Parameters) -> onnx.ModelProto:
    b = Builder("digits")

    def conv(x: str, name: str) -> str:
        w, bias = (b.constant(key, parameters[key]) for key in (f"{name}.weight", f"{name}.bias"))
        y = b.node("Conv", x, w, bias, name=name, kernel_shape=[3, 3], pads=[1] * 4)
        return b.node("Relu", y, name=f"{name}/relu")

    def pool(x: str, name: str) -> str:
        return b.node("MaxPool", x, name=name, kernel_shape=[2, 2], strides=[2, 2])

    x = b.input("image", ("batch", 1, 8, 8))
    x = pool(conv(conv(x, "conv0"), "conv1"), "pool0")
    x = pool(conv(x, "conv2"), "pool1")
    x = b.node("Flatten", x, name="flatten")
    w, bias = (b.constant(key, parameters[key]) for key in ("classifier.weight", "classifier.bias"))
    x = b.node("Gemm", x, w, bias, name="classifier", transB=1)
    x = b.node("Softmax", x, name="softmax", axis=1)
    return b.model(x, ("batch", 10), name="probabilities")


def main() -> None:
    training, test = load_split()
    parameters = train(training)
    for name, part in (("training", training), ("held-out", test)):
        share = accuracy(Network().forward(part.images, parameters), part.labels)
        print(f"{name}: {share:.2%} of {len(part.labels)}")
    MODEL_PATH.write_bytes(to_onnx(parameters).SerializeToString())
    images = (test.images[:, 0] * 16).astype(np.uint8)
    np.savez_compressed(HELD_OUT_PATH, images=images, labels=test.labels.astype(np.uint8))


if __name__ == "__main__":
    main()
