"""The numbers in ``pyxnn.engine.abi`` are those of ``pyxnn.h``."""

import re
from pathlib import Path

import pytest

from pyxnn.engine import abi

HEADER = (Path(__file__).parents[3] / "wasm/include/pyxnn.h").read_text()


def header_enum(name: str) -> dict[str, int]:
    body = re.search(
        rf"enum {name} \{{(.*?)\n?\}}", re.sub(r"/\*.*?\*/", "", HEADER, flags=re.S), re.S
    )
    assert body is not None, f"pyxnn.h has no enum {name}"
    pairs = re.findall(r"pyxnn_(\w+) = (\d+)", body[1])
    return {label.upper(): int(number) for label, number in pairs}


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("pyxnn_status", abi.Status),
        ("pyxnn_kind", abi.Kind),
        ("pyxnn_binary_type", abi.BinaryType),
        ("pyxnn_element", abi.Element),
        ("pyxnn_scatter_type", abi.ScatterType),
        ("pyxnn_unary_type", abi.UnaryType),
        ("pyxnn_function_type", abi.FunctionType),
        ("pyxnn_cell_type", abi.CellType),
        ("pyxnn_direction_type", abi.DirectionType),
        ("pyxnn_activation_type", abi.ActivationType),
        ("pyxnn_normalize_type", abi.NormalizeType),
        ("pyxnn_softmax_type", abi.SoftmaxType),
        ("pyxnn_reduce_type", abi.ReduceType),
        ("pyxnn_pool_type", abi.PoolType),
        ("pyxnn_sample_type", abi.SampleType),
        ("pyxnn_coordinate_type", abi.CoordinateType),
        ("pyxnn_padding_type", abi.PaddingType),
    ],
)
def test_enums(name, ours):
    assert header_enum(name) == {member.name: member.value for member in ours}


def test_spaces():
    assert header_enum("pyxnn_space") == {"ARENA": abi.ARENA, "ABSOLUTE": abi.ABSOLUTE}
