"""A mixed Program as plans by turns: stretches of ops on one side, each prepared for this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tinyslim import kernels
from tinyslim.kernels import planner_float, planner_int8

from .float_ops import FloatKind
from .runtime import add_ops, last_uses, normalized, slices


@dataclass(frozen=True)
class Stretch:
    """The ops from `start` to before `stop`, which need no value but `source` and leave none but their last."""

    start: int
    stop: int
    source: int | None  # None: one op that takes several values


def is_real(program, op) -> bool:
    """Whether an op computes in real numbers."""
    return isinstance(program.op_kind(op), FloatKind)


def stretches(program, count: int) -> list[Stretch]:
    """The first `count` ops in as few stretches as a look ahead from each start finds."""
    found, start = [], 0
    while start < count:
        sources = set(program.ops[start].inputs)
        best = Stretch(start, start + 1, sources.pop() if len(sources) == 1 else None)
        if best.source is not None:
            for stop in range(start + 2, count + 1):
                if not joins(program, start, program.ops[stop - 1], best.source):
                    break
                if closed(program.ops[stop:count], start, stop):
                    best = Stretch(start, stop, best.source)
        found.append(best)
        start = best.stop
    return found


def joins(program, start: int, op, source: int) -> bool:
    """Whether `op` may follow in the stretch from `start`: of its side, from its values, and no reader of images."""
    one_side = is_real(program, op) == is_real(program, program.ops[start])
    return one_side and op.kind != "quantize" and all(value > start or value == source for value in op.inputs)


def closed(later, start: int, stop: int) -> bool:
    """Whether none of the `later` ops takes a value from inside the stretch, but for its last."""
    return not any(start < value < stop for op in later for value in op.inputs)


class PlannedStretch:
    """A stretch that runs in one call."""

    def __init__(self, program, stretch: Stretch):
        self.program, self.stretch = program, stretch
        self.shape = program.specs[stretch.stop].shape

    def run(self, x: np.ndarray) -> np.ndarray:
        """The last value for each image, or vector, of `x`."""
        return self._plan.run(as_images(x)).reshape(len(x), *self.shape)

    @cached_property
    def _plan(self):
        program, start, ops = self.program, self.stretch.start, self.program.ops[self.stretch.start : self.stretch.stop]
        shape = as_images(np.empty((1, *program.specs[self.stretch.source].shape))).shape[1:]
        values = [None] * (start + 1)
        if ops[0].kind == "quantize":
            planner, ops = planner_int8.Planner(shape), ops[1:]
            values.append(planner.quantize(**program.ops[start].attributes))
        elif is_real(program, ops[0]):
            planner = planner_float.Planner(shape)
            values[self.stretch.source] = planner.image
        else:
            planner = planner_int8.Planner(shape)
            values[self.stretch.source] = planner.input_bytes()
        return planner.finish(add_ops(program, ops, planner, values))


def as_images(x: np.ndarray) -> np.ndarray:
    """Vectors (n, c) as images of one pixel."""
    return x[:, None, None] if x.ndim == 2 else x


class SingleOp:
    """An op of several values; none such has weights that were to be packed beforehand."""

    def __init__(self, program, stretch: Stretch):
        self.op = program.ops[stretch.start]
        self.kind = program.op_kind(self.op)

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        """The op's value."""
        return self.kind.run(self.op, kernels, *inputs)


class MixedRunner:
    """Runs stretch after stretch, some images at a time; a value is dropped behind the stretch that takes it last.

    Parameters
    ----------
    program : Program
    count : int, optional
        Only so many of its first ops.
    """

    def __init__(self, program, count: int | None = None):
        self.program, self.count = program, len(program.ops) if count is None else count
        self.steps = []
        done = last_uses(program)
        for stretch in stretches(program, self.count):
            runner, inputs = SingleOp, program.ops[stretch.start].inputs
            if stretch.source is not None:
                runner, inputs = PlannedStretch, (stretch.source,)
            unused = {value for part in done[stretch.start : stretch.stop] for value in part}
            self.steps.append((runner(program, stretch), inputs, stretch.stop, unused))

    def run(self, x: np.ndarray) -> np.ndarray:
        """The logits of checked images."""
        outputs = np.empty((len(x), *self.program.specs[-1].shape), np.float32)
        for part in slices(self.program, len(x)):
            outputs[part] = self._last_value(x[part])
        return outputs

    def beginning(self, count: int, dtype) -> Callable[[np.ndarray], object]:
        """A function that runs the first `count` ops on images."""
        return MixedRunner(self.program, count)._last_value

    def _last_value(self, x: np.ndarray) -> np.ndarray:
        values = {0: normalized(self.program, x, kernels)}
        for step, inputs, result, unused in self.steps:
            values[result] = step.run(*(values[value] for value in inputs))
            for value in unused:
                values.pop(value, None)
        return values[self.count]
