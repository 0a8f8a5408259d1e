"""RNN, LSTM and GRU against native onnxruntime, and onnx.reference where that has no layout 1.

Tolerance: sums in another order and activations good to 1e-6, carried through at most 6 steps of states around 1.
"""

import numpy as np
import onnx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from onnx import helper
from onnx.reference import ReferenceEvaluator

from pyxnn import errors
from tests.support import native

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
FUNCTIONS = {"RNN": 1, "GRU": 2, "LSTM": 3}
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}

ACTIVATIONS = {  # those whose alpha and beta are taken from the lists
    "Relu": "",
    "Tanh": "",
    "Sigmoid": "",
    "Affine": "ab",
    "LeakyRelu": "a",
    "ThresholdedRelu": "a",
    "ScaledTanh": "ab",
    "HardSigmoid": "ab",
    "Elu": "a",
    "Softsign": "",
    "Softplus": "",
}


def tensors(op_type, steps, batch, features, hidden, directions, seed=0, optional=()):
    """All inputs of a layer by name, "" for those that are absent."""
    random = np.random.default_rng(seed)
    rows = GATES[op_type] * hidden
    shapes = {
        "x": (steps, batch, features),
        "w": (directions, rows, features),
        "r": (directions, rows, hidden),
        "b": (directions, 2 * rows),
        "lengths": (batch,),
        "h": (directions, batch, hidden),
        "c": (directions, batch, hidden),
        "p": (directions, 3 * hidden),
    }
    if op_type != "LSTM":
        del shapes["c"], shapes["p"]
    arrays = {
        name: random.standard_normal(shape, np.float32) * np.float32(0.5)
        for name, shape in shapes.items()
        if name in ("x", "w", "r", *optional)
    }
    if "lengths" in arrays:
        arrays["lengths"] = random.integers(1, steps + 1, batch, np.int32)
    names = [name if name in arrays else "" for name in shapes]
    return names, arrays


def model_of(
    op_type, names, arrays, outputs, *, computed=("x",), opset=14, dynamic=False, **attributes
):
    node = helper.make_node(op_type, names, outputs, **attributes)
    inputs = {name: array for name, array in arrays.items() if name in computed}
    constants = {name: array for name, array in arrays.items() if name not in computed}
    model = native.build(
        [node], inputs, list(filter(None, outputs)), constants, opset=opset, dynamic=dynamic
    )
    return model, inputs


@st.composite
def layers(draw):
    op_type = draw(st.sampled_from(sorted(GATES)))
    direction = draw(st.sampled_from(["forward", "reverse", "bidirectional"]))
    directions = 2 if direction == "bidirectional" else 1
    optional = draw(st.sets(st.sampled_from(["b", "lengths", "h", "c", "p"])))
    sizes = [draw(st.integers(1, most)) for most in (5, 7, 6, 19)]
    hidden = sizes[-1]
    names, arrays = tensors(op_type, *sizes, directions, draw(st.integers(0, 99)), optional)
    outputs = draw(st.sampled_from([["y", "h1"], ["", "h1"], ["y"]]))
    if op_type == "LSTM" and draw(st.booleans()):
        outputs = [*outputs, *([""] * (2 - len(outputs))), "c1"]
    attributes = {"hidden_size": hidden, "direction": direction}
    if op_type == "GRU":
        attributes["linear_before_reset"] = draw(st.integers(0, 1))
    if op_type == "LSTM":
        attributes["input_forget"] = draw(st.integers(0, 1))
    if draw(st.booleans()):
        attributes["clip"] = draw(st.sampled_from([0.3, 2.0]))
    computed = draw(st.sets(st.sampled_from(["w", "r", "b", "lengths", "h", "c", "p"]))) | {"x"}
    return op_type, names, arrays, outputs, computed, attributes, draw(st.booleans())


@given(layers())
def test_recurrent(layer):
    op_type, names, arrays, outputs, computed, attributes, dynamic = layer
    model, inputs = model_of(
        op_type, names, arrays, outputs, computed=computed, dynamic=dynamic, **attributes
    )
    native.compare(model, inputs, **TOLERANCE)


@given(
    op_type=st.sampled_from(sorted(GATES)),
    data=st.data(),
    directions=st.integers(1, 2),
    listed=st.booleans(),
)
def test_activations(op_type, data, directions, listed):
    count = FUNCTIONS[op_type] * directions
    functions = data.draw(
        st.lists(st.sampled_from(sorted(ACTIVATIONS)), min_size=count, max_size=count)
    )
    names, arrays = tensors(op_type, 2, 2, 3, 5, directions)
    attributes = {"activations": functions, "hidden_size": 5}
    attributes["direction"] = "bidirectional" if directions == 2 else "forward"
    if listed:
        attributes["activation_alpha"] = [
            0.3 + 0.1 * i for i, name in enumerate(functions) if "a" in ACTIVATIONS[name]
        ]
        attributes["activation_beta"] = [
            0.6 - 0.1 * i for i, name in enumerate(functions) if "b" in ACTIVATIONS[name]
        ]
    else:  # onnxruntime has no defaults for these, or another than ONNX
        assume(not {"Affine", "ScaledTanh", "ThresholdedRelu"} & set(functions))
    attributes = {name: value for name, value in attributes.items() if value != []}
    model, inputs = model_of(op_type, names, arrays, ["y", "h1"], **attributes)
    native.compare(model, inputs, **TOLERANCE)


@pytest.mark.parametrize("op_type", sorted(GATES))
def test_batch_first(op_type):
    """Layout 1, which onnxruntime refuses."""
    names, arrays = tensors(op_type, 4, 3, 5, 6, 1, optional=("b", "h"))
    arrays["x"], arrays["h"] = (arrays[name].transpose(1, 0, 2).copy() for name in "xh")
    model, inputs = model_of(op_type, names, arrays, ["y", "h1"], layout=1, hidden_size=6)
    expected = ReferenceEvaluator(onnx.load_from_string(model)).run(None, inputs)
    part = native.subgraph(model)
    results = part.run(inputs)
    part.close()
    for name, want in zip(("y", "h1"), expected, strict=True):
        np.testing.assert_allclose(results[name], want.reshape(results[name].shape), **TOLERANCE)
    assert results["y"].shape == (3, 4, 1, 6) and results["h1"].shape == (3, 1, 6)


def test_layers_of_batch_first_models_move_no_bytes():
    """PyTorch's batch_first: Transpose, LSTM, Squeeze and Transpose back around a bidirectional layer."""
    names, arrays = tensors("LSTM", 4, 3, 5, 8, 2, optional=("b",))
    arrays["x"] = arrays["x"].transpose(1, 0, 2).copy()
    nodes = [
        helper.make_node("Transpose", ["x"], ["xt"], perm=[1, 0, 2]),
        helper.make_node(
            "LSTM", ["xt", *names[1:]], ["y"], hidden_size=8, direction="bidirectional"
        ),
        helper.make_node("Transpose", ["y"], ["yt"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["yt", "shape"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["z"], perm=[1, 0, 2]),
    ]
    x = {"x": arrays.pop("x")}
    constants = {**arrays, "shape": np.array([0, 0, -1])}
    model = native.build(nodes, x, ["z"], constants)
    native.compare(model, x, **TOLERANCE)
    part = native.subgraph(model)
    assert [task.split()[0] for task in native.tasks(part, x)] == ["LSTM", "LSTM"]
    part.close()


def test_no_steps_keep_the_state():
    names, arrays = tensors("GRU", 1, 2, 3, 4, 1, optional=("h",))
    arrays["x"] = arrays["x"][:0]
    model, inputs = model_of("GRU", names, arrays, ["y", "h1"], hidden_size=4)
    part = native.subgraph(model)
    results = part.run(inputs)
    part.close()
    np.testing.assert_array_equal(results["h1"], arrays["h"])
    assert results["y"].shape == (0, 1, 2, 4)


def test_wrong_lengths():
    names, arrays = tensors("RNN", 3, 2, 3, 4, 1, optional=("lengths",))
    arrays["lengths"] = np.array([1, 4], np.int32)
    model, inputs = model_of("RNN", names, arrays, ["y"], computed=("x", "lengths"), hidden_size=4)
    part = native.subgraph(model)
    with pytest.raises(errors.InvalidArgument, match="sequence_lens has 4"):
        part.run(inputs)
    part.close()


def test_refusals():
    names, arrays = tensors("RNN", 3, 2, 3, 4, 1)
    model, _ = model_of("RNN", names, arrays, ["y"], hidden_size=4, activations=["Gelu"])
    assert native.refusal(model) == "its activation 'Gelu' is unknown"
    arrays = {name: array.astype(np.float64) for name, array in arrays.items()}
    node = helper.make_node("RNN", names, ["y"], hidden_size=4)
    model = native.build([node], arrays, ["y"], dtype=np.float64, opset=14)
    assert native.refusal(model) == "input 'x' is float64, not a float of 16 or 32 bits"


@pytest.mark.parametrize("op_type", sorted(GATES))
@pytest.mark.parametrize(("batch", "directions", "hidden"), [(1, 1, 136), (3, 2, 100), (9, 1, 60)])
def test_shared_among_threads(op_type, batch, directions, hidden):
    """Each step by its units where sequences are few, else by sequences; in the browser, with threads."""
    names, arrays = tensors(op_type, 5, batch, 6, hidden, directions, optional=("b", "lengths"))
    arrays["r"] *= np.float32(0.2)
    attributes = {"direction": "bidirectional" if directions == 2 else "forward"}
    model, inputs = model_of(op_type, names, arrays, ["y", "h1"], hidden_size=hidden, **attributes)
    native.compare(model, inputs, **TOLERANCE)
