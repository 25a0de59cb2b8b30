"""What both lowerings keep: the Program so far, and which value each node of the graph became."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinyslim import deploy
from tinyslim.graph import Graph, Node


@dataclass
class Lowering:
    """A Program under construction, and for each node that was lowered the number of its value."""

    graph: Graph
    program: deploy.Builder
    values: dict[Node, int] = field(default_factory=dict)

    def emit(self, kind: str, node: Node, **attributes_and_arrays) -> int:
        """Append an operation on the inputs of `node`; returns the number of its value."""
        inputs = [self.values[parent] for parent in node.inputs]
        return self.program.add(kind, node.name, inputs, **attributes_and_arrays)


def check_inputs(node: Node, count: int) -> None:
    """Refuse a constant where a Program has room for computed values alone."""
    if len(node.inputs) != count or len(node.arguments) != count:
        raise ValueError(
            f"{node.name} ({node.op}) takes a constant: a Program can hold it only in a batch norm or a layer"
        )


def is_flatten(node: Node) -> bool:
    """Whether `node` brings (n, …) to (n, everything else)."""
    return node.op == "flatten" or (node.op == "reshape" and len(node.shape) == 2)


def check_channel_axis(node: Node) -> None:
    """Refuse a concat along another axis than the channels."""
    if node.attributes["axis"] not in (-1, len(node.shape) - 1):
        raise ValueError(f"{node.name} (concat) joins axis {node.attributes['axis']}: a Program joins channels alone")
