"""Tiles of 3×3 depthwise filters: two lines by a few pixels at once, channel after channel.

An input vector is read once for all the outputs of a tile that see it: with stride 1, a tile of 2 × 4 outputs reads
4 × 6 vectors for its 72 multiply-adds, where every output by itself would read 9. The loop over channels is the inner
one, so a tile runs along memory: the pixels of a line are neighbours there. The input has its padding around it.

Which input an output meets by which tap is the same question along both axes, and a table answers it for one.
"""

from __future__ import annotations

from itertools import groupby, product
from operator import itemgetter

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .register_tile import INDEX, Emitter

#: Outputs of a tile, down and across, and the side of the filter.
LINES, PIXELS, SIDE = 2, 4, 3


def strided(stride: int):
    """A convolution: output i meets the inputs from i·stride on, each by the next tap."""
    return lambda output: [(output * stride + tap, tap) for tap in range(SIDE)]


def spread(output: int) -> list[tuple[int, int]]:
    """The gradient of a convolution with stride 2 and a margin of 1: output i meets input (i + 1 - tap) / 2."""
    return [((output + 1 - tap) // 2, tap) for tap in range(SIDE) if (output + 1 - tap) % 2 == 0]


#: The taps of `spread` as `walk.gradient_walks` deals them: those of each phase together, the last one first.
PHASES = [tuple(reversed(range(phase, SIDE, 2))) for phase in range(2)]
DEALT = [tap for phases in product(PHASES, PHASES) for tap in product(*phases)]
NATURAL = list(product(range(SIDE), range(SIDE)))


def meetings(axis, lines: int = LINES, pixels: int = PIXELS):
    """All (line, pixel, input's place, tap) of a tile, an input after the other."""
    met = [
        (line, pixel, (y, x), (tap_y, tap_x))
        for line, pixel in product(range(lines), range(pixels))
        for y, tap_y in axis(line)
        for x, tap_x in axis(pixel)
    ]
    return sorted(met, key=lambda meeting: meeting[2])


def arguments(context, builder, signature, values):
    """An emitter, and the arguments, with arrays as pointers to their data."""
    emit = Emitter(builder, context.get_data_type(signature.args[0].dtype), signature.args[0].dtype.bitwidth // 8)
    return emit, [
        context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
        for kind, value in zip(signature.args, values, strict=True)
    ]


def grid(emit: Emitter, start, at, line, pixel, places) -> dict:
    """Pointers to the pixels (y, x) of `places`, counted from the element `at`."""
    place = {
        (y, x): emit.builder.add(at, emit.builder.add(emit.times(line, INDEX(y)), emit.times(pixel, INDEX(x))))
        for y, x in places
    }
    return {key: emit.builder.gep(start, [value]) for key, value in place.items()}


def with_edges(emit: Emitter, inputs: dict, corner, extent, nothing) -> dict:
    """The pointers to inputs; those outside the image point to `nothing`. (0, 0) lies at the pixel `corner`."""
    builder, inside = emit.builder, []
    for axis in range(2):
        places = {axis_of[axis] for axis_of in inputs}
        at = {i: emit.plus(corner[axis], i) for i in places}
        # As unsigned numbers, places before 0 are beyond the extent too.
        inside.append({i: builder.icmp_unsigned("<", at[i], extent[axis]) for i in places})
    ends = [inside[axis][end] for axis in range(2) for end in (min(inside[axis]), max(inside[axis]))]
    whole = ends[0]
    for end in ends[1:]:
        whole = builder.and_(whole, end)
    before = builder.block
    with builder.if_then(builder.not_(whole), likely=False):
        edge = {
            (y, x): builder.select(builder.and_(inside[0][y], inside[1][x]), pointer, nothing)
            for (y, x), pointer in inputs.items()
        }
        behind = builder.block
    merged = {}
    for key, pointer in inputs.items():
        merged[key] = builder.phi(pointer.type)
        merged[key].add_incoming(pointer, before)
        merged[key].add_incoming(edge[key], behind)
    return merged


def vectors_of(emit: Emitter, channels):
    """A loop over the vectors of so many channels."""
    return cgutils.for_range(emit.builder, emit.builder.udiv(emit.plus(channels, emit.lanes - 1), INDEX(emit.lanes)))


def two_lines(axis, order, backs: int = 1, forth: int = 1):
    """An intrinsic that fills two lines of outputs; places and steps are counted in elements.

    Its arguments: source, source_at (of pixel (0, 0)), source_line, source_pixel (steps), first (y, x: the pixel of the
    first output's first tap), extent (y, x: beyond it, and before 0, pixels are zeros), nothing (zeros, as many as
    channels), taps, taps_at, taps_step (from tap to tap, in the `order` in which they lie), start, start_at (where the
    sums begin), target, target_at, target_line, target_pixel, pixels (of a line, at least `PIXELS`), channels, low,
    high (bounds of what is stored). Output `backs`·i has its first tap at input `forth`·i.
    """

    def typer(
        typing, source, source_at, source_line, source_pixel, first, extent, nothing, taps, taps_at, taps_step,
        start, start_at, target, target_at, target_line, target_pixel, pixels, channels, low, high,
    ):  # fmt: skip
        whole, pair = types.int64, types.UniTuple(types.int64, 2)
        signature = types.void(
            source, whole, whole, whole, pair, pair, nothing, taps, whole, whole, start, whole,
            target, whole, whole, whole, whole, whole, target.dtype, target.dtype,
        )  # fmt: skip
        return signature, codegen

    def codegen(context, builder, signature, values):
        emit, values = arguments(context, builder, signature, values)
        source, source_at, line, step, first, extent, nothing, taps, taps_at, taps_step, start, start_at = values[:12]
        *target, low, high = values[12:]
        first, extent = (cgutils.unpack_tuple(builder, pair, 2) for pair in (first, extent))
        out, out_at, out_line, out_step, pixels, channels = target
        met, last = meetings(axis), builder.sub(pixels, INDEX(PIXELS))
        filters = [emit.plus(taps_at, emit.times(taps_step, INDEX(tap))) for tap in range(SIDE * SIDE)]
        lowest, highest = emit.spread(low), emit.spread(high)
        with cgutils.for_range(builder, builder.udiv(emit.plus(pixels, PIXELS - 1), INDEX(PIXELS))) as loop:
            x = emit.times(loop.index, INDEX(PIXELS))
            # A line ends with a whole tile, which may compute some of the pixels before it once more.
            x = builder.select(builder.icmp_signed("<", x, last), x, last)
            corner = first[0], builder.add(first[1], builder.udiv(emit.times(x, INDEX(forth)), INDEX(backs)))
            at = builder.add(source_at, builder.add(emit.times(corner[0], line), emit.times(corner[1], step)))
            inputs = grid(emit, source, at, line, step, {place for *_, place, _ in met})
            inputs = with_edges(emit, inputs, corner, extent, nothing)
            begin = builder.add(out_at, emit.times(x, out_step))
            outputs = grid(emit, out, begin, out_line, out_step, product(range(LINES), range(PIXELS)))
            with vectors_of(emit, channels) as vectors:
                channel = emit.times(vectors.index, INDEX(emit.lanes))
                weights = [emit.load(taps, builder.add(place, channel), emit.vector) for place in filters]
                bias = emit.load(start, builder.add(start_at, channel), emit.vector)
                sums = dict.fromkeys(outputs, bias)
                for place, met_here in groupby(met, itemgetter(2)):
                    value = emit.load(inputs[place], channel, emit.vector)
                    for y, x, _, tap in met_here:
                        sums[y, x] = emit.multiply_add(value, weights[order.index(tap)], sums[y, x])
                store_all(emit, outputs, sums, channel, channels, (lowest, highest))
        return context.get_dummy_value()

    return intrinsic(typer)


def store_all(emit: Emitter, outputs, sums, channel, channels, bounds) -> None:
    """Store the clipped sums of a vector of channels, of the last one only what there is."""
    rest = emit.builder.sub(channels, channel)
    results = {key: emit.clip(value, *bounds) for key, value in sums.items()}
    full = emit.builder.icmp_signed(">=", rest, INDEX(emit.lanes))
    with emit.builder.if_else(full, likely=True) as (all_lanes, some_lanes):
        with all_lanes:
            for key, value in results.items():
                emit.store(value, outputs[key], channel)
        with some_lanes:
            for key, value in results.items():
                emit.store_first(rest, value, outputs[key], channel)


def two_lines_met(stride: int):
    """An intrinsic that adds to a filter's gradient what two lines of output gradients met.

    Its arguments: source, source_at (of the first tap), source_line, source_pixel, grads, grads_at, grads_line,
    grads_pixel, sums, sums_at, sums_step (from tap to tap), pixels (of a line), channels. Behind the pixels of a line
    there are zeros up to a whole tile, and likewise in the source.
    """
    met = meetings(strided(stride))

    def typer(
        typing, source, source_at, source_line, source_pixel, grads, grads_at, grads_line, grads_pixel,
        sums, sums_at, sums_step, pixels, channels,
    ):  # fmt: skip
        whole = types.int64
        signature = types.void(
            source, whole, whole, whole, grads, whole, whole, whole, sums, whole, whole, whole, whole
        )
        return signature, codegen

    def codegen(context, builder, signature, values):
        emit, values = arguments(context, builder, signature, values)
        source, source_at, line, step, grads, grads_at, grads_line, grads_step, sums, sums_at, *rest = values
        sums_step, pixels, channels = rest
        targets = grid(emit, sums, sums_at, emit.times(sums_step, INDEX(SIDE)), sums_step, NATURAL)
        with cgutils.for_range(builder, builder.udiv(emit.plus(pixels, PIXELS - 1), INDEX(PIXELS))) as loop:
            x = emit.times(loop.index, INDEX(PIXELS))
            first = builder.add(source_at, emit.times(emit.times(x, INDEX(stride)), step))
            inputs = grid(emit, source, first, line, step, {place for *_, place, _ in met})
            begin = builder.add(grads_at, emit.times(x, grads_step))
            pulls = grid(emit, grads, begin, grads_line, grads_step, product(range(LINES), range(PIXELS)))
            with vectors_of(emit, channels) as vectors:
                channel = emit.times(vectors.index, INDEX(emit.lanes))
                pull = {place: emit.load(pulls[place], channel, emit.vector) for place in pulls}
                total = {tap: emit.load(targets[tap], channel, emit.vector) for tap in NATURAL}
                for place, met_here in groupby(met, itemgetter(2)):
                    value = emit.load(inputs[place], channel, emit.vector)
                    for y, x, _, tap in met_here:
                        total[tap] = emit.multiply_add(value, pull[y, x], total[tap])
                for tap in NATURAL:
                    emit.store(total[tap], targets[tap], channel)
        return context.get_dummy_value()

    return intrinsic(typer)


lines_stride_1, lines_stride_2 = two_lines(strided(1), NATURAL, 1, 1), two_lines(strided(2), NATURAL, 1, 2)
lines_spread = two_lines(spread, DEALT, 2, 1)
met_stride_1, met_stride_2 = two_lines_met(1), two_lines_met(2)
