"""What plans know: found out anew where the shapes of a plan change it, and only there."""

from functools import partial

import numpy as np
import pytest
from onnx import helper

from pyxnn import errors
from pyxnn.xnnpack.facts import Facts
from pyxnn.xnnpack.lowering import Lowering
from pyxnn.xnnpack.values import Value
from tests.support import native


def deduced(plan, subject, find, *args):
    """Whether a subject was found out anew, by `find(plan, *args)`."""
    if plan.recall(subject):
        return False
    plan.deduce(subject, partial(find, plan, *args))
    return True


def double(plan):
    plan.tell("double", 2 * plan.ask("first"))


def test_what_premises_do_not_change_stays():
    deductions, doubles = {}, []
    for extents in ((2, 3), (2, 5), (4, 5)):
        plan = Facts(deductions)
        plan.deduce("shape", partial(plan.tell, "first", np.array(extents[0])))
        anew = deduced(plan, "double", double)
        assert anew == (not doubles or doubles[-1] != 2 * extents[0])
        doubles.append(plan.known("double"))
    assert doubles[0] is doubles[1] is not doubles[2]


def two_tensors(plan, extent):
    value = Value((2, 3), (0, 1), plan.buffer(24))
    plan.tell("turned", value.permuted([1, 0]))
    plan.tell("more", Value((extent,), (0,), plan.buffer(4 * extent)))


def test_tensors_in_the_same_places_are_the_same():
    deductions = {}
    before, after = Facts(deductions), Facts(deductions)
    before.deduce("node", partial(two_tensors, before, 5))
    after.deduce("node", partial(two_tensors, after, 6))
    assert before.known("turned") is after.known("turned")
    assert before.known("more").source is not after.known("more").source


TENSOR = object()


def tensor_if_need_be(plan):
    if plan.ask("tensor") is None:
        plan.tell("tensor", TENSOR)


def test_what_somebody_else_found_out_is_a_premise_too():
    """The second depends on there being nothing at first, and on what the first tells later."""
    deductions = {}
    for first in (False, True, False):
        plan = Facts(deductions)
        if first:
            plan.deduce("first", partial(plan.tell, "tensor", object()))
        deduced(plan, "second", tensor_if_need_be)
        assert (plan.known("tensor") is TENSOR) != first


def test_what_is_passed_over_is_found_out_again():
    deductions = {}
    for _ in range(2):
        plan = Facts(deductions)
        assert deduced(plan, "weights", Facts.pass_over)


@pytest.fixture
def lowered(monkeypatch):
    """The names of the nodes that the plans lower anew."""
    names = []
    lower = Lowering._lower

    def spy(self, work):
        names.append(work.node.output(0))
        lower(self, work)

    monkeypatch.setattr(Lowering, "_lower", spy)
    return names


def test_a_step_of_a_decoder_lowers_what_its_length_changes(lowered):
    """Once the weights are packed."""
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["h"]),
        helper.make_node("Concat", ["past", "h"], ["all"], axis=0),
        helper.make_node("ReduceSum", ["all", "axis"], ["sum"], keepdims=1),
        helper.make_node("Gemm", ["sum", "w"], ["g"]),
        helper.make_node("Relu", ["g"], ["y"]),
    ]
    random = np.random.default_rng(0)
    constants = {"w": random.standard_normal((8, 8), np.float32), "axis": np.int64([0])}
    x = random.standard_normal((1, 8), np.float32)
    feeds = {"x": x, "past": np.zeros((0, 8), np.float32)}
    data = native.build(nodes, feeds, ["y", "all"], constants, dynamic=True)
    part = native.subgraph(data)
    for length in range(7):
        lowered.clear()
        results = part.run(feeds, ["y", "all"])
        for got, want in zip(results.values(), native.run_native(data, feeds), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
        if length > 2:
            assert lowered == ["all", "sum"]
        feeds["past"] = results["all"]
    part.close()


def test_inputs_may_change_in_place():
    nodes = [helper.make_node("Expand", ["x", "size"], ["y"])]
    feeds = {"x": np.ones(1, np.float32), "size": np.int64([1])}
    data = native.build(nodes, feeds, ["y"], dynamic=True)
    part = native.subgraph(data)
    for number in (3, 4, 3):
        feeds["size"][0] = number
        assert part.run(feeds)["y"].shape == (number,)
    part.close()


def test_a_plan_that_failed_leaves_nothing_behind():
    """The first node took the new shape in, the second never did."""
    x, y = np.ones((2, 3), np.float32), np.ones((1, 6), np.float32)
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Add", ["y", "y"], ["h"]),
        helper.make_node("Add", ["x", "z"], ["w"]),
        helper.make_node("ReduceProd", ["shape"], ["size"], keepdims=1),
        helper.make_node("Reshape", ["h", "size"], ["r"]),
    ]
    feeds = {"x": x, "y": y, "z": x}
    data = native.build(nodes, feeds, ["w", "r"], dynamic=True)
    part = native.subgraph(data)
    for extents, fits in (((2, 3), True), ((2, 4), False), ((2, 4), True), ((2, 3), True)):
        size = extents[0] * extents[1]
        feeds = {
            "x": np.ones(extents, np.float32),
            "y": np.ones((1, size), np.float32),
            "z": np.ones(extents if fits else (7, 7), np.float32),
        }
        if fits:
            assert part.run(feeds)["r"].shape == (size,)
        else:
            with pytest.raises(errors.InvalidArgument):
                part.run(feeds)
    part.close()


def test_dequantized_rows_follow_the_shape() -> None:
    """As of an embedding of places on 8 bits: what is gathered is known while planning, and so is what is added to it."""
    nodes = [
        helper.make_node("Shape", ["x"], ["all"]),
        helper.make_node("Slice", ["all", "one", "two"], ["count"]),
        helper.make_node("Slice", ["places", "zero", "count"], ["some"]),
        helper.make_node("Gather", ["table", "some"], ["rows"]),
        helper.make_node("DequantizeLinear", ["rows", "scale", "point"], ["numbers"]),
        helper.make_node("Add", ["numbers", "half"], ["moved"]),
        helper.make_node("Add", ["x", "moved"], ["y"]),
    ]
    random = np.random.default_rng(0)
    constants = {
        "zero": np.int64([0]),
        "one": np.int64([1]),
        "two": np.int64([2]),
        "places": np.arange(9, dtype=np.int64),
        "table": random.integers(0, 255, (9, 80), np.uint8),
        "scale": np.float32(0.25),
        "point": np.uint8(7),
        "half": np.float32(0.5),
    }
    feeds = [{"x": random.standard_normal((1, n, 80), np.float32)} for n in (4, 2, 4, 7)]
    data = native.build(nodes, feeds[0], ["y"], constants, dynamic=True)
    part = native.subgraph(data)
    for feed in feeds:
        (expected,) = native.run_native(data, feed)
        np.testing.assert_array_equal(part.run(feed)["y"], expected)
    part.close()
