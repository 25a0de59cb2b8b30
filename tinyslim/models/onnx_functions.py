"""ONNX's operators without weights as operations of ours."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

import tinyslim.functional as F
from tinyslim.autograd import Tensor

from .onnx_layout import Padded, Pooled, Value, our_axis, spread
from .onnx_ranges import clip_between
from .onnx_step import Step
from .onnx_windows import (
    LARGEST_SIDE,
    check_result,
    pixels_seen,
    rounded_up,
    sides_of,
    simplest,
    stride_of,
    without_padding,
)


def identity(step: Step) -> Value:
    return step.value()


def relu(step: Step) -> Value:
    return _each(step, F.relu)


def sigmoid(step: Step) -> Value:
    return _each(step, F.sigmoid)


def clip(step: Step) -> Value:
    """Clip: a ReLU or a ReLU6 where the bounds are theirs."""
    ends = []
    for position, name, none in ((1, "min", -math.inf), (2, "max", math.inf)):
        end = step.reals(position, name, required=False)
        if end is not None and end.size != 1:
            raise ValueError(f"has a `{name}` of the shape {end.shape}; expected one number")
        ends.append(none if end is None else end.item())
    if not ends[0] <= ends[1]:
        raise ValueError(f"has `min` (={ends[0]}) above `max` (={ends[1]})")
    return _each(step, lambda x: clip_between(x, *ends))


def _each(step: Step, function: Callable[[Tensor], Tensor]) -> Value:
    """A function of each element: it leaves every order as it is."""
    value = step.value()
    return Value(function(value.tensor), value.order)


def add(step: Step) -> Value:
    return _joined(step, F.add)


def multiply(step: Step) -> Value:
    return _joined(step, F.multiply)


def _joined(step: Step, function: Callable) -> Value:
    """A function of two results, or of one and an array, which is then trained; a single number stays as it is."""
    if step.is_constant(0) or step.is_constant(1):
        position = 0 if step.is_constant(0) else 1
        value, array = step.value(1 - position), step.reals(position, "number")
        if array.size == 1:
            return Value(function(value.tensor, array.item()), value.order)
        return Value(function(value.tensor, step.parameter(position, spread(array, value))), value.order)
    a, b = step.value(0), step.value(1)
    if a.is_image != b.is_image:
        raise ValueError("takes an image and a vector; expected two of a kind")
    if not np.array_equal(a.order, b.order):
        a, b = a.in_onnx_order(), b.in_onnx_order()
    return Value(function(a.tensor, b.tensor), a.order)


def concat(step: Step) -> Value:
    """Concat: vectors of several orders give one of a longer order."""
    values = [step.value(position) for position in range(len(step.node.inputs))]
    axis, result = our_axis(values[0], step.integer("axis", 0)), [value.tensor for value in values]
    if len({value.is_image for value in values}) > 1:
        raise ValueError("takes images and vectors; expected one kind")
    if all(value.order is None for value in values):
        return Value(F.concat(result, axis))
    orders = [np.arange(value.channels) if value.order is None else value.order for value in values]
    starts = np.cumsum([0, *(len(order) for order in orders[:-1])])
    return Value(F.concat(result, axis), np.concatenate([o + s for o, s in zip(orders, starts, strict=True)]))


def softmax(step: Step) -> Value:
    """Softmax; up to opset 12 over all axes from `axis` on, which is one axis if the others have length 1."""
    value = step.value()
    axis = step.integer("axis", 1 if step.opset < 13 else -1)
    ours, rank = our_axis(value, axis), value.tensor.ndim
    if step.opset < 13 and value.is_image:
        later = [value.tensor.shape[our_axis(value, a)] for a in range(axis % rank + 1, rank)]
        if set(later) - {1}:
            raise ValueError(f"has `axis` (={axis}) in opset {step.opset}, where it runs over all later axes too")
    return Value(F.softmax(value.tensor, ours), value.order)


def pad(step: Step) -> Value:
    """Pad with zeros, in height and width: a convolution or pooling behind it adds them itself."""
    value, mode = step.value(), step.text("mode", "constant")
    value.check_image()
    filler = step.reals(2, "constant value", required=False)
    if mode != "constant" or (filler is not None and filler.size and filler.item() != 0):
        raise ValueError(f"pads with `mode` (={mode!r}) and the number {filler}; only zeros are read")
    pads = [int(side) for side in step.array(1, "`pads`").reshape(-1)]
    axes = [int(axis) % 4 for axis in step.array(3, "`axes`").reshape(-1)] if step.has(3) else [0, 1, 2, 3]
    if len(pads) != 2 * len(axes) or min(pads, default=0) < 0 or max(pads, default=0) > LARGEST_SIDE:
        raise ValueError(f"has `pads` (={pads}); expected {2 * len(axes)} numbers from 0 to {LARGEST_SIDE}")
    before, after = (dict(zip(axes, half, strict=True)) for half in (pads[: len(axes)], pads[len(axes) :]))
    if any(side.get(axis, 0) for side in (before, after) for axis in (0, 1)):
        raise ValueError(f"has `pads` (={pads}) for the batch or the channels; only height and width are read")
    sides = before.get(2, 0), after.get(2, 0), before.get(3, 0), after.get(3, 0)
    value, sides = without_padding(value, sides)
    check_result(value.image, (1, 1), 1, sides, value.channels)
    return Padded(value.tensor, sides)


def global_average_pool(step: Step) -> Value:
    step.value().check_image()
    return Pooled(step.value().tensor)


def average_pool(step: Step) -> Value:
    """AveragePool: ours counts the padding; where ONNX's does not, each mean is divided by the share that it saw."""
    value, (size, stride, sides) = step.value(), _window(step)
    if size == value.image and not any(sides):
        return Pooled(value.tensor)
    counted = step.integer("count_include_pad", 0) or not any(sides)
    if rounded_up(step, value.image, size, stride, sides) != sides:
        raise ValueError("has `ceil_mode` (=1) with a last window that leaves the image, which is not read")
    if counted:
        value, sides = without_padding(value, sides)
    check_result(value.image, size, stride, sides, value.channels)
    means = F.avg_pool2d(value.tensor, _square(size), stride, simplest(sides))
    if counted:
        return Value(means)
    seen = pixels_seen(value.image, size[0], stride, sides)
    return Value(F.multiply(means, (size[0] ** 2 / seen).astype(means.dtype)))


def max_pool(step: Step) -> Value:
    """MaxPool: padding never wins; zeros around an image that holds no number below 0 never win either."""
    value, (size, stride, sides) = step.value(), _window(step)
    if isinstance(value, Padded) and value.source.op in ("relu", "relu6", "sigmoid"):
        inner, wider = without_padding(value, sides)
        if max(wider) < min(size):
            value, sides = inner, wider
    sides = rounded_up(step, value.image, size, stride, sides)
    if max(sides) >= min(size):
        raise ValueError(f"has pads (={sides}) as wide as its window (={size}), which then sees no pixel")
    check_result(value.image, size, stride, sides, value.channels)
    return Value(F.max_pool2d(value.tensor, _square(size), stride, simplest(sides)))


def _window(step: Step) -> tuple[tuple[int, int], int, tuple[int, int, int, int]]:
    """Size, stride and sides of a pooling."""
    size = tuple(step.integers("kernel_shape", []))
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"has `kernel_shape` (={list(size)}); expected two numbers, at least 1")
    stride = stride_of(step)
    return size, stride, sides_of(step, step.value().image, size, stride)


def _square(size: tuple[int, int]) -> int:
    if size[0] != size[1]:
        raise ValueError(f"has `kernel_shape` (={list(size)}); only square windows are read")
    return size[0]


def flatten(step: Step) -> Value:
    value, axis = step.value(), step.integer("axis", 1)
    if axis not in (1, 1 - value.tensor.ndim):
        raise ValueError(f"has `axis` (={axis}); only 1 is read, which keeps the images of a batch apart")
    return value.flattened()


def reshape(step: Step) -> Value:
    """Reshape, where it is a flatten, or changes nothing."""
    value = step.value()
    target = [int(size) for size in step.array(1, "shape").reshape(-1)]
    own = [value.channels, *(value.image if value.is_image else ())]
    wanted = [own[i] if size == 0 and i < len(own) else size for i, size in enumerate(target[1:])]
    if target[:1] != [-1] and wanted.count(-1) == 1:
        known = -math.prod(wanted)
        wanted[wanted.index(-1)] = math.prod(own) // known if known else 0
    if wanted == own:
        return value
    if wanted == [math.prod(own)]:
        return value.flattened()
    raise ValueError(f"brings (n, {', '.join(map(str, own))}) to the shape {target}; only a flatten is read")


def reduce_mean(step: Step) -> Value:
    """ReduceMean: over height and width it is the global average pooling."""
    value, rank = step.value(), step.value().tensor.ndim
    axes = step.integers("axes", None)
    if step.has(1):
        axes = [int(axis) for axis in step.array(1, "`axes`").reshape(-1)]
    keeps = bool(step.integer("keepdims", 1))
    if not axes:
        raise ValueError("has no `axes`, so it would mix the images of a batch")
    if value.is_image and sorted(axis % rank for axis in axes) == [2, 3]:
        pooled = Pooled(value.tensor)
        return pooled if keeps else pooled.flattened()
    ours = tuple(our_axis(value, axis) for axis in axes)
    if not keeps:
        raise ValueError(f"has `axes` (={axes}) and `keepdims` (=0); only height and width can go")
    return Value(F.mean(value.tensor, ours, True))


def gather(step: Step) -> Value:
    """Gather, where it brings the features of a vector into another order: nothing has to be computed for that."""
    value, places = step.value(), step.array(1, "`indices`")
    whole = places.ndim == 1 and np.array_equal(np.sort(places), np.arange(value.channels))
    if value.is_image or step.integer("axis", 0) not in (1, -1) or not whole:
        raise ValueError("picks elements by number; only a new order of a vector's features is read")
    return Value(value.tensor, places if value.order is None else value.order[places])
