"""From a trained network to one that trains with the rounding of integers."""

from __future__ import annotations

import copy

from tinyslim.graph import Graph, GraphModule, Neighbour, Node, to_module, trace
from tinyslim.nn import BatchNorm2d, Layer, Module

from .bits_table import LayerBits, bits_of_layers, name_of
from .layers import WEIGHT_TYPES, check_weight_type, quantized_layer
from .mixing import float_nodes, wanted_as_integers
from .placement import COMPUTING, WEIGHTED, chain, is_non_negative, quantized_places
from .quantizers import activation_quantizer


def prepare(
    model: Module,
    example,
    weight_quantize_type: str = "channel_wise_abs_max",
    activation_quantize_type: str = "moving_average_abs_max",
    weight_bits: int = 8,
    activation_bits: int = 8,
    activation_symmetric: bool = True,
    table=None,
) -> GraphModule:
    """A copy of `model` with fake quantisers: quantisation-aware training (Jacob et al. 2018, §3).

    Train it like any other (the first batch already sets the ranges), then `tinyslim.freeze` it.

    Parameters
    ----------
    model : Module
        Stays as it is.
    example : array
        A batch that the model takes.
    weight_quantize_type : str
        "channel_wise_abs_max", a step for each output channel, or "abs_max", one for the whole weight with the batch
        norm behind it; "channel_wise_lsq" and "lsq" begin with such steps and train them.
    activation_quantize_type : str
        "moving_average_abs_max", "abs_max" (of each batch) or "range_abs_max" (over a window); "lsq": a step that is
        trained.
    weight_bits, activation_bits : int
        2 to 8.
    activation_symmetric : bool
        Whether the grid of a tensor that may be negative reaches as far below 0 as above, its zero point in the middle.
        If not, the grid is affine: it ends where the values do, and the zero point follows. (A tensor that can't be
        negative has zero point 0 either way.)
    table : str, Path or dict, optional
        Other bits for some layers, or none: a TOML file or what it holds, see `bits_table`. Layers with
        ``float = true`` stay as they are, and the Program at the end is one of kind "mixed".

    Raises
    ------
    ValueError
        When the model was prepared already, or has an operation that integers can't compute; and for each entry of the
        table that fits nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn, quant
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(4, 2))
    >>> print(quant.prepare(net, np.zeros((1, 8, 8, 1))).graph)
    input: input() → 8 × 8 × 1
    quantizers.input: fake_quant(input) → 8 × 8 × 1
    0: conv2d(quantizers.input) → 6 × 6 × 4
    1: relu(0) → 6 × 6 × 4
    quantizers.1: fake_quant(1) → 6 × 6 × 4
    2: global_avg_pool2d(quantizers.1) → 4
    quantizers.2: fake_quant(2) → 4
    3: linear(quantizers.2) → 2
    """
    if isinstance(model, GraphModule) and is_prepared(model.graph):
        raise ValueError("`model` is prepared already")
    traced = trace(model, example)
    bits = bits_of_layers(traced, table, LayerBits(weight_bits, activation_bits, weight_quantize_type))
    floats = float_nodes(traced, {path for path, one in bits.items() if one.float})
    layers: dict[str, Layer] = {}
    for node in traced:
        if node.op in WEIGHTED and node not in floats:
            layers |= _quantized(traced, node, bits[name_of(node)])
    for node in quantized_places(traced):
        if node not in floats or wanted_as_integers(traced, node, floats):
            path = f"quantizers.{node.name.replace('.', '_').replace(':', '_')}"
            settings = activation_quantize_type, bits[name_of(_head(node))].activation_bits
            layers[path] = activation_quantizer(*settings, is_non_negative(node), activation_symmetric)
            quantizer = Node(path, "fake_quant", (), layers[path].attributes, path, node.shape)
            traced.insert_after(node, quantizer)
    return to_module(traced, layers)


def _quantized(traced: Graph, node: Node, bits: LayerBits) -> dict[str, Layer]:
    """The quantised layer that takes the place of `node`'s, by path."""
    if node.module is None:
        raise ValueError(f"{node.name} calls F.{node.op} itself; use its layer in `nn`, so that it can be quantised")
    check_weight_type(bits.weight_quantize_type)
    plain, norm = traced.layer(node), None if WEIGHT_TYPES[bits.weight_quantize_type] else _norm_behind(traced, node)
    if norm is not None:
        node.arguments = (*node.arguments, Neighbour(norm.module))
    arrays = {name: copy.deepcopy(getattr(plain, name)) for name in ("weight", "bias")}
    settings = bits.weight_quantize_type, bits.weight_bits, norm and traced.layer(norm)
    return {node.module: quantized_layer(node.op, arrays, plain.attributes, *settings)}


def _norm_behind(traced: Graph, node: Node) -> Node | None:
    """The batch norm that will be folded into `node`; one step for all of its channels must know it."""
    for member in chain(traced, node):
        if member.op == "batch_norm" and isinstance(traced.layer(member), BatchNorm2d):
            return member
    return None


def _head(node: Node) -> Node:
    """The operation whose result `node` is, behind batch norm and activation."""
    while node.op not in COMPUTING:
        node = node.inputs[0]
    return node


def is_prepared(graph: Graph) -> bool:
    """Whether a traced network has fake quantisers.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import graph, nn, quant
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(4, 2))
    >>> x = np.ones((1, 8, 8, 1), np.float32)
    >>> prepared = quant.prepare(net, x)
    >>> _ = prepared(x)  # the first batch sets the ranges
    >>> quant.is_prepared(graph.trace(net, x)), quant.is_prepared(graph.trace(prepared, x))
    (False, True)
    """
    return any(node.op == "fake_quant" for node in graph)
