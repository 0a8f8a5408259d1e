"""Programs for TensorFlow's libraries."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.models import BENCHMARK, CALIBRATED, LAYERS, MODELS, QUANTIZED, layers
from tests.models.mobilenet_v2 import mobilenet_v2
from tools.bench import tflite
from tools.bench.channels_last import UntranslatableError, translate
from tools.bench.peers import PAGES

FLOAT_MODELS = sorted(
    (BENCHMARK.keys() | LAYERS.keys() | CALIBRATED.keys())
    - QUANTIZED.keys()
    - {"resnet50", "yolov8n", "minilm_dynamic", "few_bits_1x4096x11008"}
)


@pytest.mark.parametrize("name", FLOAT_MODELS)
def test_all_values_are_defined_and_all_steps_known(name: str) -> None:
    program = translate(MODELS[name]())
    known = {"input", *program.constants}
    for step in program.steps:
        assert known.issuperset(step["inputs"])
        assert step["op"] in tflite_steps()
        assert step["op"] in tfjs_steps()
        known.add(step["output"])
    assert program.output in known


def tflite_steps() -> set[str]:
    for node in ast.parse(tflite.CONVERTER.read_text()).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict):
            return {key.value for key in node.value.keys if isinstance(key, ast.Constant)}
    raise AssertionError("convert.py has no table of steps")


def tfjs_steps() -> set[str]:
    table = (PAGES / "tfjs.js").read_text().partition("const STEPS = {")[2]
    return set(re.findall(r"^  (\w+)[:(]", table, re.MULTILINE))


def test_activations_are_fused() -> None:
    steps = translate(mobilenet_v2(size=32)).steps
    assert not [step for step in steps if step["op"] == "relu6"]
    assert [step.get("activation") for step in steps].count("relu6") == 35


def test_gelu_is_one_step() -> None:
    steps = translate(BENCHMARK["minilm"]()).steps
    assert [step["op"] for step in steps].count("gelu") == 6
    assert "erf" not in {step["op"] for step in steps}


def test_weights_have_channels_last(tmp_path: Path) -> None:
    model = layers.conv(channels=2, outputs=3, size=4)
    program = translate(model)
    assert program.input_shape == [1, 4, 4, 2]
    path = tmp_path / "program.json"
    program.write(path)
    places = json.loads(path.read_text())["constants"]
    assert places["conv.weight"]["shape"] == [3, 3, 2, 3]
    content = np.fromfile(path.with_suffix(".bin"), np.float32)
    assert len(content) == 3 * 3 * 2 * 3 + 3


def test_unknown_operators_are_refused() -> None:
    with pytest.raises(UntranslatableError, match="Erf"):
        model = layers.relu()
        model.graph.node[0].op_type = "Erf"
        translate(model)
