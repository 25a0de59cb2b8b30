"""The weight gradient of a convolution, and the product of a transposed matrix: sums over pixels."""

from __future__ import annotations

import numpy as np

from .jit import COMPILED, compiled, prange
from .panels import multiply, pack_panel, padded, width
from .threads import run
from .walk import Walk, band_input, columns, input_line, input_size, offsets

if COMPILED:
    from .moves import panel_width

#: Into so many parts the work is cut, for any number of threads: chunks of the pixels times groups of columns.
PARTS = 8

#: Elements of all chunks' sums together: many chunks of a large gradient would only travel through memory.
PARTIAL = 1 << 18


@compiled(parallel=True)
def correlate(x, walk, grad, partial, group, taps, rows):
    """partial (chunk, filter_y·filter_x·cin, cout) ← patches of x, transposed, times grad (n, out_y, out_x, cout).

    A chunk is a fixed share of the bands, an item of the loop one chunk's group of columns: the same sums in the same
    order with any number of threads.
    """
    n, cout = len(x), grad.shape[3]
    step = walk.stride * x.shape[3]
    chunks, depth, wide = partial.shape
    grads, sums = grad.reshape(-1), partial.reshape(-1)
    line = input_line(x, walk)
    bands = (walk.out_y + walk.band - 1) // walk.band
    groups = (wide + group - 1) // group
    panel = panel_width(x)
    for item in prange(chunks * groups):
        chunk, column = np.int64(item) // groups, np.int64(item) % groups * group
        end, place = min(column + group, cout), chunk * depth * wide + column
        band = np.empty(input_size(x, walk), x.dtype)
        packed = np.empty(walk.band * walk.out_x * group, x.dtype)
        for index in range(chunk * n * bands // chunks, (chunk + 1) * n * bands // chunks):
            image, first = index // bands, index % bands * walk.band
            left, left_at = band_input(x, image, walk, first, band)
            count = min(walk.band, walk.out_y - first)
            pixels = count * walk.out_x
            at = (image * walk.out_y + first) * walk.out_x * cout
            for j in range(column, end, panel):
                pack_panel(grads, cout, 1, at + j, pixels, min(panel, end - j), packed, (j - column) * pixels)
            steps = (count, walk.stride * line, walk.out_x, step)
            if walk.stride * line == walk.out_x * step:
                steps = (1, 0, pixels, step)
            multiply(left, left_at, taps, depth, steps, packed, sums, place, wide, sums, place, rows, end - column)


def weight_gradient(x: np.ndarray, walk: Walk, grad: np.ndarray) -> np.ndarray:
    """(filter_y·filter_x·cin, cout) ← x (n, y, x, cin), grad (n, out_y, out_x, cout), by `walk`."""
    cin, cout = x.shape[3], grad.shape[3]
    depth, wide, panel = walk.size_y * walk.size_x * cin, padded(None, cout, x.dtype).size, width(x.dtype)
    bands = -(-walk.out_y // walk.band) * len(x)
    chunks = min(max(PARTIAL // (depth * wide), 1), PARTS, max(bands, 1))
    group = -(-(wide // panel) * chunks // PARTS) * panel
    partial = np.zeros((chunks, depth, wide), x.dtype)
    taps = offsets(walk.size_y, columns(walk) * cin, walk.size_x * cin, 1)
    run(grad.size * depth, correlate, x, walk, grad, partial, group, taps, np.arange(depth) * wide)
    return np.ascontiguousarray(partial.sum(axis=0)[:, :cout])
