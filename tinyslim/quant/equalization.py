"""Cross-layer equalisation: channels of very different size share one step badly, and need not be so different.

A ReLU commutes with a positive factor, so a channel between two layers may be made s times smaller in the first and s
times larger in the second without any change of what the network computes (Nagel et al. 2019, §4.1):

    W⁽²⁾ f(W⁽¹⁾x + b⁽¹⁾) = W⁽²⁾S f(S⁻¹W⁽¹⁾x + S⁻¹b⁽¹⁾),   S = diag(s).

With r⁽¹⁾ᵢ and r⁽²⁾ᵢ the largest weights of channel i in either layer,

    sᵢ = √(r⁽¹⁾ᵢ r⁽²⁾ᵢ) / r⁽²⁾ᵢ   (eq. 11)

gives both the range √(r⁽¹⁾ᵢ r⁽²⁾ᵢ). A convolution, the depthwise one behind it and the pointwise one behind that are
two pairs with one layer in common, so pairs are visited again and again until nothing moves.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np

from tinyslim.autograd import Tensor
from tinyslim.graph import Graph, GraphModule, Node, to_module, trace
from tinyslim.nn import Layer, Module, ReLU

from .folding import fold
from .placement import ACTIVATIONS, WEIGHTED, chain
from .preparation import is_prepared

#: They give s·f(x) for s·x, channel by channel, if s > 0. ReLU6 does not: it stops at 6, whatever s is.
COMMUTING = {"relu", "max_pool2d", "avg_pool2d", "global_avg_pool2d", "dropout"}
#: Passes over all pairs, at most, and the factor below which a pass counts as none.
PASSES, STILL = 100, 1e-3


@dataclass(eq=False)
class Folded:
    """A layer with its batch norm folded: float64, output channels last."""

    weight: np.ndarray
    bias: np.ndarray
    depthwise: bool

    def output_range(self) -> np.ndarray:
        """r⁽¹⁾: the largest weight of each output channel."""
        return np.abs(self.weight).max(axis=tuple(range(self.weight.ndim - 1)))

    def input_range(self) -> np.ndarray:
        """r⁽²⁾: the largest weight that meets each input channel."""
        if self.depthwise:
            return self.output_range()
        return np.abs(self.weight).max(axis=(*range(self.weight.ndim - 2), self.weight.ndim - 1))

    def divide_outputs(self, s: np.ndarray) -> None:
        """S⁻¹W and S⁻¹b."""
        self.weight, self.bias = self.weight / s, self.bias / s

    def multiply_inputs(self, s: np.ndarray) -> None:
        """W·S."""
        self.weight = self.weight * (s if self.depthwise else s[:, None])


def equalize(model: Module, example, replace_relu6: bool = False) -> GraphModule:
    """A copy of `model` that computes the same, batch norm folded, with channels of like size in its weights.

    It helps where the weights of a layer share one step ("abs_max"), most of all in networks with depthwise
    convolutions; with a step for each channel there is little left to gain. What follows a fold trains without batch
    norm.

    Parameters
    ----------
    model : Module
        A plain one, in use: it stays as it is.
    example : array
        A batch that the model takes.
    replace_relu6 : bool
        A ReLU6 commutes with no factor, so pairs with one between them are left alone, and in MobileNetV2 few pairs
        remain. The paper (§5.1) replaces each ReLU6 by a ReLU first: that changes what the network computes wherever a
        value exceeds 6, and has to be measured.

    Raises
    ------
    ValueError
        When the model has fake quantisers already.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn, quant
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Conv2d(2, 1, 1))
    >>> net.get("0").weight.data[...], net.get("2").weight.data[...] = [[[[1, 16]]]], [[[[1], [1]]]]
    >>> equal = quant.equalize(net, np.zeros((1, 4, 4, 1)))
    >>> equal.get("0").weight.data.ravel(), equal.get("2").weight.data.ravel()
    (array([1., 4.], dtype=float32), array([1., 4.], dtype=float32))
    """
    if isinstance(model, GraphModule) and is_prepared(model.graph):
        raise ValueError("`model` has fake quantisers: equalise it before it is prepared or calibrated")
    graph = trace(model, example)
    layers: dict[str, Layer] = {}
    if replace_relu6:
        layers |= _relu_for_relu6(graph)
    pairs = equalizable_pairs(graph)
    folded = fold_batch_norms(graph)
    for _ in range(PASSES):
        if max((equalize_pair(folded[a], folded[b]) for a, b in pairs), default=0) < STILL:
            break
    for node, one in folded.items():
        layers[node.module] = _layer(graph, node, one)
    return to_module(graph, layers)


def equalize_pair(first: Folded, second: Folded) -> float:
    """Equation 11 for all channels between two layers; returns the largest |log s|."""
    r1, r2 = first.output_range(), second.input_range()
    alive = (r1 > 0) & (r2 > 0)  # a channel that one side ignores has no range to share
    s = np.ones_like(r1)
    s[alive] = np.sqrt(r1[alive] * r2[alive]) / r2[alive]
    first.divide_outputs(s)
    second.multiply_inputs(s)
    return float(np.abs(np.log(s)).max())


def equalizable_pairs(graph: Graph) -> list[tuple[Node, Node]]:
    """Two layers of which the second alone takes what the first gives, with nothing between but what commutes."""
    pairs = []
    for node in graph:
        if not _owns_its_weight(graph, node):
            continue
        members = chain(graph, node)
        end = members[-1]
        if any(member.op in ACTIVATIONS - COMMUTING for member in members):
            continue
        while (users := graph.users(end)) and len(users) == 1 and users[0].op in COMMUTING and end is not graph.output:
            end = users[0]
        if len(users) == 1 and end is not graph.output and _owns_its_weight(graph, users[0]):
            pairs.append((node, users[0]))
    return pairs


def _owns_its_weight(graph: Graph, node: Node) -> bool:
    """Whether `node` is the one call of a layer with a weight."""
    return node.op in WEIGHTED and node.module is not None and sum(other.module == node.module for other in graph) == 1


def fold_batch_norms(graph: Graph) -> dict[Node, Folded]:
    """Each layer with the batch norm behind it folded in; the batch norms' nodes leave `graph`."""
    folded = {}
    for node in [node for node in graph if _owns_its_weight(graph, node)]:
        members = chain(graph, node)
        weight, affine = fold(graph, members)
        folded[node] = Folded(weight * affine.factor, affine.offset, node.op == "depthwise_conv2d")
        for norm in [member for member in members if member.op == "batch_norm"]:
            _leave_out(graph, norm)
    return folded


def _leave_out(graph: Graph, node: Node) -> None:
    """Whoever takes the result of `node` takes its input instead."""
    (source,) = node.inputs
    for user in graph.users(node):
        user.arguments = tuple(source if argument is node else argument for argument in user.arguments)
    if graph.output is node:
        graph.output = source
    graph.nodes.remove(node)


def _layer(graph: Graph, node: Node, folded: Folded) -> Layer:
    """The node's layer with other numbers."""
    layer = copy.deepcopy(graph.layer(node))
    dtype = layer.weight.dtype
    layer.weight = Tensor(folded.weight.astype(dtype), requires_grad=True)
    layer.bias = Tensor(folded.bias.astype(dtype), requires_grad=True)
    return layer


def _relu_for_relu6(graph: Graph) -> dict[str, Layer]:
    """Let each ReLU6 of `graph` be a ReLU; returns the layers that are needed for it, by path."""
    layers: dict[str, Layer] = {}
    for node in graph:
        if node.op == "relu6":
            node.op = "relu"
            if node.module is not None:
                layers[node.module] = ReLU()
    return layers
