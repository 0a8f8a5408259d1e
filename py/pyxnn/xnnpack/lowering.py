"""From nodes to steps: what an operator's `lower` function works with."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence

import numpy as np

from pyxnn import errors, quantization
from pyxnn.engine import Kind
from pyxnn.graph import Graph, Node
from pyxnn.partition import only_shapes_matter
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import kernels, layout, registry, tables
from pyxnn.xnnpack.evaluation import Evaluator
from pyxnn.xnnpack.fusion import NO_BOUNDS, Bounds, Work
from pyxnn.xnnpack.layout import Order, Shape
from pyxnn.xnnpack.resources import digest
from pyxnn.xnnpack.steps import Label, Step
from pyxnn.xnnpack.tables import Table
from pyxnn.xnnpack.values import FLOAT32, HALVES, Buffer, Kept, Quantized, Value, widened


class Lowering:
    """The plan of one subgraph for one signature of input shapes, while it grows.

    Values are either *known* (constants, and all that follows from constants and shapes) or computed by steps.

    Attributes:
        steps: those of the nodes so far.
        inputs: the tensors that are filled before a run, by name.
        known: see `Evaluator`.
        bounds: what the node at hand must clamp its result to; see `Operator.clamps`.
        packed: how often each initializer was asked for by those who need no elements of it in later plans.
        is_whole: whether no step was left out; what one would have packed isn't.
    """

    def __init__(
        self,
        graph: Graph,
        shapes: Mapping[str, Shape],
        evaluator: Evaluator,
    ) -> None:
        self.steps: list[Step] = []
        self.inputs: dict[str, Value] = {}
        self.known = evaluator.known
        self.bounds: Bounds = NO_BOUNDS
        self.packed: Counter[str] = Counter()
        self.is_whole = True
        self._graph = graph
        self._evaluator = evaluator
        self._label = Label("", "")
        self._arranged: dict[Hashable, Value] = {}
        self._values: dict[str, Value] = {}
        self._dequantized: dict[str, Node] = {}
        self._tables: dict[str, Table] = {}
        self._postponed: dict[str, Work] = {}
        for name, shape in shapes.items():
            value = self.new(shape, layout.row_major(len(shape)), graph.dtype(name) or FLOAT32)
            self.inputs[name] = value
            if value.dtype in HALVES:
                self._label = Label("Cast", f"input {name}")
                value = kernels.cast(self, value, FLOAT32)
            self._values[name] = value

    def lower(self, work: Work) -> None:
        """Adds the steps of one node, or evaluates it when all that it depends on is known.

        Raises:
            InvalidArgument: the shapes of its inputs don't fit together (lowerings raise ValueError).
            NotImplemented: the node needs an array that isn't known, such as a shape that another node computes.
        """
        node = work.node
        is_dequantized = node.is_op("DequantizeLinear")
        if not (is_dequantized or only_shapes_matter(node)) and self._is_current(node):
            return
        table = None
        if is_dequantized or self._tables:
            table = tables.of(work, self._graph, self)
        if table is None and not is_dequantized:
            self._lower(work)
            return
        name = node.output(0)
        self._postponed[name] = work
        if table is not None:
            self._tables[name] = table
        if is_dequantized:
            self._dequantized[name] = node

    def _lower(self, work: Work) -> None:
        node = work.node
        self._label = Label(work.operators, node.name or node.output(0))
        self.bounds = work.bounds
        if not work.is_fused and self._plan(node):
            return
        operator = registry.find(node)
        if operator is None:
            raise errors.NotImplemented(f"XNNPACK has no {node.op_type} ({node})")
        for position in operator.planned:
            name = node.input(position)
            if name and self.constant(name) is None:
                raise errors.NotImplemented(f"input '{name}' of {node} is not known in advance")
        try:
            if work.quantization is None:
                operator.lower(node, self)
            else:
                on_integers = registry.find_quantized(node)
                assert on_integers is not None
                on_integers.lower(node, self, work.quantization)
        except ValueError as error:
            raise errors.InvalidArgument(f"{node}: {error}") from error

    def _make(self, name: str) -> None:
        """Lowers a node that was postponed until somebody asks for its result.

        So are DequantizeLinear, as those who compute with integers don't ask for floats, and what a table gives (see `tables`):
        bytes are looked up, all that makes others of them is left out.
        """
        label, bounds = self._label, self.bounds
        work, table = self._postponed.pop(name), self._tables.get(name)
        if table is None or table.values.itemsize > 1:
            self._lower(work)
        else:
            self._label = Label(table.operators, work.node.name or name)
            self.define(name, kernels.lookup(self, self.value(table.origin), table.values))
        self._label, self.bounds = label, bounds

    def _is_current(self, node: Node) -> bool:
        """Whether the plan before evaluated a node, and what is known now would give the same."""
        if self._evaluator.has_evaluated(node):
            for name in node.inputs:
                self._known_array(name)  # which may have been postponed
        return self._evaluator.is_current(node)

    def _plan(self, node: Node) -> bool:
        """Evaluates a node that depends on constants and shapes only; False when it doesn't."""
        if node.captures:
            return False
        if only_shapes_matter(node):
            x = self.value(node.input(0))
            self._evaluator.evaluate_shape(node, x.shape, x.dtype)
        else:
            arrays = []
            for name in node.inputs:
                arrays.append(self._known_array(name))
                if name and arrays[-1] is None:
                    return False
            self._evaluator.evaluate(node, arrays)
        return True

    def _known_array(self, name: str) -> np.ndarray | None:
        """The array of a known value, in the model's type; None for others and for ""."""
        maker = self._dequantized.get(name)
        if name in self._postponed and maker and self.constant(maker.input(0)) is not None:
            self._make(name)
        array = self.known.get(name)
        return self._graph.constant(name) if array is None else array

    def constant(self, name: str) -> np.ndarray | None:
        """The array of a known value, as plans have it; None for others and for ""."""
        array = self._known_array(name)
        return None if array is None else widened(array)

    def dtype(self, name: str) -> np.dtype | None:
        """The type that the model gives a value; see `values.HALVES` for how it may differ from the tensor's."""
        return self._graph.dtype(name)

    def static_shape(self, name: str) -> Shape | None:
        """The shape that a value has in all plans; None where the model leaves it open."""
        return self._graph.type(name).static_shape

    def array(self, name: str) -> np.ndarray:
        """The array of a value that `supports` or `planned` made sure is known."""
        array = self.constant(name)
        assert array is not None, f"{name} is not known"
        return array

    def weights(self, name: str) -> np.ndarray:
        """The array of a known value, for nothing but `Step.kernel`: later plans, which find it packed, get it hollow."""
        if name not in self.known:
            self.packed[name] += 1
        return self.array(name)

    def integer_weights(self, name: str) -> np.ndarray:
        """Like `weights`, of the integers that a DequantizeLinear takes."""
        return self.weights(self._dequantized[name].input(0))

    def is_initializer(self, name: str) -> bool:
        return self._graph.constant(name) is not None

    def kept(
        self, name: str, make: Callable[[np.ndarray], np.ndarray], shape: Shape, form: str
    ) -> Value:
        """A row-major constant that stays in the engine: what `make` makes of an initializer, for the first plan only.

        Args:
            name: of the initializer.
            make: gives an array of `shape`; the type stays.
            shape: of the tensor.
            form: tells what `make` makes apart from what others make of the same.
        """
        self.packed[name] += 1
        array = self.array(name)
        source = Kept((name, form), lambda: make(array))
        return Value(shape, layout.row_major(len(shape)), source, 0, array.dtype)

    def weights_key(self, *names: str) -> Hashable:
        """Tells the known values of these names apart from others, for `Step.key`."""
        return tuple(digest(self.known[name]) if name in self.known else name for name in names)

    def value(self, name: str) -> Value:
        """The tensor of a name, in whichever order it lies."""
        if name in self._postponed:
            self._make(name)
        value = self._values.get(name)
        if value is None:
            value = self._values[name] = Value.constant(self.array(name))
        return value

    def is_quantized(self, name: str) -> bool:
        """Whether a value comes from a DequantizeLinear with constant parameters."""
        node = self._dequantized.get(name)
        return node is not None and quantization.of(node, self._graph) is not None

    def quantization(self, name: str) -> Quantization:
        """What the integers stand for that a DequantizeLinear with constant parameters takes."""
        node = self._dequantized[name]
        found = quantization.of(node, self._graph)
        assert found is not None, f"{node} has computed parameters"
        return found

    def quantized(self, name: str) -> Quantized:
        """The integers that a DequantizeLinear with constant parameters takes, and what they stand for."""
        return Quantized(self.value(self._dequantized[name].input(0)), self.quantization(name))

    def table(self, name: str) -> Table | None:
        """How a value follows from a tensor of bytes, None when it doesn't."""
        return self._tables.get(name)

    def define(self, name: str, value: Value) -> None:
        """Says that a node's output is this tensor."""
        self._values[name] = value

    def new(self, shape: Shape, order: Order, dtype: np.dtype = FLOAT32) -> Value:
        """A tensor for a step to write."""
        return Value(shape, order, Buffer(math.prod(shape) * dtype.itemsize), 0, dtype)

    def step(
        self,
        kind: Kind,
        params: Sequence[int | float],
        dims: Sequence[int],
        inputs: Sequence[Value],
        output: Value,
        *,
        label: Label | None = None,
        kernel: np.ndarray | None = None,
        bias: np.ndarray | None = None,
        key: Hashable = None,
    ) -> Value:
        """Adds a step, unless its output has no elements; returns the output.

        The arguments are those of `Step`; without a label it is the node's.
        """
        if output.size:
            self.steps.append(
                Step(
                    label or self._label,
                    kind,
                    tuple(params),
                    tuple(dims),
                    tuple(inputs),
                    output,
                    kernel,
                    bias,
                    key,
                )
            )
        else:
            self.is_whole = False
        return output

    def arrange(self, value: Value, order: Order) -> Value:
        """The value in an order; a step moves its bytes where they lie otherwise, once for all who ask."""
        if value.order == order:
            return value
        if value.has_order(order) or value.size == 0:
            return value.viewed(value.shape, order)
        source = value.source
        moves = [value.order.index(axis) for axis in order]
        if isinstance(source, np.ndarray):
            return Value(value.shape, order, source.transpose(moves), 0, value.dtype)
        key = (source, value.offset, value.shape, value.order, order)
        arranged = self._arranged.get(key)
        if arranged is None:
            arranged = self._arranged[key] = self.new(value.shape, order, value.dtype)
            label = Label("Transpose", f"before {self._label.name}")
            kernels.transpose(self, value, arranged, moves, label)
        return arranged

    def arranged_alike(self, values: Sequence[Value]) -> list[Value]:
        """Values of one rank in a common order: the one that moves the fewest bytes, row-major last."""

        def cost(order: Order) -> tuple[int, bool]:
            moved = sum(value.nbytes for value in values if not self._has(value, order))
            return moved, order == layout.row_major(len(order))

        orders = [value.order for value in values if not value.is_constant]
        order = min(orders, key=cost, default=values[0].order)
        return [self.arrange(value, order) for value in values]

    def _has(self, value: Value, order: Order) -> bool:
        """Whether the value is there in an order, or will be for nothing."""
        key = (value.source, value.offset, value.shape, value.order, order)
        return value.is_constant or value.has_order(order) or key in self._arranged

    def row_major(self, value: Value) -> Value:
        """The value in ONNX's own order."""
        return self.arrange(value, layout.row_major(value.rank))

    def result(self, name: str) -> Value:
        """The tensor of a name in row-major order and of the model's type, as it leaves the subgraph."""
        self._label = Label("", f"output {name}")
        value, dtype = self.value(name), self.dtype(name)
        if dtype is not None and dtype in HALVES:
            value = kernels.cast(self, value, dtype)
        return self.row_major(value)

    def reshape(self, value: Value, shape: Shape) -> Value:
        """The elements of a value, in ONNX's sequence, under another shape."""
        asked, given = layout.reshape(value.shape, value.order, shape)
        if not value.has_order(asked):  # bytes move anyhow: to where most kernels want them
            asked, given = layout.row_major(value.rank), layout.row_major(len(shape))
        return self.arrange(value, asked).viewed(shape, given)
