"""Layers without filters, as kernels over one line: lane by lane from addresses to addresses.

Each writes what a plain loop over `count` elements would do, a vector of LANES at a time and the rest one by one.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils

from .sizes_int8 import LANES
from .vectors_int8 import BYTE, FLOAT, INT32, INT64, Emitter, kernel_of, lanes


def each(e: Emitter, count, body: Callable) -> None:
    """Emit `body(first, width)` for whole vectors of elements, then for single ones."""
    build, width = e.builder, INT64(LANES)
    whole = build.sdiv(count, width)
    with e.loop(whole) as vector:
        body(build.mul(vector, width), LANES)
    start = build.mul(whole, width)
    with e.loop(build.sub(count, start)) as rest:
        body(build.add(start, rest), 1)


def load_bytes(e: Emitter, start, first, width: int, kind: ir.Type):
    """Unsigned bytes as wider integers."""
    return e.builder.zext(e.load(e.at(start, first), lanes(BYTE, width)), lanes(kind, width))


def store_bytes(e: Emitter, value, start, first) -> None:
    """The low bytes of integers."""
    e.store(e.builder.trunc(value, lanes(BYTE, value.type.count)), e.at(start, first))


def rescale(e: Emitter, total, multiplier, shift, zero_point, low, high):
    """clip(zero_point + ((total·m + 2^(s−1)) >> s), low, high) of int64 vectors."""
    build, one = e.builder, ir.Constant(total.type, [1] * total.type.count)
    half = build.shl(one, build.sub(shift, one))
    result = build.add(build.ashr(build.add(build.mul(total, multiplier), half), shift), zero_point)
    return e.least(e.most(result, low), high)


@kernel_of
def quantize_line(e: Emitter, numbers, target, count, scale, zero_point):
    """Float32 to bytes: clip(rint(x/scale) + zero_point, 0, 255), where a NaN becomes 0; `scale` by its bits."""
    build, numbers, target = e.builder, e.pointer(numbers), e.pointer(target)
    scale = build.bitcast(build.trunc(scale, INT32), FLOAT)
    zero_point = build.sitofp(zero_point, FLOAT)

    def body(first, width):
        kind = lanes(FLOAT, width)
        ratio = build.fdiv(e.load(e.at(numbers, (first, 4)), kind), e.spread(scale, width))
        q = build.fadd(e.call(f"rint.v{width}f32", kind, ratio), e.spread(zero_point, width))
        zero, most = (ir.Constant(kind, [float(bound)] * width) for bound in (0, 255))
        q = build.select(
            build.fcmp_ordered("<", q, most), q, build.select(build.fcmp_ordered(">", q, zero), most, zero)
        )
        q = build.select(build.fcmp_ordered(">", q, zero), q, zero)
        store_bytes(e, build.fptosi(q, lanes(INT32, width)), target, first)

    each(e, count, body)


@kernel_of
def dequantize_line(e: Emitter, source, numbers, count, scale, zero_point):
    """Bytes to float32: (q − zero_point)·scale."""
    build, source, numbers = e.builder, e.pointer(source), e.pointer(numbers)
    scale, zero_point = build.bitcast(build.trunc(scale, INT32), FLOAT), build.trunc(zero_point, INT32)

    def body(first, width):
        steps = build.sub(load_bytes(e, source, first, width, INT32), e.spread(zero_point, width))
        real = build.fmul(build.sitofp(steps, lanes(FLOAT, width)), e.spread(scale, width))
        e.store(real, e.at(numbers, (first, 4)))

    each(e, count, body)


@kernel_of
def lookup_line(e: Emitter, source, tables, target, pixels, channels):
    """Bytes through a table of 256 a channel."""
    build, source, tables, target = e.builder, e.pointer(source), e.pointer(tables), e.pointer(target)
    with e.loop(pixels) as pixel, e.loop(channels) as channel:
        place = build.add(build.mul(pixel, channels), channel)
        entry = build.zext(e.load(e.at(source, place), BYTE), INT64)
        e.store(e.load(e.at(tables, (channel, 256), entry), BYTE), e.at(target, place))


@kernel_of
def add_line(e: Emitter, a, b, target, count, m1, m2, shift, zero_point_a, zero_point_b, zero_point, low, high):
    """clip(zero_point + (((a − Za)·m1 + (b − Zb)·m2 + 2^(s−1)) >> s), low, high)."""
    build, a, b, target = e.builder, e.pointer(a), e.pointer(b), e.pointer(target)

    def body(first, width):
        def spread(number):
            return e.spread(number, width)

        terms = [
            build.mul(build.sub(load_bytes(e, start, first, width, INT64), spread(zero)), spread(factor))
            for start, zero, factor in ((a, zero_point_a, m1), (b, zero_point_b, m2))
        ]
        rest = [spread(number) for number in (shift, zero_point, low, high)]
        store_bytes(e, rescale(e, build.add(*terms), spread(INT64(1)), *rest), target, first)

    each(e, count, body)


@kernel_of
def clip_line(e: Emitter, source, target, count, low, high):
    """Bytes held between two others."""
    source, target = e.pointer(source), e.pointer(target)

    def body(first, width):
        number = load_bytes(e, source, first, width, INT32)
        low_, high_ = (e.spread(e.builder.trunc(bound, INT32), width) for bound in (low, high))
        store_bytes(e, e.least(e.most(number, low_), high_), target, first)

    each(e, count, body)


def gather_of(combine: Callable):
    """The kernel that combines `count` bytes of a pixel with int32 totals."""

    def emit(e: Emitter, source, totals, count):
        source, totals = e.pointer(source), e.pointer(totals)

        def body(first, width):
            place = e.at(totals, (first, 4))
            total = e.load(place, lanes(INT32, width))
            e.store(combine(e, total, load_bytes(e, source, first, width, INT32)), place)

        each(e, count, body)

    return kernel_of(emit)


sum_line, most_line = gather_of(lambda e, x, y: e.builder.add(x, y)), gather_of(Emitter.most)


@kernel_of
def rescale_line(e: Emitter, totals, target, count, centre, multiplier, shift, zero_point, low, high):
    """Int32 totals less `centre` to bytes, by one rescaling for all."""
    build, totals, target = e.builder, e.pointer(totals), e.pointer(target)

    def body(first, width):
        wide = build.sext(e.load(e.at(totals, (first, 4)), lanes(INT32, width)), lanes(INT64, width))
        numbers = [e.spread(number, width) for number in (centre, multiplier, shift, zero_point, low, high)]
        store_bytes(e, rescale(e, build.sub(wide, numbers[0]), *numbers[1:]), target, first)

    each(e, count, body)


@kernel_of
def requantize_line(e: Emitter, sums, bias, multiplier, shift, target, count, zero_point, low, high):
    """Int32 sums to bytes, each by the bias, multiplier and shift (int8) of its channel."""
    build, sums, bias, target = e.builder, e.pointer(sums), e.pointer(bias), e.pointer(target)
    multiplier, shift = e.pointer(multiplier), e.pointer(shift)

    def body(first, width):
        total, offset, m = (e.load(e.at(start, (first, 4)), lanes(INT32, width)) for start in (sums, bias, multiplier))
        s = e.load(e.at(shift, first), lanes(BYTE, width))
        wide = [build.sext(number, lanes(INT64, width)) for number in (build.add(total, offset), m, s)]
        rest = [e.spread(number, width) for number in (zero_point, low, high)]
        store_bytes(e, rescale(e, *wide, *rest), target, first)

    each(e, count, body)


@kernel_of
def fill(e: Emitter, target, count, value):
    """`count` bytes from the address `target` on become `value`."""
    cgutils.memset(e.builder, e.pointer(target), count, e.builder.trunc(value, BYTE))


@kernel_of
def move(e: Emitter, source, target, count):
    """`count` bytes from one address to another."""
    cgutils.raw_memcpy(e.builder, e.pointer(target), e.pointer(source), count, 1)
