"""An int8 Program in plain Python: `integer_specification.md` line by line, no array arithmetic anywhere.

Images are lists of lines of pixels of channels, and numbers are Python's own ints, which never overflow. It takes a
second for ten million products and is there to be stepped through: `run` gives the logits of one image, `steps` the
bytes after every op. `Program.run` and `reference_run` must give the same, to the last bit.

Examples
--------
>>> rescale(3, multiplier=2**30, shift=31, zero_point=0)  # 3 · 1/2 is a tie, and ties go up
2
>>> rescale(-3, multiplier=2**30, shift=31, zero_point=10)
9
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator

Pixel = list[int]
Image = list[list[Pixel]]


# ---- one number ------------------------------------------------------------------------------------------------------


def clip(value: int, low: int, high: int) -> int:
    """`value`, held between `low` and `high`."""
    return max(low, min(value, high))


def rescale(
    total: int, multiplier: int, shift: int, zero_point: int, low: int = 0, high: int = 255, fraction: int = 0
) -> int:
    """A sum of so many steps and 256ths as a byte, with the one rounding there is.

    clip(zero_point + (((256·total + fraction)·m + 2^(s+7)) >> (s+8)), low, high)
    """
    exact = (256 * total + fraction) * multiplier
    return clip(zero_point + ((exact + (1 << (shift + 7))) >> (shift + 8)), low, high)


def single(value: float) -> float:
    """`value` rounded to float32."""
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


def quantize(value: float, scale: float, zero_point: int) -> int:
    """A real number as a byte: clip(round(value / scale) + zero_point, 0, 255), ties to even; NaN becomes 0."""
    steps = single(single(value) / single(scale))
    if math.isnan(steps):
        return 0
    return clip(zero_point + round(clip(steps, -256, 256)), 0, 255)


def dequantize(value: int, scale: float, zero_point: int) -> float:
    """The real number that a byte stands for: (value − zero_point)·scale."""
    return single((value - zero_point) * single(scale))


def normalize(value: int, mean: float, std: float) -> float:
    """A byte of a picture as the network takes it."""
    return single((value / 255 - mean) / std)


# ---- one image -------------------------------------------------------------------------------------------------------


def each(image, function: Callable[[int], int]):
    """`function` of every number, however deep the lists are."""
    return [each(part, function) if isinstance(part, list) else function(part) for part in image]


def windows(image: Image, size: tuple[int, int], stride: int, padding, outside: int) -> Iterator[list[Image]]:
    """Line by line the windows of an image, around which there are `padding` lines of the value `outside`."""
    top, bottom, left, right = padding
    blank = [outside] * len(image[0][0])
    width = left + len(image[0]) + right
    lines = [[blank] * width for _ in range(top)]
    lines += [[blank] * left + line + [blank] * right for line in image]
    lines += [[blank] * width for _ in range(bottom)]
    for y in range(0, len(lines) - size[0] + 1, stride):
        yield [
            [line[x : x + size[1]] for line in lines[y : y + size[0]]] for x in range(0, width - size[1] + 1, stride)
        ]


def pixels(window: Image) -> list[Pixel]:
    """The pixels of a window, one after the other."""
    return [pixel for line in window for pixel in line]


def conv2d(
    image, weight, bias, fraction, multiplier, shift, input_zero_point=0, zero_point=0, low=0, high=255,
    stride=1, padding=(0, 0, 0, 0),
) -> Image:  # fmt: skip
    """(out_y, out_x, cout) ← (in_y, in_x, cin) ⋆ weight (filter_y, filter_x, cin, cout)."""

    def channel(window: Image, c: int) -> int:
        total = bias[c]
        for pixel, taps in zip(pixels(window), pixels(weight), strict=True):
            for value, filters in zip(pixel, taps, strict=True):
                total += (value - input_zero_point) * filters[c]
        return rescale(total, multiplier[c], shift[c], zero_point, low, high, fraction[c])

    size = len(weight), len(weight[0])
    return [
        [[channel(window, c) for c in range(len(bias))] for window in line]
        for line in windows(image, size, stride, padding, input_zero_point)
    ]


def depthwise_conv2d(
    image, weight, bias, fraction, multiplier, shift, input_zero_point=0, zero_point=0, low=0, high=255,
    stride=1, padding=(0, 0, 0, 0),
) -> Image:  # fmt: skip
    """(out_y, out_x, c) ← (in_y, in_x, c) ⋆ weight (filter_y, filter_x, c): each channel has a filter of its own."""

    def channel(window: Image, c: int) -> int:
        total = bias[c]
        for pixel, taps in zip(pixels(window), pixels(weight), strict=True):
            total += (pixel[c] - input_zero_point) * taps[c]
        return rescale(total, multiplier[c], shift[c], zero_point, low, high, fraction[c])

    size = len(weight), len(weight[0])
    return [
        [[channel(window, c) for c in range(len(bias))] for window in line]
        for line in windows(image, size, stride, padding, input_zero_point)
    ]


def sums(vector: Pixel, weight, bias, input_zero_point: int) -> list[int]:
    """(cout,) ← (cin,) · weight (cin, cout), with the bias."""
    return [
        start + sum((value - input_zero_point) * row[c] for value, row in zip(vector, weight, strict=True))
        for c, start in enumerate(bias)
    ]


def linear(vector, weight, bias, fraction, multiplier, shift, input_zero_point=0, zero_point=0, low=0, high=255):
    """A linear layer, bytes to bytes."""
    totals = sums(vector, weight, bias, input_zero_point)
    channels = zip(totals, multiplier, shift, fraction, strict=True)
    return [rescale(total, m, s, zero_point, low, high, f) for total, m, s, f in channels]


def logits(vector, weight, bias, scale, input_zero_point=0) -> list[float]:
    """The last linear layer: each sum, as a float32, times its scale."""
    totals = sums(vector, weight, bias, input_zero_point)
    return [single(single(total) * single(step)) for total, step in zip(totals, scale, strict=True)]


def add(a, b, m1, m2, shift, zero_point_a, zero_point_b, zero_point, low=0, high=255):
    """Two values on grids of their own, number by number: one shift for both, so one rounding."""
    if isinstance(a, list):
        rest = (m1, m2, shift, zero_point_a, zero_point_b, zero_point, low, high)
        return [add(left, right, *rest) for left, right in zip(a, b, strict=True)]
    total = (a - zero_point_a) * m1 + (b - zero_point_b) * m2
    return rescale(total, 1, shift, zero_point, low, high)


def concat(*images):
    """Channels side by side."""
    if not isinstance(images[0][0], list):
        return [value for image in images for value in image]
    return [concat(*parts) for parts in zip(*images, strict=True)]


def max_pool2d(image, size, stride, padding=(0, 0, 0, 0)) -> Image:
    """The largest byte of each window."""
    lines = windows(image, (size, size), stride, padding, 0)
    return [[[max(values) for values in zip(*pixels(window), strict=True)] for window in line] for line in lines]


def mean(of: list[Pixel], multiplier, shift, input_zero_point, zero_point) -> Pixel:
    """The mean of some pixels, channel by channel; the multiplier holds the division."""
    totals = (sum(value - input_zero_point for value in values) for values in zip(*of, strict=True))
    return [rescale(total, multiplier, shift, zero_point) for total in totals]


def avg_pool2d(
    image, size, stride, multiplier, shift, input_zero_point, zero_point, padding=(0, 0, 0, 0)
) -> Image:  # fmt: skip
    """The mean of each window, in which padding counts as so many real zeros."""
    lines = windows(image, (size, size), stride, padding, input_zero_point)
    rest = (multiplier, shift, input_zero_point, zero_point)
    return [[mean(pixels(window), *rest) for window in line] for line in lines]


def global_avg_pool2d(image, multiplier, shift, input_zero_point, zero_point) -> Pixel:
    """The mean of all pixels."""
    return mean(pixels(image), multiplier, shift, input_zero_point, zero_point)


def flatten(image) -> Pixel:
    """All numbers in one list, channels innermost."""
    return [value for part in image for value in flatten(part)] if isinstance(image[0], list) else list(image)


#: What computes each op kind of an int8 Program.
OPS: dict[str, Callable] = {
    "quantize": lambda image, scale, zero_point: each(image, lambda x: quantize(x, scale, zero_point)),
    "conv2d": conv2d,
    "depthwise_conv2d": depthwise_conv2d,
    "linear": linear,
    "logits": logits,
    "add": add,
    "clip": lambda image, low, high: each(image, lambda x: clip(x, low, high)),
    "concat": concat,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "global_avg_pool2d": global_avg_pool2d,
    "flatten": flatten,
    "dequantize": lambda image, scale, zero_point: each(image, lambda x: dequantize(x, scale, zero_point)),
}


# ---- a Program -------------------------------------------------------------------------------------------------------


def steps(program, image) -> list:
    """What a Program makes of one image, op by op.

    Parameters
    ----------
    program : Program
        An int8 one.
    image : array (h, w, c)
        float32 as the network takes it, or a uint8 picture.

    Returns
    -------
    list of lists
        The normalised image, then the value of each op: bytes, and at last float32 logits.
    """
    program.check_input(image[None])
    values = [normalized(program, image)]
    for op in program.ops:
        arrays = {name: array.tolist() for name, array in op.arrays.items()}
        inputs = [values[value] for value in op.inputs]
        values.append(OPS[op.kind](*inputs, **arrays, **op.attributes))
    return values


def normalized(program, image) -> list:
    """The image as lists of real numbers."""
    lines = image.tolist()
    if image.dtype != "uint8":
        return lines
    facts = list(zip(*program.preprocessing, strict=True))
    return [
        [[normalize(value, *of) for value, of in zip(pixel, facts, strict=True)] for pixel in line] for line in lines
    ]


def run(program, image) -> list[float]:
    """The logits of one image, (h, w, c); see `steps`.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import deploy
    >>> builder = deploy.Builder("int8", (1, 2, 1))
    >>> x = builder.add("quantize", "input", builder.input, scale=0.5)
    >>> x = builder.add("flatten", "flatten", x)
    >>> arrays = {"weight": np.int8([[3], [-1]]), "bias": np.int32([10]), "scale": np.float32([0.25])}
    >>> x = builder.add("logits", "head", x, **arrays)
    >>> run(builder.build(), np.float32([[[1.0], [2.0]]]))  # bytes 2 and 4: (3·2 − 1·4 + 10)·0.25
    [3.0]
    """
    return steps(program, image)[-1]
