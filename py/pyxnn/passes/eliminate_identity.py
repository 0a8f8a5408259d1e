"""Removes Identity nodes.

    * The result is no graph output: its users take the input itself.
    * It is one, and the input is a constant: the result becomes one too.
    * It is one, and the input is made by a node and no graph output itself: that node makes the
      output instead.
Must not fire when a graph output is a graph input, or another output, by another name, nor where
the body of an If, Loop or Scan would have to change the name that it captures.
"""

from __future__ import annotations

from dataclasses import replace

from pyxnn.graph import Graph, Node


def run(graph: Graph) -> bool:
    changed = False
    for node in list(graph.nodes):
        changed |= node.is_op("Identity") and _eliminate(node, graph)
    return changed


def _eliminate(node: Node, graph: Graph) -> bool:
    x, y = node.input(0), node.output(0)
    if not graph.is_output(y):
        if graph.is_captured(y):
            return False
        graph.replace(node)
        graph.replace_uses(y, x)
        return True
    constant = graph.constant(x)
    if constant is not None:
        graph.replace(node)
        graph.initializers[y] = constant
        return True
    producer = graph.producer(x)
    if producer is None or graph.is_output(x) or graph.is_captured(x):
        return False
    graph.replace(node)
    graph.replace_uses(x, y)
    outputs = [y if name == x else name for name in producer.outputs]
    graph.replace(producer, replace(producer, outputs=outputs))
    return True
