"""A convolution of one tap over deferred arrays, forward and backward: three matrix products that share their loads.

    y (pixel, cout) = a (pixel, cin) · W        dx = dy · Wᵀ        dW = aᵀ · dy

A block of pixels of a, or of dy, is computed into panels that stay in the cache (see `sources`), and the tiles read it
there: neither array ever reaches memory. Backward, one block of each serves two of the products.
"""

from __future__ import annotations

import numpy as np

from .buffers import empty
from .jit import COMPILED, compiled, prange
from .panels import Matrix, multiply, pack, padded, width
from .threads import run, scratch

if COMPILED:
    from numba import get_thread_id

    from .moves import panel_width
    from .sources import load_panel, source

#: Pixels of a block.
BLOCK = 128

#: Elements of all chunks' weight gradients together, and the fewest and most chunks, each a fixed share of the pixels.
PARTIAL, FEWEST, MOST = 1 << 20, 2, 8


@compiled(inline="always")
def load_block(source, first, count, block):
    """block (panel of channels, count, width) ← the pixels from `first`."""
    c, panel = source.data.shape[3], panel_width(block)
    for channel in range(0, c, panel):
        load_panel(source, first * c + channel, c, channel, block, channel * count, panel, count)


@compiled(parallel=True)
def pointwise_forward(x, weight, start, out, rows, out_rows, blocks):
    """out (pixel, cout) ← x (pixel, cin) · packed (cin, cout) + start, a block of pixels at a time."""
    pixels, cout = out.shape
    flat, panel = out.reshape(-1), panel_width(out)
    panels = (x.data.shape[3] + panel - 1) // panel
    for item in prange((pixels + BLOCK - 1) // BLOCK):
        first = np.int64(item) * BLOCK
        count = min(BLOCK, pixels - first)
        block = blocks[get_thread_id()]
        load_block(x, first, count, block)
        depth = (panels, count * panel, panel, 1)
        multiply(block, 0, rows, count, depth, weight, start, 0, 0, flat, first * cout, out_rows, cout)


@compiled(parallel=True)
def pointwise_backward(x, grad, transposed, start, dx, partial, rows, dx_rows, sum_rows, blocks):
    """dx (pixel, cin) ← grad · packed Wᵀ; partial (chunk, cin, cout filled up) ← each chunk's xᵀ · grad."""
    pixels, cin = dx.shape
    chunks, _, wide = partial.shape
    flat, sums, panel = dx.reshape(-1), partial.reshape(-1), panel_width(dx)
    x_panels, grad_panels = (cin + panel - 1) // panel, wide // panel
    for item in prange(chunks):
        chunk = np.int64(item)
        begin, end = chunk * pixels // chunks, (chunk + 1) * pixels // chunks
        thread = get_thread_id()
        a, dy = blocks[thread, : x_panels * BLOCK * panel], blocks[thread, x_panels * BLOCK * panel :]
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
            depth = (grad_panels, count * panel, panel, 1)
            multiply(dy, 0, rows, count, depth, transposed, start, 0, 0, flat, first * cin, dx_rows, cin)


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


def packed(weight: np.ndarray) -> np.ndarray:
    """The panels of a matrix (depth, columns), with rows of zeros that fill up the depth to whole panels."""
    missing = -len(weight) % width(weight.dtype)
    if missing:
        weight = np.concatenate([weight, np.zeros((missing, weight.shape[1]), weight.dtype)])
    return pack(Matrix.of(weight))


def row_table(step: int, count: int = BLOCK) -> np.ndarray:
    """Where each row of a block begins."""
    return np.arange(count) * step


def forward(x, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """(n, y, x, cout) ← an array or deferred one (n, y, x, cin) · (cin, cout) + bias."""
    cin, cout = weight.shape
    pixels = x.size // cin
    out = empty((pixels, cout), x.dtype)
    tables = row_table(width(x.dtype)), row_table(cout), scratch(BLOCK * padded(None, cin, x.dtype).size, x.dtype)
    run(x.size * cout, pointwise_forward, source(x), packed(weight), padded(bias, cout, x.dtype), out, *tables)
    return out.reshape(*x.shape[:3], cout)


def backward(x, grad, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dx (n, y, x, cin) and dW (cin, cout) ← x, grad (n, y, x, cout), each an array or a deferred one."""
    cin, cout = weight.shape
    pixels, wide = x.size // cin, padded(None, cout, x.dtype).size
    dx, dw = empty((pixels, cin), x.dtype), empty((cin, cout), x.dtype)
    chunks = max(min(max(PARTIAL // (cin * wide), FEWEST), MOST, -(-pixels // BLOCK)), 1)
    partial = empty((chunks, cin, wide), x.dtype)
    transposed = packed(weight.T if cout % width(x.dtype) == 0 else np.ascontiguousarray(weight.T))
    start = padded(None, cin, x.dtype)
    blocks = scratch(BLOCK * (start.size + wide), x.dtype)
    tables = row_table(width(x.dtype)), row_table(cin), row_table(wide, cin), blocks
    run(2 * x.size * cout, pointwise_backward, source(x), source(grad), transposed, start, dx, partial, *tables)
    run(partial.size, add_chunks, partial, dw)
    return dx.reshape(x.shape), dw
