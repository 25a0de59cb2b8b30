"""Two lines of a 3×3 depthwise convolution at once: the filter stays in registers, an input vector is read once a tile.

A tile is 2 lines × 4 pixels of outputs, one vector of channels each. With stride 1 it reads 4 × 6 input vectors for its
72 multiply-adds, where every output by itself would read 9. The input has its padding around it.
"""

from __future__ import annotations

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .register_tile import INDEX, Emitter

#: Outputs of a tile, down and across, and the side of the filter.
LINES, PIXELS, SIDE = 2, 4, 3


def emit_sums(emit: Emitter, stride: int, read, weights, bias):
    """sums[line][pixel] of a tile; `read(y, x)` gives the input vector there, counted from the tile's first tap."""
    sums = [[bias] * PIXELS for _ in range(LINES)]
    for y in range((LINES - 1) * stride + SIDE):
        for x in range((PIXELS - 1) * stride + SIDE):
            value = read(y, x)
            for line in range(LINES):
                for pixel in range(PIXELS):
                    tap_y, tap_x = y - line * stride, x - pixel * stride
                    if 0 <= tap_y < SIDE and 0 <= tap_x < SIDE:
                        tap = weights[tap_y * SIDE + tap_x]
                        sums[line][pixel] = emit.multiply_add(value, tap, sums[line][pixel])
    return sums


def two_lines(stride: int):
    """An intrinsic that fills two lines of a vector's channels; places and steps are counted in elements.

    Its arguments: source, source_at (of the first tap), source_line, source_pixel (steps), weights, weights_at,
    weights_step (from tap to tap), bias, bias_at, target_at (in the source's array too), target_line, target_pixel,
    pixels (of a line, at least `PIXELS`), channels (how many of the vector's to store), low, high.
    """

    def typer(
        typing, source, source_at, source_line, source_pixel, weights, weights_at, weights_step, bias, bias_at,
        target_at, target_line, target_pixel, pixels, channels, low, high,
    ):  # fmt: skip
        whole, element = types.int64, source.dtype
        signature = types.void(
            source, whole, whole, whole, weights, whole, whole, bias, whole,
            whole, whole, whole, whole, whole, element, element,
        )  # fmt: skip
        return signature, codegen

    def codegen(context, builder, signature, values):
        def data(position):
            return context.make_array(signature.args[position])(context, builder, values[position]).data

        _, source_at, line, step, _, weights_at, weights_step, _, bias_at, *target, pixels, channels, low, high = values
        target_at, target_line, target_step = target
        emit = Emitter(builder, context.get_data_type(signature.args[0].dtype), signature.args[0].dtype.bitwidth // 8)
        image, filters = data(0), data(4)
        places = [builder.add(weights_at, emit.times(weights_step, INDEX(tap))) for tap in range(SIDE * SIDE)]
        weights = [emit.load(filters, place, emit.vector) for place in places]
        start = emit.load(data(7), bias_at, emit.vector)
        full = builder.icmp_signed(">=", channels, INDEX(emit.lanes))
        last = builder.sub(pixels, INDEX(PIXELS))
        blocks = builder.udiv(emit.plus(pixels, PIXELS - 1), INDEX(PIXELS))
        with cgutils.for_range(builder, blocks) as loop:
            x = emit.times(loop.index, INDEX(PIXELS))
            # A line ends with a whole tile, which may compute some of the pixels before it once more.
            x = builder.select(builder.icmp_signed("<", x, last), x, last)
            first = builder.add(source_at, emit.times(emit.times(x, INDEX(stride)), step))

            def read(y, x, first=first):
                place = builder.add(first, emit.times(line, INDEX(y)))
                return emit.load(image, builder.add(place, emit.times(step, INDEX(x))), emit.vector)

            sums = emit_sums(emit, stride, read, weights, start)
            out = builder.add(target_at, emit.times(x, target_step))
            for y in range(LINES):
                for pixel in range(PIXELS):
                    place = builder.add(out, emit.times(target_line, INDEX(y)))
                    place = builder.add(place, emit.times(target_step, INDEX(pixel)))
                    emit.store_columns(emit.between(sums[y][pixel], (low, high)), image, place, channels, full)
        return context.get_dummy_value()

    return intrinsic(typer)


two_lines_stride_1, two_lines_stride_2 = two_lines(1), two_lines(2)
