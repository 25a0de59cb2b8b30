"""A float32 plan: layers compiled into records, run by one function that walks them over an arena of floats."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from .buffers import LINE as ALIGNMENT
from .jit import compiled, prange
from .layers_float import run_layer
from .matrix_product import ROWS_AT_ONCE
from .threads import enter, thread_count

#: Images that share a reading of the weights in a network's last layers, where weights outweigh pixels.
TOGETHER = 8

#: Multiply-adds below which one thread does the work alone.
SHARED_WORK = 4_000_000


@dataclass(eq=False)
class Value:
    """An image of (height, width, channels) in the arena, or `images` of them, each with a border of zeros."""

    height: int
    width: int
    channels: int
    border: tuple[int, int, int, int] = (0, 0, 0, 0)
    images: int = 1
    offset: int = -1
    born: int = 0
    last_use: int = 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height, self.width, self.channels

    @property
    def line(self) -> int:
        """Elements from one line to the next."""
        return (self.border[2] + self.width + self.border[3]) * self.channels

    @property
    def size(self) -> int:
        """Elements from one image to the next."""
        return (self.border[0] + self.height + self.border[1]) * self.line

    @property
    def nbytes(self) -> int:
        """Bytes in the arena, with room for vectors that run over the end."""
        return -(-(4 * self.size * self.images + 2 * ALIGNMENT) // ALIGNMENT) * ALIGNMENT

    def at(self, y: int, x: int) -> int:
        """The place of a pixel in the arena, which may lie in the border."""
        return self.offset // 4 + (self.border[0] + y) * self.line + (self.border[2] + x) * self.channels


@compiled()
def walk(images, outputs, layers, cut, together, memory, tables, weights, constants, thread, threads):
    """What one thread does of a batch: some images at a time, through the layers before `cut` one by one."""
    zero, one = np.int64(0), np.int64(1)  # a literal has a type of its own, for which callees would be compiled again
    for group in range(thread * together, len(images), threads * together):
        count = min(together, len(images) - group)
        for slot in range(count):
            for i in range(cut):
                run_layer(
                    layers[i], images, outputs, group + slot, slot, one, memory, tables, weights, constants,
                    zero, one,
                )  # fmt: skip
        for i in range(cut, len(layers)):
            run_layer(layers[i], images, outputs, group, zero, count, memory, tables, weights, constants, zero, one)


@compiled(parallel=True)
def walk_together(images, outputs, layers, cut, together, memory, tables, weights, constants, shared):
    """`walk` on all threads at once, each with an arena of its own; or, `shared`, one image by all of them.

    Then each thread does a part of each layer, and the end of a prange is where they wait for one another.
    """
    threads, zero, one = len(tables), np.int64(0), np.int64(1)
    for i in range(len(layers) if shared else 1):
        for index in prange(threads):
            thread = np.int64(index)  # a prange index is unsigned, and mixing signs makes floats
            if shared:
                run_layer(
                    layers[i], images, outputs, zero, zero, one, memory[0], tables[thread], weights, constants,
                    thread, threads,
                )  # fmt: skip
            else:
                walk(
                    images, outputs, layers, cut, together, memory[thread], tables[thread], weights, constants,
                    thread, threads,
                )  # fmt: skip


def aligned(shape: tuple[int, ...]) -> np.ndarray:
    """Float32 zeros that begin where a vector does."""
    size = int(np.prod(shape))
    memory = np.empty(size + ALIGNMENT // 4, np.float32)
    memory.fill(0)
    start = -memory.ctypes.data % ALIGNMENT // 4
    return memory[start : start + size].reshape(shape)


class Plan:
    """Layers ready to run: packed weights, records, and a pool of arenas so that threads may share it.

    `cut`: the first of the layers that take `TOGETHER` images at once.
    """

    def __init__(self, layers: np.ndarray, cut: int, weights, constants, arena_bytes: int, work: int, classes: int):
        self.layers, self.cut, self.weights, self.constants = layers, cut, weights, constants
        self.arena_bytes, self.work, self.classes = arena_bytes, work, classes
        self._idle: dict[int, deque] = {}

    def _workspace(self, threads: int) -> tuple[np.ndarray, np.ndarray]:
        """The arenas, and the tables of pixels, a row a thread: two to fill and one of zeros."""
        try:
            return self._idle.setdefault(threads, deque()).pop()
        except IndexError:
            return aligned((threads, self.arena_bytes // 4)), np.zeros((threads, 3, ROWS_AT_ONCE), np.int64)

    def run(self, images: np.ndarray) -> np.ndarray:
        """The result (n, values) of float32 images (n, height, width, channels)."""
        count = len(images)
        outputs = np.empty((count, self.classes), np.float32)
        if not count:
            return outputs
        flat = np.require(images, requirements=["C", "W"]).reshape(count, -1)
        threads = thread_count() if count * self.work >= SHARED_WORK else 1
        together = min(TOGETHER, -(-count // threads))
        memory, tables = self._workspace(threads)
        work = flat, outputs, self.layers, self.cut, together
        rest = self.weights, self.constants
        if threads == 1:
            walk(*work, memory[0], tables[0], *rest, 0, 1)
        else:
            enter(walk_together, *work, memory, tables, *rest, count == 1)
        self._idle[threads].append((memory, tables))
        return outputs
