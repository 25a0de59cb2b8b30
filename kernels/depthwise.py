"""Depthwise convolution of floats, a filter for each channel, and its two gradients."""

from __future__ import annotations

import numpy as np

from . import checks
from .correlation import PARTS
from .jit import COMPILED, compiled, prange
from .panels import Matrix, pack, padded, panel_width
from .table import kernel
from .walk import (
    Walk,
    band_input,
    columns,
    forward_walk,
    gradient_walks,
    input_line,
    input_size,
    offsets,
    output_offsets,
    pixel_offsets,
)

if COMPILED:
    from .register_tile import CHANNEL_ROWS, channels_narrow, channels_wide


@compiled()
def multiply_channels(left, left_at, rows, count, depth, right, right_step, start, start_at, start_step, out, out_at, out_rows, channels):
    """(count, channels) ← Σ over the depth of left (count, depth, channels) · right (depth, channels), tile by tile."""
    wide = panel_width(out)
    steps = depth[0] * depth[2]
    for channel in range(0, channels, wide):
        rest = channels - channel
        for row in range(0, count, CHANNEL_ROWS):
            tile_rows = min(CHANNEL_ROWS, count - row)
