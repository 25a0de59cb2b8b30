"""How depthwise loops go over images: in bands of lines, and which tile does them, as tables for compiled code."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .geometry import Window
from .jit import COMPILED
from .panels import padded, width
from .walk import Walk, forward_walk, offsets

if COMPILED:
    from .depthwise_tile import LINES, PIXELS, SIDE

#: Ways to fill a band: the tile for any filter, those of two lines at once with stride 1 or 2, and the four walks of
#: the gradient with stride 2 together.
ANY, STRIDE_1, STRIDE_2, SPREAD = range(4)

#: The columns of `Frame.bands`: output lines from FIRST to LAST, and of the padded input from TOP to BOTTOM.
FIRST, LAST, TOP, BOTTOM = range(4)

#: Elements of the padded input that stay in a core's cache, channels that are done together, and bands that occupy all
#: threads.
CACHED, TOGETHER, ITEMS = 1 << 16, 256, 8


class Frame(NamedTuple):
    """Images (n, y, x, c) with `margins` (top, left) of zeros that make them `extent`, under some walks, in bands.

    `walks` holds the fields of `Walk` a row, places counted in the padded image. In a band, pixels lie `step` apart.
    `pixels`, `outputs`: where the pixels of an output line lie, behind the first one, in the band and in the output.
    `taps`: where those of the first walk's filter lie. `elements`: of the largest band.
    """

    tile: int
    margins: tuple[int, int]
    extent: tuple[int, int]
    step: int
    walks: np.ndarray
    bands: np.ndarray
    pixels: np.ndarray
    outputs: np.ndarray
    taps: np.ndarray

    @property
    def elements(self) -> int:
        return int(max(self.bands[:, BOTTOM] - self.bands[:, TOP])) * self.extent[1] * self.step

    def tables(self) -> tuple:
        """What the loops take."""
        return self.tile, self.margins, self.extent, self.step, self.walks, self.bands, self.pixels, self.outputs


def pitch(channels: int, dtype) -> int:
    """Elements from one pixel to the next in the cache: an odd number of vectors, so that they fall into other sets."""
    panel = width(dtype)
    return -(-channels // panel) * panel + panel // 2


def filters_of(taps: np.ndarray) -> np.ndarray:
    """Filters (tap, c), each filled up to whole panels and an odd number of vectors."""
    size, c = taps.shape
    filters = np.zeros((size, pitch(c, taps.dtype)), taps.dtype)
    filters[:, :c] = taps
    return filters


def together(channels: int, dtype) -> int:
    """Channels that are done together: all, or shares of whole panels."""
    panel = width(dtype)
    shares = -(-channels // TOGETHER)
    return -(-channels // (shares * panel)) * panel


def tile_of(walks: Sequence[Walk], output_shape) -> int:
    """The tile that fills an output by these walks."""
    _, y, x, _ = output_shape
    if y < LINES or x < PIXELS:
        return ANY
    if len(walks) == 1 and walks[0][:2] == (SIDE, SIDE) and walks[0].stride <= 2:
        return (STRIDE_1, STRIDE_2)[walks[0].stride - 1]
    dealt = [(*walk[:2], walk.first_y, walk.first_x, walk.origin_y, walk.origin_x) for walk in walks]
    margin_1 = [(2, 2, 0, 0, 1, 1), (2, 1, 0, 0, 1, 0), (1, 2, 0, 0, 0, 1), (1, 1, 0, 0, 0, 0)]
    return SPREAD if dealt == margin_1 and walks[0].step == 2 and y % 2 == x % 2 == 0 else ANY


def lines_under(walks: Sequence[Walk], first: int, last: int) -> tuple[int, int]:
    """The input lines, from the first to behind the last one, that walks read for output lines from `first` on."""
    tops, bottoms = [], []
    for walk in walks:
        begin = max(-(-(first - walk.origin_y) // walk.step), 0)
        end = min(-(-(last - walk.origin_y) // walk.step), walk.out_y)
        if begin < end and walk.size_y:
            tops.append(walk.first_y + begin * walk.stride)
            bottoms.append(walk.first_y + (end - 1) * walk.stride + walk.size_y)
    return (min(tops), max(bottoms)) if tops else (0, 0)


def cut(lines: int, height: int) -> tuple[tuple[int, int], ...]:
    """Lines cut into bands of `height`; one line that is left over goes to the last band, for tiles need two."""
    starts = [first for first in range(0, lines, height) if first == 0 or lines - first >= LINES]
    return tuple(zip(starts, [*starts[1:], lines], strict=True))


def height_of(images: int, lines: int, stride: int, line: int) -> int:
    """Output lines of a band: an even number, in the cache, and bands enough for all threads."""
    height = min((CACHED // max(line, 1) - SIDE) // stride + 1, -(-lines * images // ITEMS))
    return max(height // 2 * 2, 2)


def margins(walks: Sequence[Walk], shape) -> tuple[tuple[int, int], tuple[int, int]]:
    """Zeros (top, left) around images of a shape, and the sides with all zeros, that keep all taps of walks inside."""
    _, in_y, in_x, _ = shape
    top, left = max([0, *(-w.first_y for w in walks)]), max([0, *(-w.first_x for w in walks)])
    bottom = max([in_y, *(w.first_y + (w.out_y - 1) * w.stride + w.size_y for w in walks)])
    right = max([in_x, *(w.first_x + (w.out_x - 1) * w.stride + w.size_x for w in walks)])
    return (top, left), (top + bottom, left + right)


def direct_frame(walks: tuple[Walk, ...], shape, output_shape) -> Frame:
    """The frame of walks that read images where they lie, by a tile that knows where these end."""
    n, in_y, in_x, c = shape
    cuts = cut(output_shape[1], height_of(n, output_shape[1], 1, in_x * c))
    bands = np.array([(*lines, 0, 0) for lines in cuts], np.int64)
    none = np.zeros(0, np.int64)
    table = np.array(walks, np.int64)
    return Frame(tile_of(walks, output_shape), (0, 0), (in_y, in_x), c, table, bands, none, none, none)


def frame(walks: tuple[Walk, ...], shape, output_shape, dtype, cuts=None, beside: tuple[Walk, ...] = ()) -> Frame:
    """The frame of walks over images of a shape; `cuts` are its bands, if they are not to be chosen here.

    The margins have room for the walks `beside`, too.
    """
    (n, _, _, c), (_, out_y, _, out_c) = shape, output_shape
    before, extent = margins((*walks, *beside), shape)
    step = pitch(together(c, dtype), dtype)
    inside = [walk._replace(first_y=walk.first_y + before[0], first_x=walk.first_x + before[1]) for walk in walks]
    stride, apart = max([1, *(walk.stride for walk in walks)]), max([1, *(walk.step for walk in walks)])
    cuts = cuts or cut(out_y, height_of(n, out_y, stride, extent[1] * step))
    bands = np.array([(*lines, *lines_under(inside, *lines)) for lines in cuts], np.int64).reshape(-1, 4)
    longest = max([0, *(walk.out_x for walk in walks)])
    taps = offsets(walks[0].size_y, extent[1] * step, walks[0].size_x, step) if walks else np.zeros(0, np.int64)
    return Frame(
        tile_of(walks, output_shape), before, extent, step, np.array(inside, np.int64).reshape(-1, 11), bands,
        np.arange(longest) * stride * step, np.arange(longest) * apart * out_c, taps,
    )  # fmt: skip


def frames(shape, grad_shape, own: Walk, walks: tuple[Walk, ...], dtype) -> tuple[Frame, Frame]:
    """The frames of a backward pass: of images under their own walk, of output gradients under `walks`.

    Their bands belong together. Where a tile takes two lines at once, zeros fill these up to whole tiles.
    """
    n, in_y, _, c = shape
    if own.size_y == own.size_x == SIDE and own.stride <= 2:
        own = own._replace(out_y=-(-own.out_y // LINES) * LINES, out_x=-(-own.out_x // PIXELS) * PIXELS)
    line = own.out_x * (own.stride + 1) * pitch(together(c, dtype), dtype)
    cuts = cut(own.out_y, height_of(1 << 30, own.out_y, own.stride, line))
    ends = [min(last * own.stride, in_y) for _, last in cuts[:-1]] + [in_y]
    images = frame((own,), shape, (n, own.out_y, own.out_x, c), dtype, cuts)
    whole = Walk(1, 1, 1, 0, 0, own.out_y, own.out_x, 1)
    pull = frame(walks, grad_shape, shape, dtype, tuple(zip([0, *ends[:-1]], ends, strict=True)), (whole,))
    met = np.array(cuts, np.int64).reshape(-1, 2) + pull.margins[0]
    empty = pull.bands[:, TOP] == pull.bands[:, BOTTOM]
    pull.bands[:, TOP] = np.where(empty, met[:, FIRST], np.minimum(met[:, FIRST], pull.bands[:, TOP]))
    pull.bands[:, BOTTOM] = np.where(empty, met[:, LAST], np.maximum(met[:, LAST], pull.bands[:, BOTTOM]))
    return images, pull


class Plan(NamedTuple):
    """What a call takes besides its arrays: tables, the bands that it fills, and arrays that are always the same."""

    tables: tuple
    bands: np.ndarray
    block: int
    elements: int
    nothing: np.ndarray
    zeros: np.ndarray
    pitch: int


def _plan(tables, bands: np.ndarray, elements: int, pixels: int, c: int, dtype) -> Plan:
    nothing, zeros = padded(None, c, dtype), np.zeros(pixels, np.int64)
    return Plan(tables, bands, together(c, dtype), elements, nothing, zeros, pitch(c, dtype))


@lru_cache(maxsize=256)
def forward_plan(walks: tuple[Walk, ...], shape, output_shape, dtype, direct: bool) -> Plan:
    """The plan of walks over images of a shape, read where they lie if `direct`."""
    made = direct_frame(walks, shape, output_shape) if direct else frame(walks, shape, output_shape, dtype)
    return _plan(made.tables(), made.bands, 0 if direct else made.elements, len(made.pixels), shape[3], dtype)


@lru_cache(maxsize=256)
def backward_plan(shape, grad_shape, window: Window, walks: tuple[Walk, ...], dtype) -> Plan:
    """The plan of both gradients, that of the images by `walks`."""
    own, pull = frames(shape, grad_shape, forward_walk(shape, window, 1), walks, dtype)
    tables = own.tables(), pull.tables(), own.taps, np.arange(window.size_y * window.size_x) * pitch(shape[3], dtype)
    return _plan(tables, pull.bands, own.elements + pull.elements, len(pull.pixels), shape[3], dtype)


def reads_in_place(walks: tuple[Walk, ...], output_shape, dtype) -> bool:
    """Whether walks read images where they lie: by tiles of two lines, in whole vectors."""
    return output_shape[3] % (width(dtype) // 2) == 0 and tile_of(walks, output_shape) != ANY
