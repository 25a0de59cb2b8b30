"""Weights packed into panels, and the register tile that multiplies bytes by them, for the machine at hand.

A panel is sixteen output channels. AVX-512 VNNI multiplies four steps of the depth at once in each lane, so a panel
holds (depth / 4, 16 channels, 4); elsewhere a step is a multiplication of its own, in (depth / 4, 4, 16 channels).
Both add the same integers, so they give the same sums to the last bit.
"""

from __future__ import annotations

import numpy as np

from .jit import COMPILED, ISA, compiled
from .sizes_int8 import PANEL, round_up

if COMPILED:
    from .vectors_int8 import dot_tile_1, dot_tile_2


def pack_panels(weight: np.ndarray) -> np.ndarray:
    """Pack int8 weights (segments, depth, channels) for `dot_tile`, zeros filling depth to 4 and channels to 16."""
    segments, depth, channels = weight.shape
    padded = np.zeros((segments, round_up(depth, 4), round_up(channels, PANEL)), np.int8)
    padded[:, :depth, :channels] = weight
    steps, panels = padded.shape[0] * padded.shape[1] // 4, padded.shape[2] // PANEL
    order = (2, 0, 3, 1) if ISA == "avx512" else (2, 0, 1, 3)
    return np.ascontiguousarray(padded.reshape(steps, 4, panels, PANEL).transpose(order)).reshape(-1)


@compiled()
def dot_tile(source, offsets, segments, stride, depth, weights, weights_at, panel, count, sums):
    """sums (ROWS, 2·PANEL) ← the bytes at each of ROWS `offsets` times `count` panels, 1 or 2.

    Each window is `segments` stretches of 4·`depth` bytes, `stride` apart. Panels are `panel` bytes long.
    """
    if count == 2:
        dot_tile_2(source, offsets, segments, stride, depth, weights, weights_at, panel, sums)
    else:
        dot_tile_1(source, offsets, segments, stride, depth, weights, weights_at, panel, sums)
