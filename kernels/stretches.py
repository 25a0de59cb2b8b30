"""How arrays with channels on the last axis are cut for kernels that wait for memory.

Arrays are read flat, in stretches of whole pixels. Vectors of a number a channel are repeated to a stretch's length, so
that the inner loops are long and plain for eight channels as for a thousand.
"""

from __future__ import annotations

import numpy as np

#: Elements of a stretch, about; and stretches of a chunk, whose sums are taken together.
STRETCH, STRETCHES = 1 << 10, 16


def stretch(channels: int) -> int:
    """Elements of a stretch: whole pixels."""
    return max(STRETCH // channels, 1) * channels


def repeated(vector: np.ndarray, dtype) -> np.ndarray:
    """A number a channel, again and again, as long as a stretch."""
    out = np.empty(stretch(len(vector)), dtype)
    out.reshape(-1, len(vector))[...] = vector
    return out


def chunk_count(x: np.ndarray) -> int:
    """Chunks of an array: a matter of its shape alone, so that sums are the same with any number of threads."""
    return -(-x.size // (stretch(x.shape[-1]) * STRETCHES))
