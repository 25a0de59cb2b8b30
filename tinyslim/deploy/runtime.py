"""How a Program runs: op by op through a table of kernels, or as it was prepared for this machine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property, partial

import numpy as np

from tinyslim import kernels

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
    steps = [partial(program.op_kind(op).run, op, table) for op in program.ops]
    return run_steps(program, steps, last_uses(program), x, table)


def run_steps(program, steps, done, x: np.ndarray, table) -> np.ndarray:
    """The logits (n, classes), one step an op; `done` are the values that no op reads after it."""
    outputs = np.empty((len(x), *program.specs[-1].shape), np.float32)
    for part in slices(program, len(x)):
        values = {0: normalized(program, x[part], table)}
        for position, (op, step, unused) in enumerate(zip(program.ops, steps, done, strict=True)):
            values[position + 1] = step(*[values[value] for value in op.inputs])
            for value in unused:
                del values[value]
        outputs[part] = values[len(program.ops)]
    return outputs


class FloatRunner:
    """A float32 Program whose filters are packed once."""

    def __init__(self, program):
        self.program, self.done = program, last_uses(program)
        self.steps = []
        for op in program.ops:
            inputs = [program.specs[value] for value in op.inputs]
            self.steps.append(program.op_kind(op).prepare(op, inputs))

    def run(self, x: np.ndarray) -> np.ndarray:
        """The logits of checked images."""
        return run_steps(self.program, self.steps, self.done, np.require(x, requirements=["C", "W"]), kernels)


class Int8Runner:
    """An int8 Program as one plan for float32 images and one for uint8 images, each made when it is first needed."""

    def __init__(self, program):
        self.program = program

    def run(self, x: np.ndarray) -> np.ndarray:
        """The logits of checked images."""
        plan = self._byte_plan if x.dtype == np.uint8 else self._float_plan
        return plan.run(x).reshape(len(x), *self.program.specs[-1].shape)

    @cached_property
    def _float_plan(self):
        scale, zero_point = self._first.values()
        return self._plan(lambda planner: planner.quantize(scale, zero_point))

    @cached_property
    def _byte_plan(self):
        """A byte meets a table of 256 a channel: what normalising and quantising would make of it."""
        channels = self.program.input_shape[2]
        ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], channels, axis=1).reshape(1, 256, 1, channels)
        levels = kernels.quantize(normalized(self.program, ramp, kernels), *self._first.values())
        return self._plan(lambda planner: planner.lookup(levels.reshape(256, channels).T))

    @property
    def _first(self) -> dict:
        return self.program.ops[0].attributes

    def _plan(self, read_input):
        program = self.program
        planner = kernels.planner_int8.Planner(program.input_shape)
        values = [None, read_input(planner)]
        for op in program.ops[1:]:
            values.append(program.op_kind(op).plan(op, planner, *(values[value] for value in op.inputs)))
        return planner.finish(values[-1])


RUNNERS = {"float32": FloatRunner, "int8": Int8Runner}
