"""The register tile of depthwise kernels, in which every channel has sums of its own.

A tile is a few rows of sums, each one or two vectors of neighbouring channels:

    for o in range(outer):
        for k in range(inner):
            for i in range(ROWS):
                sums[i] += left[row[i] + o·left_outer + k·left_inner] * right[o·right_outer + k·right_inner]

where left and right are read as vectors. In a convolution the rows are pixels and (o, k) runs over the filter's taps;
in the gradient of its weight the rows are the taps and (o, k) runs over pixels. Nine rows serve both: nine pixels, or
the nine taps of a 3×3 filter. A vector of the right serves all rows; each of the left feeds one multiplication, and as
a core loads as many vectors in a cycle as it multiplies, there is nothing to gain from keeping them.
"""

from __future__ import annotations

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .jit import ISA
from .register_tile import INDEX, Emitter

#: Rows of a tile, and vectors of its wide form: their sums and what feeds them must fit the registers.
ROWS, VECTORS = 9, 2 if ISA == "avx512" else 1


def emit_channels(emit: Emitter, vectors: int, operands) -> None:
    """Emit a tile of ROWS × `vectors`."""
    builder = emit.builder
    left, left_rows, count, (outer, inner), left_steps, right, right_steps, start, start_rows, *target = operands
    out, out_rows, channels, low, high = target
    last = builder.sub(count, INDEX(1))
    # A row past the end is the last one again: it is computed twice and stored twice, the same both times.
    row = [builder.select(builder.icmp_signed("<", INDEX(i), last), INDEX(i), last) for i in range(ROWS)]
    source = [builder.gep(left, [builder.load(builder.gep(left_rows, [i]))]) for i in row]
    sums = [emit.cells(start, builder.load(builder.gep(start_rows, [i])), vectors) for i in row]
    with cgutils.for_range(builder, outer) as outer_loop, cgutils.for_range(builder, inner) as inner_loop:
        left_place, right_place = (
            builder.add(emit.times(outer_loop.index, steps[0]), emit.times(inner_loop.index, steps[1]))
            for steps in (left_steps, right_steps)
        )
        shared = [emit.load(right, emit.plus(right_place, emit.lanes * j), emit.vector) for j in range(vectors)]
        for i in range(ROWS):
            for j in range(vectors):
                own = emit.load(source[i], emit.plus(left_place, emit.lanes * j), emit.vector)
                builder.store(emit.multiply_add(own, shared[j], builder.load(sums[i][j])), sums[i][j])
    places = [builder.load(builder.gep(out_rows, [i])) for i in row]
    lowest, highest = emit.spread(low), emit.spread(high)
    results = [[emit.clip(builder.load(cell), lowest, highest) for cell in cells] for cells in sums]
    with builder.if_else(builder.icmp_signed(">=", channels, INDEX(vectors * emit.lanes)), likely=True) as branches:
        with branches[0]:
            for place, cells in zip(places, results, strict=True):
                for j, value in enumerate(cells):
                    emit.store(value, out, emit.plus(place, emit.lanes * j))
        with branches[1]:
            for place, cells in zip(places, results, strict=True):
                for j, value in enumerate(cells):
                    rest = builder.sub(channels, INDEX(emit.lanes * j))
                    emit.store_first(rest, value, out, emit.plus(place, emit.lanes * j))


def channel_tile(vectors: int):
    """An intrinsic that fills one tile; all places and steps are counted in elements.

    Its arguments: left, left_at, left_rows (offsets of rows), first (row), count (of rows, at least 1),
    depth (outer, inner), left_steps (outer, inner), right, right_at, right_steps (outer, inner),
    start, start_at, start_rows (where the sums begin: all at the biases, or each at its output so far),
    out, out_at, out_rows (offsets of rows), channels (how many to store), low, high (bounds of what is stored).
    """

    def typer(
        typing, left, left_at, left_rows, first, count, depth, left_steps, right, right_at, right_steps,
        start, start_at, start_rows, out, out_at, out_rows, channels, low, high,
    ):  # fmt: skip
        whole, table, pair = types.int64, types.Array(types.int64, 1, "C"), types.UniTuple(types.int64, 2)
        signature = types.void(
            left, whole, table, whole, whole, pair, pair, right, whole, pair,
            start, whole, table, out, whole, table, whole, out.dtype, out.dtype,
        )  # fmt: skip
        return signature, codegen

    def codegen(context, builder, signature, values):
        def data(position, place):
            start = context.make_array(signature.args[position])(context, builder, values[position]).data
            return builder.gep(start, [place])

        emit = Emitter(builder, context.get_data_type(signature.args[0].dtype), signature.args[0].dtype.bitwidth // 8)
        depth, left_steps, right_steps = (cgutils.unpack_tuple(builder, values[i], 2) for i in (5, 6, 9))
        operands = (
            data(0, values[1]), data(2, values[3]), values[4], depth, left_steps, data(7, values[8]), right_steps,
            data(10, values[11]), data(12, values[3]), data(13, values[14]), data(15, values[3]), *values[16:],
        )  # fmt: skip
        emit_channels(emit, vectors, operands)
        return context.get_dummy_value()

    return intrinsic(typer)


channels_wide, channels_narrow = channel_tile(VECTORS), channel_tile(1)
