"""What the int8 kernels say to LLVM: vectors of 64 bytes, addresses, loops.

No plain loop compiles to these kernels, so each is an intrinsic: a function that runs while Numba compiles and writes
machine-independent vector code. Python's loops unroll it, `Emitter.loop` is a loop of the machine. Kernels know
addresses, not arrays: an arena of bytes holds values of any shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .sizes_int8 import LANES, VECTOR

BYTE, INT16, INT32, INT64, FLOAT = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()


def lanes(element: ir.Type, count: int) -> ir.VectorType:
    """The type of a vector of `count` lanes."""
    return ir.VectorType(element, count)


#: The ways to look at the 64 bytes of a vector.
BYTES, WORDS, SUMS, LONGS = lanes(BYTE, 64), lanes(INT16, 32), lanes(INT32, 16), lanes(INT64, 8)


def splat(kind: ir.VectorType, number: int) -> ir.Constant:
    """The constant vector that has `number` in each lane."""
    return ir.Constant(kind, [number] * kind.count)


class Emitter:
    """Writes vector code with an LLVM builder, in few words."""

    def __init__(self, builder: ir.IRBuilder):
        self.builder = builder

    def pointer(self, address):
        """An address, an LLVM int64, as a pointer to bytes."""
        return self.builder.inttoptr(address, BYTE.as_pointer())

    def at(self, start, *offsets):
        """The pointer some bytes after `start`; an offset is an int, an LLVM value, or a pair of them to multiply."""
        for offset in offsets:
            factors = offset if isinstance(offset, tuple) else (offset,)
            factors = [INT64(factor) if isinstance(factor, int) else factor for factor in factors]
            start = self.builder.gep(start, [factors[0] if len(factors) == 1 else self.builder.mul(*factors)])
        return start

    def load(self, pointer, kind: ir.Type = SUMS):
        """Read a value of type `kind`, which may lie at any address."""
        return self.builder.load(self.builder.bitcast(pointer, kind.as_pointer()), align=1)

    def store(self, value, pointer):
        """Write a value, which may lie at any address."""
        self.builder.store(value, self.builder.bitcast(pointer, value.type.as_pointer()), align=1)

    def prefetch(self, pointer) -> None:
        """Ask for a cache line without waiting for it; any address will do."""
        self.call("prefetch.p0i8", ir.VoidType(), pointer, INT32(0), INT32(3), INT32(1))

    def store_rows(self, count, rows: list, pointers: list) -> None:
        """Write the first `count` bytes of each of some equal vectors: 8, 16, 32 or 64 of them."""
        size = rows[0].type.count * rows[0].type.element.width // 8
        while size >= 8:
            with self.builder.if_then(self.builder.icmp_signed("==", count, INT64(size))):
                for row, pointer in zip(rows, pointers, strict=True):
                    whole = self.builder.bitcast(row, lanes(BYTE, row.type.count * row.type.element.width // 8))
                    self.store(self.shuffle(whole, whole, range(size)), pointer)
            size //= 2

    @contextmanager
    def loop(self, count) -> Iterator[ir.Value]:
        """Emit the body of a loop from 0 to `count`, an LLVM value."""
        with cgutils.for_range(self.builder, count) as loop:
            yield loop.index

    def call(self, name: str, result: ir.Type, *values):
        """Call an LLVM intrinsic."""
        kind = ir.FunctionType(result, [value.type for value in values])
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.{name}"), values)

    def shuffle(self, x, y, mask: list[int]):
        """The lanes of x and y, numbered through, that `mask` names."""
        return self.builder.shuffle_vector(x, y, ir.Constant(lanes(INT32, len(mask)), list(mask)))

    def spread(self, scalar, count: int = LANES):
        """A vector that has `scalar` in each lane."""
        nothing = ir.Constant(lanes(scalar.type, count), ir.Undefined)
        return self.shuffle(self.builder.insert_element(nothing, scalar, INT32(0)), nothing, [0] * count)

    def interleave(self, x, y, size: int, high: int):
        """Elements of `size` bytes of x and y by turns, of the low or high half of each 16 bytes: one `vpunpck`."""
        kind, half = lanes(ir.IntType(8 * size), VECTOR // size), 8 // size
        first = [sixteen * 2 * half + high * half + k for sixteen in range(4) for k in range(half)]
        mask = [i + other for i in first for other in (0, VECTOR // size)]
        return self.shuffle(self.builder.bitcast(x, kind), self.builder.bitcast(y, kind), mask)

    def least(self, x, y, signed: bool = True):
        """The smaller of each pair of lanes."""
        compare = self.builder.icmp_signed if signed else self.builder.icmp_unsigned
        return self.builder.select(compare("<", x, y), x, y)

    def most(self, x, y, signed: bool = True):
        """The larger of each pair of lanes."""
        compare = self.builder.icmp_signed if signed else self.builder.icmp_unsigned
        return self.builder.select(compare(">", x, y), x, y)


def kernel_of(emit: Callable):
    """The intrinsic of one tuple of int64, whose body is what `emit(e, *values)` writes."""
    count = emit.__code__.co_argcount - 1

    def routine(typing, values):
        def generate(context, builder, signature, arguments):
            emit(Emitter(builder), *cgutils.unpack_tuple(builder, arguments[0], count))
            return context.get_dummy_value()

        return types.void(types.UniTuple(types.int64, count)), generate

    return intrinsic(routine)


@intrinsic
def address(typing, array):
    """Where the data of an array lie; whoever calls keeps the array alive."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.ptrtoint(data, INT64)

    return types.int64(array), generate
