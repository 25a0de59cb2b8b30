"""The engine's kernel.

What the engine runs: the tile again, without padding of columns and channels, since it stores only what is there. The
lines are copied by moves of whole vectors.
"""

from __future__ import annotations

from ... import depthwise_conv2d

__all__ = ["depthwise_conv2d"]
