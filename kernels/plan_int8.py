"""A plan: int8 layers compiled into records, run by one function that walks them over an arena of bytes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from .jit import compiled, prange
from .layers_int8 import CONV2D, LOGITS, run_layer
from .sizes_int8 import PANEL, ROWS, round_up
from .threads import enter, thread_count

#: Products below which one image is left to one thread: handing out work costs some microseconds a layer.
SHARED_WORK = 20_000_000
ALIGNMENT = 64


@compiled()
def walk(images, layers, weights, constants, memory, scratch, sums, offsets, outputs, thread, threads, first, last):
    """What one thread does of the layers `first` to `last`.

    With one layer at a time all threads take parts of the same image; otherwise a thread takes each threads-th image.
    """
    shared = last - first < len(layers)
    part, parts, slot = (thread, threads, 0) if shared else (0, 1, thread)
    start, step = (0, 1) if shared else (thread, threads)
    for image in range(start, len(images), step):
        for i in range(first, last):
            run_layer(
                layers[i], images[image], memory[slot], scratch[thread], sums[thread], offsets[thread],
                weights, constants, outputs[image], part, parts,
            )  # fmt: skip


@compiled(parallel=True)
def walk_together(images, layers, weights, constants, memory, scratch, sums, offsets, outputs, shared):
    """`walk` on all threads at once; the end of each prange is where they wait for one another."""
    threads, count = len(scratch), len(layers)
    for phase in range(count if shared else 1):
        for index in prange(threads):
            thread = np.int64(index)  # a prange index is unsigned, and mixing signs makes floats
            first, last = (phase, phase + 1) if shared else (0, count)
            walk(
                images, layers, weights, constants, memory, scratch, sums, offsets, outputs,
                thread, threads, first, last,
            )  # fmt: skip


@dataclass(eq=False)
class Value:
    """An image in the arena: height × width pixels of `channels`, each `pixel` bytes after the one before."""

    height: int
    width: int
    channels: int
    pixel: int
    itemsize: int = 1
    offset: int = -1
    born: int = 0
    last_use: int = 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height, self.width, self.channels

    @property
    def nbytes(self) -> int:
        """Bytes in the arena, with room for a vector that runs over the end."""
        return round_up(self.height * self.width * self.pixel + ALIGNMENT, ALIGNMENT)


def place(values: list[Value]) -> int:
    """Give each value the lowest offset that no value alive with it holds; returns the bytes of all."""
    placed: list[Value] = []
    for value in values:
        alive = sorted((v for v in placed if v.last_use >= value.born), key=lambda v: v.offset)
        value.offset = 0
        for other in alive:
            if value.offset + value.nbytes <= other.offset:
                break
            value.offset = max(value.offset, other.offset + other.nbytes)
        placed.append(value)
    return max((v.offset + v.nbytes for v in placed), default=0)


class Plan:
    """Layers ready to run: packed weights, records, and a pool of arenas so that threads may share it."""

    def __init__(self, layers: np.ndarray, weights, constants, arena_bytes: int, result: Value):
        self.layers, self.weights, self.constants = layers, weights, constants
        self.arena_bytes, self.result = arena_bytes, result
        self.scratch_bytes = max(padded_bytes(layer) for layer in layers) + 2 * ALIGNMENT
        self.sum_count = max(2 * PANEL * ROWS, int(layers["channels"].max()))
        self.work = int(sum(products(layer) for layer in layers))
        self._idle: dict[int, deque] = {}

    def _workspace(self, threads: int) -> tuple[np.ndarray, ...]:
        """(memory, scratch, sums, offsets), one row a thread."""
        try:
            return self._idle.setdefault(threads, deque()).pop()
        except IndexError:
            return (
                np.zeros((threads, self.arena_bytes), np.uint8),
                np.zeros((threads, self.scratch_bytes), np.uint8),
                np.zeros((threads, self.sum_count), np.int32),
                np.zeros((threads, ROWS), np.int64),
            )

    def run(self, images: np.ndarray) -> np.ndarray:
        """Run images (n, height, width, channels) of the type that the first layer reads; returns as many results."""
        count, result = len(images), self.result
        outputs = np.empty((count, result.height * result.width * result.channels * result.itemsize), np.uint8)
        if count:
            flat = np.require(images, requirements=["C", "W"]).reshape(count, -1).view(np.uint8)
            work = count * self.work
            threads = thread_count() if work >= SHARED_WORK else 1
            space = self._workspace(threads)
            arguments = (flat, self.layers, self.weights, self.constants, *space, outputs)
            if threads == 1:
                walk(*arguments, 0, 1, 0, len(self.layers))
            else:
                enter(walk_together, *arguments, count == 1)
            self._idle[threads].append(space)
        dtype = np.uint8 if result.itemsize == 1 else np.float32
        return outputs.view(dtype).reshape(count, result.height, result.width, result.channels)


def padded_bytes(layer: np.void) -> int:
    """Bytes of a layer's input with its border."""
    height = layer["height"] + layer["top"] + layer["bottom"] + layer["kernel_height"]
    return int(height * (layer["width"] + layer["left"] + layer["right"]) * layer["pixel"])


def products(layer: np.void) -> int:
    """Multiply-adds of a layer, or the values that it moves."""
    taps = layer["kernel_height"] * layer["kernel_width"]
    inputs = layer["channels"] if layer["kind"] in (CONV2D, LOGITS) else 1
    return int(layer["out_height"] * layer["out_width"] * layer["out_channels"] * taps * inputs)
