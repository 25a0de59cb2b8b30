"""The vector routines of the int8 kernels, emitted as LLVM instructions because no loop compiles to them.

A Numba intrinsic is a function that writes machine-independent vector code with `builder`. Python's loops run while the
code is written and so unroll it; `cgutils.for_range` is a loop of the machine. Only `dot_vnni` needs a certain CPU.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .jit import ISA
from .sizes_int8 import LANES, PANEL, ROWS

BYTE, INT32, INT64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)


def lanes(element: ir.Type, count: int) -> ir.VectorType:
    """The type of a vector of `count` lanes."""
    return ir.VectorType(element, count)


class Emitter:
    """What the routines below say to LLVM, in few words; arrays are addressed by element offsets."""

    def __init__(self, context, builder, signature, arguments):
        self.context, self.builder = context, builder
        self.signature, self.arguments = signature, arguments

    def pointer(self, argument: int, *offsets):
        """The address of an array argument's element at the sum of `offsets`, ints or LLVM values."""
        kind, value = self.signature.args[argument], self.arguments[argument]
        start = self.context.make_array(kind)(self.context, self.builder, value).data
        for offset in offsets:
            start = self.builder.gep(start, [INT64(offset) if isinstance(offset, int) else offset])
        return start

    def load(self, pointer, kind: ir.Type):
        """Read a value of type `kind`, which may lie at any address."""
        return self.builder.load(self.builder.bitcast(pointer, kind.as_pointer()), align=1)

    def store(self, value, pointer):
        """Write a value, which may lie at any address."""
        self.builder.store(value, self.builder.bitcast(pointer, value.type.as_pointer()), align=1)

    def splat(self, scalar, count: int):
        """A vector with `scalar` in each of its lanes."""
        empty = ir.Constant(lanes(scalar.type, count), ir.Undefined)
        first = self.builder.insert_element(empty, scalar, INT32(0))
        return self.builder.shuffle_vector(first, empty, ir.Constant(lanes(INT32, count), [0] * count))

    def dot_vnni(self, sums, activations, weights):
        """sums + four u8 × s8 products an int32 lane, in one vpdpbusd; weights (16 channels, 4 of the depth)."""
        kind = ir.FunctionType(sums.type, [sums.type] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.x86.avx512.vpdpbusd.512")
        broadcast = self.splat(self.load(activations, INT32), PANEL)
        return self.builder.call(function, [sums, broadcast, self.load(weights, sums.type)])

    def dot_plain(self, sums, activations, weights):
        """The same sums on any CPU, in four multiplications; weights (4 of the depth, 16 channels)."""
        build = self.builder
        for k in range(4):
            weight = self.load(build.gep(weights, [INT64(k * PANEL)]), lanes(BYTE, PANEL))
            activation = self.splat(self.load(build.gep(activations, [INT64(k)]), BYTE), PANEL)
            product = build.mul(build.zext(activation, sums.type), build.sext(weight, sums.type))
            sums = build.add(sums, product)
        return sums

    def rescale(self, sums, bias, multiplier, shift, zero_point, low, high):
        """clip(zero_point + (((sums + bias)·m + 2^(s−1)) >> s), low, high): the one rounding of a layer."""
        build, wide = self.builder, lanes(INT64, LANES)
        product = build.mul(build.sext(build.add(sums, bias), wide), build.sext(multiplier, wide))
        shift = build.sext(shift, wide)
        one = ir.Constant(wide, [1] * LANES)
        rounded = build.ashr(build.add(product, build.shl(one, build.sub(shift, one))), shift)
        result = build.add(rounded, self.splat(zero_point, LANES))
        for bound, beyond in ((low, "<"), (high, ">")):
            bound = self.splat(bound, LANES)
            result = build.select(build.icmp_signed(beyond, result, bound), bound, result)
        return build.trunc(result, lanes(BYTE, LANES))


def tile_of(vectors: int, dot):
    """An intrinsic that fills ROWS × `vectors` registers with sums of u8 × s8 products.

    sums[row, channel] ← Σ over segment and depth of source[offsets[row] + segment·stride + depth] · weights[…]
    """

    def emit(e: Emitter, segments, stride, depth, weights, panel):
        build = e.builder
        zero = ir.Constant(lanes(INT32, PANEL), [0] * PANEL)
        sums = [[cgutils.alloca_once_value(build, zero) for _ in range(vectors)] for _ in range(ROWS)]
        rows = [e.pointer(0, e.load(e.pointer(1, row), INT64)) for row in range(ROWS)]
        with cgutils.for_range(build, segments) as outer:
            line = build.mul(outer.index, stride)
            block = build.add(weights, build.mul(build.mul(outer.index, depth), INT64(4 * PANEL)))
            with cgutils.for_range(build, depth) as inner:
                step = build.add(line, build.mul(inner.index, INT64(4)))
                column = e.pointer(5, block, build.mul(inner.index, INT64(4 * PANEL)))
                columns = [build.gep(column, [build.mul(panel, INT64(j))]) for j in range(vectors)]
                for row, cells in zip(rows, sums, strict=True):
                    four = build.gep(row, [step])
                    for cell, weight in zip(cells, columns, strict=True):
                        build.store(dot(e, build.load(cell), four, weight), cell)
        for row, cells in enumerate(sums):
            for j, cell in enumerate(cells):
                e.store(build.load(cell), e.pointer(8, (row * 2 + j) * PANEL))

    def routine(typing, source, offsets, segments, stride, depth, weights, weights_at, panel, sums):
        def generate(context, builder, signature, arguments):
            emit(Emitter(context, builder, signature, arguments), *arguments[2:5], *arguments[6:8])
            return context.get_dummy_value()

        size = types.int64
        return types.void(source, offsets, size, size, size, weights, size, size, sums), generate

    return intrinsic(routine)


dot = Emitter.dot_vnni if ISA == "avx512" else Emitter.dot_plain
#: `dot_tile_1(source, offsets, segments, stride, depth, weights, weights_at, panel, sums)`: 16 channels.
dot_tile_1 = tile_of(1, dot)
#: The same for 32 channels, whose second half lies `panel` bytes after the first.
dot_tile_2 = tile_of(2, dot)


def depthwise_tile_of(channels: int):
    """An intrinsic that sums the taps of ROWS pixels for 8 or 16 channels.

    sums[row, channel] ← Σ over y, x of source[offsets[row] + y·line + x·pixel + channel] · weights[…, y, x, channel]
    """

    def emit(e: Emitter, at, height, width, line, pixel, weights, step):
        build, ints, bytes_ = e.builder, lanes(INT32, channels), lanes(BYTE, channels)
        zero = ir.Constant(ints, [0] * channels)
        sums = [cgutils.alloca_once_value(build, zero) for _ in range(ROWS)]
        rows = [e.pointer(0, at, e.load(e.pointer(2, row), INT64)) for row in range(ROWS)]
        with cgutils.for_range(build, height) as outer, cgutils.for_range(build, width) as inner:
            here = build.add(build.mul(outer.index, line), build.mul(inner.index, pixel))
            tap = build.mul(build.add(build.mul(outer.index, width), inner.index), step)
            weight = build.sext(e.load(e.pointer(7, weights, tap), bytes_), ints)
            for row, cell in zip(rows, sums, strict=True):
                product = build.mul(build.zext(e.load(build.gep(row, [here]), bytes_), ints), weight)
                build.store(build.add(build.load(cell), product), cell)
        for row, cell in enumerate(sums):
            e.store(build.load(cell), e.pointer(10, row * 2 * PANEL))

    def routine(typing, source, at, offsets, height, width, line, pixel, weights, weights_at, step, sums):
        def generate(context, builder, signature, arguments):
            emit(Emitter(context, builder, signature, arguments), arguments[1], *arguments[3:7], *arguments[8:10])
            return context.get_dummy_value()

        size = types.int64
        return types.void(source, size, offsets, size, size, size, size, weights, size, size, sums), generate

    return intrinsic(routine)


#: `depthwise_tile_8(source, at, offsets, height, width, line, pixel, weights, weights_at, step, sums)`: 8 channels.
depthwise_tile_8 = depthwise_tile_of(LANES)
#: The same for 16 channels.
depthwise_tile_16 = depthwise_tile_of(2 * LANES)


@intrinsic
def rescale_rows(
    typing, sums, at, rows, constants, constants_at, width, zero_point, low, high, target, target_at, pixel
):
    """Bring LANES channels of some rows of a tile to bytes, `pixel` apart in `target`.

    The rows bias, multiplier and shift of `constants` lie `width` apart.
    """

    def generate(context, builder, signature, arguments):
        e, ints = Emitter(context, builder, signature, arguments), lanes(INT32, LANES)
        row = [builder.mul(arguments[5], INT64(i)) for i in range(3)]
        parameters = [e.load(e.pointer(3, arguments[4], offset), ints) for offset in row]
        with cgutils.for_range(builder, arguments[2]) as loop:
            start = builder.add(arguments[1], builder.mul(loop.index, INT64(2 * PANEL)))
            result = e.rescale(e.load(e.pointer(0, start), ints), *parameters, *arguments[6:9])
            e.store(result, e.pointer(9, arguments[10], builder.mul(loop.index, arguments[11])))
        return context.get_dummy_value()

    size = types.int64
    ends = (size, size, constants, size, size, size, size, size)
    return types.void(sums, *ends, target, size, size), generate


@intrinsic
def fill(typing, target, at, count, value):
    """target[at : at + count] ← `value`, for an array of bytes."""

    def generate(context, builder, signature, arguments):
        e = Emitter(context, builder, signature, arguments)
        cgutils.memset(builder, e.pointer(0, arguments[1]), arguments[2], builder.trunc(arguments[3], BYTE))
        return context.get_dummy_value()

    size = types.int64
    return types.void(target, size, size, size), generate
