"""A convolution of one tap over deferred arrays, forward and backward: three matrix products that share their loads.

    y (pixel, cout) = a (pixel, cin) · W        dx = dy · Wᵀ        dW = aᵀ · dy

A block of pixels of a, or of dy, is computed into panels that stay in the cache (see `sources`), and the tiles read it
there: neither array ever reaches memory. Backward, one block of each serves two of the products.
"""

from __future__ import annotations

import numpy as np

from .buffers import empty
from .jit import COMPILED, compiled, prange
from .normalization import Measured, MeasuredGradient
from .panels import Matrix, multiply, pack_panel, padded, width
from .threads import run, scratch

if COMPILED:
    from numba import get_thread_id

    from .moves import clear, panel_width
    from .panel_sums import (
        MOMENTS,
        PASSING,
        combined_moments,
        gradient_sums,
        is_measured,
        measure_block,
        measure_gradient,
    )
    from .sources import load_panel, source

#: Pixels of a block, and panels of channels whose products are summed before the sums leave the registers: a part of a
#: packed weight's panel that stays in the first cache while all pixels of the block meet it.
BLOCK, DEEP = 128, 8

#: Elements of all chunks' weight gradients together, and the fewest and most chunks, each a fixed share of the pixels.
PARTIAL, FEWEST, MOST = 1 << 20, 2, 8


@compiled(parallel=True)
def pack_weight(weight, row_step, column_step, depth, columns, deep, packed):
    """packed (part of the depth, panel of columns, rows of the part, width) ← a matrix (depth, columns), then zeros."""
    panel = panel_width(packed)
    panels, whole = (columns + panel - 1) // panel, (depth + panel - 1) // panel * panel
    for item in prange((depth + deep - 1) // deep * panels):
        first, column = np.int64(item) // panels * deep, np.int64(item) % panels * panel
        rows, filled = min(deep, depth - first), min(deep, whole - first)
        place = (first * panels + column // panel * filled) * panel
        at = first * row_step + column * column_step
        pack_panel(weight, row_step, column_step, at, rows, min(panel, columns - column), packed, place)
        clear(packed, place + rows * panel, (filled - rows) * panel)


@compiled()
def multiply_deep(block, count, depth, deep, weight, start, out, out_at, out_step, rows, out_rows, columns):
    """out (count, columns) ← a block of pixels (panel, count, width) · packed weight + start, a part of it at once.

    What one part leaves is where the next one begins.
    """
    panel = panel_width(out)
    wide = (columns + panel - 1) // panel * panel
    sums, sums_at, sums_step = start, np.int64(0), np.int64(0)
    for first in range(0, depth, deep):
        steps = ((min(deep, depth - first) + panel - 1) // panel, count * panel, panel, 1)
        multiply(
            block, first * count, rows, count, steps, weight[first * wide :],
            sums, sums_at, sums_step, out, out_at, out_rows, columns,
        )  # fmt: skip
        sums, sums_at, sums_step = out, out_at, out_step


@compiled(inline="always")
def load_block(source, first, count, block):
    """block (panel of channels, count, width) ← the pixels from `first`."""
    c, panel = source.data.shape[3], panel_width(block)
    for channel in range(0, c, panel):
        load_panel(source, first * c + channel, c, channel, block, channel * count, panel, count)


@compiled(parallel=True)
def pointwise_forward(x, weight, deep, start, out, rows, out_rows, blocks, measured):
    """out (pixel, cout) ← x (pixel, cin) · packed (cin, cout) + start, a block of pixels at a time.

    `measured` (block, 3, cout filled up) takes up each block's moments, if it is not empty.
    """
    pixels, cout = out.shape
    flat, cin = out.reshape(-1), x.data.shape[3]
    for item in prange((pixels + BLOCK - 1) // BLOCK):
        first = np.int64(item) * BLOCK
        count = min(BLOCK, pixels - first)
        block = blocks[get_thread_id()]
        load_block(x, first, count, block)
        multiply_deep(block, count, cin, deep, weight, start, flat, first * cout, cout, rows, out_rows, cout)
        if len(measured):
            measure_block(out, first, count, 0, cout, measured[item])


@compiled(parallel=True)
def pointwise_backward(x, grad, transposed, deep, start, dx, partial, rows, dx_rows, sum_rows, blocks, measured):
    """dx (pixel, cin) ← grad · packed Wᵀ; partial (chunk, cin, cout filled up) ← each chunk's xᵀ · grad.

    `measured` (block, 2, cin filled up) takes up the sums of each block of dx, if it is not empty.
    """
    pixels, cin = dx.shape
    chunks, _, wide = partial.shape
    flat, sums, panel = dx.reshape(-1), partial.reshape(-1), panel_width(dx)
    cout, x_size = grad.data.shape[3], (cin + panel - 1) // panel * panel * BLOCK
    for item in prange(chunks):
        chunk = np.int64(item)
        begin, end = chunk * pixels // chunks, (chunk + 1) * pixels // chunks
        thread = get_thread_id()
        a, dy = blocks[thread, :x_size], blocks[thread, x_size:]
        taps = np.empty(cin, np.int64)
        partial[chunk] = 0
        for first in range(begin, end, BLOCK):
            count = min(BLOCK, end - first)
            load_block(x, first, count, a)
            load_block(grad, first, count, dy)
            for channel in range(cin):
                taps[channel] = channel // panel * count * panel + channel % panel
            place = chunk * cin * wide
            multiply(a, 0, taps, cin, (1, 0, count, panel), dy, sums, place, wide, sums, place, sum_rows, wide)
            multiply_deep(dy, count, cout, deep, transposed, start, flat, first * cin, cin, rows, dx_rows, cin)
            if len(measured):
                number = chunk * (len(measured) // chunks) + (first - begin) // BLOCK
                measure_gradient(dx, x, first, count, 0, cin, measured[number])


@compiled(parallel=True)
def add_chunks(partial, out):
    """out (row, column) ← Σ over chunks of partial (chunk, row, column filled up)."""
    chunks, rows, _ = partial.shape
    columns = out.shape[1]
    for item in prange(rows):
        for column in range(columns):
            out[item, column] = partial[0, item, column]
        for chunk in range(1, chunks):
            for column in range(columns):
                out[item, column] += partial[chunk, item, column]


def packed(weight: np.ndarray) -> tuple[np.ndarray, int]:
    """The packed parts of a matrix (depth, columns), or of a transpose, and how many rows a part has.

    The next part reads the sums of one as whole vectors: where columns do not end with a panel there is only one part.
    """
    matrix, panel = Matrix.of(weight), width(weight.dtype)
    whole = -(-matrix.rows // panel) * panel
    deep = DEEP * panel if matrix.columns % panel == 0 else whole
    panels = empty((whole * padded(None, matrix.columns, weight.dtype).size,), weight.dtype)
    steps = matrix.row_step, matrix.column_step
    run(panels.size, pack_weight, matrix.data, *steps, matrix.rows, matrix.columns, deep, panels)
    return panels, deep


def row_table(step: int, count: int = BLOCK) -> np.ndarray:
    """Where each row of a block begins."""
    return np.arange(count) * step


def forward(x, weight: np.ndarray, bias: np.ndarray | None):
    """(n, y, x, cout) ← an array or deferred one (n, y, x, cin) · (cin, cout) + bias; `Measured`, if x has a mean."""
    cin, cout = weight.shape
    pixels = x.size // cin
    out, start = empty((pixels, cout), x.dtype), padded(bias, cout, x.dtype)
    tables = row_table(width(x.dtype)), row_table(cout), scratch(BLOCK * padded(None, cin, x.dtype).size, x.dtype)
    measured = empty((-(-pixels // BLOCK) if is_measured(x) else 0, MOMENTS, start.size), x.dtype)
    run(x.size * cout, pointwise_forward, source(x), *packed(weight), start, out, *tables, measured)
    shaped = out.reshape(*x.shape[:3], cout)
    if not len(measured):
        return shaped
    counts = np.full(len(measured), BLOCK)
    counts[-1] = pixels - BLOCK * (len(counts) - 1)
    return Measured(shaped, *combined_moments(measured, counts, cout))


def backward(x, grad, weight: np.ndarray) -> tuple:
    """dx (n, y, x, cin) and dW (cin, cout) ← x, grad (n, y, x, cout), each an array or a deferred one.

    dx is a `MeasuredGradient`, if x has a mean.
    """
    cin, cout = weight.shape
    pixels, wide = x.size // cin, padded(None, cout, x.dtype).size
    dx, dw = empty((pixels, cin), x.dtype), empty((cin, cout), x.dtype)
    chunks = max(min(max(PARTIAL // (cin * wide), FEWEST), MOST, -(-pixels // BLOCK)), 1)
    partial, start = empty((chunks, cin, wide), x.dtype), padded(None, cin, x.dtype)
    tables = row_table(width(x.dtype)), row_table(cin), row_table(wide, cin)
    share = -(-pixels // chunks)
    measured = np.zeros((-(-share // BLOCK) * chunks if is_measured(x) else 0, PASSING, start.size), x.dtype)
    arguments = source(x), source(grad), *packed(weight.T), start, dx, partial, *tables
    run(2 * x.size * cout, pointwise_backward, *arguments, scratch(BLOCK * (start.size + wide), x.dtype), measured)
    run(partial.size, add_chunks, partial, dw)
    shaped = dx.reshape(x.shape)
    if not len(measured):
        return shaped, dw
    return MeasuredGradient(shaped, x, gradient_sums(measured, cin)), dw
