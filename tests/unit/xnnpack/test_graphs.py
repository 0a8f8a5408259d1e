"""Random graphs of the supported operators against native onnxruntime: layouts, views and shared memory together.

Tolerance: errors of up to 14 operators add up, values stay below 100: 1e-3 of the largest.
"""

import numpy as np
import onnx
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from tests.support import native


class GraphMaker:
    """Adds random nodes to a graph; `values` are the shapes of what there is so far."""

    def __init__(self, draw):
        self.draw = draw
        self.random = np.random.default_rng(draw(st.integers(0, 99)))
        self.nodes: list[onnx.NodeProto] = []
        self.feeds: dict[str, np.ndarray] = {}
        self.constants: dict[str, np.ndarray] = {}
        self.values: dict[str, tuple[int, ...]] = {}
        for name in ("a", "b")[: draw(st.integers(1, 2))]:
            shape = (draw(st.integers(1, 2)), *(draw(st.integers(1, 6)) for _ in range(3)))
            self.feeds[name] = self.random.standard_normal(shape, np.float32)
            self.values[name] = shape

    def constant(self, array):
        name = f"k{len(self.constants)}"
        self.constants[name] = np.asarray(array)
        return name

    def weights(self, *shape):
        scale = np.prod(shape[1:]) ** -0.5
        return self.constant((scale * self.random.standard_normal(shape)).astype(np.float32))

    def node(self, op_type, inputs, shape, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], **attributes))
        self.values[name] = tuple(int(extent) for extent in shape)

    def pick(self, *ranks):
        names = [name for name, shape in self.values.items() if not ranks or len(shape) in ranks]
        return self.draw(st.sampled_from(names)) if names else None

    def unary(self):
        x = self.pick()
        op_type = self.draw(st.sampled_from(["Relu", "Sigmoid", "Tanh", "Abs", "Elu", "Neg"]))
        self.node(op_type, [x], self.values[x])

    def binary(self):
        op_type = self.draw(st.sampled_from(["Add", "Sub", "Mul"]))
        x = self.pick()
        others = []
        for name, shape in self.values.items():
            try:
                np.broadcast_shapes(shape, self.values[x])
            except ValueError:
                continue
            others.append(name)
        y = self.draw(st.sampled_from(others))
        names = [self.node_tanh(x), y] if op_type == "Mul" else [x, y]
        self.node(op_type, names, np.broadcast_shapes(self.values[x], self.values[y]))

    def node_tanh(self, x):
        """Keeps products from growing."""
        self.node("Tanh", [x], self.values[x])
        return self.nodes[-1].output[0]

    def conv(self):
        x = self.pick(4)
        if x is None:
            return
        n, c, h, w = self.values[x]
        kernel = self.draw(st.sampled_from([1, 3]))
        depthwise = self.draw(st.booleans())
        m = c if depthwise else self.draw(st.integers(1, 5))
        weights = self.weights(m, 1 if depthwise else c, kernel, kernel)
        names = [x, weights] + ([self.weights(m)] if self.draw(st.booleans()) else [])
        attributes = {"pads": [kernel // 2] * 4, "group": c if depthwise else 1}
        self.node("Conv", names, (n, m, h, w), **attributes)

    def pool(self):
        x = self.pick(4)
        if x is None or min(self.values[x][2:]) < 2:
            return
        n, c, h, w = self.values[x]
        op_type = self.draw(st.sampled_from(["MaxPool", "AveragePool"]))
        self.node(op_type, [x], (n, c, h - 1, w - 1), kernel_shape=[2, 2])

    def transpose(self):
        x = self.pick(2, 3, 4, 5)
        if x is None:
            return
        shape = self.values[x]
        permutation = self.draw(st.permutations(range(len(shape))))
        self.node("Transpose", [x], [shape[axis] for axis in permutation], perm=permutation)

    def reshape(self):
        x = self.pick(2, 3, 4)
        if x is None:
            return
        shape = list(self.values[x])
        at = self.draw(st.integers(0, len(shape) - 2))
        merged = [*shape[:at], shape[at] * shape[at + 1], *shape[at + 2 :]]
        split = [*shape[:at], 1, *shape[at:]]
        target = self.draw(st.sampled_from([merged, split, shape[::-1]]))
        self.node("Reshape", [x, self.constant(np.array(target, np.int64))], target)

    def concat(self):
        x = self.pick(2, 3, 4)
        if x is None:
            return
        shape = list(self.values[x])
        axis = self.draw(st.integers(0, len(shape) - 1))
        others = [name for name, other in self.values.items() if other == tuple(shape)]
        names = [x, *self.draw(st.lists(st.sampled_from(others), min_size=1, max_size=2))]
        shape[axis] *= len(names)
        self.node("Concat", names, shape, axis=axis)

    def cut(self):
        """Half of an axis, or its every second element."""
        x = self.pick(2, 3, 4)
        if x is None:
            return
        shape = list(self.values[x])
        axis = self.draw(st.integers(0, len(shape) - 1))
        step = self.draw(st.integers(1, 2))
        start = self.draw(st.integers(0, shape[axis] - 1))
        bounds = ([start], [shape[axis]], [axis], [step])
        shape[axis] = len(range(start, shape[axis], step))
        self.node("Slice", [x, *(self.constant(np.array(b, np.int64)) for b in bounds)], shape)

    def split(self):
        x = self.pick(2, 3, 4)
        if x is None:
            return
        shape = list(self.values[x])
        axis = self.draw(st.integers(0, len(shape) - 1))
        if shape[axis] % 2 == 0:
            shape[axis] //= 2
            names = [f"v{len(self.nodes)}", f"v{len(self.nodes)}b"]
            self.nodes.append(helper.make_node("Split", [x], names, axis=axis))
            self.values.update(dict.fromkeys(names, tuple(shape)))

    def pad(self):
        x = self.pick(2, 3, 4)
        if x is None:
            return
        shape = self.values[x]
        amounts = self.draw(
            st.lists(st.integers(0, 1), min_size=2 * len(shape), max_size=2 * len(shape))
        )
        padded = np.add(shape, np.reshape(amounts, (2, -1)).sum(axis=0))
        self.node("Pad", [x, self.constant(np.array(amounts, np.int64))], padded)

    def upsample(self):
        x = self.pick(4)
        if x is not None:
            n, c, h, w = self.values[x]
            if self.draw(st.booleans()):
                scales = self.constant(np.array([1, 1, 2, 2], np.float32))
                mode = {"mode": "linear"} if self.draw(st.booleans()) else {}
                self.node("Resize", [x, "", scales], (n, c, 2 * h, 2 * w), **mode)
            else:
                weights = self.weights(c, 3, 2, 2)
                shape = (n, 3, 2 * h, 2 * w)
                self.node("ConvTranspose", [x, weights], shape, strides=[2, 2])

    def mean(self):
        x = self.pick(2, 3, 4)
        if x is None:
            return
        axis = self.draw(st.integers(0, len(self.values[x]) - 1))
        keep = self.draw(st.booleans())
        shape = [1 if i == axis else e for i, e in enumerate(self.values[x])]
        if not keep:
            del shape[axis]
        self.node("ReduceMean", [x], shape, axes=[axis], keepdims=int(keep))

    def softmax(self):
        x = self.pick(2, 3, 4)
        if x is not None:
            axis = self.draw(st.integers(0, len(self.values[x]) - 1))
            self.node("Softmax", [x], self.values[x], axis=axis)

    def matmul(self):
        x = self.pick(2, 3, 4)
        if x is not None:
            n = self.draw(st.integers(1, 5))
            shape = self.values[x]
            self.node("MatMul", [x, self.weights(shape[-1], n)], (*shape[:-1], n))


MAKERS = [
    *("unary", "binary", "conv", "pool", "transpose", "reshape", "concat", "mean", "softmax"),
    *("cut", "split", "pad", "upsample", "matmul"),
]


@st.composite
def graphs(draw, maker_type, kinds, sizes, most_elements):
    """A model that `maker_type` makes of random `kinds` of nodes, from `sizes[0]` to `sizes[1]`, and its feeds."""
    maker = maker_type(draw)
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=sizes[0], max_size=sizes[1])):
        getattr(maker, kind)()
        if sum(map(np.prod, maker.values.values())) > most_elements:
            break
    made = [name for node in maker.nodes for name in node.output]
    if not made:
        maker.unary()
        made = [maker.nodes[-1].output[0]]
    used = {name for node in maker.nodes for name in node.input}
    outputs = [name for name in made if name not in used or draw(st.integers(0, 4)) == 0]
    feeds = {name: array for name, array in maker.feeds.items() if name in used}
    dynamic = draw(st.booleans())
    data = native.build(maker.nodes, feeds, outputs, maker.constants, dynamic=dynamic)
    return data, feeds


@given(graphs(GraphMaker, MAKERS, sizes=(1, 14), most_elements=10_000))
def test_graphs(case):
    native.compare(*case, rtol=1e-4, atol=1e-3)
