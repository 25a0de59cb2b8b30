"""From int8 layers and their weights to a `Plan`: geometry, packed weights, folded zero points, places in the arena."""

from __future__ import annotations

import numpy as np

from . import layers_int8 as kinds
from .layers_int8 import LAYER
from .plan_int8 import Plan, Value, place
from .sizes_int8 import LANES, PANEL, round_up
from .tile_int8 import pack_panels


class Planner:
    """Builds a plan layer by layer: each method takes and returns values, and layers run in the order of the calls.

    Parameters
    ----------
    shape : tuple of int
        (height, width, channels) of one input image.
    """

    def __init__(self, shape: tuple[int, int, int]):
        self.image = Value(*shape, pixel=shape[2])
        self._steps: list[tuple[dict, Value, Value | None, Value]] = []
        self._weights: list[np.ndarray] = []
        self._constants: list[np.ndarray] = []

    # ---- from the image into the arena -------------------------------------------------------------------------------

    def input_bytes(self) -> Value:
        """The image's own bytes."""
        return self._add(kinds.COPY, self.image, Value(*self.image.shape, pixel=self.image.channels))

    def quantize(self, scale: float, zero_point: int) -> Value:
        """Float32 images as bytes."""
        target = Value(*self.image.shape, pixel=self.image.channels)
        constants = self._keep(self._constants, np.array([scale], np.float32).view(np.int32))
        return self._add(kinds.QUANTIZE, self.image, target, constants=constants, zero_point=zero_point)

    def lookup(self, tables: np.ndarray) -> Value:
        """Byte images through uint8 `tables` (channels, 256)."""
        target = Value(*self.image.shape, pixel=self.image.channels)
        weights = self._keep(self._weights, np.ascontiguousarray(tables).reshape(-1).view(np.int8))
        return self._add(kinds.LOOKUP, self.image, target, weights=weights)

    # ---- layers with weights -----------------------------------------------------------------------------------------

    def conv2d(self, x: Value, weight, input_zero_point, bias, multiplier, shift, stride, padding, **output) -> Value:
        """A convolution, weight (kh, kw, cin, cout); `output` is zero_point, low, high."""
        height, width, inputs, outputs = weight.shape
        pixel = x.pixel if width > 1 else inputs
        spread = np.zeros((height, width, pixel, outputs), np.int8)
        spread[:, :, :inputs] = weight
        bias = fold_zero_point(bias, weight.sum(axis=(0, 1, 2), dtype=np.int64), input_zero_point)
        return self._add(
            kinds.CONV2D, x, windows(x, (height, width), stride, padding, outputs),
            weights=self._keep(self._weights, pack_panels(spread.reshape(height, width * pixel, outputs))),
            constants=self._keep(self._constants, stack_rows([bias, multiplier, shift], PANEL)),
            input_zero_point=input_zero_point, **window(height, width, stride, padding), **output,
        )  # fmt: skip

    def depthwise_conv2d(
        self, x: Value, weight, input_zero_point, bias, multiplier, shift, stride, padding, **output
    ) -> Value:
        """A depthwise convolution, weight (kh, kw, c); `output` is zero_point, low, high."""
        height, width, channels = weight.shape
        spread = np.zeros((height, width, round_up(channels, LANES)), np.int8)
        spread[:, :, :channels] = weight
        bias = fold_zero_point(bias, weight.sum(axis=(0, 1), dtype=np.int64), input_zero_point)
        return self._add(
            kinds.DEPTHWISE, x, windows(x, (height, width), stride, padding, channels),
            weights=self._keep(self._weights, spread.reshape(-1)),
            constants=self._keep(self._constants, stack_rows([bias, multiplier, shift], LANES)),
            input_zero_point=input_zero_point, **window(height, width, stride, padding), **output,
        )  # fmt: skip

    def logits(self, x: Value, weight, input_zero_point, bias, scale) -> Value:
        """The last linear layer, weight (cin, cout), in real numbers: (sum + bias)·scale."""
        bias = fold_zero_point(bias, weight.sum(axis=0, dtype=np.int64), input_zero_point)
        constants = stack_rows([bias, np.asarray(scale, np.float32).view(np.int32)], PANEL)
        return self._add(
            kinds.LOGITS, x, Value(1, 1, weight.shape[1], pixel=4 * round_up(weight.shape[1], PANEL), itemsize=4),
            weights=self._keep(self._weights, pack_panels(weight[None])),
            constants=self._keep(self._constants, constants), **window(1, 1, 1, (0, 0, 0, 0)),
        )  # fmt: skip

    # ---- layers without weights --------------------------------------------------------------------------------------

    def add(self, a: Value, b: Value, m1, m2, shift, zero_point_a, zero_point_b, **output) -> Value:
        """The sum of two values of different scales; `output` is zero_point, low, high."""
        fields = {"multiplier": m1, "other_multiplier": m2, "shift": shift, "other_pixel": b.pixel}
        zero_points = {"input_zero_point": zero_point_a, "other_zero_point": zero_point_b}
        return self._add(kinds.ADD, a, image(*a.shape), b, **fields, **zero_points, **output)

    def max_pool2d(self, x: Value, size: int, stride: int, padding) -> Value:
        """The largest byte of each window."""
        target = windows(x, (size, size), stride, padding, x.channels)
        return self._add(kinds.MAX_POOL, x, target, **window(size, size, stride, padding))

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
            self._add(kinds.COPY, value, target, target=channel)
            channel += value.channels
        return target

    def flatten(self, x: Value) -> Value:
        """(height, width, channels) as one vector."""
        size = x.height * x.width * x.channels
        target = Value(1, 1, size, pixel=round_up(size, LANES))
        return self._add(kinds.COPY, x, target, out_height=x.height, out_width=x.width, out_pixel=x.channels)

    def dequantize(self, x: Value, scale: float, zero_point: int) -> Value:
        """Bytes as real numbers again."""
        constants = self._keep(self._constants, np.array([scale], np.float32).view(np.int32))
        target = Value(*x.shape, pixel=4 * x.channels, itemsize=4)
        return self._add(kinds.DEQUANTIZE, x, target, constants=constants, input_zero_point=zero_point)

    # ---- the plan ----------------------------------------------------------------------------------------------------

    def finish(self, result: Value) -> Plan:
        """The plan that leaves `result`."""
        size = result.channels * result.itemsize
        output = Value(result.height, result.width, size, pixel=size)
        self._add(kinds.OUTPUT, result, output, channels=size)
        values = live_ranges([(source, other, target) for _, source, other, target in self._steps[:-1]], result)
        arena_bytes = place(values)
        layers = np.zeros(len(self._steps), LAYER)
        for layer, (fields, source, other, target) in zip(layers, self._steps, strict=True):
            for name, number in fields.items():
                layer[name] = number
            layer["source"] = source.offset
            layer["target"] += target.offset
            layer["other"] = other.offset if other else -1
        weights = np.concatenate([*self._weights, np.zeros(PANEL, np.int8)])
        constants = np.concatenate([*self._constants, np.zeros(PANEL, np.int32)])
        return Plan(layers, weights, constants, arena_bytes, result)

    def _add(self, kind: int, source: Value, target: Value, other: Value | None = None, /, **fields: int) -> Value:
        geometry = {
            "kind": kind, "height": source.height, "width": source.width, "channels": source.channels,
            "pixel": source.pixel, "out_height": target.height, "out_width": target.width,
            "out_channels": target.channels, "out_pixel": target.pixel,
        }  # fmt: skip
        self._steps.append((geometry | fields, source, other, target))
        return target

    def _keep(self, store: list[np.ndarray], array: np.ndarray) -> int:
        """Append an array to the weights or constants; returns where it begins."""
        start = sum(len(part) for part in store)
        store.append(array)
        return start


def image(height: int, width: int, channels: int) -> Value:
    """A value whose pixels leave room for whole vectors."""
    return Value(height, width, channels, pixel=round_up(channels, LANES))


def windows(x: Value, size: tuple[int, int], stride: int, padding, channels: int) -> Value:
    """The value of one pixel for each window over `x`."""
    top, bottom, left, right = padding
    height = (x.height + top + bottom - size[0]) // stride + 1
    width = (x.width + left + right - size[1]) // stride + 1
    return image(height, width, channels)


def window(height: int, width: int, stride: int, padding) -> dict[str, int]:
    """The fields of a layer that slides a window."""
    sides = dict(zip(("top", "bottom", "left", "right"), padding, strict=True))
    return {"kernel_height": height, "kernel_width": width, "stride": stride, **sides}


def fold_zero_point(bias, weight_sums: np.ndarray, zero_point: int) -> np.ndarray:
    """Σ (a − Z)·w + bias = Σ a·w + (bias − Z·Σ w): the bracket, modulo 2^32 as the sums are."""
    return (np.asarray(bias, np.int64) - zero_point * weight_sums).astype(np.int32)


def stack_rows(rows: list, unit: int) -> np.ndarray:
    """Rows of one int32 a channel, each filled up to a multiple of `unit`, with ones: a shift must not be 0."""
    table = np.ones((len(rows), round_up(len(rows[0]), unit)), np.int32)
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = values
    return table.reshape(-1)


def live_ranges(steps, result: Value) -> list[Value]:
    """Set when each value is written first and read last; returns the values by birth."""
    values: list[Value] = []
    for time, (source, other, target) in enumerate(steps):
        for value in (source, other):
            if value is not None:
                value.last_use = time
        if not any(value is target for value in values):
            target.born = target.last_use = time
            values.append(target)
    result.last_use = len(steps)
    return values
