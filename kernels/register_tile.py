"""The register tile: the one loop nest on which every float convolution and matrix product spends its time.

A tile is a few rows by a few vectors of sums. They stay in the processor's registers while a loop runs over the depth:

    for o in range(outer):
        for k in range(inner):
            for i in range(ROWS):
                for j in range(WIDTH):
                    sums[i, j] += left[row[i] + o·outer_step + k·inner_step] * right[(o·inner + k)·right_step + j]

The loops over i and j are Python's and run while the code is emitted; those over o and k are the machine's. What it
reads on the left is any matrix whose element (row, depth) lies at row[i] + step(depth). The patches of a convolution
form such a matrix, with pixels as rows and taps as depth, and so does its transpose: nothing needs to be unfolded in
memory (the idea of Dukhan, "The Indirect Convolution Algorithm", 2019). Each element of the left is spread over a whole
row of sums. Where every channel has sums of its own there is another tile: see `channel_tile`.

The vectors are LLVM's own: on a machine without such wide ones the compiler splits them.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .jit import ISA

#: Bytes of a vector, rows of a product's tile: with two vectors a row, the sums and what feeds them fill the registers.
VECTOR_BYTES, ROWS = {"plain": (16, 6), "avx2": (32, 6), "avx512": (64, 8)}[ISA]

INDEX, LANE = ir.IntType(64), ir.IntType(32)


class Emitter:
    """Writes vector code of one element type with an LLVM builder; places are counted in elements."""

    def __init__(self, builder: ir.IRBuilder, element: ir.Type, itemsize: int):
        self.builder, self.element, self.itemsize = builder, element, itemsize
        self.lanes = VECTOR_BYTES // itemsize
        self.vector = ir.VectorType(element, self.lanes)
        self.suffix = f"v{self.lanes}f{8 * itemsize}"

    def plus(self, place, offset):
        return self.builder.add(place, INDEX(offset) if isinstance(offset, int) else offset)

    def times(self, a, b):
        return self.builder.mul(a, b)

    def load(self, start, place, kind):
        """The scalar or vector of type `kind` that lies `place` elements after `start`."""
        pointer = self.builder.bitcast(self.builder.gep(start, [place]), kind.as_pointer())
        return self.builder.load(pointer, align=self.itemsize)

    def spread(self, value):
        """A vector that has `value` in every lane."""
        nothing = ir.Constant(ir.VectorType(value.type, self.lanes), ir.Undefined)
        lane0 = self.builder.insert_element(nothing, value, LANE(0))
        return self.builder.shuffle_vector(lane0, nothing, ir.Constant(ir.VectorType(LANE, self.lanes), None))

    def cells(self, start, place, count):
        """`count` accumulators, which begin with the vectors at `place`; LLVM keeps them in registers."""
        vectors = [self.load(start, self.plus(place, self.lanes * j), self.vector) for j in range(count)]
        return [cgutils.alloca_once_value(self.builder, vector) for vector in vectors]

    def store(self, value, start, place):
        pointer = self.builder.bitcast(self.builder.gep(start, [place]), self.vector.as_pointer())
        self.builder.store(value, pointer, align=self.itemsize)

    def first_lanes(self, count):
        """A mask of the first `count` lanes."""
        lanes = ir.Constant(ir.VectorType(INDEX, self.lanes), list(range(self.lanes)))
        return self.builder.icmp_signed("<", lanes, self.spread(count))

    def load_first(self, count, start, place):
        """The first `count` lanes of the vector at `place`, and zeros; what lies behind them is not touched."""
        pointer, mask = (
            self.builder.bitcast(self.builder.gep(start, [place]), self.vector.as_pointer()),
            self.first_lanes(count),
        )
        kind = ir.FunctionType(self.vector, [pointer.type, LANE, mask.type, self.vector])
        name = f"llvm.masked.load.{self.suffix}.p0{self.suffix}"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, [pointer, LANE(self.itemsize), mask, self.zero()])

    def store_first(self, count, value, start, place):
        """Store the first `count` lanes alone."""
        pointer = self.builder.bitcast(self.builder.gep(start, [place]), self.vector.as_pointer())
        mask = self.first_lanes(count)
        kind = ir.FunctionType(ir.VoidType(), [self.vector, pointer.type, LANE, mask.type])
        name = f"llvm.masked.store.{self.suffix}.p0{self.suffix}"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        self.builder.call(function, [value, pointer, LANE(self.itemsize), mask])

    def zero(self):
        return ir.Constant(self.vector, None)

    def where(self, relation: str, a, b, yes, no):
        """In each lane `yes` if a stands in the relation to b, else `no`, for a NaN too."""
        return self.builder.select(self.builder.fcmp_ordered(relation, a, b), yes, no)

    def clip(self, value, low, high):
        """`value`, at least `low` and at most `high`; a NaN fails both comparisons and stays."""
        value = self.where("<", value, low, low, value)
        return self.where(">", value, high, high, value)

    def prefetch(self, start, place):
        """Have the line of the cache that holds `place` brought near."""
        pointer = self.builder.bitcast(self.builder.gep(start, [place]), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, LANE, LANE, LANE])
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        self.builder.call(function, [pointer, LANE(0), LANE(2), LANE(1)])

    def multiply_add(self, a, b, total):
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.fmuladd.{self.suffix}")
        return self.builder.call(function, [a, b, total])


def emit_prefetch(emit: Emitter, first, steps, number, right, right_step) -> None:
    """While a panel is multiplied the next one comes from memory: an eighth of it during each tile of ROWS rows."""
    tile_number, eighth = emit.builder.udiv(first, INDEX(ROWS)), emit.builder.udiv(right_step, INDEX(8))
    part = emit.builder.add(emit.times(tile_number, steps), number)
    emit.prefetch(right, emit.builder.add(emit.times(steps, right_step), emit.times(part, eighth)))


def emit_tile(emit: Emitter, rows: int, vectors: int, operands, bounds=()) -> None:
    """Emit a tile of `rows` × `vectors`, in which one element of the left meets a whole row of the right.

    The sums are held between `bounds`, scalars low and high, if there are any.
    """
    builder = emit.builder
    left, left_rows, first, row_count, depth, right, right_step, start, start_step, out, out_rows, columns = operands
    outer, outer_step, inner, inner_step = cgutils.unpack_tuple(builder, depth, 4)
    last = builder.sub(row_count, INDEX(1))
    # A row past the end is the last one again: it is computed twice and stored twice, the same both times.
    row = [builder.select(builder.icmp_signed("<", INDEX(i), last), INDEX(i), last) for i in range(rows)]
    source = [builder.gep(left, [builder.load(builder.gep(left_rows, [i]))]) for i in row]
    sums = [emit.cells(start, emit.times(i, start_step), vectors) for i in row]
    with cgutils.for_range(builder, outer) as outer_loop, cgutils.for_range(builder, inner) as inner_loop:
        o, k = outer_loop.index, inner_loop.index
        place = builder.add(emit.times(o, outer_step), emit.times(k, inner_step))
        number = builder.add(emit.times(o, inner), k)
        step = emit.times(number, right_step)
        if bounds:
            emit_prefetch(emit, first, emit.times(outer, inner), number, right, right_step)
        columns_of_right = [emit.load(right, emit.plus(step, emit.lanes * j), emit.vector) for j in range(vectors)]
        for i in range(rows):
            spread = emit.spread(emit.load(source[i], place, emit.element))
            for j in range(vectors):
                total = emit.multiply_add(spread, columns_of_right[j], builder.load(sums[i][j]))
                builder.store(total, sums[i][j])

    target = [builder.load(builder.gep(out_rows, [i])) for i in row]
    results = [[builder.load(cell) for cell in cells] for cells in sums]
    if bounds:
        low, high = (emit.spread(bound) for bound in bounds)
        results = [[emit.clip(value, low, high) for value in row_sums] for row_sums in results]
    full = builder.icmp_signed(">=", columns, INDEX(vectors * emit.lanes))
    with builder.if_else(full, likely=True) as (all_columns, some_columns):
        with all_columns:
            for i in range(rows):
                for j in range(vectors):
                    emit.store(results[i][j], out, emit.plus(target[i], emit.lanes * j))
        with some_columns:
            for i in range(rows):
                for j in range(vectors):
                    count, place = builder.sub(columns, INDEX(emit.lanes * j)), emit.plus(target[i], emit.lanes * j)
                    emit.store_first(count, results[i][j], out, place)


def signature_of(left, right, start, out, *bounds):
    """The types of a tile's arguments, for flat arrays of one element type."""
    whole, table = types.int64, types.Array(types.int64, 1, "C")
    return types.void(
        left, whole, table, whole, whole, types.UniTuple(whole, 4), right, whole, whole,
        start, whole, whole, out, whole, table, whole, *bounds,
    )  # fmt: skip


def generator(rows: int, vectors: int):
    """The function that Numba calls to emit a tile's code."""

    def codegen(context, builder, signature, values):
        def data(position, place=None):
            start = context.make_array(signature.args[position])(context, builder, values[position]).data
            return start if place is None else builder.gep(start, [place])

        first, count = values[3], values[4]
        emit = Emitter(builder, context.get_data_type(signature.args[0].dtype), signature.args[0].dtype.bitwidth // 8)
        operands = (
            data(0, values[1]), data(2, first), first, count, values[5], data(6, values[7]), values[8],
            data(9, values[10]), values[11], data(12, values[13]), data(14, first), values[15],
        )  # fmt: skip
        emit_tile(emit, rows, vectors, operands, values[16:])
        return context.get_dummy_value()

    return codegen


def tile(rows: int, vectors: int):
    """An intrinsic that fills one tile; all places and steps are counted in elements.

    Its arguments: left, left_at, left_rows (offsets of rows), first (row), count (of rows, at least 1),
    depth (outer, outer_step, inner, inner_step), right, right_at, right_step,
    start, start_at, start_step (where the sums begin: a row of biases with step 0, or the outputs so far),
    out, out_at, out_rows (offsets of rows), columns (how many of the tile's columns to store).
    """

    def typer(
        typing, left, left_at, left_rows, first, count, depth, right, right_at, right_step,
        start, start_at, start_step, out, out_at, out_rows, columns,
    ):  # fmt: skip
        return signature_of(left, right, start, out), generator(rows, vectors)

    return intrinsic(typer)


def bounded_tile(rows: int, vectors: int):
    """The same with two arguments more, low and high: the sums are held between them when they are stored."""

    def typer(
        typing, left, left_at, left_rows, first, count, depth, right, right_at, right_step,
        start, start_at, start_step, out, out_at, out_rows, columns, low, high,
    ):  # fmt: skip
        return signature_of(left, right, start, out, left.dtype, left.dtype), generator(rows, vectors)

    return intrinsic(typer)


product_wide, product_narrow = tile(ROWS, 2), tile(ROWS, 1)
bounded_wide, bounded_narrow = bounded_tile(ROWS, 2), bounded_tile(ROWS, 1)
