"""Weights packed into panels, and the register tile that multiplies bytes by them, for the machine at hand.

A panel is sixteen output channels. The tile of AVX-512 takes four steps of the depth at once, so a panel holds
(depth / 4, 16 channels, 4). Without it each sum is a dot product along contiguous bytes, and a panel (16 channels, depth).
Both add the same integers, so they give the same sums to the last bit.
"""

from __future__ import annotations

import numpy as np

from . import jit
from .jit import compiled

ROWS, PANEL, LANES = 8, 16, 8
VECTORS = jit.COMPILED and jit.ISA == "avx512"

if jit.COMPILED:
    from .vectors_int8 import dot_tile_1, dot_tile_2


def round_up(count: int, unit: int) -> int:
    """The least multiple of `unit` that is not below `count`."""
    return -(-count // unit) * unit


def pack_panels(weight: np.ndarray) -> np.ndarray:
    """Pack int8 weights (segments, depth, channels) for `dot_tile`, zeros filling depth to 4 and channels to 16."""
    segments, depth, channels = weight.shape
    padded = np.zeros((segments, round_up(depth, 4), round_up(channels, PANEL)), np.int8)
    padded[:, :depth, :channels] = weight
    steps, panels = padded.shape[0] * padded.shape[1], padded.shape[2] // PANEL
    if VECTORS:
        return np.ascontiguousarray(padded.reshape(steps // 4, 4, panels, PANEL).transpose(2, 0, 3, 1)).reshape(-1)
    return np.ascontiguousarray(padded.reshape(steps, panels, PANEL).transpose(1, 2, 0)).reshape(-1)


if VECTORS:

    @compiled()
    def dot_tile(source, offsets, segments, stride, depth, weights, weights_at, panel, count, sums):
        """sums (ROWS, 2·PANEL) ← the bytes at each of ROWS `offsets` times `count` panels, 1 or 2."""
        if count == 2:
            dot_tile_2(source, offsets, segments, stride, depth, weights, weights_at, panel, sums)
        else:
            dot_tile_1(source, offsets, segments, stride, depth, weights, weights_at, panel, sums)

else:

    @compiled()
    def dot_tile(source, offsets, segments, stride, depth, weights, weights_at, panel, count, sums):
        """sums (ROWS, 2·PANEL) ← the bytes at each of ROWS `offsets` times `count` panels, 1 or 2."""
        for row in range(ROWS):
            for channel in range(count * PANEL):
                total = np.int32(0)
                for segment in range(segments):
                    a = offsets[row] + segment * stride
                    b = weights_at + (channel * segments + segment) * depth * 4
                    for k in range(depth * 4):
                        total = np.int32(total + np.int32(source[a + k]) * np.int32(weights[b + k]))
                sums[row * 2 * PANEL + channel] = total
