"""The Python behind the page: a digits classifier, and one model that the user opened."""

from __future__ import annotations

import time
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pyxnn

Feeds = dict[str, NDArray[Any]]

# ImageNet's mean and standard deviation, which most image models were trained with.
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)

DTYPES = {
    "float": np.float32,
    "float16": np.float16,
    "double": np.float64,
    "int8": np.int8,
    "uint8": np.uint8,
    "int16": np.int16,
    "uint16": np.uint16,
    "int32": np.int32,
    "uint32": np.uint32,
    "int64": np.int64,
    "uint64": np.uint64,
    "bool": np.bool_,
}


class Digits:
    """The classifier and the held-out images that its training never saw."""

    def __init__(self, model: bytes, held_out: bytes) -> None:
        self.session = pyxnn.InferenceSession(model)
        with np.load(BytesIO(held_out)) as data:
            self.images = (data["images"] / np.float32(16))[:, None]
            self.labels = data["labels"]

    def probabilities(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = self.session.run(None, {"image": images})[0]
        return result


class Model:
    """A model with one session for each number of threads that was asked for."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.sessions: dict[int, pyxnn.InferenceSession] = {}
        self.session = self.with_threads(0)

    def with_threads(self, threads: int) -> pyxnn.InferenceSession:
        """The session that runs on `threads` threads; 0 means all of them."""
        if threads not in self.sessions:
            options = pyxnn.SessionOptions()
            options.intra_op_num_threads = threads
            self.sessions[threads] = pyxnn.InferenceSession(self.content, options)
        return self.sessions[threads]


_digits: Digits | None = None
_model: Model | None = None


def device() -> dict[str, Any]:
    """Which binary is in use and how many threads there are."""
    return dict(pyxnn.device_info())


def load_digits(model: memoryview, held_out: memoryview) -> list[dict[str, Any]]:
    """Loads the classifier; the answer is one held-out sample of each digit."""
    global _digits
    _digits = Digits(bytes(model), bytes(held_out))
    chosen = [int(np.flatnonzero(_digits.labels == label)[0]) for label in range(10)]
    return [
        {"label": i, "pixels": _digits.images[n].ravel().tolist()} for i, n in enumerate(chosen)
    ]


def classify(pixels: list[float]) -> dict[str, Any]:
    """The ten probabilities of an 8x8 image."""
    assert _digits
    image = np.array(pixels, np.float32).reshape(1, 1, 8, 8)
    start = time.perf_counter()
    probabilities = _digits.probabilities(image)[0]
    return {"probabilities": probabilities.tolist(), "milliseconds": _milliseconds(start)}


def check_digits() -> dict[str, Any]:
    """How many held-out images are classified rightly."""
    assert _digits
    start = time.perf_counter()
    predicted = _digits.probabilities(_digits.images).argmax(axis=1)
    return {
        "right": int((predicted == _digits.labels).sum()),
        "total": len(predicted),
        "milliseconds": _milliseconds(start),
    }


def open_model(content: memoryview) -> dict[str, Any]:
    """Opens a model in place of the last one; the answer says what is in it and what runs where."""
    global _model
    _model = None
    start = time.perf_counter()
    _model = Model(bytes(content))
    milliseconds = _milliseconds(start)
    session = _model.session
    return {
        "milliseconds": milliseconds,
        "inputs": [_describe(value) for value in session.get_inputs()],
        "outputs": [_describe(value) for value in session.get_outputs()],
        "nodes": [
            {
                "name": node.name,
                "op": node.op_type,
                "inputs": [name for name in node.inputs if name],
                "outputs": [name for name in node.outputs if name],
                "provider": node.provider,
                "segment": node.segment,
                "planned": node.planned,
                "reason": node.reason,
            }
            for node in session.placement.nodes
        ],
    }


def run_model(dims: dict[str, int], image: dict[str, Any] | None) -> dict[str, Any]:
    """Runs the model once, on an image or on random input; the answer sums up its outputs."""
    assert _model
    feeds = _feeds(_model.session, dims, image)
    start = time.perf_counter()
    outputs = _model.session.run(None, feeds)
    return {
        "milliseconds": _milliseconds(start),
        "outputs": [
            {"name": value.name, **_summary(output)}
            for value, output in zip(_model.session.get_outputs(), outputs, strict=True)
        ],
    }


def measure(
    threads: int, dims: dict[str, int], image: dict[str, Any] | None, seconds: float
) -> list[float]:
    """The milliseconds of each run within about `seconds`, after a short warm-up."""
    assert _model
    session = _model.with_threads(threads)
    feeds = _feeds(session, dims, image)
    for _ in range(3):
        session.run(None, feeds)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        session.run(None, feeds)
        times.append(_milliseconds(start))
    return times


def profile(dims: dict[str, int], image: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The steps of one run, with their times."""
    assert _model
    session = _model.session
    return [
        {
            "name": step.name,
            "kind": step.kind,
            "provider": step.provider,
            "kernel": step.kernel,
            "shape": list(step.shape or ()),
            "milliseconds": step.ms,
            "gflops": step.gflops,
            "gigabytes": step.gigabytes,
        }
        for step in session.profile(None, _feeds(session, dims, image)).steps
    ]


def _milliseconds(start: float) -> float:
    return (time.perf_counter() - start) * 1e3


def _describe(value: Any) -> dict[str, Any]:
    return {"name": value.name, "type": value.type, "shape": list(value.shape)}


def _dtype(value: Any) -> np.dtype[Any]:
    """numpy's type for an input's "tensor(float)"."""
    name = value.type.removeprefix("tensor(").removesuffix(")")
    if name not in DTYPES:
        raise pyxnn.NotImplemented(f"The page can't make up a {value.type} for {value.name}.")
    return np.dtype(DTYPES[name])


def _feeds(session: Any, dims: dict[str, int], image: dict[str, Any] | None) -> Feeds:
    """An input for each of the session's: the image where it fits, else seeded random numbers."""
    random = np.random.default_rng(0)
    feeds: Feeds = {}
    for value in session.get_inputs():
        shape = [dim if isinstance(dim, int) else dims[str(dim)] for dim in value.shape]
        if image and image["input"] == value.name:
            feeds[value.name] = _image_input(image, shape, _dtype(value))
        else:
            feeds[value.name] = _random_input(random, shape, _dtype(value))
    return feeds


def _random_input(
    random: np.random.Generator, shape: list[int], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Normal floats; bytes; zeros and ones for wider integers, which tend to be indices or masks."""
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
    if dtype.itemsize == 1 and dtype.kind != "b":
        limits = np.iinfo(dtype)
        return random.integers(limits.min, limits.max, shape, endpoint=True).astype(dtype)
    return random.integers(0, 1, shape, endpoint=True).astype(dtype)


def _image_input(image: dict[str, Any], shape: list[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """RGBA bytes at the input's own size, as the input's channels: (N, C, H, W) or (N, H, W, C)."""
    pixels = np.asarray(image["rgba"], np.uint8).reshape(image["height"], image["width"], 4)
    channels_last = shape[3] in (1, 3)
    grey = (shape[3] if channels_last else shape[1]) == 1
    values = pixels[..., :3].mean(-1, keepdims=True) if grey else pixels[..., :3]
    if dtype.kind == "f":
        values = values / np.float32(255)
        values = values if grey else (values - MEAN) / STD
    if not channels_last:
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(np.broadcast_to(values, shape)).astype(dtype)


def _summary(output: Any) -> dict[str, Any]:
    """Shape, range and, of class scores, the five best."""
    if not isinstance(output, np.ndarray) or output.dtype.kind not in "fiub":
        return {"shape": [len(output)], "type": type(output).__name__}
    summary: dict[str, Any] = {"shape": list(output.shape), "type": str(output.dtype)}
    if output.size:
        values = output.astype(np.float64)
        summary |= {"min": values.min(), "max": values.max(), "mean": values.mean()}
        summary = {k: float(v) if isinstance(v, np.floating) else v for k, v in summary.items()}
    if output.ndim == 2 and 1 < output.shape[1] <= 100_000 and len(output):
        best = np.argsort(-output[0], kind="stable")[:5]
        summary["top"] = [{"index": int(i), "score": float(output[0, i])} for i in best]
    return summary
