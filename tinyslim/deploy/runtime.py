"""How a Program runs: op by op through a table of kernels, or as it was prepared for this machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np

from tinyslim import kernels
from tinyslim.kernels import planner_float, planner_int8

#: Bytes that the largest value of a slice of images may take, when a Program runs op by op.
SLICE_BYTES = 1 << 25


def slices(program, count: int) -> Iterator[slice]:
    """Stretches of so few images that memory stays bounded."""
    largest = max(math.prod(spec.shape) for spec in program.specs) * 4
    step = max(1, SLICE_BYTES // largest)
    return (slice(start, start + step) for start in range(0, count, step))


def normalized(program, x: np.ndarray, table) -> np.ndarray:
    """Images as the model takes them, whether they come as float32 or as uint8."""
    return table.normalize_images(x, *program.preprocessing) if x.dtype == np.uint8 else x


def last_uses(program) -> list[tuple[int, ...]]:
    """For each op, the values that no later op reads."""
    last = {value: position for position, op in enumerate(program.ops) for value in op.inputs}
    return [tuple(value for value in set(op.inputs) if last[value] == i) for i, op in enumerate(program.ops)]


def run_by_ops(program, x: np.ndarray, table) -> np.ndarray:
    """The logits (n, classes) of float32 or uint8 x, through a table of kernels."""
    outputs, done = np.empty((len(x), *program.specs[-1].shape), np.float32), last_uses(program)
    for part in slices(program, len(x)):
        values = {0: normalized(program, x[part], table)}
        for position, (op, unused) in enumerate(zip(program.ops, done, strict=True)):
            inputs = [values[value] for value in op.inputs]
            values[position + 1] = program.op_kind(op).run(op, table, *inputs)
            for value in unused:
                del values[value]
        outputs[part] = values[len(program.ops)]
    return outputs


class FloatRunner:
    """A float32 Program as one plan; uint8 images are normalised some at a time before it."""

    def __init__(self, program):
        self.program = program
        self._plan = self._beginning(len(program.ops))

    def _beginning(self, count: int):
        planner = planner_float.Planner(self.program.input_shape)
        return planner.finish(add_ops(self.program, self.program.ops[:count], planner, [planner.image]))

    def run(self, x: np.ndarray) -> np.ndarray:
        """The logits of checked images."""
        if x.dtype == np.float32:
            return self._plan.run(x)
        outputs = np.empty((len(x), *self.program.specs[-1].shape), np.float32)
        for part in slices(self.program, len(x)):
            outputs[part] = self._plan.run(normalized(self.program, x[part], kernels))
        return outputs

    def beginning(self, count: int, dtype) -> Callable[[np.ndarray], object]:
        """A function that runs the first `count` ops on images."""
        plan = self._beginning(count)
        return lambda x: plan.run(normalized(self.program, x, kernels))


def add_ops(program, ops, planner, values: list):
    """Add ops to a plan, where `values` are the ones before theirs; returns the last one's value."""
    for op in ops:
        values.append(program.op_kind(op).plan(op, planner, *(values[value] for value in op.inputs)))
    return values[-1]


class Int8Runner:
    """An int8 Program as one plan for float32 images and one for uint8 images, each made when it is first needed."""

    def __init__(self, program):
        self.program = program

    def run(self, x: np.ndarray) -> np.ndarray:
        """The logits of checked images."""
        plan = self._byte_plan if x.dtype == np.uint8 else self._float_plan
        return plan.run(x).reshape(len(x), *self.program.specs[-1].shape)

    def beginning(self, count: int, dtype) -> Callable[[np.ndarray], object]:
        """A function that runs the first `count` ops on images of this dtype."""
        read_input = self._read_bytes() if dtype == np.uint8 else self._read_floats()
        return self._plan(read_input, count).run

    @cached_property
    def _float_plan(self):
        return self._plan(self._read_floats())

    @cached_property
    def _byte_plan(self):
        return self._plan(self._read_bytes())

    def _read_floats(self):
        scale, zero_point = self._first.values()
        return lambda planner: planner.quantize(scale, zero_point)

    def _read_bytes(self):
        """A byte meets a table of 256 a channel: what normalising and quantising would make of it."""
        channels = self.program.input_shape[2]
        ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], channels, axis=1).reshape(1, 256, 1, channels)
        levels = kernels.quantize(normalized(self.program, ramp, kernels), *self._first.values())
        return lambda planner: planner.lookup(levels.reshape(256, channels).T)

    @property
    def _first(self) -> dict:
        return self.program.ops[0].attributes

    def _plan(self, read_input, count: int | None = None):
        program = self.program
        planner = planner_int8.Planner(program.input_shape)
        return planner.finish(add_ops(program, program.ops[1:count], planner, [None, read_input(planner)]))
