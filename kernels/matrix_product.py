"""The matrix product, and the product of a transposed matrix: the output falls into parts, one thread makes a part.

A part packs what it multiplies into panels of its own, just before it multiplies. So they lie in its core's cache, and
no thread waits for another's packing. A panel that several parts need is packed by each of them: with some hundred
rows to multiply by it, that is a small share of the work.
"""

from __future__ import annotations

import math

import numpy as np

from .buffers import empty
from .jit import COMPILED, compiled, prange
from .panels import Matrix, multiply, pack_panel, padded, scratch, width
from .threads import run, thread_count

if COMPILED:
    from .moves import panel_width

#: Rows that meet one packed panel after the other while they stay in the cache.
ROWS_AT_ONCE = 64

#: Rows of a panel that stay in the first cache while tile after tile meets them.
PANEL_DEPTH = 256

#: Elements of packed panels that stay in a core's second cache.
PACKED = 1 << 17

#: Rows of both matrices whose products are summed before the sums leave the registers; their panels fit the first
#: cache.
DEPTH_AT_ONCE = 128

#: Into so many parts a transposed product falls, for any number of threads: the same sums in the same order.
PARTS = 8

#: Elements of all chunks' sums together: many chunks of a large gradient would only travel through memory.
PARTIAL = 1 << 18


@compiled()
def share(count, unit, part, parts):
    """Begin and end of the part-th of `parts` stretches of range(count), whole units but for the last."""
    units = (count + unit - 1) // unit
    return units * part // parts * unit, min(units * (part + 1) // parts * unit, count)


@compiled()
def pack_columns(matrix, row_step, column_step, at, depth, columns, panels, pitch):
    """Panels of (depth, width), `pitch` apart ← the matrix's (depth, columns) at `at`."""
    wide = panel_width(panels)
    for j in range(0, columns, wide):
        place = at + j * column_step
        pack_panel(matrix, row_step, column_step, place, depth, min(wide, columns - j), panels, j // wide * pitch)


@compiled(parallel=True)
def multiply_parts(a, matrix, row_step, column_step, start, out, row_parts, column_parts, rows, out_rows):
    """out (m, n) ← a (m, k) · (k, n) + start, each part a stretch of rows and one of columns."""
    (m, depth), n = a.shape, out.shape[1]
    left, flat, wide = a.reshape(-1), out.reshape(-1), panel_width(out)
    # The sums so far are read as whole panels: only where columns end with one do they lie all inside the output.
    deep = min(depth, PANEL_DEPTH) if n % wide == 0 else depth
    at_once = max(PACKED // max(deep * wide, 1), 1) * wide
    for item in prange(row_parts * column_parts):
        part = np.int64(item)
        first, last = share(m, 8, part // column_parts, row_parts)
        begin, end = share(n, wide, part % column_parts, column_parts)
        packed = scratch((min(at_once, end - begin) + wide) * deep, left)
        for column in range(begin, end, at_once):
            columns = min(at_once, end - column)
            for k in range(0, max(depth, 1), max(deep, 1)):
                steps, at = min(deep, depth - k), k * row_step + column * column_step
                pack_columns(matrix, row_step, column_step, at, steps, columns, packed, steps * wide)
                for row in range(first, last, ROWS_AT_ONCE):
                    count, place = min(ROWS_AT_ONCE, last - row), row * n + column
                    sums, sums_at, sums_step = (flat, place, n) if k else (start, column, np.int64(0))
                    multiply(
                        left, row * depth + k, rows, count, (1, 0, steps, 1), packed,
                        sums, sums_at, sums_step, flat, place, out_rows, columns,
                    )  # fmt: skip


def cut(m: int, n: int, wide: int, parts: int) -> tuple[int, int]:
    """Into how many stretches of rows and of columns (m, n) outputs fall: about `parts` together.

    Each stretch of rows packs all n columns, each stretch of columns reads all m rows: r·n and m·parts/r elements for
    each step of the depth. Packing one takes about twice as long as reading one, so r = √(parts·m / 2n) does best.
    """
    rows = int(math.sqrt(parts * m / (2 * max(n, 1))))
    rows = min(1 << max(rows, 1).bit_length() - 1, parts)
    return rows, min(max(parts // rows, 1), max(-(-n // wide), 1))


def product(a: np.ndarray, b: Matrix, bias: np.ndarray | None = None) -> np.ndarray:
    """(m, n) ← (m, k) · (k, n) + bias."""
    out = empty((len(a), b.columns), a.dtype)
    row_parts, column_parts = cut(len(a), b.columns, width(a.dtype), 4 * thread_count())
    tables = np.arange(ROWS_AT_ONCE) * a.shape[1], np.arange(ROWS_AT_ONCE) * b.columns
    start = padded(bias, b.columns, a.dtype)
    run(
        out.size * b.rows, multiply_parts, a, b.data, b.row_step, b.column_step, start, out,
        row_parts, column_parts, *tables,
    )  # fmt: skip
    return out


@compiled(parallel=True)
def correlate_parts(a, b, partial, row_parts, column_parts, zeros, taps, rows, out):
    """out (m, n) ← Σ over chunks of partial (chunk, m, width) ← Σ over the chunk's rows of a (k, m) and b (k, n).

    A part is a chunk of the depth k, a stretch of the m rows and one of the n columns.
    """
    (k, m), n = a.shape, b.shape[1]
    chunks, _, pitch = partial.shape
    left, right, sums = a.reshape(-1), b.reshape(-1), partial.reshape(-1)
    wide, panel = panel_width(out), DEPTH_AT_ONCE * panel_width(out)
    for item in prange(chunks * row_parts * column_parts):
        part = np.int64(item)
        chunk, row, column = part // (row_parts * column_parts), part // column_parts % row_parts, part % column_parts
        first, last = share(k, DEPTH_AT_ONCE, chunk, chunks)
        i, end_i = share(m, wide, row, row_parts)
        j, end_j = share(n, wide, column, column_parts)
        packed_left = scratch((end_i - i + wide) * DEPTH_AT_ONCE, left)
        packed_right = scratch((end_j - j + wide) * DEPTH_AT_ONCE, left)
        place = (chunk * m + i) * pitch + j
        start, start_at, start_step = zeros, np.int64(0), np.int64(0)
        for depth in range(first, max(last, first + 1), DEPTH_AT_ONCE):
            count = min(DEPTH_AT_ONCE, last - depth)
            pack_columns(left, m, 1, depth * m + i, count, end_i - i, packed_left, panel)
            pack_columns(right, n, 1, depth * n + j, count, end_j - j, packed_right, count * wide)
            multiply(
                packed_left, 0, taps, end_i - i, (1, 0, count, wide), packed_right,
                start, start_at, start_step, sums, place, rows, end_j - j,
            )  # fmt: skip
            start, start_at, start_step = sums, place, pitch
    for item in prange(PARTS):
        first, last = share(m, 1, np.int64(item), PARTS)
        for i in range(first, last):
            total, chunk_sums = out[i], partial[0, i]
            for j in range(n):
                total[j] = chunk_sums[j]
            for chunk in range(1, chunks):
                chunk_sums = partial[chunk, i]
                for j in range(n):
                    total[j] += chunk_sums[j]


def transposed_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(m, n) ← (k, m), transposed, · (k, n): the weight gradient of a convolution of one tap."""
    (k, m), n = a.shape, b.shape[1]
    wide = width(a.dtype)
    pitch, most = -(-n // wide) * wide, max(k // DEPTH_AT_ONCE, 1)
    chunks = min(PARTS, max(PARTIAL // max(m * pitch, 1), 1), most)
    rest = PARTS // chunks
    row_parts = 2 if rest >= 4 and m >= 2 * wide else 1
    column_parts = min(rest // row_parts, max(pitch // wide, 1))
    partial, out = empty((chunks, m, pitch), a.dtype), empty((m, n), a.dtype)
    taps = np.add.outer(np.arange(-(-m // wide)) * DEPTH_AT_ONCE * wide, np.arange(wide)).reshape(-1)
    arguments = (row_parts, column_parts, np.zeros(pitch, a.dtype), taps, np.arange(m) * pitch, out)
    run(k * m * n, correlate_parts, a, b, partial, *arguments)
    return out
