"""From float32 layers and their weights to a `Plan`: borders, packed weights, places in the arena."""

from __future__ import annotations

import math

import numpy as np

from . import layers_float as kinds
from .arena import live_ranges, place
from .depthwise_plan import filters_of
from .geometry import window as window_over
from .layers_float import LAYER
from .panels import Matrix, pack, padded
from .plan_float import TOGETHER, Plan, Value, aligned

#: Pixels of the images from which on weights outweigh them: there some images go through a layer together.
FEW_PIXELS = 64


class Planner:
    """Builds a plan layer by layer: each method takes and returns values, and layers run in the order of the calls.

    Parameters
    ----------
    shape : tuple of int
        (height, width, channels) of one input image.
    """

    def __init__(self, shape: tuple[int, int, int]):
        self._steps: list[tuple[dict, Value, Value | None, Value]] = []
        self._weights: list[np.ndarray] = []
        self._constants: list[np.ndarray] = []
        self._work = 0
        self._images = Value(*shape, offset=0)
        self.image = self._add(kinds.INPUT, self._images, Value(*shape))

    # ---- layers with weights -----------------------------------------------------------------------------------------

    def conv2d(self, x: Value, weight, bias, stride: int, padding, low=None, high=None) -> Value:
        """A convolution, weight (kh, kw, cin, cout)."""
        matrix = weight.reshape(-1, weight.shape[3])
        return self._filter(kinds.CONV2D, x, weight, pack(Matrix.of(matrix)), bias, stride, padding, low, high)

    def depthwise_conv2d(self, x: Value, weight, bias, stride: int, padding, low=None, high=None) -> Value:
        """A filter for each channel, weight (kh, kw, c)."""
        matrix = weight.reshape(-1, weight.shape[2])
        return self._filter(
            kinds.DEPTHWISE, x, weight, filters_of(matrix).reshape(-1), bias, stride, padding, low, high
        )

    def _filter(self, kind: int, x: Value, weight, packed, bias, stride, padding, low, high) -> Value:
        fields = window(weight.shape[:2], stride, padding)
        target = windows(x, weight.shape[:2], stride, padding, weight.shape[-1])
        x.border = tuple(max(pair) for pair in zip(x.border, padding, strict=True))
        fields["weights"] = self._keep(self._weights, packed)
        fields["constants"] = self._keep(self._constants, padded(bias, weight.shape[-1], np.float32))
        self._work += target.height * target.width * weight.size
        return self._add(kind, x, target, **fields, **bounds(low, high))

    # ---- layers without weights --------------------------------------------------------------------------------------

    def scale_shift(self, x: Value, scale, shift, low=None, high=None) -> Value:
        """x·scale + shift by channel."""
        constants = self._keep(self._constants, np.concatenate([scale, shift]).astype(np.float32))
        return self._add(kinds.SCALE_SHIFT, x, Value(*x.shape), constants=constants, **bounds(low, high))

    def clip(self, x: Value, low=None, high=None) -> Value:
        """x between two bounds."""
        return self.scale_shift(x, np.ones(x.channels), np.zeros(x.channels), low, high)

    def add(self, a: Value, b: Value, low=None, high=None) -> Value:
        """The sum of two values."""
        return self._add(kinds.ADD, a, Value(*a.shape), b, **bounds(low, high))

    def max_pool2d(self, x: Value, size: int, stride: int, padding) -> Value:
        """The largest element of each window."""
        target = windows(x, (size, size), stride, padding, x.channels)
        return self._add(kinds.MAX_POOL, x, target, **window((size, size), stride, padding))

    def avg_pool2d(self, x: Value, size: tuple[int, int], stride: int, padding) -> Value:
        """The mean of each window of `size` (height, width), padding counted."""
        target = windows(x, size, stride, padding, x.channels)
        return self._add(kinds.AVG_POOL, x, target, **window(size, stride, padding))

    def concat(self, values: list[Value]) -> Value:
        """Channels side by side, one copy an input."""
        target = Value(values[0].height, values[0].width, sum(value.channels for value in values))
        channel = 0
        for value in values:
            self._add(kinds.COPY, value, target, target=channel)
            channel += value.channels
        return target

    def flatten(self, x: Value) -> Value:
        """(height, width, channels) as one vector."""
        target = Value(1, 1, math.prod(x.shape))
        lines = {"target_line": x.width * x.channels, "target_pixel": x.channels, "out_height": x.height}
        return self._add(kinds.COPY, x, target, **lines)

    # ---- the plan ----------------------------------------------------------------------------------------------------

    def finish(self, result: Value) -> Plan:
        """The plan that leaves `result`, a vector."""
        self._add(kinds.OUTPUT, result, Value(*result.shape, offset=0))
        cut = self._cut()
        values = live_ranges(
            [([v for v in (source, other) if v is not None], target) for _, source, other, target in self._steps[:-1]],
            result,
        )
        for value in values:
            if value.last_use >= cut:
                # It collects the images that go on together: others pass by while it waits.
                value.images, value.born = TOGETHER, 0 if value.born < cut else value.born
        arena_bytes = place([value for value in values if value is not self._images])
        layers = np.zeros(len(self._steps), LAYER)
        for layer, step in zip(layers, self._steps, strict=True):
            for name, number in record(*step).items():
                layer[name] = number
        weights, constants = join(self._weights), join(self._constants)
        return Plan(layers, cut, weights, constants, arena_bytes, self._work, math.prod(result.shape))

    def _cut(self) -> int:
        """The first of the last layers, all of which have few pixels."""
        large = [i for i, (*_, target) in enumerate(self._steps) if target.height * target.width > FEW_PIXELS]
        return large[-1] + 1 if large else 0

    def _add(self, kind: int, source: Value, target: Value, other: Value | None = None, /, **fields: float) -> Value:
        self._steps.append(({"kind": kind} | fields, source, other, target))
        return target

    def _keep(self, store: list[np.ndarray], array: np.ndarray) -> int:
        """Append an array to the weights or constants; returns where it begins."""
        start = sum(len(part) for part in store)
        store.append(array)
        return start


def record(fields: dict, source: Value, other: Value | None, target: Value) -> dict:
    """All fields of a layer, once its values have their borders and places."""
    top, left = (fields.get(side, 0) if fields["kind"] in (kinds.CONV2D, kinds.DEPTHWISE) else 0 for side in SIDES)
    places = {"source": source.at(-top, -left), "target": target.at(0, 0), "other": other.at(0, 0) if other else 0}
    layer = {
        "height": source.height, "width": source.width, "channels": source.channels,
        "out_height": target.height, "out_width": target.width, "out_channels": target.channels,
    }  # fmt: skip
    for name, value in (("source", source), ("other", other or source), ("target", target)):
        layer[name] = places[name]
        layer |= {f"{name}_line": value.line, f"{name}_pixel": value.channels}
        layer[f"{name}_image"] = value.size if value.images > 1 else 0
    layer |= dict(zip(kinds.BORDER, target.border, strict=True)) | fields
    layer["target"] = places["target"] + fields.get("target", 0)
    return layer


SIDES = ("top", "left")


def bounds(low: float | None, high: float | None) -> dict[str, float]:
    """The fields of a layer's bounds."""
    return {"low": -math.inf if low is None else low, "high": math.inf if high is None else high}


def window(size: tuple[int, int], stride: int, padding) -> dict[str, int]:
    """The fields of a layer that slides a window."""
    return {"size_y": size[0], "size_x": size[1], "stride": stride, "top": padding[0], "left": padding[2]}


def windows(x: Value, size: tuple[int, int], stride: int, padding, channels: int) -> Value:
    """The value of one pixel for each window over `x`."""
    found = window_over((1, *x.shape), size, stride, tuple(padding))
    return Value(found.out_y, found.out_x, channels)


def join(arrays: list[np.ndarray]) -> np.ndarray:
    """Arrays one after the other, and room for vectors that run over the end."""
    joined = aligned((sum(map(len, arrays)) + 64,))
    if arrays:
        joined[:-64] = np.concatenate(arrays)
    return joined
