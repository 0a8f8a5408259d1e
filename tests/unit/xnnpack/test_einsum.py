"""Einsum against native onnxruntime.

Tolerance: sums of at most 60 products of values around 1, in another order.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from tests.support import native

TOLERANCE = {"rtol": 1e-5, "atol": 5e-5}


def random(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def check(equation, shapes, constants=(), dynamic=False):
    feeds = {f"x{place}": random(place, shape) for place, shape in enumerate(shapes)}
    known = {f"x{place}": feeds.pop(f"x{place}") for place in constants}
    names = [f"x{place}" for place in range(len(shapes))]
    node = helper.make_node("Einsum", names, ["y"], equation=equation)
    native.compare(native.build([node], feeds, ["y"], known, dynamic=dynamic), feeds, **TOLERANCE)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(3, 4), (4, 5)]),
        ("ij,kj->ki", [(3, 4), (5, 4)]),
        ("bhid,bhjd->bhij", [(2, 3, 4, 5), (2, 3, 6, 5)]),
        ("bhij,bhjd->bihd", [(2, 3, 4, 6), (2, 3, 6, 5)]),
        ("blhd,hde->ble", [(2, 3, 4, 5), (4, 5, 6)]),
        ("bld,dhe->bhle", [(2, 3, 4), (4, 5, 6)]),
        ("i,j->ij", [(3,), (4,)]),
        ("i,i->", [(3,), (3,)]),
        ("bi,bi->b", [(3, 4), (3, 4)]),
        ("ij->ji", [(3, 4)]),
        ("ij->i", [(3, 4)]),
        ("ijk->", [(3, 4, 2)]),
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]),
        ("bn,anm,bm->ba", [(2, 3), (4, 3, 5), (2, 5)]),
        ("...ij,...jk->...ik", [(2, 1, 3, 4), (1, 5, 4, 6)]),
        ("i...,...->i...", [(3, 4, 5), (4, 5)]),
        ("ij,jk->ik", [(3, 4), (1, 5)]),
        ("bij,bjk->bik", [(1, 3, 1), (2, 4, 5)]),
        ("ij,ij->ij", [(1, 4), (3, 1)]),
        ("b i , b j", [(3, 4), (3, 5)]),
        ("ij,jk", [(3, 4), (4, 5)]),
        ("bik,jk->bij", [(2, 0, 4), (5, 4)]),
    ],
)
@pytest.mark.parametrize("constant", [None, 0, -1])
def test_einsum(equation, shapes, constant):
    if constant is not None and len(shapes) == 1:
        pytest.skip("nothing would be computed")
    check(equation, shapes, () if constant is None else (constant % len(shapes),))


@st.composite
def equations(draw):
    extents = dict(zip("abcde", draw(st.tuples(*[st.integers(1, 4)] * 5)), strict=True))
    labels = st.lists(st.sampled_from("abcde"), min_size=1, max_size=4, unique=True)
    terms = draw(st.lists(labels, min_size=1, max_size=3))
    output = draw(st.permutations(sorted({label for term in terms for label in term})))
    output = output[: draw(st.integers(0, len(output)))]
    equation = ",".join(map("".join, terms)) + "->" + "".join(output)
    constants = draw(st.sets(st.integers(0, len(terms) - 1), max_size=len(terms) - 1))
    shapes = [
        tuple(draw(st.sampled_from([extents[label]] * 4 + [1])) for label in term) for term in terms
    ]
    return equation, shapes, tuple(constants), draw(st.booleans())


@given(equations())
def test_any_equation(case):
    check(*case)


def test_refusals():
    feeds = {"x": random(0, (3, 3))}
    node = helper.make_node("Einsum", ["x"], ["y"], equation="ii->i")
    reason = native.refusal(native.build([node], feeds, ["y"]))
    assert reason == "a label stands twice in one term"
