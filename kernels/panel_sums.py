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


def combined_moments(sums: np.ndarray, pixels: np.ndarray, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance (c,) of blocks' sums (block, 3, c filled up), each over so many `pixels`.

    As Chan, Golub and LeVeque (1983) combine them, in float64.
    """
    deviation, power, origin = np.moveaxis(sums[:, :, :channels].astype(np.float64), 1, 0)
    count = pixels[:, None] / pixels.sum()
    means = origin + deviation / pixels[:, None]
    mean = (count * means).sum(axis=0)
    squares = power / pixels[:, None] - np.square(deviation / pixels[:, None])
    var = (count * (squares + np.square(means - mean))).sum(axis=0)
    return mean.astype(sums.dtype), np.maximum(var, 0).astype(sums.dtype)
