"""The few vector instructions that differ from CPU to CPU: the dot product of bytes, and packing with saturation.

An instruction that the CPU lacks would end the process, so each path names only its own. All give the same integers.
"""

from __future__ import annotations

import llvmlite.binding

from .jit import ISA
from .vectors_int8 import BYTE, BYTES, INT16, INT32, SUMS, WORDS, Emitter, lanes, splat


def halves(e: Emitter, x):
    """The two halves of a vector."""
    half = x.type.count // 2
    return [e.shuffle(x, x, list(range(start, start + half))) for start in (0, half)]


def in_halves(e: Emitter, name: str, result, *vectors):
    """Call an instruction of 32 bytes on either half of vectors of 64."""
    parts = [e.call(name, result, *pair) for pair in zip(*(halves(e, x) for x in vectors), strict=True)]
    return e.shuffle(*parts, list(range(2 * result.count)))


# ---- sums + Σ of four u8 × s8 products in each int32 lane ------------------------------------------------------------


def dot_vnni_512(e: Emitter, sums, activations, weights):
    """One `vpdpbusd` of AVX-512 VNNI."""
    return e.call("x86.avx512.vpdpbusd.512", SUMS, sums, activations, weights)


def dot_vnni_256(e: Emitter, sums, activations, weights):
    """Two `vpdpbusd` of AVX-VNNI, or of AVX-512 VNNI on narrow registers."""
    return in_halves(e, "x86.avx512.vpdpbusd.256", lanes(INT32, 8), sums, activations, weights)


def dot_words(e: Emitter, sums, activations, weights):
    """Without VNNI: even and odd bytes as int16, which two multiply-adds take. (`vpmaddubsw` would saturate.)"""
    build, eight = e.builder, splat(WORDS, 8)
    a, w = build.bitcast(activations, WORDS), build.bitcast(weights, WORDS)
    even = multiply_add(e, build.and_(a, splat(WORDS, 255)), build.ashr(build.shl(w, eight), eight))
    odd = multiply_add(e, build.lshr(a, eight), build.ashr(w, eight))
    return build.add(build.add(sums, even), odd)


def multiply_add(e: Emitter, x, y):
    """The sums of two neighbouring int16 products in each int32 lane."""
    if ISA == "avx2":
        return in_halves(e, "x86.avx2.pmadd.wd", lanes(INT32, 8), x, y)
    build, sixteen = e.builder, splat(SUMS, 16)
    x, y = build.bitcast(x, SUMS), build.bitcast(y, SUMS)
    low = [build.ashr(build.shl(number, sixteen), sixteen) for number in (x, y)]
    high = [build.ashr(number, sixteen) for number in (x, y)]
    return build.add(build.mul(*low), build.mul(*high))


def choose_dot():
    """The best dot product that this path may use and this CPU has."""
    present = {name for name, here in llvmlite.binding.get_host_cpu_features().items() if here}
    if ISA == "avx512":
        return dot_vnni_512
    narrow = "avxvnni" in present or {"avx512vnni", "avx512vl"} <= present
    return dot_vnni_256 if ISA == "avx2" and narrow else dot_words


dot = choose_dot()

# ---- packing: the lanes of x, then those of y, in each 16 bytes ------------------------------------------------------


def pack_words(e: Emitter, x, y):
    """Two vectors of int32 as one of int16, held to its range: `vpackssdw`."""
    if ISA == "avx512":
        return e.call("x86.avx512.packssdw.512", WORDS, x, y)
    if ISA == "avx2":
        return in_halves(e, "x86.avx2.packssdw", lanes(INT16, 16), x, y)
    return pack_plainly(e, x, y, INT16, -(2**15), 2**15 - 1)


def pack_bytes(e: Emitter, x, y):
    """Two vectors of int16 as one of unsigned bytes, held to their range: `vpackuswb`."""
    if ISA == "avx512":
        return e.call("x86.avx512.packuswb.512", BYTES, x, y)
    if ISA == "avx2":
        return in_halves(e, "x86.avx2.packuswb", lanes(BYTE, 32), x, y)
    return pack_plainly(e, x, y, BYTE, 0, 255)


def pack_plainly(e: Emitter, x, y, element, low: int, high: int):
    """The same on any CPU."""
    count, group = x.type.count, x.type.count // 4
    bounds = [splat(x.type, bound) for bound in (low, high)]
    x, y = (e.builder.trunc(e.least(e.most(v, bounds[0]), bounds[1]), lanes(element, count)) for v in (x, y))
    starts = [start + lane for lane in range(0, count, group) for start in (0, count)]
    return e.shuffle(x, y, [start + k for start in starts for k in range(group)])
