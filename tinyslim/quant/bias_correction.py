"""Rounding weights shifts the mean of what a layer gives; the shift is measured and taken off its bias.

Nagel et al. 2019, §4.2: with ε = W̃ − W the error of the rounded weights,

    E[ỹ] − E[y] = E[W̃x̃] − E[Wx]   (eq. 16 and 17, where x̃ = x),

a number for each output channel that need not be 0: a depthwise filter has nine weights, whose errors do not average
out. We take the empirical form (appendix D): means over images, of each layer before its activation, front to back, so
that a layer's shift is measured behind layers that have lost theirs.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tinyslim.autograd import Tensor, no_grad
from tinyslim.graph import Graph, GraphModule, Node, evaluating, run_node, to_module, trace
from tinyslim.nn import Layer, Module

from .placement import ACTIVATIONS, WEIGHTED, chain


def correct_bias(prepared: GraphModule, float_model: Module, batches: Iterable[np.ndarray]) -> None:
    """Shift the biases of a calibrated model, in place, so that each channel has the mean that it has in `float_model`.

    The bias is the batch norm's where one stands behind the layer. A layer that is called more than once stays as it
    is. All batches go through a layer before the next one's turn: memory for their activations is needed, about twice
    the widest layer's.

    Parameters
    ----------
    prepared : GraphModule
        What `calibrate` made of `float_model`, or training with fake quantisers.
    float_model : Module
    batches : iterable of float32 arrays (n, h, w, c)

    Raises
    ------
    ValueError
        When `prepared` was not made of `float_model`, there are no batches, or a mean is not finite.
    """
    batches = list(batches)
    if not batches:
        raise ValueError("`batches` is empty: there is no mean to measure")
    with no_grad(), evaluating(prepared):
        expected = float_means(float_model, batches)
        names = set(ends_of_layers(prepared.graph))
        if names != set(expected):
            strange = sorted(names ^ set(expected))
            raise ValueError(f"`prepared` was not made of `float_model`: only one of them has {', '.join(strange)}")
        _walk(prepared, expected, batches)


def ends_of_layers(graph: Graph) -> dict[str, Node]:
    """The last node before the activation of each layer with a weight, by name; not of layers called more than once."""
    calls = [node.module for node in graph]
    ends = {}
    for node in graph:
        if node.op in WEIGHTED and calls.count(node.module) == 1:
            end = [member for member in chain(graph, node) if member.op not in ACTIVATIONS][-1]
            ends[end.name] = end
    return ends


def float_means(model: Module, batches: list[np.ndarray]) -> dict[str, np.ndarray]:
    """E[y] of each channel of each layer, by the node's name: float64 (c,)."""
    running = to_module(trace(model, batches[0][:1])).eval()
    ends, sums = ends_of_layers(running.graph), {}
    for batch in batches:
        for name, value in _results(running, batch):
            if name in ends:
                sums[name] = sums.get(name, 0) + len(batch) * mean(value)
    images = sum(len(batch) for batch in batches)
    return {name: total / images for name, total in sums.items()}


def mean(y: np.ndarray) -> np.ndarray:
    """Of each channel, (…, c) → (c,)."""
    return y.mean(axis=tuple(range(y.ndim - 1)), dtype=np.float64)


def _results(running: GraphModule, batch: np.ndarray):
    """The name and the result of each node in turn."""
    walk = Walk(running, [batch])
    for node in running.graph.nodes[1:]:
        walk.step(node)
        yield node.name, walk.values[0][node].data


def _walk(prepared: GraphModule, expected: dict[str, np.ndarray], batches: list[np.ndarray]) -> None:
    """Node by node: b ← b − (E[ỹ] − E[y]), and ỹ the same, so that it need not be computed again."""
    walk, images = Walk(prepared, batches), sum(len(batch) for batch in batches)
    for node in prepared.graph.nodes[1:]:
        walk.step(node)
        if node.name not in expected:
            continue
        results = [values[node] for values in walk.values]
        shift = sum(len(y.data) * mean(y.data) for y in results) / images - expected[node.name]
        if not np.isfinite(shift).all():
            raise ValueError(f"the mean of {node.name} is not finite")
        shift = shift.astype(results[0].dtype)
        _subtract(prepared.graph.layer(node), shift)
        for values in walk.values:
            values[node] = Tensor(values[node].data - shift)


def _subtract(layer: Layer, shift: np.ndarray) -> None:
    if layer.bias is None:
        layer.bias = Tensor(np.zeros_like(shift), requires_grad=True)
    layer.bias.data -= shift


class Walk:
    """Several batches on their way through a graph, side by side; results that nobody needs any more are dropped."""

    def __init__(self, running: GraphModule, batches: list[np.ndarray]):
        self.graph = running.graph
        self.layers, self.parameters = dict(running.named_modules()), dict(running.named_parameters())
        self.values = [{self.graph.input: Tensor(batch)} for batch in batches]
        self.last = {parent: node for node in self.graph for parent in node.inputs}

    def step(self, node: Node) -> None:
        """Compute `node` for every batch."""
        for values in self.values:
            values[node] = run_node(node, values, self.layers, self.parameters)
            for parent in set(node.inputs):
                if self.last[parent] is node:
                    del values[parent]
