"""The register tile of bytes: a few pixels by one panel of output channels, whose sums never leave the registers.

    sums[row, channel] ← bias[channel] + Σ of window[row][segment, depth] · weights[segment, depth, channel]

A window is what a pixel's filter covers: `segments` lines of the image, of which each is one contiguous stretch in
memory. So a convolution of any size is this product, and no patch is copied. Four bytes of depth and their weights are
one step: the four bytes are spread over a vector, and each lane adds their products with the weights of its channel.
"""

from __future__ import annotations

import numpy as np

from .jit import COMPILED, compiled
from .rescale_int8 import channel_order
from .sizes_int8 import LANES, PANEL, ROWS, VECTOR, VECTORS, aligned, round_up

#: Bytes of one step of a panel's weights: four of the depth for each channel.
STEP = 4 * PANEL

if COMPILED:
    from numba.core import cgutils

    from .instructions_int8 import dot
    from .rescale_int8 import BIAS, raise_steep, row_of, to_bytes
    from .vectors_int8 import BYTE, FLOAT, INT16, INT32, INT64, SUMS, Emitter, address, kernel_of, lanes, splat


# ---- while a kernel is compiled --------------------------------------------------------------------------------------


def emit_pack(e: Emitter, source, width, steps, target):
    """One panel: of each four rows, `width` bytes apart, the bytes of a channel side by side in its lane."""
    source, target = e.pointer(source), e.pointer(target)
    by_turns = [lane + other for lane in range(PANEL) for other in (0, PANEL)]
    with e.loop(steps) as step:
        start = e.at(source, (e.builder.mul(step, INT64(4)), width))
        rows = [e.load(e.at(start, (width, k)), lanes(BYTE, PANEL)) for k in range(4)]
        pairs = [e.builder.bitcast(e.shuffle(*rows[k : k + 2], by_turns), lanes(INT16, PANEL)) for k in (0, 2)]
        fours = e.builder.bitcast(e.shuffle(*pairs, by_turns), lanes(INT32, PANEL))
        e.store(e.shuffle(fours, fours, channel_order(VECTORS).tolist()), e.at(target, (step, STEP)))


def natural_order(e: Emitter, cells) -> list:
    """A row's sums with the channels as they were before packing."""
    lane = np.argsort(channel_order(VECTORS)).tolist()
    x, y = e.builder.load(cells[0]), e.builder.load(cells[-1])
    return [e.shuffle(x, y, lane[LANES * j : LANES * (j + 1)]) for j in range(VECTORS)]


def row_offsets(e: Emitter, table, first, last, rows: int) -> list[tuple]:
    """(where to read, where to write) of pixels `first` … of a table; beyond `last` that pixel is repeated.

    A tile's last rows may so do the same work twice and write the same bytes to the same place.
    """
    pairs = []
    for row in range(rows):
        pixel = e.least(e.builder.add(first, INT64(row)), last)
        pair = e.load(e.at(table, (pixel, 16)), lanes(INT64, 2))
        pairs.append(tuple(e.builder.extract_element(pair, INT32(i)) for i in range(2)))
    return pairs


def accumulate(e: Emitter, cells, windows, segments, segment_step, depth, weights, ahead=None) -> None:
    """Add the products of `windows`, one pointer a row, to the sums in `cells` (rows, vectors).

    Each step also asks for one cache line from the address `ahead` on: weights that are needed soon.
    """
    build = e.builder
    with e.loop(segments) as segment:
        starts = [e.at(window, (segment, segment_step)) for window in windows]
        panel = e.at(weights, (build.mul(segment, depth), STEP))
        with e.loop(depth) as step:
            along, columns = build.mul(step, INT64(4)), e.at(panel, (step, STEP))
            vectors = [e.load(e.at(columns, VECTOR * j)) for j in range(VECTORS)]
            if ahead is not None:
                e.prefetch(e.at(ahead, (build.add(build.mul(segment, depth), step), VECTOR)))
            for start, row in zip(starts, cells, strict=True):
                four = e.spread(e.load(e.at(start, along), INT32))
                for cell, vector in zip(row, vectors, strict=True):
                    build.store(dot(e, build.load(cell), four, vector), cell)


def byte_tile(rows: int):
    """The kernel of a convolution: `rows` pixels, one panel of channels, bytes out.

    source, target: addresses to which a pixel's two entries of `table` are added. count: bytes of a pixel to write.
    """

    def emit(
        e: Emitter, source, segments, segment_step, depth, weights, parameters, limits, steep,
        table, first, last, target, count, ahead,
    ):  # fmt: skip
        parameters, limits, target = e.pointer(parameters), e.pointer(limits), e.pointer(target)
        offsets = row_offsets(e, e.pointer(table), first, last, rows)
        biases = [e.load(e.at(parameters, (BIAS * VECTORS + j) * VECTOR)) for j in range(VECTORS)]
        cells = [[cgutils.alloca_once_value(e.builder, bias) for bias in biases] for _ in range(rows)]
        windows = [e.at(e.pointer(source), place) for place, _ in offsets]
        accumulate(e, cells, windows, segments, segment_step, depth, e.pointer(weights), e.pointer(ahead))
        raise_steep(e, cells, parameters, steep)
        sums = [[e.builder.load(cell) for cell in row] for row in cells]
        # A store may change anything for all LLVM knows, so the arithmetic ends before the first one.
        packed = to_bytes(e, sums, parameters, limits)
        outputs = [row_of(e, packed, row, VECTORS) for row in range(rows)]
        e.store_rows(count, outputs, [e.at(target, place) for _, place in offsets])

    return kernel_of(emit)


def sum_tile(rows: int):
    """The kernel of a plain product: as `byte_tile`, but int32 sums out, `count` bytes of them in a row."""

    def emit(e: Emitter, source, depth, weights, table, first, last, target, count):
        target = e.pointer(target)
        offsets = row_offsets(e, e.pointer(table), first, last, rows)
        zero = splat(SUMS, 0)
        cells = [[cgutils.alloca_once_value(e.builder, zero) for _ in range(VECTORS)] for _ in range(rows)]
        windows = [e.at(e.pointer(source), place) for place, _ in offsets]
        accumulate(e, cells, windows, INT64(1), INT64(0), depth, e.pointer(weights))
        whole = e.builder.icmp_signed("==", count, INT64(4 * PANEL))
        buffer = e.builder.bitcast(cgutils.alloca_once(e.builder, lanes(INT32, PANEL)), BYTE.as_pointer())
        for row, (_, place) in zip(cells, offsets, strict=True):
            out = e.at(target, place)
            start = e.builder.select(whole, out, buffer)
            for j, vector in enumerate(natural_order(e, row)):
                e.store(vector, e.at(start, j * VECTOR))
            with e.builder.if_then(e.builder.not_(whole), likely=False):
                cgutils.raw_memcpy(e.builder, out, buffer, count, 1)

    return kernel_of(emit)


def logit_tile():
    """The kernel of a last layer: one row, float32 (sum + bias)·scale out."""

    def emit(e: Emitter, source, depth, weights, parameters, target):
        build, parameters = e.builder, e.pointer(parameters)
        vectors = [e.load(e.at(parameters, j * VECTOR)) for j in range(2 * VECTORS)]
        biases, scales = vectors[:VECTORS], vectors[VECTORS:]
        cells = [cgutils.alloca_once_value(build, splat(SUMS, 0)) for _ in biases]
        accumulate(e, [cells], [e.pointer(source)], INT64(1), INT64(0), depth, e.pointer(weights))
        for j, (total, bias, scale) in enumerate(zip(natural_order(e, cells), biases, scales, strict=True)):
            numbers = build.sitofp(build.add(total, bias), lanes(FLOAT, LANES))
            product = build.fmul(numbers, build.bitcast(scale, numbers.type))
            e.store(product, e.at(e.pointer(target), j * VECTOR))

    return kernel_of(emit)


if COMPILED:
    byte_tile_full, byte_tile_half, byte_tile_one = byte_tile(ROWS), byte_tile(ROWS // 2), byte_tile(1)
    sum_tile_full, sum_tile_one, logit_tile_one = sum_tile(ROWS), sum_tile(1), logit_tile()
    pack_panel = kernel_of(emit_pack)


# ---- while a plan is made --------------------------------------------------------------------------------------------


@compiled()
def interleave_rows(rows, packed):
    """packed (panels, rows / 4, channels of the panel, 4) ← rows (rows, channels)."""
    steps, width = rows.shape[0] // 4, rows.shape[1]
    for panel in range(width // PANEL):
        pack_panel((address(rows) + panel * PANEL, width, steps, address(packed) + panel * steps * STEP))


def pack_panels(weight: np.ndarray) -> np.ndarray:
    """Int8 weights (segments, depth, channels) as panels (segments, depth / 4, channels of the panel, 4), flat.

    Zeros fill depth to 4 and channels to PANEL. The channels of a panel stand in the order of `channel_order`.
    """
    segments, depth, channels = weight.shape
    padded = weight
    if depth % 4 or channels % PANEL:
        padded = np.zeros((segments, round_up(depth, 4), round_up(channels, PANEL)), np.int8)
        padded[:, :depth, :channels] = weight
    rows = np.require(padded.reshape(-1, padded.shape[2]), requirements=["C", "W"])
    packed = aligned(rows.size, dtype=np.int8)
    interleave_rows(rows, packed)
    return packed
