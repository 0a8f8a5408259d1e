"""Decoders of images, beside Pillow."""

import io

import numpy as np
import PIL.Image
import pytest
from onnx import TensorProto, helper

import pyxnn
from tests.support.exact import CPU


def picture() -> np.ndarray:
    """Smooth, so that PNG's filters have something to predict, and of a width that BMP pads."""
    steps = np.random.default_rng(0).integers(0, 3, (40, 37, 3))
    return np.cumsum(np.cumsum(steps, axis=0), axis=1).astype(np.uint8)


def decode(data: bytes, pixel_format: str) -> np.ndarray:
    node = helper.make_node("ImageDecoder", ["x"], ["y"], pixel_format=pixel_format)
    x = helper.make_tensor_value_info("x", TensorProto.UINT8, ["n"])
    y = helper.make_tensor_value_info("y", TensorProto.UINT8, None)
    model = helper.make_model(
        helper.make_graph([node], "test", [x], [y]), opset_imports=[helper.make_opsetid("", 20)]
    )
    with pyxnn.InferenceSession(model.SerializeToString(), providers=CPU) as session:
        return session.run(None, {"x": np.frombuffer(data, np.uint8)})[0]


@pytest.mark.parametrize("format", ["PNG", "BMP", "PPM", "TIFF", "JPEG"])
def test_formats(format: str) -> None:
    file = io.BytesIO()
    PIL.Image.fromarray(picture()).save(file, format)
    image = PIL.Image.open(file)
    np.testing.assert_array_equal(decode(file.getvalue(), "RGB"), np.array(image))
    np.testing.assert_array_equal(decode(file.getvalue(), "BGR"), np.array(image)[..., ::-1])
    gray = np.array(image.convert("L"))[..., None]
    np.testing.assert_array_equal(decode(file.getvalue(), "Grayscale"), gray)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
def test_what_is_not_simple_goes_to_pillow(mode: str, format: str) -> None:
    file = io.BytesIO()
    image = PIL.Image.fromarray(picture()).convert(mode)
    image.save(file, format)
    np.testing.assert_array_equal(decode(file.getvalue(), "RGB"), np.array(image.convert("RGB")))
