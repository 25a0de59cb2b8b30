"""What a convolution reads: an array as it is, or a deferred one, computed while it is copied to the cache.

A source is read in panels: stretches of pixels, two vectors of channels wide. A panel lies in the cache as the register
tile wants it, pixel after pixel, whatever the number of channels in memory.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .deferred import written
from .jit import compiled
from .normalization import Normalized, NormalizedGradient
from .panels import width
from .register_tile import INDEX, Emitter

PLAIN, NORMALIZED, GRADIENT = range(3)

#: Pixels of a line that are loaded at once.
AT_ONCE = 4

#: The rows of a source's vectors.
SCALE, SHIFT, LOW, HIGH, A, B, D, MEAN = range(8)


class Source(NamedTuple):
    """Pixels (n, y, x, c) and how they come to be.

    PLAIN: `data`; NORMALIZED: clip(data·scale + shift, low, high); GRADIENT: a·g + b·other + d, where g is `data` where
    low < other·scale + shift < high, else 0. `vectors` (8, c filled up to whole panels) holds these numbers,
    and the mean that sums of gradients are taken about.
    """

    data: np.ndarray
    other: np.ndarray
    vectors: np.ndarray
    kind: int


def source(value) -> Source:
    """The source of an array (n, y, x, c) or of a deferred one."""
    of = value.of if isinstance(value, NormalizedGradient) else value
    if getattr(value, "written", None) is not None or not isinstance(of, Normalized):
        array = written(value)
        return Source(array, array, np.zeros((8, 0), array.dtype), PLAIN)
    c, panel = value.shape[-1], width(value.dtype)
    vectors = np.zeros((8, -(-c // panel) * panel), value.dtype)
    numbers = vectors[:, :c]
    numbers[SCALE], numbers[SHIFT], numbers[LOW], numbers[HIGH] = of.scale, of.shift, of.low, of.high
    if of.mean is not None:
        numbers[MEAN] = of.mean
    if of is value:
        return Source(of.x, of.x, vectors, NORMALIZED)
    numbers[A], numbers[B], numbers[D] = value.a, value.b, value.d
    return Source(value.grad, of.x, vectors, GRADIENT)


def as_it_is(emit: Emitter, data, other, vectors):
    """PLAIN."""
    return data


def normalized(emit: Emitter, data, other, vectors):
    """NORMALIZED."""
    return emit.clip(emit.multiply_add(data, vectors[SCALE], vectors[SHIFT]), vectors[LOW], vectors[HIGH])


def gradient(emit: Emitter, data, other, vectors):
    """GRADIENT."""
    value, zero = emit.multiply_add(other, vectors[SCALE], vectors[SHIFT]), emit.zero()
    passed = emit.where(">", value, vectors[LOW], emit.where("<", value, vectors[HIGH], data, zero), zero)
    return emit.multiply_add(vectors[A], passed, emit.multiply_add(vectors[B], other, vectors[D]))


def panel_loader(formula, rows: int):
    """An intrinsic that loads `count` pixels of one panel: target[pixel · panel] ← formula, the first `rows` vectors.

    Its arguments: data, other, at (the first pixel's element), step (from pixel to pixel), vectors, first (channel),
    channels (that are left from there), target, target_at, target_step, count.
    """

    def typer(typing, data, other, at, step, vectors, first, channels, target, target_at, target_step, count):
        def codegen(context, builder, signature, values):
            emit = Emitter(builder, context.get_data_type(data.dtype), data.dtype.bitwidth // 8)
            arrays = [context.make_array(signature.args[i])(context, builder, values[i]) for i in (0, 1, 4, 7)]
            line = cgutils.unpack_tuple(builder, arrays[2].shape)[1]
            row_starts = [emit.plus(values[5], emit.times(INDEX(row), line)) for row in range(rows)]
            table = [
                [emit.load(arrays[2].data, emit.plus(start, emit.lanes * j), emit.vector) for start in row_starts]
                for j in range(2)
            ]
            starts = [builder.gep(array.data, [place]) for array, place in zip(
                (arrays[0], arrays[1], arrays[3]), (values[2], values[2], values[8]), strict=True)]  # fmt: skip
            whole = builder.icmp_signed(">=", values[6], INDEX(2 * emit.lanes))
            with builder.if_else(whole, likely=True) as (all_channels, some_channels):
                with all_channels:
                    _pixels(emit, formula, table, starts, values, None)
                with some_channels:
                    _pixels(emit, formula, table, starts, values, values[6])
            return context.get_dummy_value()

        whole = types.int64
        return types.void(data, other, whole, whole, vectors, whole, whole, target, whole, whole, whole), codegen

    return intrinsic(typer)


def _pixels(emit: Emitter, formula, table, starts, values, channels) -> None:
    """The loop over pixels; with `channels` only so many elements are read and the others count as 0."""
    data, other, target = starts
    readers = (data,) if formula is not gradient else (data, other)
    with cgutils.for_range(emit.builder, values[10]) as loop:
        place, end = emit.times(loop.index, values[3]), emit.times(loop.index, values[9])
        for j in range(2):
            at = emit.plus(place, emit.lanes * j)
            for start in readers:  # the next panel of this pixel comes from memory while this one is computed
                emit.prefetch(start, emit.plus(at, 2 * emit.lanes))
            if channels is None:
                loaded = [emit.load(start, at, emit.vector) for start in (data, other)]
            else:
                left = emit.builder.sub(channels, INDEX(emit.lanes * j))
                loaded = [emit.load_first(left, start, at) for start in (data, other)]
            emit.store(formula(emit, *loaded, table[j]), target, emit.plus(end, emit.lanes * j))


copy_pixels, normalize_pixels, pull_pixels = (
    panel_loader(as_it_is, 0), panel_loader(normalized, HIGH + 1), panel_loader(gradient, D + 1),
)  # fmt: skip


@compiled()
def load_panel(source, at, step, first, target, target_at, target_step, count):
    """target (count, panel) ← the channels from `first` of `count` pixels, the first one at element `at`."""
    channels = source.data.shape[3] - first
    data, other = source.data, source.other
    if source.kind == PLAIN:
        copy_pixels(data, other, at, step, source.vectors, first, channels, target, target_at, target_step, count)
    elif source.kind == NORMALIZED:
        normalize_pixels(data, other, at, step, source.vectors, first, channels, target, target_at, target_step, count)
    else:
        pull_pixels(data, other, at, step, source.vectors, first, channels, target, target_at, target_step, count)


def line_loader(formula, rows: int):
    """An intrinsic that loads `count` neighbouring pixels: target[pixel · target_step] ← formula, all channels.

    Its arguments: data, other, at (the first pixel's element), step (from pixel to pixel), vectors, first (channel),
    channels (how many), target, target_at, target_step, count. The last vector's lanes past the channels are zeros.
    """

    def typer(typing, data, other, at, step, vectors, first, channels, target, target_at, target_step, count):
        def codegen(context, builder, signature, values):
            emit = Emitter(builder, context.get_data_type(data.dtype), data.dtype.bitwidth // 8)
            arrays = [context.make_array(signature.args[i])(context, builder, values[i]) for i in (0, 1, 4, 7)]
            line, channels, count = cgutils.unpack_tuple(builder, arrays[2].shape)[1], values[6], values[10]
            tables = [
                builder.gep(arrays[2].data, [emit.plus(values[5], emit.times(INDEX(row), line))]) for row in range(rows)
            ]
            starts = [builder.gep(array.data, [place]) for array, place in zip(
                (arrays[0], arrays[1], arrays[3]), (values[2], values[2], values[8]), strict=True)]  # fmt: skip
            last, whole = builder.sub(count, INDEX(1)), builder.udiv(channels, INDEX(emit.lanes))
            blocks = builder.udiv(emit.plus(count, AT_ONCE - 1), INDEX(AT_ONCE))
            with cgutils.for_range(builder, blocks) as block:
                first = emit.times(block.index, INDEX(AT_ONCE))
                pixels = [emit.plus(first, i) for i in range(AT_ONCE)]
                pixels = [builder.select(builder.icmp_signed("<", i, last), i, last) for i in pixels]
                with cgutils.for_range(builder, whole) as vector:
                    _vectors(emit, formula, tables, starts, pixels, values, vector.index, None)
                rest = builder.sub(channels, emit.times(whole, INDEX(emit.lanes)))
                with builder.if_then(builder.icmp_signed(">", rest, INDEX(0))):
                    _vectors(emit, formula, tables, starts, pixels, values, whole, rest)
            return context.get_dummy_value()

        whole = types.int64
        return types.void(data, other, whole, whole, vectors, whole, whole, target, whole, whole, whole), codegen

    return intrinsic(typer)


def _vectors(emit: Emitter, formula, tables, starts, pixels, values, number, rest) -> None:
    """A vector of channels of some pixels; with `rest` only so many elements are read and the others count as 0."""
    data, other, target = starts
    channel = emit.times(number, INDEX(emit.lanes))
    table = [emit.load(row, channel, emit.vector) for row in tables]
    results = []
    for pixel in pixels:
        at = emit.builder.add(emit.times(pixel, values[3]), channel)
        for start in (data,) if formula is not gradient else (data, other):  # what comes two steps later
            emit.prefetch(start, emit.plus(at, emit.times(values[3], INDEX(2 * AT_ONCE))))
        loaded = [
            emit.load(start, at, emit.vector) if rest is None else emit.load_first(rest, start, at)
            for start in (data, other)
        ]
        results.append(formula(emit, *loaded, table))
    for pixel, value in zip(pixels, results, strict=True):
        emit.store(value, target, emit.builder.add(emit.times(pixel, values[9]), channel))


copy_line, normalize_line, pull_line = (
    line_loader(as_it_is, 0), line_loader(normalized, HIGH + 1), line_loader(gradient, D + 1),
)  # fmt: skip


@compiled()
def load_line(source, at, step, first, channels, target, target_at, target_step, count):
    """target (count, channels filled up to vectors) ← the channels from `first` of neighbouring pixels."""
    data, other = source.data, source.other
    if source.kind == PLAIN:
        copy_line(data, other, at, step, source.vectors, first, channels, target, target_at, target_step, count)
    elif source.kind == NORMALIZED:
        normalize_line(data, other, at, step, source.vectors, first, channels, target, target_at, target_step, count)
    else:
        pull_line(data, other, at, step, source.vectors, first, channels, target, target_at, target_step, count)
