"""Sums over pixels of a panel of channels, taken while the panel is still in the cache that it was computed in.

Batch normalisation asks two sums of every convolution's outputs, and two of every gradient that comes back to it. A
pass of its own would fetch all of them from memory again; here the kernel that has just written a block adds it up, in
registers, and leaves a row of sums for each block.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .jit import compiled
from .moves import panel_width
from .normalization import Normalized
from .register_tile import INDEX, Emitter
from .sources import HIGH, LOW, MEAN, SCALE, SHIFT

#: What a block leaves: of moments Σ (x − origin), Σ (x − origin)² and the origin, its first pixel; of gradients Σ g and
#: Σ g · (x − mean).
MOMENTS, PASSING = 3, 2


def first_pixel(emit: Emitter, load, vectors_row):
    """The origin of moments: a pixel of the block, since deviations from it are small even where the mean is not."""
    return [load(INDEX(0))]


def add_moments(emit: Emitter, data, other, table, totals):
    """Σ (x − origin) and Σ (x − origin)²."""
    deviation = emit.builder.fsub(data, table[0])
    return [emit.builder.fadd(totals[0], deviation), emit.multiply_add(deviation, deviation, totals[1]), table[0]]


def normalization(emit: Emitter, load, vectors_row):
    """What tells which gradients pass: scale, shift, low, high and mean."""
    return {row: vectors_row(row) for row in (SCALE, SHIFT, LOW, HIGH, MEAN)}


def add_passing(emit: Emitter, data, other, table, totals):
    """Σ g and Σ g · (x − mean), where g is `data` where low < x·scale + shift < high, and x is `other`."""
    value = emit.multiply_add(other, table[SCALE], table[SHIFT])
    below = emit.where("<", value, table[HIGH], data, emit.zero())
    passed = emit.where(">", value, table[LOW], below, emit.zero())
    deviation = emit.builder.fsub(other, table[MEAN])
    return [emit.builder.fadd(totals[0], passed), emit.multiply_add(passed, deviation, totals[1])]


def panel_sums(prepare, add, count_of_sums: int):
    """An intrinsic that sums over `count` pixels of one panel and stores the sums, a row each.

    Its arguments: data, other, at (the first pixel's element), step (from pixel to pixel), vectors, first (channel),
    channels (that are left from there), sums, sums_at, sums_step (from row to row), count (of pixels, at least 1).
    """

    def typer(typing, data, other, at, step, vectors, first, channels, sums, sums_at, sums_step, count):
        def codegen(context, builder, signature, values):
            emit = Emitter(builder, context.get_data_type(data.dtype), data.dtype.bitwidth // 8)
            arrays = [context.make_array(signature.args[i])(context, builder, values[i]) for i in (0, 1, 4, 7)]
            line = cgutils.unpack_tuple(builder, arrays[2].shape)[1]
            starts = [builder.gep(array.data, [values[2]]) for array in arrays[:2]]
            for j in range(2):
                _sum_vector(emit, prepare, add, count_of_sums, j, arrays, starts, line, values)
            return context.get_dummy_value()

        whole = types.int64
        return types.void(data, other, whole, whole, vectors, whole, whole, sums, whole, whole, whole), codegen

    return intrinsic(typer)


def _sum_vector(emit, prepare, add, count_of_sums, j, arrays, starts, line, values) -> None:
    """The j-th vector of the panel, if any of its channels is left."""
    builder = emit.builder
    left = builder.sub(values[6], INDEX(emit.lanes * j))

    def row(number):
        place = emit.plus(emit.plus(values[5], emit.times(INDEX(number), line)), emit.lanes * j)
        return emit.load(arrays[2].data, place, emit.vector)

    with builder.if_then(builder.icmp_signed(">", left, INDEX(0)), likely=True):

        def load(place, start=starts[0]):
            return emit.load_first(left, start, emit.plus(place, emit.lanes * j))

        table = prepare(emit, load, row)
        totals = [cgutils.alloca_once_value(builder, emit.zero()) for _ in range(count_of_sums)]
        with cgutils.for_range(builder, values[10]) as loop:
            place = emit.times(loop.index, values[3])
            data, other = load(place), load(place, starts[1])
            for cell, total in zip(
                totals, add(emit, data, other, table, [builder.load(t) for t in totals]), strict=True
            ):
                builder.store(total, cell)
        for number, cell in enumerate(totals):
            place = emit.plus(emit.plus(values[8], emit.times(INDEX(number), values[9])), emit.lanes * j)
            emit.store(builder.load(cell), arrays[3].data, place)


sum_moments, sum_passing = (
    panel_sums(first_pixel, add_moments, MOMENTS),
    panel_sums(normalization, add_passing, PASSING),
)


@compiled()
def measure_block(out, first, count, channel, channels, sums):
    """sums (3, c filled up) ← the moments of `count` pixels of out (..., c) from the `first` on, of some channels."""
    c, panel = out.shape[out.ndim - 1], panel_width(out)
    for begin in range(channel, channel + channels, panel):
        left = channel + channels - begin
        sum_moments(out, out, first * c + begin, c, sums, begin, left, sums, begin, sums.shape[1], count)


@compiled()
def measure_gradient(grad, x, first, count, channel, channels, sums):
    """sums (2, c filled up) ← Σ g and Σ g · (x − mean) over pixels of grad (..., c) that pass the source x's bounds."""
    c, panel = grad.shape[grad.ndim - 1], panel_width(grad)
    for begin in range(channel, channel + channels, panel):
        left = channel + channels - begin
        sum_passing(grad, x.data, first * c + begin, c, x.vectors, begin, left, sums, begin, sums.shape[1], count)


def is_measured(x) -> bool:
    """Whether x is normalised by its batch, so that a batch norm will ask what its convolution amounts to."""
    return isinstance(x, Normalized) and x.mean is not None and x.written is None


@compiled()
def add_blocks(sums, out):
    """out (row, c) ← Σ over blocks of sums (block, row, c filled up), in float64."""
    blocks, rows, _ = sums.shape
    out[:] = 0
    for block in range(blocks):
        for row in range(rows):
            for channel in range(out.shape[1]):
                out[row, channel] += sums[block, row, channel]


@compiled()
def combine_blocks(sums, pixels, mean, var):
    """mean, var (c,) ← blocks' moments (block, 3, c filled up), each of so many pixels, in float64.

    As Chan, Golub and LeVeque (1983) combine them: a block's mean, and what deviates from it, then what that mean
    deviates from the whole's.
    """
    total = pixels.sum()
    mean[:], var[:] = 0, 0
    for block in range(len(sums)):
        for channel in range(len(mean)):
            of_block = np.float64(sums[block, 2, channel]) + np.float64(sums[block, 0, channel]) / pixels[block]
            mean[channel] += of_block * (pixels[block] / total)
    for block in range(len(sums)):
        for channel in range(len(mean)):
            shift = np.float64(sums[block, 0, channel]) / pixels[block]
            far = np.float64(sums[block, 2, channel]) + shift - mean[channel]
            within = np.float64(sums[block, 1, channel]) - shift * shift * pixels[block]
            var[channel] += (max(within, 0.0) + far * far * pixels[block]) / total


def gradient_sums(sums: np.ndarray, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Σ over blocks of sums (block, 2, c filled up), added in float64."""
    out = np.empty((sums.shape[1], channels))
    add_blocks(sums, out)
    return tuple(out.astype(sums.dtype))


def combined_moments(sums: np.ndarray, pixels: np.ndarray, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance (c,) of blocks' sums (block, 3, c filled up), each over so many `pixels`."""
    mean, var = np.empty((2, channels))
    combine_blocks(sums, pixels, mean, var)
    return mean.astype(sums.dtype), var.astype(sums.dtype)
