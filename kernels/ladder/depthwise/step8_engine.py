"""The engine's kernel.

What the engine runs: the tile again, without padding of columns and channels, since it stores only what is there. The
lines are copied by moves of whole vectors.
"""

from __future__ import annotations

from ... import depthwise_conv2d

#: A pixel of four bytes and a share of the weight for a multiplication and an addition, as in the step before.
BYTES_PER_OPERATION = 36 / 16

__all__ = ["BYTES_PER_OPERATION", "depthwise_conv2d"]
