"""Convolutions whose filters are packed once: what a Program runs again and again."""

from __future__ import annotations

import math

import numpy as np

from . import geometry
from .convolution import convolve, is_pointwise
from .matrix_product import ROWS_AT_ONCE
from .depthwise import convolve_channels
from .panels import Matrix, pack, padded, width
from .threads import run
from .walk import Walk, forward_walk, output_offsets, pixel_offsets


class Prepared:
    """A float32 convolution with its bias and its bounds, for images of one shape.

    Parameters
    ----------
    weight : float32 array (filter_y, filter_x, cin, cout), or (filter_y, filter_x, c) for a depthwise one
    bias : float32 array (cout,)
    image : tuple of int
        (y, x, cin) of one image.
    stride, padding
        As `conv2d` takes them.
    low, high : float or None
        Bounds of the output: the activation.
    """

    def __init__(self, weight, bias, image: tuple[int, int, int], stride=1, padding=0, low=None, high=None):
        self.window = geometry.window((1, *image), weight.shape[:2], stride, padding)
        self.depthwise = weight.ndim == 3
        self.channels = weight.shape[-1]
        self.panels = pack(Matrix.of(weight.reshape(-1, self.channels)))
        self.start = padded(bias, self.channels, weight.dtype)
        self.image = image
        self.low, self.high = low, high
        self._layout = self._lay_out(1)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The convolution of float32 x (n, y, x, cin), C-contiguous and writable: (n, out_y, out_x, cout)."""
        layout = self._layout
        if layout[0] != len(x):
            layout = self._layout = self._lay_out(len(x))
        _, input_shape, walk, output_shape, pixels, outputs = layout
        out = np.empty(output_shape, x.dtype)
        convolution = convolve_channels if self.depthwise else convolve
        work = out.size * len(self.panels) // max(self.channels, 1)
        run(work, convolution, x.reshape(input_shape), walk, self.panels, self.start, out, pixels, outputs)
        if self.low is not None:
            np.maximum(out, out.dtype.type(self.low), out=out)
        if self.high is not None:
            np.minimum(out, out.dtype.type(self.high), out=out)
        return out.reshape(len(x), self.window.out_y, self.window.out_x, self.channels)

    def _lay_out(self, n: int) -> tuple:
        """(n, the input's shape, the walk, the output's shape, offsets of pixels and of outputs) for n images."""
        input_shape, window = (n, *self.image), self.window
        output_shape = (n, window.out_y, window.out_x, self.channels)
        if is_pointwise(window) and not self.depthwise:
            rows = n * math.prod(self.image[:2])
            input_shape, output_shape = (1, rows, 1, self.image[2]), (1, rows, 1, self.channels)
            walk = Walk(1, 1, 1, 0, 0, rows, 1, band=min(ROWS_AT_ONCE, max(rows, 1)))
        else:
            walk = forward_walk(input_shape, window, self._copied_channels)
        pixels = pixel_offsets(walk, self._copied_channels)
        return n, input_shape, walk, output_shape, pixels, output_offsets(walk, output_shape)

    @property
    def _copied_channels(self) -> int:
        """Channels of a band that are copied to the cache at once."""
        return width(self.start.dtype) if self.depthwise else self.image[2]
