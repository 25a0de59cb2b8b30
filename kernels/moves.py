"""Copying, clearing and turning stretches of flat arrays as machine moves.

A loop would ask of each index whether it is negative, a slice would count references: both cost more than the move.
Nothing here checks bounds; places and counts are in elements.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .register_tile import INDEX, LANE, VECTOR_BYTES, Emitter


def _start(context, builder, array_type, array, place):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [place])


def _bytes(builder, array_type, count):
    return builder.mul(count, INDEX(array_type.dtype.bitwidth // 8))


@intrinsic
def copy(typing, source, source_at, target, target_at, count):
    """target[target_at :] ← `count` elements of source[source_at :], two flat arrays of one dtype."""

    def codegen(context, builder, signature, values):
        begin = _start(context, builder, signature.args[0], values[0], values[1])
        end = _start(context, builder, signature.args[2], values[2], values[3])
        cgutils.raw_memcpy(builder, end, begin, _bytes(builder, source, values[4]), 1)
        return context.get_dummy_value()

    return types.void(source, types.int64, target, types.int64, types.int64), codegen


@intrinsic
def clear(typing, target, target_at, count):
    """target[target_at :] ← `count` zeros."""

    def codegen(context, builder, signature, values):
        begin = _start(context, builder, signature.args[0], values[0], values[1])
        cgutils.memset(builder, begin, _bytes(builder, target, values[2]), 0)
        return context.get_dummy_value()

    return types.void(target, types.int64, types.int64), codegen


def _panel(array_type) -> int:
    """Columns of a panel: two vectors."""
    return 2 * VECTOR_BYTES * 8 // array_type.dtype.bitwidth


@intrinsic
def panel_width(typing, array):
    """Columns of a panel of the array's dtype, as a constant of the machine code."""

    def codegen(context, builder, signature, values):
        return INDEX(_panel(array))

    return types.int64(array), codegen


@intrinsic
def misaligned(typing, array):
    """Elements from the start of a flat array to the first that lies at a multiple of a vector's bytes."""

    def codegen(context, builder, signature, values):
        start = context.make_array(array)(context, builder, values[0]).data
        address = builder.ptrtoint(start, INDEX)
        rest = builder.and_(builder.neg(address), INDEX(VECTOR_BYTES - 1))
        return builder.udiv(rest, INDEX(array.dtype.bitwidth // 8))

    return types.int64(array), codegen


@intrinsic
def copy_panel(typing, source, source_at, count, target, target_at):
    """A panel of target[target_at :] ← `count` elements of source[source_at :]; what follows them is of no account.

    Two vector moves, so a panel's last columns may hold the neighbours of the elements: they are multiplied, and never
    stored. Only where the source ends are there none to move.
    """

    def codegen(context, builder, signature, values):
        _, source_at, count, _, target_at = values
        begin = _start(context, builder, signature.args[0], values[0], source_at)
        end = _start(context, builder, signature.args[3], values[3], target_at)
        length = context.make_array(signature.args[0])(context, builder, values[0]).nitems
        panel = INDEX(_panel(target))
        with builder.if_else(builder.icmp_signed("<=", builder.add(source_at, panel), length)) as (inside, at_end):
            with inside:
                cgutils.raw_memcpy(builder, end, begin, _bytes(builder, source, panel), 1)
            with at_end:
                cgutils.memset(builder, end, _bytes(builder, target, panel), 0)
                least = builder.select(builder.icmp_signed("<", count, panel), count, panel)
                cgutils.raw_memcpy(builder, end, begin, _bytes(builder, source, least), 1)
        return context.get_dummy_value()

    return types.void(source, types.int64, types.int64, target, types.int64), codegen


@intrinsic
def transpose(typing, source, source_at, source_step, target, target_at, target_step):
    """A square of the target ← the same square of the source, turned; its side is the elements of a vector.

    Each round deals the rows like two halves of a pack of cards: row i and row i + half give two rows of alternate
    elements. An element's row and column are numbers of b bits; a round moves the top bit of the row to the bottom of
    the column and the column's top bit to the row, so b rounds exchange the two.
    """

    def codegen(context, builder, signature, values):
        _, source_at, source_step, _, target_at, target_step = values
        begin = _start(context, builder, signature.args[0], values[0], source_at)
        end = _start(context, builder, signature.args[3], values[3], target_at)
        emit = Emitter(builder, context.get_data_type(source.dtype), source.dtype.bitwidth // 8)
        side, half = emit.lanes, emit.lanes // 2
        rows = [emit.load(begin, emit.times(source_step, INDEX(i)), emit.vector) for i in range(side)]
        pairs = [[lane + which for lane in range(first, first + half) for which in (0, side)] for first in (0, half)]
        masks = [ir.Constant(ir.VectorType(LANE, side), pair) for pair in pairs]
        for _ in range(side.bit_length() - 1):
            rows = [builder.shuffle_vector(rows[i], rows[i + half], mask) for i in range(half) for mask in masks]
        for i, row in enumerate(rows):
            emit.store(row, end, emit.times(target_step, INDEX(i)))
        return context.get_dummy_value()

    return types.void(source, types.int64, types.int64, target, types.int64, types.int64), codegen
