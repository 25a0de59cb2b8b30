"""QuantizeLinear and DequantizeLinear: a quantised file comes in as the real numbers that it stands for.

Weights are S·(q − Z). A pair around an activation rounds and clips; the rounding is left out, and the clip stays, as
F.clip or as the ReLU or ReLU6 that it is, since quantisers often have taken a net's activations in, and since a net has
learned to saturate where its bytes end. So the net can be trained, pruned and distilled, and `quant.prepare` finds the
file's own steps again: each filter's largest weight is 127 steps, and no activation leaves the range that it had.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyslim.autograd import Tensor

from .onnx_layout import Pooled, Value
from .onnx_ranges import clip_between
from .onnx_step import Step


@dataclass(frozen=True)
class Steps:
    """The integers from `qmin` to `qmax`, and what they stand for: scale · (q − zero_point)."""

    scale: float
    zero_point: int
    qmin: int
    qmax: int

    @property
    def ends(self) -> tuple[float, float]:
        return tuple(self.scale * (q - self.zero_point) for q in (self.qmin, self.qmax))


class Quantized(Value):
    """An activation as integers; only DequantizeLinear can read it."""

    def __init__(self, real: Value, steps: Steps):
        self.real, self.steps = real, steps

    @property
    def tensor(self) -> Tensor:
        raise ValueError("takes integers, which only DequantizeLinear is read with")


def scale_and_zero(step: Step, default: type) -> tuple[np.ndarray, np.ndarray]:
    """The scale and the zero point, checked; the type of the zero point is that of the integers."""
    scale, zero = step.reals(1, "scale"), step.array(2, "zero point", required=False)
    zero = np.zeros(scale.shape, default) if zero is None else zero
    if zero.dtype.kind not in "iu" or zero.size != scale.size:
        raise ValueError(
            f"has a zero point of {zero.dtype} and the shape {zero.shape}; expected whole numbers, one for each scale"
        )
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise ValueError(f"has the scale {scale.min()}; expected positive numbers")
    return scale, zero.reshape(scale.shape)


def _of_activation(step: Step) -> Steps:
    scale, zero = scale_and_zero(step, np.uint8)
    if scale.size != 1:
        raise ValueError(f"has {scale.size} scales for an activation; expected one")
    ends = np.iinfo(zero.dtype)
    return Steps(scale.item(), zero.item(), int(ends.min), int(ends.max))


def quantize(step: Step) -> Value:
    return Quantized(step.value(), _of_activation(step))


def dequantize(step: Step) -> Value:
    """What was quantised, within the numbers that its integers reach; the network's output keeps all."""
    value, steps = step.value(), _of_activation(step)
    if not isinstance(value, Quantized):
        raise ValueError("takes real numbers; expected what QuantizeLinear gives")
    own, real = value.steps, value.real
    if steps.zero_point != own.zero_point or not np.isclose(steps.scale, own.scale, rtol=1e-4, atol=0):
        raise ValueError(f"reads with {steps} what was written with {own}")
    if step.node.outputs[0] == step.network.file.output:
        return real

    def clipped(x: Tensor) -> Tensor:
        return clip_between(x, *own.ends, tolerance=own.scale / 2)

    if isinstance(real, Pooled):
        return Pooled(real.source, lambda mean: clipped(real.finish(mean)))
    return Value(clipped(real.tensor), real.order)


# Of constants: weights and biases.


def _by_channel(step: Step, array: np.ndarray, *vectors: np.ndarray) -> list[np.ndarray]:
    """Scales and zero points in the shape in which they meet the array."""
    if step.integer("block_size", 0):
        raise ValueError("has a `block_size`; only a scale for all or one a channel is read")
    if vectors[0].size == 1:
        return [vector.reshape(()) for vector in vectors]
    axis = step.integer("axis", 1)
    if not -array.ndim <= axis < array.ndim or array.shape[axis] != vectors[0].size:
        raise ValueError(f"has {vectors[0].size} scales and `axis` (={axis}) for an array of the shape {array.shape}")
    shape = [-1 if a == axis % array.ndim else 1 for a in range(array.ndim)]
    return [vector.reshape(shape) for vector in vectors]


def quantized_constant(step: Step) -> np.ndarray:
    """round(r / S) + Z, clipped."""
    array = step.reals(0, "array")
    scale, zero = scale_and_zero(step, np.uint8)
    ends = np.iinfo(zero.dtype)
    scale, offset = _by_channel(step, array, scale, zero)
    return np.clip(np.rint(array / scale) + offset, ends.min, ends.max).astype(zero.dtype)


def dequantized_constant(step: Step) -> np.ndarray:
    """S·(q − Z)."""
    array = step.array(0, "array")
    if array.dtype.kind not in "iu":
        raise ValueError(f"takes {array.dtype}; expected whole numbers")
    scale, zero = _by_channel(step, array, *scale_and_zero(step, array.dtype))
    return ((array.astype(np.int64) - zero) * scale.astype(np.float64)).astype(np.float32)


def constant(step: Step) -> np.ndarray:
    """Constant: an array, or numbers."""
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if name in step.node.attributes:
            found = step.node.attributes[name]
            return found if isinstance(found, np.ndarray) else np.array(found, np.float32 if "float" in name else "i8")
    raise ValueError(f"has the attributes {', '.join(step.node.attributes) or 'none'}; expected numbers as `value`")


def same_constant(step: Step) -> np.ndarray:
    return step.array(0, "array")
