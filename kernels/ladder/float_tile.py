"""The register tile for floats: sums that stay in registers from the first step of the depth to the last.

A core multiplies and adds two vectors a cycle, but reads only two vectors a cycle from its nearest cache, and writes
one. A loop that loads two numbers, adds their product to a third and stores it again is bound by the loads. So take a
tile of ROWS rows and VECTORS vectors of the result, and hold all its sums in registers:

    for k in range(depth):
        right = [panel[k, 0], panel[k, 1]]                 # two vectors, loaded once, used ROWS times
        for i in range(ROWS):
            left = spread(left[i, k])                      # one number, in all lanes of a vector
            for j in range(VECTORS):
                sums[i][j] += left * right[j]              # one instruction: a fused multiply-add

With 8 × 2 a step makes 10 loads for 16 multiply-adds, and no store. More rows would be better still, but 16 sums, the
two vectors of the right and one of the left must share the 32 registers of AVX-512 (6 × 2 share 16 elsewhere). Numba
has no vectors, so an @intrinsic writes LLVM's own. Its Python code runs once, while the kernel is compiled: a Python
loop comes out unrolled, `cgutils.for_range` comes out as a loop of the machine.
"""

from __future__ import annotations

from ..jit import COMPILED, ISA

if not COMPILED:
    raise ImportError("the register tile is machine code: it needs Numba")

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

VECTOR_BYTES = {"plain": 16, "avx2": 32, "avx512": 64}[ISA]
ROWS, VECTORS = (8, 2) if ISA == "avx512" else (6, 2)
#: Bytes of a row of the tile; divided by an array's itemsize, its columns.
ROW_BYTES = VECTORS * VECTOR_BYTES
#: Pixels of the tile of a depthwise convolution, which is one vector of channels wide.
PIXELS = 8

INDEX, LANE = ir.IntType(64), ir.IntType(32)


class Writer:
    """Writes vector instructions for one element type, float or double."""

    def __init__(self, context, builder, signature, arguments):
        self.context, self.builder, self.signature, self.arguments = context, builder, signature, arguments
        element = signature.args[0].dtype
        self.element, self.itemsize = context.get_value_type(element), element.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.itemsize
        self.vector = ir.VectorType(self.element, self.lanes)

    def pointer(self, argument, *offsets):
        """Where an array argument's data begin, moved on by offsets that are counted in elements."""
        array_type, array = self.signature.args[argument], self.arguments[argument]
        place = self.context.make_array(array_type)(self.context, self.builder, array).data
        for offset in offsets:
            place = self.builder.gep(place, [INDEX(offset) if isinstance(offset, int) else offset])
        return place

    def vector_at(self, place, number):
        """The `number`-th vector after a place; it may lie at any address that an element may."""
        start = self.builder.gep(place, [INDEX(number * self.lanes)])
        return self.builder.bitcast(start, self.vector.as_pointer())

    def load(self, place, number=0):
        return self.builder.load(self.vector_at(place, number), align=self.itemsize)

    def spread(self, place):
        """A vector that holds the number at `place` in each lane."""
        empty = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(empty, self.builder.load(place), LANE(0))
        return self.builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(LANE, self.lanes), None))

    def sums(self, rows, vectors):
        """Places for sums, zero at first; LLVM sees that no pointer reaches them and keeps them in registers."""
        zero = ir.Constant(self.vector, None)
        return [[cgutils.alloca_once_value(self.builder, zero) for _ in range(vectors)] for _ in range(rows)]

    def multiply_add(self, left, right, total):
        """total += left · right, as one fused instruction where the CPU has it."""
        name = f"llvm.fmuladd.v{self.lanes}f{8 * self.itemsize}"
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        self.builder.store(self.builder.call(function, [left, right, self.builder.load(total)]), total)

    def store(self, total, place, number=0):
        self.builder.store(self.builder.load(total), self.vector_at(place, number), align=self.itemsize)


@intrinsic
def product_tile(typing, left, left_at, left_step, panel, panel_at, depth, out, out_at, out_step):
    """out (ROWS, columns) ← left (ROWS, depth) · panel (depth, columns); steps are between rows, in elements."""

    def generate(context, builder, signature, arguments):
        write = Writer(context, builder, signature, arguments)
        _, left_at, left_step, _, panel_at, depth, _, out_at, out_step = arguments
        sums = write.sums(ROWS, VECTORS)
        rows = [write.pointer(0, left_at, builder.mul(left_step, INDEX(i))) for i in range(ROWS)]
        with cgutils.for_range(builder, depth) as loop:
            line = write.pointer(3, panel_at, builder.mul(loop.index, INDEX(VECTORS * write.lanes)))
            right = [write.load(line, j) for j in range(VECTORS)]
            for i in range(ROWS):
                one = write.spread(builder.gep(rows[i], [loop.index]))
                for j in range(VECTORS):
                    write.multiply_add(one, right[j], sums[i][j])
        for i in range(ROWS):
            for j in range(VECTORS):
                write.store(sums[i][j], write.pointer(6, out_at, builder.mul(out_step, INDEX(i))), j)
        return context.get_dummy_value()

    size = types.int64
    return types.void(left, size, size, panel, size, size, out, size, size), generate
