"""The XNNPACK provider: nodes that it takes, and subgraphs of them that run in one call into the engine."""

from pyxnn.xnnpack.ops import supports
from pyxnn.xnnpack.registry import planned_inputs, runs_on_integers
from pyxnn.xnnpack.subgraph import Subgraph

__all__ = ["Subgraph", "planned_inputs", "runs_on_integers", "supports"]
