""".tflite files of ONNX models, made by TensorFlow in an environment of its own and kept in the cache."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from tools import cache, environment, lock
from tools.bench import channels_last
from tools.run import run, say

CONVERTER = Path(__file__).with_name("convert.py")


def tflite(
    name: str, model: onnx.ModelProto, samples: list[NDArray[np.float32]] | None = None
) -> Path:
    """The file for `model`; with `samples` of its input, channels last, on 8-bit integers."""
    key = cache.digest(
        CONVERTER.read_bytes(),
        Path(channels_last.__file__).read_bytes(),
        lock.find("pypi", "tensorflow-cpu").version,
        model.SerializeToString(deterministic=True),
        *(sample.tobytes() for sample in samples or ()),
    )

    def make(folder: Path) -> None:
        say(f"   {name}.tflite by TensorFlow")
        with tempfile.TemporaryDirectory() as scratch:
            program, options = Path(scratch) / "program.json", list[str | Path]()
            channels_last.translate(model).write(program)
            if samples:
                calibration = Path(scratch) / "samples.npy"
                np.save(calibration, np.stack(samples))
                options = ["--samples", calibration]
            python = environment.python("tflite")
            run([python, CONVERTER, program, folder / "model.tflite", *options], log="tflite")

    return cache.folder("tflite", key, make) / "model.tflite"
