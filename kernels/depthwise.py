"""Depthwise convolution of floats, a filter for each channel, and its two gradients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from . import checks
from .buffers import empty
from .channel_plan import Plan, plan
from .correlation import PARTS
from .depthwise_loops import backward_channels, convolve_channels
from .geometry import Window
from .jit import COMPILED
from .panels import Matrix, pack, padded, width
from .pointwise import add_chunks
from .table import is_swapped, kernel
from .threads import run, scratch
from .walk import Walk, forward_walk, gradient_walks

if COMPILED:
    from .sources import PLAIN, Source, source

#: Elements that a band reads, about, so that they stay in a core's cache: where they lie, or in the panels of a copy;
#: and items of work that occupy all threads.
BAND, PANELS, ITEMS = 1 << 17, 1 << 15, 8

#: The shorter side of images from which on their edges are worth rectangles of their own rather than a copy.
LARGE = 20


class Reading(NamedTuple):
    """How the loops read images: `direct`ly, or a panel at a time in the cache, with margins that make it `extent`."""

    direct: bool
    margins: tuple[int, int]
    extent: tuple[int, int]

    def elements(self, dtype) -> int:
        """Elements of a panel of an image in the cache."""
        return 0 if self.direct else self.extent[0] * self.extent[1] * width(dtype)


def is_direct(*sources: Source) -> bool:
    """Whether images are read where they lie: as they are, in whole vectors, and large enough that edges are few."""
    return all(
        s.kind == PLAIN and s.data.shape[3] % (width(s.data.dtype) // 2) == 0 and min(s.data.shape[1:3]) >= LARGE
        for s in sources
    )


def reading(images: Source, direct: bool, walks: list[Walk]) -> Reading:
    """How images are read by walks: with margins, no tap of theirs leaves the image."""
    _, in_y, in_x, _ = images.data.shape
    if direct:
        return Reading(True, (0, 0), (in_y, in_x))
    top, left = max(0, *(-w.first_y for w in walks), 0), max(0, *(-w.first_x for w in walks), 0)
    bottom = max(in_y, *(w.first_y + (w.out_y - 1) * w.stride + w.size_y for w in walks), 0)
    right = max(in_x, *(w.first_x + (w.out_x - 1) * w.stride + w.size_x for w in walks), 0)
    return Reading(False, (top, left), (top + bottom, left + right))


def plan_over(images: Source, read: Reading, walks: list[Walk], output_shape: tuple[int, ...], bands: int) -> Plan:
    """The plan of walks over images that are read in this way."""
    (n, _, _, c), panel = images.data.shape, width(images.data.dtype)
    step = c if read.direct else panel
    parts = tuple(
        walk._replace(
            band=-(-walk.out_y // bands),
            first_y=walk.first_y + read.margins[0],
            first_x=walk.first_x + read.margins[1],
        )
        for walk in walks
    )
    return plan(parts, (n, *read.extent, c), read.extent[1] * step, step, output_shape, -(-c // panel) * panel)


def filters_of(taps: np.ndarray) -> np.ndarray:
    """Filters (tap, c), packed: (panel, tap, width)."""
    return pack(Matrix.of(np.ascontiguousarray(taps)))


def backward_walks(input_shape: tuple[int, ...], window: Window, weight: np.ndarray) -> tuple[list[Walk], np.ndarray]:
    """The walks over an output gradient that make the input's, and the taps (tap, c) that they take, last one first."""
    walks, taps = zip(*gradient_walks(input_shape, window, 1), strict=True)
    return walks, np.concatenate([weight[part][::-1, ::-1].reshape(-1, weight.shape[2]) for part in taps])


def convolve(x, walks: list[Walk], taps: np.ndarray, output_shape, bias=None, low=-np.inf, high=np.inf) -> np.ndarray:
    """clip(x ⋆ taps + bias, low, high) for an array or a deferred one, in bands of lines that the cache holds."""
    out = empty(output_shape, x.dtype)
    if not out.size:
        return out
    images = source(x)
    read = reading(images, is_direct(images), walks)
    elements = x.size // x.shape[0] // (1 if read.direct else -(-x.shape[3] // width(x.dtype)))
    bands = -(-elements // (BAND if read.direct else PANELS))
    bands = max(min(max(bands, -(-ITEMS // x.shape[0])), output_shape[1]), 1)
    tables = plan_over(images, read, walks, output_shape, bands)
    start, zeros = padded(bias, output_shape[3], x.dtype), np.zeros(len(tables.pixels), np.int64)
    bounds, work = (x.dtype.type(low), x.dtype.type(high)), out.size * len(taps)
    run(
        work,
        convolve_channels,
        images,
        *read,
        tables,
        bands,
        filters_of(taps),
        len(taps),
        start,
        zeros,
        *bounds,
        scratch(read.elements(x.dtype), x.dtype),
        out,
    )
    return out


def backward(x, grad, window: Window, size: int, walks: list[Walk], taps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dx (n, y, x, c) by `walks`, which may be none, and the gradient (size, c) of a filter of so many taps."""
    images, grads = source(x), source(grad)
    direct, c, own = is_direct(images, grads), x.shape[3], [forward_walk(x.shape, window, 1)]
    read, read_grad = reading(images, direct, own), reading(grads, direct, walks)
    dx, dw, start = empty(x.shape, x.dtype), np.zeros((size, c), x.dtype), padded(None, c, x.dtype)
    forward, pulled = plan_over(images, read, own, grad.shape, 1), plan_over(grads, read_grad, walks, x.shape, 1)
    partial = np.zeros((max(min(PARTS, x.shape[0]), 1), size, start.size), x.dtype)
    panels = scratch(read.elements(x.dtype) + read_grad.elements(x.dtype), x.dtype)
    tables = (forward, pulled, filters_of(taps), len(taps), start, np.zeros(len(pulled.pixels), np.int64))
    run(2 * grad.size * size, backward_channels, images, grads, *read, *read_grad[1:], *tables, panels, partial, dx)
    run(partial.size, add_chunks, partial, dw)
    return dx, dw


@kernel(formulas=True)
def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0):
    """Convolution with one filter a channel: (n, y, x, c) ⋆ (filter_y, filter_x, c) → (n, out_y, out_x, c).

    Parameters
    ----------
    x : float array (n, y, x, c)
    weight : array (filter_y, filter_x, c)
    bias : array (c,) or None
    stride : int
    padding : int, (top, bottom, left, right) or "same" as TensorFlow counts it

    Returns
    -------
    array (n, out_y, out_x, c) of x's dtype

    Examples
    --------
    >>> depthwise_conv2d(np.ones((1, 3, 3, 1)), np.ones((3, 3, 1)), padding=1)[0, :, :, 0].tolist()
    [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]
    """
    x, weight, bias, window = checks.depthwise_conv2d(x, weight, bias, stride, padding)
    output_shape = (x.shape[0], window.out_y, window.out_x, x.shape[3])
    return convolve(x, [forward_walk(x.shape, window, 1)], weight.reshape(-1, x.shape[3]), output_shape, bias)


@kernel(formulas=True)
def depthwise_conv2d_gradients(x, grad, weight, stride=1, padding=0):
    """Both gradients of `depthwise_conv2d`, of x and of the weight; the two share what they load.

    Parameters
    ----------
    x : float array (n, y, x, c)
    grad : array (n, out_y, out_x, c), the gradient of the output
    weight : array (filter_y, filter_x, c)
    stride, padding : as the forward pass took them

    Returns
    -------
    arrays of the shapes of x and of weight, of x's dtype
    """
    x, grad, weight, window = checks.depthwise_conv2d_gradients(x, grad, weight, stride, padding)
    if not is_swapped():
        size = weight.shape[0] * weight.shape[1]
        dx, dw = backward(x, grad, window, size, *backward_walks(x.shape, window, weight))
        return dx, dw.reshape(weight.shape)
    dx = depthwise_conv2d_input_gradient(grad, weight, x.shape, stride, padding)
    return dx, depthwise_conv2d_weight_gradient(x, grad, weight.shape, stride, padding)


@kernel(formulas=True)
def depthwise_conv2d_input_gradient(grad, weight, input_shape, stride=1, padding=0):
    """The gradient of `depthwise_conv2d`'s x: for each pixel the sum over the outputs that saw it.

    With stride s it falls into s² convolutions of stride 1 with every s-th tap (see `walk.phases`).

    Parameters
    ----------
    grad : float array (n, out_y, out_x, c), the gradient of the output
    weight : array (filter_y, filter_x, c)
    input_shape : (n, y, x, c)
    stride, padding : as the forward pass took them

    Returns
    -------
    array of `input_shape`, of grad's dtype
    """
    arguments = checks.depthwise_conv2d_input_gradient(grad, weight, input_shape, stride, padding)
    grad, weight, input_shape, window = arguments
    return convolve(grad, *backward_walks(input_shape, window, weight), input_shape)


@kernel(formulas=True)
def depthwise_conv2d_weight_gradient(x, grad, weight_shape, stride=1, padding=0):
    """The gradient of `depthwise_conv2d`'s weight: for each tap the sum over the pixels that it met.

    Parameters
    ----------
    x : float array (n, y, x, c)
    grad : array (n, out_y, out_x, c), the gradient of the output
    weight_shape : (filter_y, filter_x, c)
    stride, padding : as the forward pass took them

    Returns
    -------
    array of `weight_shape`, of x's dtype
    """
    x, grad, weight_shape, window = checks.depthwise_conv2d_weight_gradient(x, grad, weight_shape, stride, padding)
    none = np.zeros((0, x.shape[3]), x.dtype)
    return backward(x, grad, window, weight_shape[0] * weight_shape[1], [], none)[1].reshape(weight_shape)
