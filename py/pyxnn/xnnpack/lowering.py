"""From nodes to steps: what an operator's `lower` function works with."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial

import numpy as np

from pyxnn import cpu, errors, quantization
from pyxnn.engine import Kind
from pyxnn.graph import Graph, Node
from pyxnn.partition import only_shapes_matter
from pyxnn.quantization import Quantization
from pyxnn.xnnpack import kernels, layout, registry, tables
from pyxnn.xnnpack.facts import Deductions, Facts
from pyxnn.xnnpack.fusion import NO_BOUNDS, Bounds, Work
from pyxnn.xnnpack.layout import Order, Shape
from pyxnn.xnnpack.resources import digest
from pyxnn.xnnpack.steps import Label, Step
from pyxnn.xnnpack.tables import Table
from pyxnn.xnnpack.values import FLOAT32, HALVES, Kept, Quantized, Value, is_hollow, widened


class Lowering:
    """The plan of one subgraph for one signature of input shapes, while it grows.

    Values are either *known* (constants, and all that follows from constants and shapes) or computed by steps. What is found
    out about them are facts, by which the next plan tells what it needn't find out again: `name` for a tensor, `("array", name)`
    for what is known, `("table", name)` and `("postponed", name)` as `_make` says, `("arranged", ...)` for a tensor in another
    order, `("result", name)` for one that leaves the subgraph.

    Attributes:
        inputs: the tensors that are filled before a run, by name.
        bounds: what the node at hand must clamp its result to; see `Operator.clamps`.
        packed: how often each initializer was asked for by those who need no elements of it in later plans.
        is_whole: whether no step was left out; what one would have packed isn't.
    """

    def __init__(
        self,
        graph: Graph,
        shapes: Mapping[str, Shape],
        known: Mapping[str, np.ndarray],
        deductions: Deductions,
    ) -> None:
        self.inputs: dict[str, Value] = {}
        self.bounds: Bounds = NO_BOUNDS
        self.packed: Counter[str] = Counter()
        self.is_whole = True
        self._graph = graph
        self._facts = facts = Facts(deductions)
        self._label = Label("", "")
        self._dequantized: dict[str, Node] = {}
        for name, array in known.items():
            facts.deduce(name, partial(facts.tell, ("array", name), array.copy()))
        for name, shape in shapes.items():
            facts.deduce(name, partial(self._take_in, name, shape))

    @property
    def steps(self) -> list[Step]:
        """Those so far."""
        return self._facts.steps

    def lower(self, work: Work) -> None:
        """Adds the steps of one node, or evaluates it when all that it depends on is known.

        Raises:
            InvalidArgument: the shapes of its inputs don't fit together (lowerings raise ValueError).
            NotImplemented: the node needs an array that isn't known, such as a shape that another node computes.
        """
        if work.node.is_op("DequantizeLinear"):
            self._dequantized[work.node.output(0)] = work.node
        if not self._facts.recall(work):
            self._facts.deduce(work, partial(self._lower_or_postpone, work))

    def _take_in(self, name: str, shape: Shape) -> None:
        order, dtype = layout.row_major(len(shape)), self._graph.dtype(name) or FLOAT32
        self.inputs[name] = value = self.new(shape, order, dtype)
        if value.dtype in HALVES:
            self._label = Label("Cast", f"input {name}")
            value = kernels.cast(self, value, FLOAT32)
        self.define(name, value)

    def _lower_or_postpone(self, work: Work) -> None:
        table = tables.of(work, self._graph, self) if self._dequantized else None
        name = work.node.output(0)
        if table is not None:
            self._facts.tell(("table", name), table)
        if table is not None or name in self._dequantized:
            self._facts.tell(("postponed", name), work)
        else:
            self._lower(work)

    def _lower(self, work: Work) -> None:
        node = work.node
        if not work.is_fused and self._evaluate(node):
            return
        self._label = Label(work.operators, node.name or node.output(0))
        self.bounds = work.bounds
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
        work, table = self._postponed(name), self.table(name)
        assert work is not None
        self._facts.tell(("postponed", name), None)
        if table is None or table.values.itemsize > 1:
            self._lower(work)
        else:
            self._label = Label(table.operators, work.node.name or name)
            self.define(name, kernels.lookup(self, self.value(table.origin), table.values))
        self._label, self.bounds = label, bounds

    def _postponed(self, name: str) -> Work | None:
        """What makes a value that nobody has asked for yet; None for others."""
        return self._facts.ask(("postponed", name)) if self._dequantized else None

    def _evaluate(self, node: Node) -> bool:
        """Evaluates a node that depends on constants and shapes only; False when it doesn't."""
        if node.captures:
            return False
        arrays: list[np.ndarray | None] = []
        if only_shapes_matter(node):
            x = self.value(node.input(0))
            strides = (0,) * x.rank
            arrays.append(np.ndarray(x.shape, x.dtype, bytes(x.dtype.itemsize), strides=strides))
        else:
            for name in node.inputs:
                array = self._known_array(name)
                if name and array is None:
                    return False
                arrays.append(array)
        results = cpu.evaluate(node, self._graph, arrays)
        for name, array in zip(node.outputs, results, strict=False):
            if name:
                self._facts.tell(("array", name), array)
        return True

    def _known_array(self, name: str) -> np.ndarray | None:
        """The array of a known value, in the model's type; None for others and for ""."""
        maker = self._dequantized.get(name)
        if maker and self._postponed(name) and self.constant(maker.input(0)) is not None:
            self._make(name)
        array = self._graph.constant(name)
        return self._facts.ask(("array", name)) if array is None else array

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
        if self.is_initializer(name):
            self.packed[name] += 1
        return self.array(name)

    def integer_weights(self, name: str) -> np.ndarray:
        """Like `weights`, of the integers that a DequantizeLinear takes."""
        return self.weights(self._dequantized[name].input(0))

    def is_initializer(self, name: str) -> bool:
        """Whether a value is constant for all plans, as the model has it."""
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
        if not is_hollow(array):
            self._facts.pass_over()
        source = Kept((name, form), lambda: make(array))
        return Value(shape, layout.row_major(len(shape)), source, 0, array.dtype)

    def weights_key(self, *names: str) -> Hashable:
        """Tells the known values of these names apart from others, for `Step.key`."""
        arrays = [self._facts.ask(("array", name)) for name in names]
        return tuple(
            name if array is None else digest(array)
            for name, array in zip(names, arrays, strict=True)
        )

    def value(self, name: str) -> Value:
        """The tensor of a name, in whichever order it lies."""
        if self._postponed(name):
            self._make(name)
        value = self._facts.ask(name)
        if value is None:
            value = Value.constant(self.array(name))
            self.define(name, value)
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
        return self._facts.ask(("table", name))

    def define(self, name: str, value: Value) -> None:
        """Says that a node's output is this tensor."""
        self._facts.tell(name, value)

    def new(self, shape: Shape, order: Order, dtype: np.dtype = FLOAT32) -> Value:
        """A tensor for a step to write."""
        return Value(shape, order, self._facts.buffer(math.prod(shape) * dtype.itemsize), 0, dtype)

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
        if kernel is not None and not is_hollow(kernel):
            self._facts.pass_over()
        if output.size:
            words = tuple(params), tuple(dims)
            self._facts.lay(
                Step(label or self._label, kind, *words, tuple(inputs), output, kernel, bias, key)
            )
        else:
            self.is_whole = False
            self._facts.pass_over()
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
        key = ("arranged", source, value.offset, value.shape, value.order, order)
        arranged = self._facts.ask(key)
        if arranged is None:
            arranged = self.new(value.shape, order, value.dtype)
            self._facts.tell(key, arranged)
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
        if value.is_constant or value.has_order(order):
            return True
        key = ("arranged", value.source, value.offset, value.shape, value.order, order)
        return self._facts.ask(key) is not None

    def row_major(self, value: Value) -> Value:
        """The value in ONNX's own order."""
        return self.arrange(value, layout.row_major(value.rank))

    def result(self, name: str) -> Value:
        """The tensor of a name in row-major order and of the model's type, as it leaves the subgraph."""
        key = ("result", name)
        if not self._facts.recall(key):
            self._facts.deduce(key, partial(self._put_out, name))
        return self._facts.known(key)

    def _put_out(self, name: str) -> None:
        self._label = Label("", f"output {name}")
        value, dtype = self.value(name), self.dtype(name)
        if dtype is not None and dtype in HALVES:
            value = kernels.cast(self, value, dtype)
        self._facts.tell(("result", name), self.row_major(value))

    def reshape(self, value: Value, shape: Shape) -> Value:
        """The elements of a value, in ONNX's sequence, under another shape."""
        asked, given = layout.reshape(value.shape, value.order, shape)
        if not value.has_order(asked):  # bytes move anyhow: to where most kernels want them
            asked, given = layout.row_major(value.rank), layout.row_major(len(shape))
        return self.arrange(value, asked).viewed(shape, given)
