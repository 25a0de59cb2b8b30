"""What the machine can do at most: loops that do nothing but multiply and add, or load, or copy.

A kernel's speed means something only beside the machine's. Each loop here is the most favourable case of one thing
that a kernel does: CHAINS independent sums, since a multiply-add that takes four cycles can be started twice a cycle
and so eight or more must be under way; no load that waits; no store. The sums are read from memory and written back
there, and come out as a number that can be foretold: whoever measures checks it, and so knows that no compiler has
done away with the loop.
"""

from __future__ import annotations

import numpy as np

from ..jit import COMPILED, best_path, compiled, prange

if not COMPILED:
    raise ImportError("these loops are machine code: they need Numba")

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

#: The widest vectors that this machine has, whatever TINYSLIM_ISA says: it is the machine that is measured.
VECTOR_BYTES = {"plain": 16, "avx2": 32, "avx512": 64}[best_path()]
#: Lanes of a vector of floats, which are as many as of sums of 32 bits.
FLOATS = VECTOR_BYTES // 4
CHAINS = 12
#: Whether `vpdpbusd` is there.
DOT = best_path() == "avx512"
#: Operations that one step of a chain makes: a multiplication and an addition a float, or of each byte.
FLOAT_OPERATIONS = 2 * FLOATS
#: Without it a vector holds pairs of 16 bits at best (`vpmaddwd`).
BYTE_OPERATIONS = 2 * VECTOR_BYTES if DOT else VECTOR_BYTES

INDEX = ir.IntType(64)


def multiply_add(builder, total, factor):
    """total·factor + factor, in each lane of a vector of floats."""
    kind = ir.FunctionType(total.type, [total.type] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{FLOATS}f32")
    return builder.call(function, [total, factor, factor])


def multiply_add_bytes(builder, total, factor):
    """total + the products of factor's bytes with themselves, four a lane, or of its pairs of 16 bits with total's."""
    if DOT:
        kind = ir.FunctionType(total.type, [total.type] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpdpbusd.512")
        return builder.call(function, [total, factor, factor])
    pairs, wide = ir.VectorType(ir.IntType(16), 2 * FLOATS), ir.VectorType(ir.IntType(32), 2 * FLOATS)
    product = builder.mul(*(builder.sext(builder.bitcast(value, pairs), wide) for value in (total, factor)))
    even, odd = (ir.Constant(ir.VectorType(ir.IntType(32), FLOATS), list(range(i, 2 * FLOATS, 2))) for i in (0, 1))
    nothing = ir.Constant(wide, ir.Undefined)
    halves = [builder.shuffle_vector(product, nothing, lanes) for lanes in (even, odd)]
    return builder.add(total, builder.add(*halves))


def vector_at(context, builder, array_type, array, place, kind):
    """A pointer to the vector that begins at an element of an array."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [place]), kind.as_pointer())


def emit_chains(context, builder, signature, arguments, kind, turns, advance):
    """CHAINS vectors of sums come from memory, go through `turns` rounds of `advance(sum, round, number)`, and back."""
    offsets = [builder.add(arguments[1], INDEX(i * kind.count)) for i in range(CHAINS)]
    places = [vector_at(context, builder, signature.args[0], arguments[0], offset, kind) for offset in offsets]
    cells = [cgutils.alloca_once_value(builder, builder.load(place, align=4)) for place in places]
    with cgutils.for_range(builder, turns) as loop:
        for number, cell in enumerate(cells):
            builder.store(advance(builder.load(cell), loop.index, number), cell)
    for place, cell in zip(places, cells, strict=True):
        builder.store(builder.load(cell), place, align=4)
    return context.get_dummy_value()


def chains(element: ir.Type, step):
    """An intrinsic (sums, sums_at, factor, steps): `steps` times, each of CHAINS vectors ← step(vector, factor)."""

    def typer(typing, sums, sums_at, factor, steps):
        def generate(context, builder, signature, arguments):
            kind = ir.VectorType(element, FLOATS)
            place = vector_at(context, builder, signature.args[2], arguments[2], INDEX(0), kind)
            right = builder.load(place, align=4)

            def advance(total, turn, number):
                return step(builder, total, right)

            return emit_chains(context, builder, signature, arguments, kind, arguments[3], advance)

        return types.void(sums, types.int64, factor, types.int64), generate

    return intrinsic(typer)


@intrinsic
def load_chains(typing, sums, sums_at, values, values_at, turns):
    """Each of CHAINS vectors of sums += every CHAINS-th vector of values."""

    def generate(context, builder, signature, arguments):
        kind = ir.VectorType(ir.FloatType(), FLOATS)

        def advance(total, turn, number):
            offset = builder.add(builder.mul(turn, INDEX(CHAINS * FLOATS)), INDEX(number * FLOATS))
            place = builder.add(arguments[3], offset)
            values_place = vector_at(context, builder, signature.args[2], arguments[2], place, kind)
            return builder.fadd(total, builder.load(values_place, align=4))

        return emit_chains(context, builder, signature, arguments, kind, arguments[4], advance)

    size = types.int64
    return types.void(sums, size, values, size, size), generate


@intrinsic
def stream(typing, source, target, at, turns):
    """target[at :] ← source[at :], so many vectors, written past the caches (a cached store reads the line first)."""

    def generate(context, builder, signature, arguments):
        kind = ir.VectorType(ir.FloatType(), FLOATS)
        past_caches = builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)])
        with cgutils.for_range(builder, arguments[3]) as loop:
            place = builder.add(arguments[2], builder.mul(loop.index, INDEX(FLOATS)))
            begin, end = (vector_at(context, builder, signature.args[i], arguments[i], place, kind) for i in (0, 1))
            written = builder.store(builder.load(begin, align=4), end, align=VECTOR_BYTES)
            written.set_metadata("nontemporal", past_caches)
        return context.get_dummy_value()

    return types.void(source, target, types.int64, types.int64), generate


float_chains = chains(ir.FloatType(), multiply_add)
byte_chains = chains(ir.IntType(32), multiply_add_bytes)


@compiled(parallel=True)
def multiply_floats(sums, factor, steps):
    """sums (threads, CHAINS · FLOATS) float32 ← `steps` times sums · factor + factor, a row a thread."""
    flat = sums.reshape(-1)
    for thread in prange(len(sums)):
        float_chains(flat, np.int64(thread) * sums.shape[1], factor, steps)


@compiled(parallel=True)
def multiply_bytes(sums, factor, steps):
    """sums (threads, CHAINS · FLOATS) int32 ← `steps` times sums + factor · factor, a row a thread."""
    flat = sums.reshape(-1)
    for thread in prange(len(sums)):
        byte_chains(flat, np.int64(thread) * sums.shape[1], factor, steps)


@compiled(parallel=True)
def load_floats(sums, values, passes):
    """sums (threads, CHAINS · FLOATS) += the vectors of values (threads, size), `passes` times: cached loads."""
    flat, source = sums.reshape(-1), values.reshape(-1)
    for thread in prange(len(sums)):
        row, size = np.int64(thread), values.shape[1]
        for _ in range(passes):
            load_chains(flat, row * sums.shape[1], source, row * size, size // sums.shape[1])


@compiled(parallel=True)
def copy(source, target):
    """target (threads, size) ← source, a row a thread."""
    left, right = source.reshape(-1), target.reshape(-1)
    for thread in prange(len(source)):
        size = source.shape[1]
        stream(left, right, np.int64(thread) * size, size // FLOATS)
