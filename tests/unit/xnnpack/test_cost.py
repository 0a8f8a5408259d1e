"""What profiles say that steps compute and move, against sums by hand."""

import numpy as np
import onnx
from onnx import helper

from pyxnn.profile import StepTime
from tests.models import layers
from tests.models.flops import flops
from tests.models.minilm import minilm
from tests.models.mobilenet_v2 import mobilenet_v2
from tests.support import native


def steps_of(model: onnx.ModelProto) -> list[StepTime]:
    (value,) = model.graph.input
    shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    part = native.subgraph(model.SerializeToString())
    _, steps = part.profile({value.name: np.zeros(shape, np.float32)})
    part.close()
    return steps


def test_conv():
    (conv,) = (
        step for step in steps_of(layers.conv(channels=8, outputs=16, size=10)) if step.flops
    )
    assert conv.kernel == "convolution"
    assert conv.flops == 2 * (10 * 10 * 16) * (8 * 3 * 3)
    assert conv.bytes == 4 * (10 * 10 * 8 + 10 * 10 * 16 + 16 * 8 * 3 * 3 + 16)
    np.testing.assert_allclose(conv.gflops * conv.ms * 1e6, conv.flops)


def test_products():
    a, b = np.ones((2, 3, 5), np.float32), np.ones((2, 5, 7), np.float32)
    data = native.build([helper.make_node("MatMul", ["a", "b"], ["y"])], {"a": a, "b": b}, ["y"])
    part = native.subgraph(data)
    _, (product,) = part.profile({"a": a, "b": b})
    part.close()
    assert product.kernel == "small_matmul"
    assert product.flops == 2 * 2 * 3 * 5 * 7
    assert product.bytes == 4 * (a.size + b.size + 2 * 3 * 7)


def test_deconvolution():
    x, w = np.ones((1, 4, 5, 5), np.float32), np.ones((4, 3, 2, 2), np.float32)
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])
    part = native.subgraph(native.build([node], {"x": x}, ["y"], {"w": w}))
    _, steps = part.profile({"x": x})
    part.close()
    assert sum(step.flops for step in steps) == 2 * (5 * 5 * 4) * (3 * 2 * 2)


def test_whole_networks_add_up():
    for model in (mobilenet_v2(size=32), minilm(layers=1, tokens=16)):
        assert sum(step.flops for step in steps_of(model)) == flops(model)
