"""The one rounding of a layer, fused to the store: int32 sums in registers become bytes in memory.

    q = clip(zero_point + (((sum + f/256)·m + 2^(s−1)) >> s), low, high)        (Jacob et al. 2018, section 2.2)

f is what a bias of whole steps leaves over, in 256ths of a step of the sums. With t = ⌊f·m/256⌋ + 2^(s−1), one number a
channel, that is (sum·m + t) >> s, because what ⌊⌋ drops is less than 1, and the shift drops it anyhow. Products and
t have 64 bits, of which vectors of sums hold half as many. For s ≥ 33 only the high half of a total is shifted,

    high(sum·m + t) >> (s−32),

exactly. A channel of smaller s is `steep`: its multiplier is 1/4 or more. It is brought to s = 33 by a sum shifted left
33 − s, held to what still fits; it fits as far as the byte is not yet at the end of its range, see `rescaling`.
Packing to int16 and to bytes saturates, and so clamps for free.
"""

from __future__ import annotations

import numpy as np

from .jit import COMPILED
from .sizes_int8 import VECTOR, round_up

#: Rows of a block of parameters, one int32 a channel; t takes two.
PARAMETERS = 8
BIAS, EVEN, ODD, TERM_EVEN, TERM_ODD, SHIFT, LIMIT, RAISE = range(PARAMETERS)
#: Vectors of the bounds of a layer.
ZERO_POINT, LOW, HIGH = range(3)

if COMPILED:
    from .instructions_int8 import pack_bytes, pack_words
    from .vectors_int8 import BYTES, INT32, INT64, LONGS, SUMS, WORDS, Emitter, lanes, splat


# ---- while a plan is made: parameters as the vector code reads them --------------------------------------------------


def channel_order(vectors: int) -> np.ndarray:
    """The channel in each lane of `vectors` vectors of sums, such that packing leaves the bytes in natural order.

    Packing takes four lanes of each vector by turns. Weights and parameters are permuted once instead of every sum.
    """
    vector, sixteen, element = np.indices((vectors, 4, 4))
    return (sixteen * 4 * vectors + vector * 4 + element).reshape(-1)


def rescaling(bias, fraction, multiplier, shift) -> np.ndarray:
    """The rows of parameters (8, channels) for channels that are scaled by multiplier·2^−shift.

    A multiplier below 2^30 takes a power of two from its shift: both sides of the rule stay the same. Then m ≥ 2^30 or
    s = 62, and s below 22 may be 22, since either way any sum but 0 leaves the range of a byte (fractions are 0 there:
    `checks_int8.fraction`). The sums of a steep channel leave it from about 2^(s−22) on, and `LIMIT`, 2^(s−2) or so, is
    beyond that.
    """
    m, s = np.asarray(multiplier, np.int64), np.asarray(shift, np.int64)
    room = np.minimum(31 - np.frexp(m.astype(np.float64))[1], 62 - s)
    m, s = m << room, np.maximum(s + room, 22)
    steep, s = np.maximum(33 - s, 0), np.maximum(s, 33)
    term = ((np.asarray(fraction, np.int64) * m << steep) >> 8) + (np.int64(1) << (s - 1))
    low, high = term.astype(np.uint32).view(np.int32), term >> 32
    return np.stack([bias, m, m, low, high, s - 32, (2**31 - 1) >> steep, steep]).astype(np.int32)


def is_steep(rows: np.ndarray) -> bool:
    """Whether any channel needs its sums raised."""
    return bool(rows[RAISE].any())


def parameter_blocks(rows: np.ndarray, vectors: int) -> np.ndarray:
    """Rows of parameters (8, channels) as one block (8, vectors, lanes) for each stretch of channels, flat."""
    order = channel_order(vectors)
    table = np.zeros((len(rows), round_up(rows.shape[1], order.size)), np.int32)
    table[:, : rows.shape[1]] = rows
    table = table.reshape(len(rows), -1, order.size)[:, :, order]
    table[ODD] = np.roll(table[ODD], -1, axis=-1)  # a product takes the even lanes, so the odd ones move there
    halves = table[TERM_EVEN : TERM_ODD + 1]  # low and high; each lane of 64 bits wants both side by side
    table[TERM_EVEN : TERM_ODD + 1] = [
        np.stack(list(halves[..., parity::2]), axis=-1).reshape(halves.shape[1:]) for parity in (0, 1)
    ]
    return table.transpose(1, 0, 2).reshape(-1)


def bounds(zero_point: int, low: int, high: int) -> np.ndarray:
    """Zero point and bounds as vectors of int16 and of bytes, flat int32."""
    words, limits = np.full(VECTOR // 2, zero_point, np.int16), np.repeat(np.uint8([low, high]), VECTOR)
    return np.concatenate([words.view(np.int32), limits.view(np.int32)])


# ---- while a kernel is compiled --------------------------------------------------------------------------------------


def raise_steep(e: Emitter, cells, parameters, steep) -> None:
    """Where the layer is `steep`: each sum of `cells` (rows, vectors) is held to ±LIMIT and shifted left by RAISE."""
    build, width = e.builder, len(cells[0])
    with build.if_then(build.icmp_signed("!=", steep, steep.type(0)), likely=False):
        for row in cells:
            for j, cell in enumerate(row):
                limit, up = (e.load(e.at(parameters, (name * width + j) * VECTOR)) for name in (LIMIT, RAISE))
                held = e.most(e.least(build.load(cell), limit), build.sub(splat(SUMS, 0), limit))
                build.store(build.shl(held, up), cell)


def scale_down(e: Emitter, sums, parameter):
    """high(sums·m + t) >> (s−32), where `parameter(name)` is a vector of the block."""
    build, half = e.builder, splat(LONGS, 32)

    def low(x):  # of two such halves LLVM makes one vpmuldq
        return build.ashr(build.shl(build.bitcast(x, LONGS), half), half)

    even = build.mul(low(sums), low(parameter(EVEN)))
    odd = build.mul(build.ashr(build.bitcast(sums, LONGS), half), low(parameter(ODD)))
    even, odd = (
        build.add(product, build.bitcast(parameter(name), LONGS))
        for product, name in ((even, TERM_EVEN), (odd, TERM_ODD))
    )
    by_turns = [lane for high in range(1, 16, 2) for lane in (high, 16 + high)]
    high = e.shuffle(build.bitcast(even, SUMS), build.bitcast(odd, SUMS), by_turns)
    return build.ashr(high, parameter(SHIFT))


def to_bytes(e: Emitter, rows, parameters, limits) -> list:
    """Sums (rows, vectors) as vectors of 64 bytes: 4 / vectors rows in each.

    Column by column, so that a column's parameters are read once.
    """
    width = len(rows[0])
    columns = []
    for j in range(width):
        names = {
            name: e.load(e.at(parameters, (name * width + j) * VECTOR))
            for name in (EVEN, ODD, TERM_EVEN, TERM_ODD, SHIFT)
        }
        columns.append([scale_down(e, row[j], names.__getitem__) for row in rows])
    scaled = [x for row in zip(*columns, strict=True) for x in row]
    scaled += scaled[-1:] * (-len(scaled) % 4)
    zero_point = e.load(limits, WORDS)
    low, high = (e.load(e.at(limits, bound * VECTOR), BYTES) for bound in (LOW, HIGH))
    words = [
        e.call("sadd.sat.v32i16", WORDS, pack_words(e, *scaled[i : i + 2]), zero_point)
        for i in range(0, len(scaled), 2)
    ]
    packed = [pack_bytes(e, *words[i : i + 2]) for i in range(0, len(words), 2)]
    return [e.least(e.most(x, low, signed=False), high, signed=False) for x in packed]


def row_of(e: Emitter, packed, row: int, width: int):
    """The bytes of one row of `width` vectors of sums, from the vectors that `to_bytes` made."""
    per_vector = 4 // width
    whole = packed[row // per_vector]
    if per_vector == 1:
        return whole
    cast = e.builder.bitcast(whole, lanes({1: INT32, 2: INT64}[width], 16 // width))
    return e.shuffle(cast, cast, [sixteen * per_vector + row % per_vector for sixteen in range(4)])
