"""A plan: int8 layers compiled into records, run by one function that walks them over an arena of bytes."""

from __future__ import annotations

from collections import deque

import numpy as np

from .filters_int8 import Data
from .jit import COMPILED, compiled, prange
from .layers_int8 import CONV2D, LOGITS, run_layer
from .sizes_int8 import VECTOR, aligned, round_up
from .threads import enter, thread_count
from .values_int8 import Value

if COMPILED:
    from .vectors_int8 import address

#: Products below which one image is left to one thread: handing out work costs some microseconds a layer.
SHARED_WORK = 20_000_000


@compiled(inline="always")
def walk(images, layers, order, weights, constants, tables, memory, scratch, totals, outputs, thread, threads, steps):
    """What one thread does of the layers that `order` names in its `steps` (first, last).

    With one layer at a time all threads take parts of the same image; otherwise each has images of its own.
    """
    shared = steps[1] - steps[0] < len(order)
    part, parts, slot = (thread, threads, 0) if shared else (0, 1, thread)
    start, step = (0, 1) if shared else (thread, threads)
    data = Data(address(weights), address(constants), address(tables))
    for image in range(start, len(images), step):
        for i in range(steps[0], steps[1]):
            run_layer(
                layers, order[i], address(images[image]), address(memory[slot]), address(scratch[thread]),
                address(totals[thread]), address(outputs[image]), part, parts, data,
            )  # fmt: skip


@compiled(parallel=True)
def walk_together(images, layers, order, weights, constants, tables, memory, scratch, totals, outputs, shared):
    """`walk` on all threads at once; the end of each prange is where they wait for one another."""
    threads, count = len(scratch), len(order)
    for phase in range(count if shared else 1):
        for index in prange(threads):
            thread = np.int64(index)  # a prange index is unsigned, and mixing signs makes floats
            steps = (phase, phase + 1) if shared else (0, count)
            walk(
                images, layers, order, weights, constants, tables, memory, scratch, totals, outputs,
                thread, threads, steps,
            )  # fmt: skip


class Plan:
    """Layers ready to run: packed weights, records, and a pool of arenas so that threads may share it.

    Parameters
    ----------
    layers, order : arrays of records, of the indices of those that are run in turn
    weights, constants, tables : int8, int32 and int64 arrays that the records point into
    arena_bytes, scratch_bytes : int
        What one image takes, and what one thread takes beside it.
    result : Value
    """

    def __init__(self, layers, order, weights, constants, tables, arena_bytes: int, scratch_bytes: int, result: Value):
        self.result, self.arena_bytes, self.scratch_bytes = result, arena_bytes, scratch_bytes
        self._fixed = (layers, order, weights, constants, tables)
        self._channels = int(layers["channels"].max())
        self._work = int(sum(products(layer) for layer in layers))
        self._idle: dict[int, deque] = {}

    def _workspace(self, threads: int) -> tuple[np.ndarray, ...]:
        """(memory, scratch, totals), one row a thread."""
        try:
            return self._idle.setdefault(threads, deque()).pop()
        except IndexError:
            rows = (aligned(threads, round_up(size, VECTOR)) for size in (self.arena_bytes, self.scratch_bytes))
            return (*rows, np.zeros((threads, self._channels), np.int32))

    def run(self, images: np.ndarray) -> np.ndarray:
        """Run images (n, height, width, channels) of the type that the first layer reads; returns as many results."""
        count, result = len(images), self.result
        outputs = np.empty((count, result.height * result.width * result.channels * result.itemsize), np.uint8)
        if count:
            flat = np.require(images, requirements=["C", "W"]).reshape(count, -1).view(np.uint8)
            threads = thread_count() if count * self._work >= SHARED_WORK else 1
            space = self._workspace(threads)
            self._run(flat, outputs, threads, space)
            self._idle[threads].append(space)
        dtype = np.uint8 if result.itemsize == 1 else np.float32
        return outputs.view(dtype).reshape(count, result.height, result.width, result.channels)

    def _run(self, images, outputs, threads: int, space) -> None:
        """Each thread takes whole images; those that are left over are shared, a layer at a time."""
        if threads == 1:
            walk(images, *self._fixed, *space, outputs, 0, 1, (0, len(self._fixed[1])))
            return
        whole = len(images) // threads * threads
        if whole:
            enter(walk_together, images[:whole], *self._fixed, *space, outputs[:whole], False)
        if whole < len(images):
            enter(walk_together, images[whole:], *self._fixed, *space, outputs[whole:], True)


def products(layer: np.void) -> int:
    """Multiply-adds of a layer, or the values that it moves."""
    taps = layer["kernel_height"] * layer["kernel_width"]
    inputs = layer["channels"] if layer["kind"] in (CONV2D, LOGITS) else 1
    return int(layer["out_height"] * layer["out_width"] * layer["out_channels"] * taps * inputs)
