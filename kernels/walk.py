"""How a filter walks over images: a band of output rows at a time, its input copied to the cache with its padding.

In a band, the element that tap t sees at pixel p lies at pixels[p] + taps[t]: the two offsets add up. That is what the
register tile needs to read the patches, or their transpose, as a matrix that is never unfolded.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .geometry import Window
from .jit import COMPILED, compiled

if COMPILED:
    from .moves import clear, copy

#: Elements of a band's input that are kept in a core's cache.
CACHED = 1 << 14


class Walk(NamedTuple):
    """One walk over the images.

    `first_y`, `first_x`: where the first output's first tap lies in the image, negative in the padding. `out_y`,
    `out_x`: outputs of the walk; they lie at `origin_y` + `step`·y, `origin_x` + `step`·x of the output image.
    `band`: output rows done at once.
    """

    size_y: int
    size_x: int
    stride: int
    first_y: int
    first_x: int
    out_y: int
    out_x: int
    band: int
    origin_y: int = 0
    origin_x: int = 0
    step: int = 1


def columns(walk: Walk) -> int:
    """Input columns under a row of outputs."""
    return (walk.out_x - 1) * walk.stride + walk.size_x


def band_of(images: int, out_y: int, stride: int, size_y: int, line: int) -> int:
    """Output rows of a band whose input stays in the cache, with bands enough for all threads."""
    rows = max((CACHED // max(line, 1) - size_y) // stride + 1, 1)
    bands = max(-(-out_y // rows), -(-8 // max(images, 1)))
    return max(-(-out_y // bands), 1)


@lru_cache(maxsize=256)
def forward_walk(input_shape: tuple[int, ...], window: Window, channels: int) -> Walk:
    """The walk of a convolution over images of `input_shape`, `channels` of which are copied at once."""
    n = input_shape[0]
    walk = Walk(
        window.size_y, window.size_x, window.stride, -window.top, -window.left, window.out_y, window.out_x, band=1
    )
    return walk._replace(band=band_of(n, window.out_y, window.stride, window.size_y, columns(walk) * channels))


def phases(extent: int, size: int, stride: int, before: int) -> Iterator[tuple[slice, int, int, int]]:
    """How one axis of an input gradient falls into `stride` convolutions of stride 1.

    Pixel i of the input meets tap t of output o where o·stride + t = i + before. So tap t is met by every stride-th
    pixel alone, and the pixels of phase r = (i + before) mod stride by the taps r, r + stride, …, last tap first.

    Yields
    ------
    The phase's taps, how many they are, the first output that its first pixel sees, the first pixel, and their number.
    """
    for phase in range(stride):
        taps = len(range(phase, size, stride))
        lead = -(-(before - phase) // stride)
        origin = lead * stride + phase - before
        pixels = len(range(origin, extent, stride))
        if pixels:
            yield slice(phase, None, stride), taps, lead - taps + 1, origin, pixels


@lru_cache(maxsize=256)
def gradient_walks(input_shape: tuple[int, ...], window: Window, channels: int) -> tuple[tuple[Walk, tuple], ...]:
    """The walks over an output gradient of `channels` that make the gradient of the input, each with its taps."""
    walks, (n, in_y, in_x, _) = [], input_shape
    for taps_y, size_y, first_y, origin_y, out_y in phases(in_y, window.size_y, window.stride, window.top):
        for taps_x, size_x, first_x, origin_x, out_x in phases(in_x, window.size_x, window.stride, window.left):
            walk = Walk(size_y, size_x, 1, first_y, first_x, out_y, out_x, 1, origin_y, origin_x, window.stride)
            band = band_of(n, out_y, 1, size_y, columns(walk) * channels)
            walks.append((walk._replace(band=band), (taps_y, taps_x)))
    return tuple(walks)


def offsets(rows: int, row_step: int, count: int, step: int) -> np.ndarray:
    """The table of i·row_step + j·step for `rows` × `count` elements."""
    return np.add.outer(np.arange(rows) * row_step, np.arange(count) * step).reshape(-1)


def pixel_offsets(walk: Walk, channels: int) -> np.ndarray:
    """Where each pixel of a band has its first tap, in the band's input of `channels`."""
    return offsets(walk.band, walk.stride * columns(walk) * channels, walk.out_x, walk.stride * channels)


def output_offsets(walk: Walk, output_shape: tuple[int, ...]) -> np.ndarray:
    """Where each pixel of a band has its outputs, counted from the band's first one."""
    _, _, image_x, channels = output_shape
    return offsets(walk.band, walk.step * image_x * channels, walk.out_x, walk.step * channels)


@compiled(inline="always")
def input_line(x, walk):
    """Elements of a line of a band's input."""
    return ((walk.out_x - 1) * walk.stride + walk.size_x) * x.shape[3]


@compiled()
def input_size(x, walk):
    """Elements of a band's input; none if the walk never leaves the images, which are then read where they lie."""
    if lies_inside(x, walk):
        return 0
    return ((walk.band - 1) * walk.stride + walk.size_y) * input_line(x, walk)


@compiled(inline="always")
def lies_inside(x, walk):
    """Whether a band's input is whole lines of an image."""
    inside = walk.first_y == 0 and (walk.out_y - 1) * walk.stride + walk.size_y <= x.shape[1]
    return inside and walk.first_x == 0 and input_line(x, walk) == x.shape[2] * x.shape[3]


@compiled(inline="always")
def columns_inside(walk, y, in_y, in_x, span):
    """Of the `span` input columns of a walk, those from begin to end lie in the image's row y; none if y does not."""
    if y < 0 or y >= in_y:
        return span, span
    begin = min(max(-walk.first_x, 0), span)
    return begin, max(min(in_x - walk.first_x, span), begin)


@compiled()
def band_input(x, image, walk, first, band):
    """The input (lines, columns, c) under the output rows from `first`: where it begins, and in which array.

    In the images themselves, or copied to `band`, with zeros where the image ends.
    """
    _, in_y, in_x, c = x.shape
    flat, top = x.reshape(-1), walk.first_y + first * walk.stride
    if lies_inside(x, walk):
        return flat, (image * in_y + top) * in_x * c
    span = (walk.out_x - 1) * walk.stride + walk.size_x
    for line in range((min(walk.band, walk.out_y - first) - 1) * walk.stride + walk.size_y):
        begin, end = columns_inside(walk, top + line, in_y, in_x, span)
        source, target = ((image * in_y + top + line) * in_x + walk.first_x) * c, line * span * c
        clear(band, target, begin * c)
        copy(flat, source + begin * c, band, target + begin * c, (end - begin) * c)
        clear(band, target + end * c, (span - end) * c)
    return band, 0
