"""The engine's kernel.

What the engine runs. It is the tile again, freed of the ladder's comforts: no padding of pixels and channels, since it
stores only what is there, and so no copy cuts the result to its size. Channels are copied in panels of two vectors, as
the weights are packed, by moves of whole vectors. The bias is where the sums begin, so that it costs no pass over the
output; a second pass over memory would take longer than all the arithmetic.
"""

from __future__ import annotations

from ... import depthwise_conv2d

__all__ = ["depthwise_conv2d"]
