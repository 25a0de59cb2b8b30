"""The register tile for bytes: four products and their sum in one instruction.

`vpdpbusd` (AVX-512 VNNI) takes a vector of 64 unsigned bytes, one of 64 signed bytes and one of 16 sums of 32 bits.
Each sum gains four products:

    sums[lane] += Σ over t in 0…3 of left[4·lane + t] * right[4·lane + t]

That is 64 multiplications and 64 additions where a float's vector holds 16 and 16. So a step of the tile's depth is
four steps of the matrix's. Four neighbouring bytes of a row of the left are spread over a vector as if they were one
number; the right is packed so that the four bytes of a column lie side by side:

    for k in range(depth / 4):
        right = [panel[k, 0], panel[k, 1]]                 # two vectors: (16 columns, 4 of the depth) each
        for i in range(ROWS):
            left = spread(left[i, 4·k : 4·k + 4])          # four bytes, in all lanes
            for j in range(VECTORS):
                sums[i][j] = vpdpbusd(sums[i][j], left, right[j])

A CPU that lacks the instruction must never meet it. There the same tile widens the bytes and multiplies numbers of 32
bits; the panel then holds (4 of the depth, 16 columns), and the sums are the same to the last bit.
"""

from __future__ import annotations

from ..jit import COMPILED, ISA

if not COMPILED:
    raise ImportError("the register tile is machine code: it needs Numba")

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

#: Rows of the tile, vectors of a row, sums of a vector; a step of the depth takes GROUP bytes.
ROWS, VECTORS, LANES, GROUP = 8 if ISA == "avx512" else 4, 2, 16, 4
#: Columns of the tile.
COLUMNS = VECTORS * LANES
#: Whether vpdpbusd is there.
DOT = ISA == "avx512"

BYTE, INT, INDEX = ir.IntType(8), ir.IntType(32), ir.IntType(64)
BYTES, SUMS = ir.VectorType(BYTE, LANES), ir.VectorType(INT, LANES)


def load(builder, place, kind):
    """A value of type `kind`, which may lie at any address."""
    return builder.load(builder.bitcast(place, kind.as_pointer()), align=1)


def spread(builder, value):
    """A vector that holds `value` in each lane."""
    kind = ir.VectorType(value.type, LANES)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, INT(0))
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), ir.Constant(SUMS, None))


def dot(builder, sums, left, right):
    """sums + four products a lane, by vpdpbusd; all three are vectors of 16 numbers of 32 bits."""
    kind = ir.FunctionType(SUMS, [SUMS] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpdpbusd.512")
    return builder.call(function, [sums, left, right])


def widening_dot(builder, sums, left, right):
    """The same on any CPU: `left` and `right` are four vectors each, of unsigned and of signed bytes."""
    for one, other in zip(left, right, strict=True):
        sums = builder.add(sums, builder.mul(builder.zext(one, SUMS), builder.sext(other, SUMS)))
    return sums


def read_left(builder, place):
    """Four bytes of a row for all lanes: one vector for `dot`, four for `widening_dot`."""
    if DOT:
        return spread(builder, load(builder, place, INT))
    return [spread(builder, load(builder, builder.gep(place, [INDEX(t)]), BYTE)) for t in range(GROUP)]


def read_right(builder, place):
    """64 bytes of a panel, as `dot` or `widening_dot` takes them."""
    if DOT:
        return load(builder, place, SUMS)
    return [load(builder, builder.gep(place, [INDEX(t * LANES)]), BYTES) for t in range(GROUP)]


@intrinsic
def dot_tile(typing, left, left_at, left_step, panel, panel_at, depth, out, out_at, out_step):
    """out (ROWS, COLUMNS) ← left (ROWS, 4·depth) uint8 · panel (depth, COLUMNS, 4) int8; steps in elements."""

    def generate(context, builder, signature, arguments):
        def pointer(argument, place):
            array_type, array = signature.args[argument], arguments[argument]
            return builder.gep(context.make_array(array_type)(context, builder, array).data, [place])

        _, left_at, left_step, _, panel_at, depth, _, out_at, out_step = arguments
        multiply = dot if DOT else widening_dot
        sums = [
            [cgutils.alloca_once_value(builder, ir.Constant(SUMS, None)) for _ in range(VECTORS)] for _ in range(ROWS)
        ]
        rows = [builder.gep(pointer(0, left_at), [builder.mul(left_step, INDEX(i))]) for i in range(ROWS)]
        with cgutils.for_range(builder, depth) as loop:
            line = builder.gep(pointer(3, panel_at), [builder.mul(loop.index, INDEX(GROUP * COLUMNS))])
            right = [read_right(builder, builder.gep(line, [INDEX(j * GROUP * LANES)])) for j in range(VECTORS)]
            for i in range(ROWS):
                four = read_left(builder, builder.gep(rows[i], [builder.mul(loop.index, INDEX(GROUP))]))
                for j in range(VECTORS):
                    builder.store(multiply(builder, builder.load(sums[i][j]), four, right[j]), sums[i][j])
        for i in range(ROWS):
            target = builder.gep(pointer(6, out_at), [builder.mul(out_step, INDEX(i))])
            for j in range(VECTORS):
                place = builder.bitcast(builder.gep(target, [INDEX(j * LANES)]), SUMS.as_pointer())
                builder.store(builder.load(sums[i][j]), place, align=4)
        return context.get_dummy_value()

    size = types.int64
    return types.void(left, size, size, panel, size, size, out, size, size), generate
