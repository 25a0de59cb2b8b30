"""Batch norm in use is an affine map of each channel, and a convolution before it can take that map up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinyslim.graph import Graph, Node


class Affine(NamedTuple):
    """y = factor·x + offset, a number for each channel: float64 (c,)."""

    factor: np.ndarray
    offset: np.ndarray


def batch_norm_affine(graph: Graph, node: Node) -> Affine:
    """γ·(x − μ)/√(σ² + ε) + β as factor γ/√(σ² + ε) and offset β − μ·factor (Jacob et al. 2018, eq. 14)."""
    gamma, beta = (graph.tensor(node, name, i).data.astype(np.float64) for i, name in ((1, "weight"), (2, "bias")))
    if node.module is None:
        mean, var, eps = (node.attributes[name] for name in ("mean", "var", "eps"))
    else:
        layer = graph.layer(node)
        mean, var, eps = layer.running_mean, layer.running_var, layer.eps
    factor = gamma / np.sqrt(var.astype(np.float64) + eps)
    return Affine(factor, beta - mean * factor)


def fold(graph: Graph, members: list[Node]) -> tuple[np.ndarray, Affine]:
    """The weight of the layer at the head of a chain, and what is done to each channel of its sums.

    Returns
    -------
    weight : numpy.ndarray
        As the layer has it; the factor is not multiplied in.
    affine : Affine
        The layer's bias and the batch norm behind it, if there is one, as one map.
    """
    head = members[0]
    weight = graph.tensor(head, "weight", 1).data
    channels = weight.shape[-1]
    bias = graph.tensor(head, "bias", 2)
    offset = np.zeros(channels) if bias is None else bias.data.astype(np.float64)
    factor = np.ones(channels)
    for node in members[1:]:
        if node.op == "batch_norm":
            norm = batch_norm_affine(graph, node)
            factor, offset = norm.factor, norm.factor * offset + norm.offset
    return weight, Affine(factor, offset)
