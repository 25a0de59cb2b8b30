"""A prepared network as an int8 Program: every sum an int32, every scale a fixed-point number.

A convolution's output y, on the grid S₃·(q₃ − Z₃), is

    y = c·Σ S₁(q₁ − Z₁)·S₂q₂ + d      with batch norm's factor c and offset d,

so with the effective step S = S₂·|c|, the sign of c in the weights, and the bias in steps of S₁S,

    q₃ = Z₃ + (S₁S / S₃) · (Σ (q₁ − Z₁)·±q₂ + d / (S₁S)),         the last rounded to 256ths,

where S₁S/S₃ = m·2⁻ˢ (Jacob et al. 2018, §2.2 and §2.4). A ReLU is the clip at Z₃ that storing bytes makes anyhow.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tinyslim import deploy
from tinyslim.graph import Graph, Node
from tinyslim.quant import Grid, chain, sum_steps
from tinyslim.quant.biases import split_bias
from tinyslim.quant.folding import Affine, fold
from tinyslim.quant.placement import ACTIVATIONS

from .attributes import bounds, geometry, pooling
from .builder import Lowering, check_channel_axis, check_inputs, is_flatten


@dataclass
class Int8Lowering(Lowering):
    """A Lowering that knows the grid of each value too."""

    grids: dict[Node, Grid] = field(default_factory=dict)

    def put(self, nodes: list[Node], value: int, grid: Grid | None) -> None:
        """These nodes are all the same value, on `grid`; None for a real number."""
        for node in nodes:
            self.values[node] = value
            if grid is not None:
                self.grids[node] = grid

    def grid_of(self, node: Node) -> Grid:
        if node not in self.grids:
            raise ValueError(f"{node.name} ({node.op}) is taken as integers, but no quantiser stands behind it")
        return self.grids[node]

    def output(self, members: list[Node]) -> tuple[list[Node], Grid | None]:
        """A chain with the quantiser that ends it, and its grid; None where the network's output ends it."""
        quantizer = self.quantizer_behind(members[-1])
        if quantizer is None:
            return members, None
        return [*members, quantizer], self.graph.layer(quantizer).grid()

    def quantizer_behind(self, node: Node) -> Node | None:
        """The quantiser of `node`, or that of the concat (and activation) it goes into: they share one grid."""
        users = self.graph.users(node)
        for user in users:
            if user.op == "fake_quant":
                return user
        if len(users) == 1 and users[0].op == "concat":
            return self.quantizer_behind(chain(self.graph, users[0])[-1])
        return None


def lower_int8(graph: Graph, program: deploy.Builder) -> None:
    """Add to `program` the operations that compute on integers what the prepared network `graph` simulates."""
    lowering = Int8Lowering(graph, program)
    _quantize_input(lowering)
    for node in graph.nodes[1:]:
        if node not in lowering.values:
            lower_node(lowering, node)
    if graph.output in lowering.grids:
        grid = lowering.grid_of(graph.output)
        program.add("dequantize", "logits", lowering.values[graph.output], scale=grid.scale, zero_point=grid.zero_point)


def lower_node(lowering: Int8Lowering, node: Node) -> None:
    """Emit the operation of `node`, and of those behind it that fuse with it."""
    if node.op in RULES:
        RULES[node.op](lowering, node)
    elif is_flatten(node):
        lowering.put([node], lowering.emit("flatten", node), lowering.grid_of(node.inputs[0]))
    else:
        raise ValueError(f"{node.name} ({node.op}) can't run on integers")


def _quantize_input(lowering: Int8Lowering) -> None:
    members, grid = lowering.output([lowering.graph.input])
    if grid is None:
        raise ValueError("no quantiser stands behind the network's input: was it prepared by quant.prepare?")
    source = lowering.program.input
    value = lowering.program.add("quantize", members[-1].name, source, scale=grid.scale, zero_point=grid.zero_point)
    if grid.qmax < 255:
        value = lowering.program.add("clip", members[-1].name, value, low=grid.qmin, high=grid.qmax)
    lowering.put(members, value, grid)


def _byte_bounds(members: list[Node], grid: Grid) -> dict:
    """The smallest and the largest byte that the activation of a chain lets through; without one, the grid's ends."""
    activations = [bounds([node]) for node in members if node.op in ACTIVATIONS]
    real = activations[0] if activations else {"low": None, "high": None}

    def byte(bound: float | None, end: int) -> int:
        return end if bound is None else min(max(grid.zero_point + round(bound / grid.scale), grid.qmin), grid.qmax)

    return {"low": byte(real["low"], grid.qmin), "high": byte(real["high"], grid.qmax)}


def _output_range(members: list[Node], grid: Grid) -> dict:
    return {"zero_point": grid.zero_point, **_byte_bounds(members, grid)}


def _weighted(lowering: Int8Lowering, node: Node) -> None:
    members = chain(lowering.graph, node)
    source = lowering.grid_of(node.inputs[0])
    _, affine = fold(lowering.graph, members)
    layer, norm = lowering.graph.layer(node), lowering.graph.neighbour(node)
    weight, offset, step = integer_layer(layer.integers(norm), layer.scales(norm), affine, source.scale)
    attributes = {"input_zero_point": source.zero_point}
    if node.op != "linear":
        attributes |= geometry(node, weight)
    covered, grid = lowering.output(members)
    if grid is None:
        _last_layer(lowering, node, members, attributes, weight, offset, step)
        return
    attributes |= _output_range(members, grid)
    multiplier, shift = deploy.multiplier(step / grid.scale)
    bias, fraction = split_bias(offset)
    fraction[shift < 22] = 0  # a step of the sums is 512 of the output and more there
    arrays = {"weight": weight, "bias": bias, "fraction": fraction, "multiplier": multiplier, "shift": shift}
    value = lowering.emit(node.op, node, **attributes, **arrays)
    lowering.put(covered, value, grid)


def integer_layer(
    weight: np.ndarray, scales: np.ndarray, affine: Affine, input_scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Batch norm folded into integer weights and a bias.

    Parameters
    ----------
    weight : numpy.ndarray
        int8, output channels last.
    scales : numpy.ndarray
        S₂ of each output channel.
    affine : Affine
        c and d of each output channel.
    input_scale : float
        S₁.

    Returns
    -------
    weight, offset, step
        int8 with the sign of c, d in steps, float64, and the step S₁·S₂·|c| of each channel's sums, float64.
    """
    signed = np.where(affine.factor < 0, -weight, weight).astype(np.int8)
    step = sum_steps(scales, affine, input_scale)
    return signed, affine.offset / step, step


def _last_layer(lowering: Int8Lowering, node: Node, members, attributes, weight, offset, step) -> None:
    """The network's output stays an exact sum, times a real number: its logits."""
    if node.op != "linear" or (len(members) > 1 and members[-1].op != "batch_norm"):
        raise ValueError(
            f"{members[-1].name} ({members[-1].op}) is the network's output; a Program ends in a linear layer"
        )
    bias = np.rint(offset).astype(np.int32)
    value = lowering.emit("logits", node, **attributes, weight=weight, bias=bias, scale=step.astype(np.float32))
    lowering.put(members, value, None)


def _add(lowering: Int8Lowering, node: Node) -> None:
    """q₃ = Z₃ + ((q₁ − Z₁)·m₁ + (q₂ − Z₂)·m₂ + 2^(s−1)) >> s: one shift, so one rounding."""
    check_inputs(node, 2)
    covered, grid = lowering.output(chain(lowering.graph, node))
    if grid is None:
        raise ValueError(f"{node.name} (add) is the network's output; a Program ends in a linear layer")
    first, second = (lowering.grid_of(parent) for parent in node.inputs)
    m1, m2, shift = deploy.add_multipliers(first.scale / grid.scale, second.scale / grid.scale)
    attributes = {
        "m1": m1,
        "m2": m2,
        "shift": shift,
        "zero_point_a": first.zero_point,
        "zero_point_b": second.zero_point,
    }
    attributes |= _output_range(covered, grid)
    lowering.put(covered, lowering.emit("add", node, **attributes), grid)


def _concat(lowering: Int8Lowering, node: Node) -> None:
    """The inputs' bytes side by side, all on one grid; those that come on one of their own are brought to it."""
    check_channel_axis(node)
    covered, grid = lowering.output(chain(lowering.graph, node))
    if grid is None:
        raise ValueError(f"{node.name} (concat) is the network's output; a Program ends in a linear layer")
    parts = [_on_grid(lowering, parent, grid, f"{node.name}[{i}]") for i, parent in enumerate(node.inputs)]
    value = lowering.program.add("concat", node.name, parts)
    lowering.put(covered, _clip_if_needed(lowering, covered, value, grid), grid)


def _on_grid(lowering: Int8Lowering, node: Node, grid: Grid, name: str) -> int:
    """The bytes of `node` on another grid: x is x/2 + x/2, and an add has multipliers.

    q₃ = Z₃ + (2·(q₁ − Z₁)·m + 2^(s−1)) >> s with m·2⁻ˢ = S₁/(2·S₃): one rounding, as in any add.
    """
    own, value = lowering.grid_of(node), lowering.values[node]
    if own == grid:
        return value
    m1, m2, shift = deploy.add_multipliers(own.scale / grid.scale / 2, own.scale / grid.scale / 2)
    inputs = {"m1": m1, "m2": m2, "shift": shift, "zero_point_a": own.zero_point, "zero_point_b": own.zero_point}
    output = {"zero_point": grid.zero_point, "low": grid.qmin, "high": grid.qmax}
    return lowering.program.add("add", name, [value, value], **inputs, **output)


def _clip_if_needed(lowering: Int8Lowering, members: list[Node], value: int, grid: Grid) -> int:
    """The activation, or the end of a grid of few bits, behind an operation that stores any byte."""
    ends = _byte_bounds(members, grid)
    if ends == {"low": 0, "high": 255}:
        return value
    return lowering.program.add("clip", members[-1].name, value, **ends)


def _max_pool(lowering: Int8Lowering, node: Node) -> None:
    value = lowering.emit("max_pool2d", node, **pooling(node))
    lowering.put([node], value, lowering.grid_of(node.inputs[0]))


def _avg_pool(lowering: Int8Lowering, node: Node) -> None:
    """The sum of a window of k values times S₁/(k·S₃): the mean and the change of grid in one."""
    source = lowering.grid_of(node.inputs[0])
    covered, grid = lowering.output(chain(lowering.graph, node))
    attributes = {} if node.op == "global_avg_pool2d" else pooling(node)
    count = (
        node.inputs[0].shape[1] * node.inputs[0].shape[2] if node.op == "global_avg_pool2d" else attributes["size"] ** 2
    )
    target = source if grid is None else grid
    multiplier, shift = deploy.multiplier(source.scale / (count * target.scale))
    attributes |= {"multiplier": int(multiplier), "shift": int(shift)}
    attributes |= {"input_zero_point": source.zero_point, "zero_point": target.zero_point}
    value = lowering.emit(node.op, node, **attributes)
    lowering.put(covered, _clip_if_needed(lowering, covered, value, target), target)


def _activation(lowering: Int8Lowering, node: Node) -> None:
    """A ReLU that no operation took in: a clip of the bytes."""
    grid = lowering.grid_of(node.inputs[0])
    value = lowering.values[node.inputs[0]]
    lowering.put([node], _clip_if_needed(lowering, [node], value, grid), grid)


def _keep(lowering: Int8Lowering, node: Node) -> None:
    """Dropout does nothing in use."""
    lowering.put([node], lowering.values[node.inputs[0]], lowering.grid_of(node.inputs[0]))


#: By operation.
RULES = {
    "conv2d": _weighted,
    "depthwise_conv2d": _weighted,
    "linear": _weighted,
    "add": _add,
    "concat": _concat,
    "max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool,
    "global_avg_pool2d": _avg_pool,
    "relu": _activation,
    "relu6": _activation,
    "clip": _activation,
    "dropout": _keep,
}
