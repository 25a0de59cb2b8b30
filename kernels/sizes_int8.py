"""The sizes that packing, compiled code and arena agree on, and arrays that begin where cache lines do."""

from __future__ import annotations

import numpy as np

from .jit import ISA

#: Int32 sums of one vector, and bytes of one. Where registers are narrower, LLVM makes several of a vector.
LANES, VECTOR = 16, 64
#: Vectors of sums in a row of a register tile, and its rows: as many as the registers of the machine hold. Fourteen
#: rows also divide the images of 224 pixels and their halves without rest.
VECTORS, ROWS = {"plain": (1, 4), "avx2": (1, 6), "avx512": (2, 14)}[ISA]
#: Output channels of one panel of packed weights: those of a tile.
PANEL = VECTORS * LANES
#: Channels of one block of a depthwise convolution: a vector of bytes.
BLOCK = VECTOR


def round_up(count: int, unit: int) -> int:
    """The least multiple of `unit` that is not below `count`."""
    return -(-count // unit) * unit


def pixel_bytes(channels: int) -> int:
    """Bytes from one pixel to the next in the arena: whole vectors, or a part of one that goes into it evenly.

    Vectors may so run over the last channel and stay in their pixel: what they write there meets zero weights only.
    """
    parts = [part for part in (8, 16, 32) if channels <= part]
    return parts[0] if parts else round_up(channels, VECTOR)


def aligned(*shape: int, dtype=np.uint8) -> np.ndarray:
    """Zeros whose rows of a vector begin where cache lines do."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + VECTOR, np.uint8)
    start = -raw.ctypes.data % VECTOR
    return raw[start : start + size].view(dtype).reshape(shape)
