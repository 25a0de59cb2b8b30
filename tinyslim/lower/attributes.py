"""What both lowerings ask of a node: where its windows stand, and between which bounds its activation holds it."""

from __future__ import annotations

import numpy as np

from tinyslim.graph import Node
from tinyslim.kernels import geometry as window_geometry


def geometry(node: Node, weight: np.ndarray) -> dict:
    """Stride and the four sides of padding of a convolution."""
    stride, padding = node.attributes["stride"], node.attributes["padding"]
    image = node.inputs[0].shape[1:3]
    return {"stride": stride, "padding": window_geometry.padding_sides(padding, weight.shape[:2], stride, image)}


def pooling(node: Node) -> dict:
    """Size, stride and the four sides of padding of a pooling."""
    size = node.attributes["size"]
    stride = node.attributes["stride"] or size
    sides = window_geometry.padding_sides(node.attributes["padding"], (size, size), stride, node.inputs[0].shape[1:3])
    return {"size": size, "stride": stride, "padding": sides}


def bounds(members: list[Node]) -> dict:
    """The clip that the activation at the end of a chain makes: `low` and `high`, None for none."""
    last = members[-1]
    if last.op == "clip":
        return {name: last.attributes[name] for name in ("low", "high")}
    limits = {"relu": (0.0, None), "relu6": (0.0, 6.0)}
    low, high = limits.get(last.op, (None, None))
    return {"low": low, "high": high}
