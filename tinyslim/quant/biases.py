"""Biases as the numbers that a Program adds to its sums: int32 steps, and 256ths of a step.

A layer's sums count steps of S₁·S₂·|c|, with c batch norm's factor, and so must the offset d that is left in real
numbers (Jacob et al. 2018, §2.4): b = d / (S₁·S₂·|c|). The step is small beside an output's, but not nothing: rounding
to whole steps moves v, the output in steps of its own grid, by up to M/2. M = S₁·S₂·|c|/S₃ is about 2⁻⁸ as a rule, 0.1
with weights of 4 bits, and above 1 where batch norm magnifies a channel that hardly varies: MobileNetV2 lost three
points of accuracy to it. So biases are rounded to 256ths of a step.
"""

from __future__ import annotations

import copy

import numpy as np

from tinyslim.graph import Graph, GraphModule, Node

from .folding import Affine, fold
from .layers import QuantizedWeight
from .lookup import grid_of
from .placement import WEIGHTED, chain

#: Into how many parts a step is divided for biases.
PARTS = 256
#: A bias of at most 2³⁰ steps leaves the sum of products the rest of an int32.
LARGEST_BIAS = 2.0**30


def sum_steps(scales: np.ndarray, affine: Affine, input_scale: float) -> np.ndarray:
    """The step of each channel's sums, S₁·S₂·|c|: float64 (c,).

    A dead channel has almost no step, and its bias would be more steps than an int32 counts: it gets a larger one.
    """
    step = input_scale * scales.astype(np.float64) * np.abs(affine.factor)
    return np.maximum(step, np.maximum(np.abs(affine.offset) / LARGEST_BIAS, np.finfo(np.float32).tiny))


def split_bias(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Biases in steps as whole steps, int32, and in 256ths of a step what is left of them, int8.

    Examples
    --------
    >>> split_bias(np.array([2.25, -0.5, 7.49]))
    (array([2, 0, 7], dtype=int32), array([  64, -128,  125], dtype=int8))
    """
    parts = np.rint(steps * PARTS).astype(np.int64)
    whole = (parts + PARTS // 2) // PARTS
    left = parts - PARTS * whole
    return whole.astype(np.int32), left.astype(np.int8)


def round_biases(model: GraphModule) -> GraphModule:
    """A copy of a prepared model whose biases are the ones that its Program will have.

    Freezing either gives the same Program. The copy simulates it more closely: all that is left between a float
    simulation and integers is the last bits of sums in float32 (see `compare`, which counts both apart).

    Parameters
    ----------
    model : GraphModule
        What `prepare` or `calibrate` made, with ranges.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn, quant
    >>> net = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2))
    >>> prepared = quant.prepare(net, np.ones((1, 3)))
    >>> _ = prepared(np.ones((1, 3), np.float32))  # sets the ranges
    >>> layer = quant.round_biases(prepared).get("0")
    >>> step = prepared.get("quantizers.input").grid().scale * layer.scales()
    >>> steps = 256 * layer.bias.data / step
    >>> np.abs(steps - np.rint(steps)).max() < 1e-2
    np.True_
    """
    rounded = copy.deepcopy(model)
    for node in rounded.graph:
        # A layer that stays in float32 has no steps.
        quantized = node.op in WEIGHTED and isinstance(rounded.graph.layer(node), QuantizedWeight)
        if quantized and grid_of(rounded.graph, node.inputs[0]) is not None:
            _round(rounded.graph, node)
    return rounded


def _round(graph: Graph, node: Node) -> None:
    """Move the bias of `node`, or that of the batch norm behind it, to a whole number of steps."""
    members = chain(graph, node)
    _, affine = fold(graph, members)
    layer, norm = graph.layer(node), graph.neighbour(node)
    step = sum_steps(layer.scales(norm), affine, grid_of(graph, node.inputs[0]).scale)
    # The logits' sums are whole: a step of theirs is far below what tells two classes apart.
    step = step if graph.output in members else step / PARTS
    bearer = next((graph.layer(member) for member in members if member.op == "batch_norm"), graph.layer(node))
    if bearer.bias is not None:
        bearer.bias.data += (np.rint(affine.offset / step) * step - affine.offset).astype(bearer.bias.dtype)
