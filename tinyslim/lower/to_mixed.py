"""A prepared network of which some layers stay real, as a mixed Program: each side as its own lowering makes it.

Between the sides stand `quantize` and `dequantize`. A value may exist on both: its bytes where integers are computed
with, real numbers where a layer in float32 takes it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyslim import deploy
from tinyslim.graph import Graph, Node
from tinyslim.quant import float_layers, float_nodes
from tinyslim.quant.placement import KEEPING

from . import to_float32, to_int8
from .builder import Lowering, is_flatten
from .to_int8 import Int8Lowering


class RealLowering(Lowering):
    """The side of real numbers: the operations of float32 Programs, by their names in mixed ones."""

    def emit(self, kind: str, node: Node, **attributes_and_arrays) -> int:
        return super().emit(deploy.in_float32(kind), node, **attributes_and_arrays)


@dataclass
class MixedLowering:
    """The two sides of a Program under construction."""

    integers: Int8Lowering
    reals: RealLowering

    def lower(self, node: Node, on_integers: bool) -> None:
        """Emit `node` on the side that it belongs to, and before it what brings its inputs there."""
        for parent in node.inputs:
            if on_integers:
                self._bytes_of(parent)
            else:
                self.real(parent)
        side, lowering = (to_int8, self.integers) if on_integers else (to_float32, self.reals)
        side.lower_node(lowering, node)

    def quantize(self, nodes: list[Node], quantizer: Node) -> None:
        """The bytes of a real value, which is all of `nodes`, on the grid of `quantizer`."""
        grid = self.integers.graph.layer(quantizer).grid()
        add, value = self.integers.program.add, self.reals.values[nodes[0]]
        value = add("quantize", quantizer.name, value, scale=grid.scale, zero_point=grid.zero_point)
        if (grid.qmin, grid.qmax) != (0, 255):
            value = add("clip", quantizer.name, value, low=grid.qmin, high=grid.qmax)
        self.integers.put(nodes, value, grid)

    def _bytes_of(self, node: Node) -> None:
        """See to it that `node` is on a grid: a part of a concat has none of its own, and takes the concat's."""
        if node not in self.integers.grids:
            quantizer = self.integers.quantizer_behind(node)
            if quantizer is None:
                raise ValueError(f"{node.name} ({node.op}) is taken as integers, but no quantiser stands behind it")
            self.quantize([node], quantizer)

    def real(self, node: Node) -> None:
        """See to it that `node` is there in real numbers."""
        if node not in self.reals.values:
            grid, value = self.integers.grid_of(node), self.integers.values[node]
            attributes = {"scale": grid.scale, "zero_point": grid.zero_point}
            self.reals.values[node] = self.integers.program.add("dequantize", node.name, value, **attributes)


def lower_mixed(graph: Graph, program: deploy.Builder) -> None:
    """Add to `program` the operations that compute what the prepared network `graph` simulates."""
    floats = float_nodes(graph, float_layers(graph))
    reals = RealLowering(graph, program, {graph.input: program.input})
    lowering = MixedLowering(Int8Lowering(graph, program), reals)
    for node in graph.nodes[1:]:
        if node in lowering.integers.values or node in reals.values:
            continue
        if node.op == "fake_quant":
            lowering.quantize([node.inputs[0], node], node)
        elif node.op in KEEPING or is_flatten(node):
            lowering.lower(node, node.inputs[0] in lowering.integers.grids)
        else:
            lowering.lower(node, node not in floats)
    if graph.output in lowering.integers.grids:
        lowering.real(graph.output)
