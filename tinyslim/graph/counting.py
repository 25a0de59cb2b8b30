"""How large a network is and how much it computes."""

from __future__ import annotations

from dataclasses import dataclass

from tinyslim.nn import Module

from .node import Graph
from .tracing import trace


@dataclass(frozen=True)
class Summary:
    """Counts for one image; print it for a table.

    Attributes
    ----------
    params : int
        Trained numbers; a shared one counts once.
    macs : int
        Multiply-adds of convolutions and linear layers.
    flops : int
        2 · macs.
    """

    params: int
    macs: int
    graph: Graph

    @property
    def flops(self) -> int:
        return 2 * self.macs

    def __str__(self) -> str:
        rows = [("layer", "operation", "result", "params", "MACs")]
        for node in self.graph:
            if node.params or node.macs or node.op == "input":
                shape = " × ".join(map(str, node.shape[1:]))
                rows.append((node.name, node.op, shape, f"{node.params:,}", f"{node.macs:,}"))
        rows.append(("total", "", "", f"{self.params:,}", f"{self.macs:,}"))
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        return "\n".join(
            "  ".join(
                text.ljust(width) if column < 3 else text.rjust(width)
                for column, (text, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        )


def summary(model: Module, example) -> Summary:
    """Count parameters, multiply-adds and FLOPs of one image.

    Parameters
    ----------
    model : Module
    example : array
        A batch that the model takes; of it the image's size matters.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import graph, models
    >>> counts = graph.summary(models.mobilenet_v1(), np.zeros((1, 224, 224, 3), np.float32))
    >>> f"{counts.params / 1e6:.1f} M parameters, {counts.macs / 1e6:.0f} M multiply-adds"
    '4.2 M parameters, 569 M multiply-adds'
    """
    graph = trace(model, example)
    return Summary(sum(tensor.size for tensor in model.parameters()), sum(node.macs for node in graph), graph)
