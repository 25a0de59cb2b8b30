"""The engine's kernel.

What the engine runs. It unfolds nothing: the tile takes a table with the place of each pixel, and how far it is from
one tap to the next, and so reads the patches from the image itself (Dukhan 2019, "The Indirect Convolution
Algorithm"). The nine-fold copy is gone, and with it the border: only the lines of a band that touch the edge of the
image are copied, with their zeros, into a scratch.
"""

from __future__ import annotations

from ... import conv2d

__all__ = ["conv2d"]
