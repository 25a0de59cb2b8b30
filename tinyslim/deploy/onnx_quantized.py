"""An int8 or mixed Program as an ONNX graph of real numbers between quantisers (QDQ), which runtimes fuse to integers.

    bytes → DequantizeLinear → operator → QuantizeLinear → bytes

A Program needs no scales, only their quotients: a layer's multiplier is M = S_x·S_w / S_y. So S_y may be chosen where
nothing fixes it, S_w = M·S_y / S_x follows, and every integer stays the same.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from .float_ops import FloatKind
from .onnx_graph import INPUT, GraphWriter, Value
from .onnx_operators import OPERATORS, bounded, write_real
from .ops import in_float32

#: The step of values that nothing fixes: their bytes then span a range of 1.
FREE_SCALE = 1 / 255
#: Fractions of biases may move an output by so many of its steps before they are added in real numbers.
UNSEEN = 1 / 32
#: They hand on bytes of their inputs' grid.
KEEPING = {"clip", "concat", "max_pool2d", "flatten"}


def factor(op, multiplier: str = "multiplier") -> np.ndarray:
    """The quotient of scales that an op multiplies by, m·2^−s."""
    of = op.arrays if multiplier in op.arrays else op.attributes
    return np.asarray(of[multiplier], np.float64) * 2.0 ** -np.asarray(of["shift"], np.float64)


def input_scales(program, op, output_scale: float) -> list[float | None]:
    """What scale each input must have for one of the output; None where a weight's scale makes up for any."""
    if op.kind in KEEPING:
        return [output_scale] * len(op.inputs)
    if op.kind == "add":
        return [float(factor(op, m)) * output_scale for m in ("m1", "m2")]
    if op.kind in ("avg_pool2d", "global_avg_pool2d"):
        shape = program.specs[op.inputs[0]].shape
        count = op.attributes["size"] ** 2 if op.kind == "avg_pool2d" else shape[0] * shape[1]
        return [float(factor(op)) * count * output_scale]
    return [None] * len(op.inputs)


def value_scales(program) -> dict[int, float]:
    """A scale for each value of bytes, such that the quotients are those that the ops have."""
    ties: dict[int, list[tuple[int, float]]] = defaultdict(list)
    known = {}
    for value, op in enumerate(program.ops, 1):
        if op.kind == "quantize":
            known[value] = op.attributes["scale"]
        if op.kind == "dequantize":
            known.setdefault(op.inputs[0], op.attributes["scale"])
        for source, ratio in zip(op.inputs, input_scales(program, op, 1.0), strict=True):
            if ratio:
                ties[value].append((source, ratio))
                ties[source].append((value, 1 / ratio))
    scales: dict[int, float] = {}
    for start in (*known, *range(1, len(program.ops) + 1)):
        waiting = [(start, known.get(start, FREE_SCALE))]
        while waiting:
            value, scale = waiting.pop()
            if value not in scales:
                scales[value] = scale
                waiting += [(other, scale * ratio) for other, ratio in ties[value]]
    return scales


class QuantizedWriter:
    """Writes the ops of a Program, those on bytes between quantisers."""

    def __init__(self, graph: GraphWriter, program):
        self.graph, self.program = graph, program
        self.scales = value_scales(program)
        #: Each value, bytes or real numbers, and the zero point of the bytes.
        self.values: list[Value] = [Value(INPUT)]
        self.zero_points = [0]
        self._read: dict[tuple[str, float, int], Value] = {}

    def write(self) -> Value:
        """Append every op; returns the value of the last."""
        for op in self.program.ops:
            self.values.append(self._write(op, len(self.values)))
        return self.values[-1]

    def _write(self, op, number: int) -> Value:
        if op.kind == "dequantize":
            self.zero_points.append(0)
            return self.read(op.inputs[0], op.attributes["scale"], op.attributes["zero_point"], op.name)
        if isinstance(self.program.op_kind(op), FloatKind):
            self.zero_points.append(0)
            return write_real(self.graph, op, *self._real(op))
        zero_point = op.attributes.get("zero_point", self.zero_points[op.inputs[0]])
        self.zero_points.append(zero_point)
        if op.kind == "quantize":
            return self.quantize(self.values[op.inputs[0]], op, self.scales[number], zero_point)
        inputs = self._inputs(op, number)
        shapes = [self.program.specs[value].shape for value in op.inputs]
        x = OPERATORS[op.kind](self.graph, op, inputs, shapes, self._parameter(op, number))
        if op.kind == "logits":
            return x
        if "fraction" in op.arrays:
            x = self._with_fractions(op, x, self.scales[number])
        x = bounded(self.graph, op, x, *real_bounds(op, zero_point, self.scales[number]))
        return self.quantize(x, op, self.scales[number], zero_point)

    def _real(self, op) -> tuple[str, list[Value], list]:
        """The operator of an op of real numbers, its inputs and their shapes."""
        shapes = [self.program.specs[value].shape for value in op.inputs]
        return op.kind.removesuffix(in_float32("")), [self.values[value] for value in op.inputs], shapes

    def _inputs(self, op, number: int) -> list[Value]:
        """The op's inputs as real numbers."""
        names = ("zero_point_a", "zero_point_b") if op.kind == "add" else ("input_zero_point",) * len(op.inputs)
        scales = input_scales(self.program, op, self.scales[number])
        values = []
        for source, name, scale in zip(op.inputs, names, scales, strict=True):
            # What differs by the rounding of a multiplier is one scale: a runtime fuses only what is equal.
            own = self.scales[source]
            needed = own if scale is None or np.isclose(scale, own, rtol=1e-6, atol=0) else scale
            values.append(self.read(source, needed, op.attributes.get(name, self.zero_points[number]), op.name))
        return values

    def _parameter(self, op, number: int):
        """Stores the op's integers, and reads them with the scales that its multipliers imply."""
        source = np.float32(self.scales[op.inputs[0]])

        def store(name: str, array: np.ndarray, axis: int) -> str:
            step = op.arrays["scale"] if op.kind == "logits" else factor(op) * self.scales[number]
            scale = (step / source).astype(np.float32)
            kept = self.graph.constant(f"{op.name}.{name}", array)
            return self.dequantize(kept, source * scale if name == "bias" else scale, array.dtype, kept, axis=axis)

        return store

    def _with_fractions(self, op, x: Value, output_scale: float) -> Value:
        """Adds what biases of whole steps leave over, where it is seen.

        A bias beside integers counts whole steps, and runtimes round it to them if it is real. With an Add behind it
        they compute the layer in float32, which is slower and no worse.
        """
        rest = op.arrays["fraction"] / 256 * factor(op)
        if np.abs(rest).max() <= UNSEEN:
            return x
        shape = (-1,) if op.kind == "linear" else (-1, 1, 1)
        fraction = self.graph.constant(f"{op.name}.fraction", (rest * output_scale).astype(np.float32).reshape(shape))
        return Value(self.graph.node("Add", [x.name, fraction], f"{op.name}.biased"), x.order)

    def read(self, value: int, scale: float, zero_point: int, reader: str) -> Value:
        """A value's bytes as real numbers; a scale of 0 is that of an input which its op all but ignores."""
        key = self.values[value].name, scale, zero_point
        if key not in self._read:
            name = self.dequantize(key[0], np.float32(scale), np.uint8, reader, zero_point)
            self._read[key] = Value(name, self.values[value].order)
        return self._read[key]

    def dequantize(self, name: str, scale: np.ndarray, dtype, wish: str, zero_point: int = 0, **attributes) -> str:
        """A DequantizeLinear."""
        return self.graph.node(
            "DequantizeLinear", [name, *self._grid(wish, scale, dtype, zero_point)], f"{wish}.real", **attributes
        )

    def quantize(self, x: Value, op, scale: float, zero_point: int) -> Value:
        """Real numbers as bytes."""
        grid = self._grid(op.name, np.float32(scale), np.uint8, zero_point)
        return Value(self.graph.node("QuantizeLinear", [x.name, *grid], f"{op.name}.bytes"), x.order)

    def _grid(self, wish: str, scale: np.ndarray, dtype, zero_point: int) -> list[str]:
        zeros = np.full(np.shape(scale), zero_point, dtype)
        return [self.graph.constant(f"{wish}.scale", scale), self.graph.constant(f"{wish}.zero_point", zeros)]


def real_bounds(op, zero_point: int, scale: float) -> tuple[float | None, float | None]:
    """The real numbers that the bytes `low` and `high` stand for; None where bytes end there anyhow."""
    if "low" not in op.attributes:
        return None, None
    low, high = op.attributes["low"], op.attributes["high"]
    # A ReLU stops at 0, which is byte 0 where nothing lies below: it is written for its meaning.
    least = (low - zero_point) * scale if low > 0 or low == zero_point else None
    return least, (high - zero_point) * scale if high < 255 else None
