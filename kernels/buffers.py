"""Memory that is used again: large results come from blocks that earlier results have left.

The system hands out a large array as a promise and fills it with pages of zeros while it is first written, 4 KiB at a
time; glibc gives it back as soon as it is free. A training step makes the same few hundred arrays again and again, and
would pay for their pages each time. Here a block outlives its array and waits for the next one of its size.
"""

from __future__ import annotations

import math
import os
from collections import defaultdict

import numpy as np

#: Bytes below which the C library's own memory is as good.
SMALL = 1 << 16

#: Blocks begin on a cache line, so that no vector straddles two.
LINE = 64

#: Sizes are rounded up to a multiple of this part of their power of two, so that near sizes share blocks.
STEPS = 8


#: Bytes that may lie free at most; a block that would be too much goes back to the system.
MOST = 1 << 31


class _Pool:
    """Free blocks by their size in bytes. Appending and popping are atomic, so threads may share it."""

    def __init__(self):
        self.blocks: dict[int, list[np.ndarray]] = defaultdict(list)

    def take(self, size: int) -> np.ndarray:
        """A block of a size, a free one if there is any."""
        try:
            return self.blocks[size].pop()
        except IndexError:
            memory = np.empty(size + LINE, np.uint8)
            first = -memory.ctypes.data % LINE
            return memory[first : first + size]

    def give(self, block: np.ndarray) -> None:
        """Keep a block for the next one who wants its size."""
        if self.free() + block.nbytes <= MOST:
            self.blocks[block.nbytes].append(block)

    def free(self) -> int:
        """Bytes that lie free."""
        return sum(size * len(blocks) for size, blocks in list(self.blocks.items()))


_pool = _Pool()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.blocks.clear)


class _Lease:
    """A block that is in use. NumPy keeps it alive as the base of its array and of all views of it."""

    def __init__(self, block: np.ndarray, pool: _Pool):
        self._block, self._pool = block, pool
        self.__array_interface__ = block.__array_interface__

    def __del__(self):
        self._pool.give(self._block)


def rounded(nbytes: int) -> int:
    """The size of the block that holds so many bytes."""
    step = max((1 << nbytes.bit_length()) // (2 * STEPS), 1)
    return -(-nbytes // step) * step


def empty(shape: tuple[int, ...], dtype) -> np.ndarray:
    """An array with whatever its memory holds; large ones take a block that lies free, if there is one.

    Examples
    --------
    >>> first = empty((1000, 1000), np.float32)
    >>> place = first.ctypes.data
    >>> del first
    >>> empty((1000, 1000), np.float32).ctypes.data == place
    True
    """
    dtype = np.dtype(dtype)
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes < SMALL:
        return np.empty(shape, dtype)
    lease = _Lease(_pool.take(rounded(nbytes)), _pool)
    return np.asarray(lease)[:nbytes].view(dtype).reshape(shape)


def free_bytes() -> int:
    """Bytes that lie free and wait to be used again."""
    return _pool.free()


def release() -> None:
    """Give all free blocks back to the system."""
    _pool.blocks.clear()
