"""The zoo in Chromium: where its models run, how exact they are, what memory they take.

./build.sh models [NAMES]   prints the table; of all models, writes it to docs/models.md, too
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import onnx

from tests.browser import zoo as browser_zoo
from tests.browser.python import MOUNTS, launched, python
from tests.browser.zoo import Trial
from tests.models.flops import costs, with_shapes
from tests.models.zoo import ZOO, Entry
from tools import chromium, serve, site
from tools.markdown import table
from tools.run import ROOT, attempt, say

TARGET = ROOT / "docs/models.md"
XNNPACK = "XnnpackExecutionProvider"

INTRODUCTION = """# Models

Published architectures with seeded weights, built by `tests/models/` the way PyTorch exports them, in Pyodide in {browser} on
{threads} threads. `./build.sh models` writes this page; the tests run the same models, smaller where that saves time.

- **nodes**: those left after the passes, and how many of them run on the XNNPACK provider.
- **FLOPs**: of convolutions, products and recurrent layers, and how much of that runs on the XNNPACK provider.
- **subgraphs**: of the XNNPACK provider.
- **conversions**: of models on 8-bit integers, the steps that make integers of real numbers or the other way round; one at each
  input and output is the least. What lies between two that aren't at the border runs on real numbers.
- **on integers**: of the operators that the model quantizes, how many run on integers: of those between DequantizeLinear and
  QuantizeLinear, and those that multiply integers or make them of 8 bits.
- **error**: the greatest difference from native onnxruntime, as a part of the greatest output, and what the tests allow.
- **peak**: what the engine held at most: packed weights, constants, arena.
- **arena**: what lies between the steps, beside the largest sum of tensors that live at one time, below which it can't be.
- **session**, **run**: seconds that they took, once; [performance.md](performance.md) has measurements.
"""
HEADER = (
    "model",
    "nodes",
    "on XNNPACK",
    "GFLOP",
    "on XNNPACK",
    "subgraphs",
    "conversions",
    "on integers",
    "error",
    "tolerance",
    "peak, MiB",
    "arena, MiB",
    "over its bound",
    "session, s",
    "run, s",
)


class Row(NamedTuple):
    """A model's line of the table, and its operators that are on the CPU provider or on real numbers though quantized, by reason."""

    cells: tuple[str, ...]
    elsewhere: Counter[tuple[str, str]]
    real: Counter[tuple[str, str]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="./build.sh models", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *ZOO], metavar="NAME", help=", ".join(ZOO))
    names = parser.parse_args().names
    rows = {}
    with serve.serving(site.TARGET, mounts=MOUNTS) as address, launched() as browser:
        for name in names or ZOO:
            # A page for each, as its memory never shrinks.
            with python(browser, address, "worker") as page:
                threads = page.run("import pyxnn\nawait pyxnn.ready()")
                rows[name] = row(name, ZOO[name], browser_zoo.trial(page, ZOO[name]))
            say(" | ".join(rows[name].cells))
            for (op_type, reason), count in (rows[name].elsewhere + rows[name].real).items():
                say(f"    {count} {op_type}: {reason}")
    introduction = INTRODUCTION.format(browser=chromium.version(), threads=threads)
    if not names:
        cells = (row.cells for row in rows.values())
        TARGET.write_text(f"{introduction}\n{table(HEADER, cells)}\n{list_of_others(rows)}")
        say(f"{TARGET.relative_to(ROOT)} written")


def row(name: str, entry: Entry, trial: Trial) -> Row:
    """What the table says of a model; of several runs, FLOPs and times are those of the last."""
    found = trial.found
    nodes = found["nodes"]
    mine = [node for node in nodes if node["provider"] == XNNPACK]
    quantized = [node for node in nodes if node["quantized"]]
    real = [node for node in quantized if node["real"]]
    total, elsewhere = flops(trial)
    size, bound = found["arena"]
    cells = (
        name,
        str(len(nodes)),
        percent(len(mine) / len(nodes)),
        f"{total / 1e9:.2f}",
        percent(1 - elsewhere / total) if total else "",
        str(len({node["segment"] for node in mine})),
        str(found["conversions"] or ""),
        percent(1 - len(real) / len(quantized)) if quantized else "",
        f"{max(trial.errors.values()):.0e}",
        f"{entry.tolerance:.0e}",
        f"{found['peak'] / 2**20:.0f}",
        f"{size / 2**20:.1f}",
        percent(size / bound - 1) if bound else "",
        f"{found['creation']:.1f}",
        f"{found['run']:.3f}",
    )
    return Row(
        cells,
        Counter((node["op_type"], told(node["reason"])) for node in nodes if node["reason"]),
        Counter((node["op_type"], told(node["real"])) for node in real),
    )


def flops(trial: Trial) -> tuple[int, int]:
    """Those of the model's last run, and how many of them are not on XNNPACK.

    A node on the CPU provider stands for the nodes of the model that lie between its inputs and its outputs, as a pass may have
    fused them.
    """
    feeds = trial.runs[-1].feeds
    model = with_shapes(trial.model, {name: array.shape for name, array in feeds.items()})
    cost = {name: spent.flops for name, spent in costs(model).items()}
    makers = {name: node for node in model.graph.node for name in node.output}
    made = {name for node in trial.found["nodes"] for name in node["outputs"]}
    elsewhere: set[str] = set()
    for node in trial.found["nodes"]:
        if node["provider"] != XNNPACK:
            elsewhere |= _between(node["outputs"], made, makers)
    return sum(cost.values()), sum(cost[name] for name in elsewhere)


def _between(
    outputs: Iterable[str], made: set[str], makers: Mapping[str, onnx.NodeProto]
) -> set[str]:
    """The names of the nodes behind some values, up to values that a node of the optimized graph makes."""
    names: set[str] = set()
    waiting = [name for name in outputs if name in makers]
    while waiting:
        node = makers[waiting.pop()]
        if node.name not in names:
            names.add(node.name)
            waiting += [name for name in node.input if name in makers and name not in made]
    return names


def told(reason: str) -> str:
    """Why a node is where it is, without the names of its values."""
    return re.sub(r" '[^']*'(?= is )", "", reason)


def percent(share: float) -> str:
    """Never rounded up to all."""
    return f"{math.floor(share * 1000) / 10:g} %"


def list_of_others(rows: Mapping[str, Row]) -> str:
    """What isn't on XNNPACK, and what is on real numbers though quantized; and why."""
    lists = {
        "Nodes on the CPU provider": {name: row.elsewhere for name, row in rows.items()},
        "Quantized operators on real numbers": {name: row.real for name, row in rows.items()},
    }
    lines = []
    for title, nodes in lists.items():
        entries = [
            f"- {name}: {count} {op_type}: {reason}"
            for name, counts in nodes.items()
            for (op_type, reason), count in counts.items()
        ]
        lines += [f"## {title}", "", *entries, ""] if entries else []
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(attempt(main))
