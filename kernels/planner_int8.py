"""From int8 layers and their weights to a `Plan`: geometry, packed weights, folded zero points, places in the arena."""

from __future__ import annotations

import numpy as np

from . import layers_int8 as kinds
from .layout_int8 import Step, lay_out
from .plan_int8 import Plan
from .rescale_int8 import bounds, is_steep, parameter_blocks, rescaling
from .sizes_int8 import PANEL, VECTOR, VECTORS, aligned, pixel_bytes, round_up
from .taps_int8 import WIDTH, pack_taps
from .tile_int8 import pack_panels
from .values_int8 import Value, image, windows


class Planner:
    """Builds a plan layer by layer: each method takes and returns values, and layers run in the order of the calls.

    Parameters
    ----------
    shape : tuple of int
        (height, width, channels) of one input image.
    """

    def __init__(self, shape: tuple[int, int, int]):
        self.image = Value(*shape, pixel=shape[2])
        self._steps: list[Step] = []
        self._weights: list[np.ndarray] = []
        self._constants: list[np.ndarray] = []

    # ---- from the image into the arena -------------------------------------------------------------------------------

    def input_bytes(self) -> Value:
        """The image's own bytes."""
        return self._add(kinds.COPY, self.image, Value(*self.image.shape, pixel=self.image.channels))

    def quantize(self, scale: float, zero_point: int) -> Value:
        """Float32 images as bytes."""
        target = Value(*self.image.shape, pixel=self.image.channels)
        return self._add(kinds.QUANTIZE, self.image, target, scale=float_bits(scale), zero_point=zero_point)

    def lookup(self, tables: np.ndarray) -> Value:
        """Byte images through uint8 `tables` (channels, 256)."""
        target = Value(*self.image.shape, pixel=self.image.channels)
        weights = self._keep(self._weights, np.ascontiguousarray(tables).reshape(-1).view(np.int8))
        return self._add(kinds.LOOKUP, self.image, target, weights=weights)

    # ---- layers with weights -----------------------------------------------------------------------------------------

    def conv2d(
        self, x: Value, weight, input_zero_point, bias, fraction, multiplier, shift, stride, padding, **output
    ) -> Value:
        """A convolution, weight (kh, kw, cin, cout); `output` is zero_point, low, high."""
        height, width, inputs, outputs = weight.shape
        x = self._bordered(x, padding, input_zero_point)
        pixel = x.pixel if width > 1 else inputs
        spread = np.zeros((height, width, pixel, outputs), np.int8)
        spread[:, :, :inputs] = weight
        bias = fold_zero_point(bias, weight.sum(axis=(0, 1, 2), dtype=np.int64), input_zero_point)
        return self._add(
            kinds.CONV2D, x, windows(x, (height, width), stride, padding, outputs),
            weights=self._keep(self._weights, pack_panels(spread.reshape(height, width * pixel, outputs))),
            segments=height, depth=-(-width * pixel // 4), **window(height, width, stride, padding),
            **self._rescaled((bias, fraction, multiplier, shift), VECTORS, **output),
        )  # fmt: skip

    def depthwise_conv2d(
        self, x: Value, weight, input_zero_point, bias, fraction, multiplier, shift, stride, padding, **output
    ) -> Value:
        """A depthwise convolution, weight (kh, kw, c); `output` is zero_point, low, high."""
        height, width, channels = weight.shape
        x = self._bordered(x, padding, input_zero_point)
        target = windows(x, (height, width), stride, padding, channels)
        bias = fold_zero_point(bias, weight.sum(axis=(0, 1), dtype=np.int64), input_zero_point)
        rows = bias, fraction, multiplier, shift
        side_by_side = max(VECTOR // x.pixel, 1) if stride == 1 and x.pixel == target.pixel else 1
        shared = height == width == 3 and stride == 1 and x.pixel % VECTOR == 0 and target.width > 1
        if side_by_side > 1:
            room = ((0, 0), (0, 0), (0, x.pixel - channels))
            weight = np.tile(np.pad(weight, room), side_by_side)
            rows = [np.tile(np.pad(row, room[2], constant_values=1), side_by_side) for row in rows]
        return self._add(
            kinds.DEPTHWISE, x, target, weights=self._keep(self._weights, pack_taps(weight, shared)),
            segments=height, depth=-(-width // 4), shared=shared, **window(height, width, stride, padding),
            **self._rescaled(rows, WIDTH, **output),
        )  # fmt: skip

    def logits(self, x: Value, weight, input_zero_point, bias, scale) -> Value:
        """The last linear layer, weight (cin, cout), in real numbers: (sum + bias)·scale."""
        bias = fold_zero_point(bias, weight.sum(axis=0, dtype=np.int64), input_zero_point)
        rows = np.zeros((2, round_up(len(bias), PANEL)), np.int32)
        rows[:, : len(bias)] = bias, np.asarray(scale, np.float32).view(np.int32)
        blocks = rows.reshape(2, -1, PANEL).transpose(1, 0, 2).reshape(-1)
        return self._add(
            kinds.LOGITS, x, Value(1, 1, weight.shape[1], pixel=4 * rows.shape[1], itemsize=4),
            weights=self._keep(self._weights, pack_panels(weight[None])),
            constants=self._keep(self._constants, blocks),
            segments=1, depth=-(-len(weight) // 4), **window(1, 1, 1, (0, 0, 0, 0)),
        )  # fmt: skip

    # ---- layers without weights --------------------------------------------------------------------------------------

    def add(self, a: Value, b: Value, m1, m2, shift, zero_point_a, zero_point_b, **output) -> Value:
        """The sum of two values of different scales; `output` is zero_point, low, high."""
        fields = {"multiplier": m1, "other_multiplier": m2, "shift": shift}
        zero_points = {"input_zero_point": zero_point_a, "other_zero_point": zero_point_b}
        return self._add(kinds.ADD, a, image(*a.shape), b, **fields, **zero_points, **output)

    def max_pool2d(self, x: Value, size: int, stride: int, padding) -> Value:
        """The largest byte of each window."""
        target = windows(x, (size, size), stride, padding, x.channels)
        unscaled = {"multiplier": 2, "shift": 1, "high": 255}
        return self._add(kinds.MAX_POOL, x, target, **window(size, size, stride, padding), **unscaled)

    def avg_pool2d(
        self, x: Value, size, stride, padding, multiplier, shift, input_zero_point, zero_point, low=0, high=255
    ) -> Value:
        """The mean of each window of `size` (height, width), whose division `multiplier` holds."""
        return self._add(
            kinds.AVG_POOL, x, windows(x, size, stride, padding, x.channels), **window(*size, stride, padding),
            multiplier=multiplier, shift=shift, input_zero_point=input_zero_point, zero_point=zero_point,
            low=low, high=high,
        )  # fmt: skip

    def clip(self, x: Value, low: int, high: int) -> Value:
        """Bytes held between two others."""
        return self._add(kinds.CLIP, x, image(*x.shape), low=low, high=high)

    def concat(self, values: list[Value]) -> Value:
        """Channels side by side, one copy an input."""
        target = image(values[0].height, values[0].width, sum(value.channels for value in values))
        channel = 0
        for value in values:
            self._add(kinds.COPY, value, target, skipped=channel)
            channel += value.channels
        return target

    def flatten(self, x: Value) -> Value:
        """(height, width, channels) as one vector."""
        size = x.height * x.width * x.channels
        target, line = Value(1, 1, size, pixel=pixel_bytes(size)), x.width * x.channels
        return self._add(
            kinds.COPY, x, target, out_height=x.height, out_width=x.width, out_pixel=x.channels, out_line=line
        )

    def dequantize(self, x: Value, scale: float, zero_point: int) -> Value:
        """Bytes as real numbers again."""
        target = Value(*x.shape, pixel=4 * x.channels, itemsize=4)
        return self._add(kinds.DEQUANTIZE, x, target, scale=float_bits(scale), input_zero_point=zero_point)

    # ---- the plan ----------------------------------------------------------------------------------------------------

    def finish(self, result: Value) -> Plan:
        """The plan that leaves `result`."""
        size = result.channels * result.itemsize
        self._add(kinds.OUTPUT, result, Value(result.height, result.width, size, pixel=size), channels=size)
        return lay_out(self._steps, result, join(self._weights, np.int8), join(self._constants, np.int32))

    def _add(self, kind: int, source: Value, target: Value, *others: Value, **fields) -> Value:
        self._steps.append(Step(kind, [source, *others], target, fields))
        return target

    def _keep(self, store: list[np.ndarray], array: np.ndarray) -> int:
        """Append an array to the weights or constants, to begin with a vector; returns its place in bytes."""
        start = sum(part.nbytes for part in store)
        store.append(np.pad(array, (0, -array.nbytes % VECTOR // array.itemsize)))
        return start

    def _rescaled(self, channels, vectors: int, zero_point: int = 0, low: int = 0, high: int = 255):
        """The fields of a layer whose sums become bytes: arguments of `rescaling`, and the vectors of a tile's row."""
        rows = rescaling(*channels)
        return {
            "constants": self._keep(self._constants, parameter_blocks(rows, vectors)),
            "bounds": self._keep(self._constants, bounds(zero_point, low, high)),
            "steep": is_steep(rows),
        }

    def _bordered(self, x: Value, padding: tuple[int, int, int, int], zero_point: int) -> Value:
        """`x`, or a copy of it, with a border for `padding`: what writes it will write that too."""
        if not any(padding):
            return x
        if any(x.border) and x.fill != zero_point:
            x = self._add(kinds.COPY, x, image(*x.shape))
        x.border, x.fill = tuple(map(max, x.border, padding)), zero_point
        return x


def float_bits(number: float) -> int:
    """A float32 as the integer of the same bits: a record holds integers alone."""
    return int(np.float32(number).view(np.int32))


def join(parts: list[np.ndarray], dtype) -> np.ndarray:
    """The parts one after another, from the beginning of a cache line on."""
    whole = aligned(sum(map(len, parts)), dtype=dtype)
    if parts:
        np.concatenate(parts, out=whole)
    return whole


def window(height: int, width: int, stride: int, padding) -> dict[str, int]:
    """The fields of a layer that slides a window."""
    top, _, left, _ = padding
    return {"kernel_height": height, "kernel_width": width, "stride": stride, "top": top, "left": left}


def fold_zero_point(bias, weight_sums: np.ndarray, zero_point: int) -> np.ndarray:
    """Σ (a − Z)·w + bias = Σ a·w + (bias − Z·Σ w): the bracket, modulo 2^32 as the sums are."""
    return (np.asarray(bias, np.int64) - zero_point * weight_sums).astype(np.int32)
