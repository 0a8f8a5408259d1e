"""Removes nodes of whose results none is used, and constants that nothing uses.

Must not fire on what a body captures or the graph gives. A constant that goes is no change: no pass has more to do for it, and some
leave constants behind when they come to nothing.
"""

from __future__ import annotations

from pyxnn.graph import Graph


def run(graph: Graph) -> bool:
    changed = False
    for node in reversed(list(graph.nodes)):
        if not any(graph.consumers(name) or graph.is_output(name) for name in node.defines()):
            graph.replace(node)
            changed = True
    for name in list(graph.initializers):
        if not graph.consumers(name) and not graph.is_output(name):
            del graph.initializers[name]
    return changed
