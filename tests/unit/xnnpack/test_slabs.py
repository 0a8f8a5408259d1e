"""Concat, Split and Slice cost nothing where strides allow, and results stay right: random graphs against native onnxruntime.

Tolerance: errors of up to 16 operators add up, values stay below 100: 1e-3 of the largest.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from tests.support import native
from tests.unit.xnnpack.test_graphs import GraphMaker, graphs


class PartsMaker(GraphMaker):
    """Adds random nodes around tensors that are joined and taken apart, most of them along channels."""

    def concat(self):
        x = self.pick(4)
        axis = self.draw(st.sampled_from([1, 1, 1, 0, 2, 3]))
        shape = list(self.values[x])
        others = [
            name
            for name, other in self.values.items()
            if [*other[:axis], *other[axis + 1 :]] == [*shape[:axis], *shape[axis + 1 :]]
        ]
        # The newest: what grows by one part after the other, as DenseNet does.
        others = others[-4:] if self.draw(st.booleans()) else others
        names = [x, *self.draw(st.lists(st.sampled_from(others), min_size=1, max_size=3))]
        shape[axis] = sum(self.values[name][axis] for name in names)
        if shape[axis] <= 40:
            self.node("Concat", names, shape, axis=axis)

    def split(self):
        x = self.pick(4)
        shape = list(self.values[x])
        axis = self.draw(st.sampled_from([1, 1, 1, 0, 2, 3]))
        if shape[axis] < 2:
            return
        first = self.draw(st.integers(1, shape[axis] - 1))
        sizes = [first, shape[axis] - first]
        names = [f"v{len(self.nodes)}", f"v{len(self.nodes)}b"]
        split = self.constant(np.array(sizes, np.int64))
        self.nodes.append(helper.make_node("Split", [x, split], names, axis=axis))
        for name, size in zip(names, sizes, strict=True):
            self.values[name] = (*shape[:axis], size, *shape[axis + 1 :])

    def pool(self):
        x = self.pick(4)
        op_type = self.draw(st.sampled_from(["MaxPool", "AveragePool"]))
        attributes = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
        self.node(op_type, [x], self.values[x], **attributes)

    def normalize(self):
        x = self.pick(4)
        c = self.values[x][1]
        ones = [self.constant(np.abs(self.random.standard_normal(c, np.float32)) + 0.5)]
        names = [x, *ones, *(self.weights(c) for _ in range(2)), *ones]
        self.node("BatchNormalization", names, self.values[x])

    def shuffle(self):
        x = self.pick(4)
        n, c, h, w = self.values[x]
        if c % 2:
            return
        apart = self.constant(np.array([n, 2, c // 2, h, w], np.int64))
        together = self.constant(np.array([n, c, h, w], np.int64))
        self.node("Reshape", [x, apart], (n, 2, c // 2, h, w))
        y = self.nodes[-1].output[0]
        self.node("Transpose", [y], (n, c // 2, 2, h, w), perm=[0, 2, 1, 3, 4])
        self.node("Reshape", [self.nodes[-1].output[0], together], (n, c, h, w))
        for name in (y, self.nodes[-2].output[0]):
            del self.values[name]


MAKERS = [
    *("concat", "concat", "concat", "split", "split", "cut", "conv", "conv", "pool", "unary"),
    *("binary", "normalize", "shuffle", "softmax", "upsample"),
]


@given(graphs(PartsMaker, MAKERS, sizes=(2, 16), most_elements=20_000))
def test_graphs(case):
    native.compare(*case, rtol=1e-4, atol=1e-3)


class Network:
    """A network written down by hand; methods take and return names of values, all (N, C, 6, 5)."""

    def __init__(self, channels, batch=1):
        self.random = np.random.default_rng(1)
        self.x = self.random.standard_normal((batch, channels, 6, 5), np.float32)
        self.channels = {"x": channels}
        self.nodes = []
        self.constants = {}

    def node(self, op_type, inputs, channels, outputs=1, **attributes):
        names = [f"{op_type}{len(self.nodes)}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(op_type, inputs, names, **attributes))
        self.channels.update(dict.fromkeys(names, channels))
        return names[0] if outputs == 1 else names

    def conv(self, x, channels, kernel=1, group=1):
        weights = self.random.standard_normal(
            (channels, self.channels[x] // group, kernel, kernel), np.float32
        )
        name = f"w{len(self.constants)}"
        self.constants[name] = weights / np.float32(np.sqrt(weights[0].size))
        pads = [kernel // 2] * 4
        return self.node("Conv", [x, name], channels, pads=pads, group=group)

    def depthwise(self, x):
        return self.conv(x, self.channels[x], 3, self.channels[x])

    def normalize(self, x):
        names = []
        for _ in range(4):
            names.append(f"n{len(self.constants)}")
            array = self.random.uniform(0.5, 1.5, self.channels[x]).astype(np.float32)
            self.constants[names[-1]] = array
        y = self.node("BatchNormalization", [x, *names], self.channels[x])
        return self.node("Relu", [y], self.channels[x])

    def concat(self, *names):
        return self.node("Concat", names, sum(self.channels[name] for name in names), axis=1)

    def halves(self, x):
        return self.node("Split", [x], self.channels[x] // 2, 2, axis=1, num_outputs=2)

    def steps(self, *outputs):
        """The operators of its steps, after a comparison of the results."""
        data = native.build(self.nodes, {"x": self.x}, outputs, self.constants, opset=18)
        native.compare(data, {"x": self.x}, rtol=1e-4, atol=1e-4)
        part = native.subgraph(data)
        size, bound = part.arena
        assert bound <= size <= 1.05 * bound
        try:
            return [task.split()[0] for task in native.tasks(part, {"x": self.x})]
        finally:
            part.close()


@pytest.mark.parametrize("batch", [1, 2])
def test_branches_write_into_the_concatenation(batch):
    """Inception: convolutions, depthwise ones, pools, resizings and elementwise steps."""
    net = Network(4, batch)
    x = net.conv("x", 4)
    pooled = net.node("MaxPool", [x], 4, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    parts = [
        net.conv(x, 3, 3),
        net.depthwise(x),
        pooled,
        net.node("Sigmoid", [x], 4),
        net.node("Erf", [x], 4),
        net.node("Mul", [x, pooled], 4),
    ]
    y = net.conv(net.concat(*parts), 5)
    assert net.steps(y).count("Concat") == 0


def test_dense_blocks_are_one_buffer():
    """DenseNet: each layer takes all features before it and adds some."""
    net = Network(4)
    features = [net.conv("x", 6)]
    for _ in range(5):
        joined = net.concat(*features) if len(features) > 1 else features[0]
        features.append(net.conv(net.conv(net.normalize(joined), 8), 3, 3))
    y = net.conv(net.normalize(net.concat(*features)), 4)
    assert net.steps(y).count("Concat") == 0


def test_growing_concatenations_are_one_buffer():
    """The same where each layer takes the concatenation before it and one part more."""
    net = Network(4)
    y = net.conv("x", 5)
    for _ in range(4):
        y = net.concat(y, net.conv(y, 3, 3))
    assert net.steps(net.conv(y, 2)).count("Concat") == 0


def test_halves_are_read_where_they_are():
    """A YOLO neck's block: one half goes through a residual block, and all parts are joined again."""
    net = Network(4)
    left, right = net.halves(net.conv("x", 8))
    inner = net.conv(net.conv(right, 4, 3), 4, 3)
    added = net.node("Add", [right, inner], 4)
    steps = net.steps(net.conv(net.concat(left, right, added), 6))
    assert steps.count("Split") == steps.count("Concat") == 0


def test_what_is_shuffled_is_copied_once():
    """ShuffleNet: of a concatenation that is read as it lies, only the half that lies elsewhere is copied."""
    net = Network(4)
    left, right = net.halves(net.conv("x", 8))
    joined = net.concat(left, net.conv(net.depthwise(net.conv(right, 4)), 4))
    apart, together = np.array([1, 2, 4, 6, 5], np.int64), np.array([1, 8, 6, 5], np.int64)
    net.constants.update(apart=apart, together=together)
    y = net.node("Reshape", [joined, "apart"], 8)
    y = net.node("Transpose", [y], 8, perm=[0, 2, 1, 3, 4])
    steps = net.steps(net.conv(net.node("Reshape", [y, "together"], 8), 4))
    assert steps.count("Split") == 0
    assert steps.count("Concat") == 1


def test_a_tensor_has_one_place_only():
    net = Network(4)
    y, z = net.conv("x", 3), net.conv("x", 3)
    outputs = [net.conv(net.concat(y, z, y), 4), net.conv(net.concat(z, y), 4)]
    assert net.steps(*outputs).count("Concat") == 2


def test_inputs_and_outputs_stay_dense():
    net = Network(4)
    y = net.conv("x", 4)
    assert net.steps(y, net.concat("x", y, net.conv(y, 2))).count("Concat") >= 1


def test_outermost_parts_are_views():
    """Along the outermost axis that moves, parts are dense: any step takes them."""
    net = Network(4)
    y = net.node("Concat", [net.conv("x", 3), net.conv("x", 3)], 3, axis=2)
    first, second = net.node("Split", [y], 3, 2, axis=2, num_outputs=2)
    z = net.node("GlobalAveragePool", [net.node("Concat", [second, first], 3, axis=2)], 3)
    steps = net.steps(z)
    assert steps.count("Split") == 0
    assert steps.count("Concat") <= 2


def test_attention_reads_query_key_and_value_out_of_their_product():
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 5, 12), np.float32)
    constants = {
        "w": random.standard_normal((12, 36), np.float32),
        "heads": np.array([0, 0, 3, 4], np.int64),
        "rows": np.array([0, 0, 12], np.int64),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node("Split", ["product"], ["q", "k", "v"], axis=2, num_outputs=3),
    ]
    for name in "qkv":
        nodes += [
            helper.make_node("Reshape", [name, "heads"], [f"{name}_rows"]),
            helper.make_node("Transpose", [f"{name}_rows"], [f"{name}_heads"], perm=[0, 2, 1, 3]),
        ]
    nodes += [
        helper.make_node("Attention", ["q_heads", "k_heads", "v_heads"], ["heads_out"]),
        helper.make_node("Transpose", ["heads_out"], ["rows_out"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["rows_out", "rows"], ["y"]),
    ]
    data = native.build(nodes, {"x": x}, ["y"], constants, opset=23)
    native.compare(data, {"x": x}, rtol=1e-4, atol=1e-4)
    part = native.subgraph(data)
    kinds = [task.split()[0] for task in native.tasks(part, {"x": x})]
    part.close()
    assert kinds == ["MatMul", "Attention"]


def test_integers_and_choices_read_halves_where_they_are():
    random = np.random.default_rng(0)
    feeds = {name: random.integers(-9, 9, (2, 4, 3, 5)) for name in "ab"}
    nodes = [
        helper.make_node("Add", ["a", "b"], ["sum"]),
        helper.make_node("Split", ["sum"], ["left", "right"], axis=1, num_outputs=2),
        helper.make_node("Greater", ["left", "right"], ["larger"]),
        helper.make_node("Where", ["larger", "left", "right"], ["largest"]),
        helper.make_node("Mul", ["largest", "right"], ["product"]),
        helper.make_node("Concat", ["left", "product"], ["y"], axis=1),
    ]
    data = native.build(nodes, feeds, ["y"], opset=18, dtype=np.int64)
    native.compare(data, feeds)
    part = native.subgraph(data)
    kinds = [task.split()[0] for task in native.tasks(part, feeds)]
    part.close()
    assert kinds.count("Split") == 0
