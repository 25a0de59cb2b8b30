"""A plan: int8 layers compiled into records, run by one function that walks them over an arena of bytes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from .jit import COMPILED, compiled, prange
from .layers_int8 import KINDS, LAYER, run_layer
from .tile_int8 import PANEL, ROWS, round_up

if COMPILED:
    from numba import get_num_threads

#: Products below which one image is left to one thread: handing out work costs some microseconds a layer.
SHARED_WORK = 20_000_000
ALIGNMENT = 64


@compiled(parallel=True)
def run_parallel(images, layers, weights, constants, memory, scratch, sums, offsets, outputs, shared):
    """Each thread takes whole images; or, `shared`, all threads take parts of one image and meet after each layer."""
    threads = len(scratch)
    for phase in range(len(layers) if shared else 1):
        for index in prange(threads):
            thread = np.int64(index)  # a prange index is unsigned, and mixing signs makes floats
            if shared:
                run_layer(
                    layers[phase], images[0], memory[0], scratch[thread], sums[thread], offsets[thread],
                    weights, constants, outputs[0], thread, threads,
                )  # fmt: skip
            else:
                for image in range(thread, len(images), threads):
                    for i in range(len(layers)):
                        run_layer(
                            layers[i], images[image], memory[thread], scratch[thread], sums[thread], offsets[thread],
                            weights, constants, outputs[image], 0, 1,
                        )  # fmt: skip


@compiled()
def run_alone(images, layers, weights, constants, memory, scratch, sums, offsets, outputs):
    """The same on one thread: no other is woken for a few microseconds of work."""
    for image in range(len(images)):
        for i in range(len(layers)):
            run_layer(
                layers[i], images[image], memory[0], scratch[0], sums[0], offsets[0],
                weights, constants, outputs[image], 0, 1,
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


def thread_count() -> int:
    """How many threads kernels run on."""
    return get_num_threads() if COMPILED else 1


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
                run_alone(*arguments)
            else:
                run_parallel(*arguments, count == 1)
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
    inputs = layer["channels"] if KINDS[layer["kind"]] in ("conv2d", "logits") else 1
    return int(layer["out_height"] * layer["out_width"] * layer["out_channels"] * taps * inputs)
