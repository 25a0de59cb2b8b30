"""What an op kind is: its arrays, its attributes and their ranges, the shape that it gives, and what it computes."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, NamedTuple

import numpy as np


class Spec(NamedTuple):
    """The type of a value: shape without the batch, (h, w, c) or (c,), and dtype, "float32" or "uint8"."""

    shape: tuple[int, ...]
    dtype: str


def frozen(**entries) -> Mapping[str, object]:
    """A dict that nobody can change."""
    return MappingProxyType(entries)


class OpKind:
    """The base of all op kinds; each instance is an entry of a table, and holds no state.

    A kind names its `arrays` with dtype and rank, in the order in which files keep them, and its `attributes` with
    their defaults, where `REQUIRED` stands for none.
    """

    arrays: ClassVar[Mapping[str, tuple[str, int]]] = frozen()
    attributes: ClassVar[Mapping[str, object]] = frozen()
    #: How many inputs: a number, or None for one and more.
    input_count: ClassVar[int | None] = 1
    input_dtype: ClassVar[str] = "float32"

    def output(self, op, inputs: list[Spec]) -> Spec:
        """The type of the op's value; raises ValueError where arrays, attributes and inputs do not fit."""
        raise NotImplementedError

    def run(self, op, table, *inputs: np.ndarray) -> np.ndarray:
        """Compute the op through a table of kernels: `tinyslim.kernels` or `tinyslim.kernels.reference`."""
        raise NotImplementedError


REQUIRED = object()


def integer(low: int, high: int):
    """A check that a value is an int from `low` to `high`."""

    def check(name: str, value) -> int:
        try:
            number = operator.index(value)
        except TypeError:
            raise ValueError(f"`{name}` (={value!r}) must be an int") from None
        if isinstance(value, bool) or not low <= number <= high:
            raise ValueError(f"`{name}` (={value!r}) must be from {low} to {high}")
        return number

    return check


def bound(name: str, value) -> float | None:
    """A check that a value is a real number, or None for no bound."""
    if value is None:
        return None
    number = real(name, value)
    return None if math.isinf(number) else number


def real(name: str, value) -> float:
    """A check that a value is a number."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ValueError(f"`{name}` (={value!r}) must be a number")
    if math.isnan(value):
        raise ValueError(f"`{name}` (={value!r}) must not be NaN")
    return float(value)


def positive(name: str, value) -> float:
    """A check that a value is positive and finite as a float32, which is what it is rounded to."""
    number = float(np.float32(real(name, value)))
    if not 0 < number < math.inf:
        raise ValueError(f"`{name}` (={value!r}) must be positive and finite")
    return number


def sides(name: str, value) -> tuple[int, int, int, int]:
    """A check that a value is four counts: (top, bottom, left, right)."""
    if not isinstance(value, (tuple, list)) or len(value) != 4:
        raise ValueError(f"`{name}` (={value!r}) must be (top, bottom, left, right)")
    return tuple(SIDE(name, side) for side in value)


SIDE, BYTE, MULTIPLIER = integer(0, 1 << 15), integer(0, 255), integer(0, 2**31 - 1)

#: What each attribute may be, whichever op bears it; `low` and `high` are bytes or bounds, as the op's kind has it.
CHECKS = {
    "stride": integer(1, 1 << 15), "size": integer(1, 1 << 15), "padding": sides, "scale": positive,
    "zero_point": BYTE, "input_zero_point": BYTE, "zero_point_a": BYTE, "zero_point_b": BYTE,
    "multiplier": MULTIPLIER, "m1": MULTIPLIER, "m2": MULTIPLIER, "shift": integer(1, 62),
}  # fmt: skip


def check_attributes(kind: OpKind, attributes: dict) -> dict:
    """Attributes in full: checked, with the defaults of `kind` where they are missing."""
    unknown = sorted(set(attributes) - set(kind.attributes))
    if unknown:
        raise ValueError(f"has no attribute `{unknown[0]}`; it has {', '.join(kind.attributes) or 'none'}")
    complete = {}
    for name, default in kind.attributes.items():
        value = attributes.get(name, default)
        if value is REQUIRED:
            raise ValueError(f"needs the attribute `{name}`")
        check = CHECKS.get(name) or (BYTE if isinstance(default, int) else bound)
        complete[name] = check(name, value)
    low, high = complete.get("low"), complete.get("high")
    if low is not None and high is not None and low > high:
        raise ValueError(f"`low` (={low}) must not exceed `high` (={high})")
    return complete


def check_arrays(kind: OpKind, arrays: dict) -> dict[str, np.ndarray]:
    """Arrays as C-contiguous ones of their own, checked against `kind`."""
    if set(arrays) != set(kind.arrays):
        raise ValueError(f"has the arrays {sorted(arrays)}, expected {sorted(kind.arrays)}")
    complete = {}
    for name, (dtype, rank) in kind.arrays.items():
        value = np.asarray(arrays[name])
        if value.dtype != dtype:
            raise ValueError(f"`{name}` (={value.dtype}) must be an array of {dtype}")
        if value.ndim != rank or 0 in value.shape:
            raise ValueError(f"`{name}` (shape {value.shape}) must have {rank} axes, none empty")
        complete[name] = np.array(value, dtype, order="C")
    return complete


def per_channel(op, channels: int) -> None:
    """Each array but the weight holds one number a channel."""
    for name, array in op.arrays.items():
        if name != "weight" and array.shape != (channels,):
            raise ValueError(f"`{name}` (shape {array.shape}) must have the shape ({channels},)")


def image(inputs: list[Spec]) -> tuple[int, int, int]:
    """The (h, w, c) of the first input."""
    if len(inputs[0].shape) != 3:
        raise ValueError(f"the input (shape {inputs[0].shape}) must be an image (h, w, c)")
    return inputs[0].shape


def windows(op, inputs: list[Spec], size: tuple[int, int]) -> tuple[int, int]:
    """(h, w) of what windows of `size` see of the first input, by the op's stride and padding."""
    height, width, _ = image(inputs)
    top, bottom, left, right = op.attributes["padding"]
    stride = op.attributes["stride"]
    padded = height + top + bottom, width + left + right
    if padded[0] < size[0] or padded[1] < size[1]:
        raise ValueError(f"the window {size} must fit into the padded input {padded}")
    return (padded[0] - size[0]) // stride + 1, (padded[1] - size[1]) // stride + 1


def same_shapes(inputs: list[Spec]) -> tuple[int, ...]:
    """The one shape of all inputs."""
    if len({spec.shape for spec in inputs}) > 1:
        raise ValueError(f"the inputs {[spec.shape for spec in inputs]} must have one shape")
    return inputs[0].shape


def conv2d_output(op, inputs: list[Spec]) -> tuple[int, int, int]:
    """(h, w, cout) of a convolution with weight (kh, kw, cin, cout)."""
    weight = op.arrays["weight"].shape
    if image(inputs)[2] != weight[2]:
        raise ValueError(f"`weight` (shape {weight}) must have {inputs[0].shape[2]} input channels")
    per_channel(op, weight[3])
    return (*windows(op, inputs, weight[:2]), weight[3])


def depthwise_output(op, inputs: list[Spec]) -> tuple[int, int, int]:
    """(h, w, c) of a depthwise convolution with weight (kh, kw, c)."""
    weight = op.arrays["weight"].shape
    if image(inputs)[2] != weight[2]:
        raise ValueError(f"`weight` (shape {weight}) must have {inputs[0].shape[2]} channels")
    per_channel(op, weight[2])
    return (*windows(op, inputs, weight[:2]), weight[2])


def linear_output(op, inputs: list[Spec]) -> tuple[int]:
    """(cout,) of a linear layer with weight (cin, cout)."""
    weight = op.arrays["weight"].shape
    if inputs[0].shape != weight[:1]:
        raise ValueError(f"`weight` (shape {weight}) must have as many rows as the input {inputs[0].shape}")
    per_channel(op, weight[1])
    return weight[1:]


def concat_output(op, inputs: list[Spec]) -> tuple[int, ...]:
    """The inputs' shape, with their channels added up."""
    same_shapes([Spec(spec.shape[:-1], spec.dtype) for spec in inputs])
    return (*inputs[0].shape[:-1], sum(spec.shape[-1] for spec in inputs))


def pool_output(op, inputs: list[Spec]) -> tuple[int, int, int]:
    """(h, w, c) of a pooling."""
    size = op.attributes["size"]
    return (*windows(op, inputs, (size, size)), inputs[0].shape[2])


def max_pool_output(op, inputs: list[Spec]) -> tuple[int, int, int]:
    """(h, w, c) of a max pooling, each of whose windows must see a pixel."""
    if max(op.attributes["padding"]) >= op.attributes["size"]:
        raise ValueError(f"`padding` (={op.attributes['padding']}) must be below `size` (={op.attributes['size']})")
    return pool_output(op, inputs)
