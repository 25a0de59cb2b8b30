"""The work that kernels are timed on: shapes of real networks, and how many operations each takes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from inspect import signature
from itertools import chain

import numpy as np

from tinyslim.kernels import geometry, reference

from .shapes import Geometry, Normal, convolution_calls, depthwise_calls, other_calls, product_calls
from .shapes_int8 import Bytes, convolution_calls_int8, other_calls_int8, product_calls_int8

#: (side, cin, cout) of MobileNetV1's pointwise convolutions at 224.
POINTWISE = (
    (112, 32, 64), (56, 64, 128), (56, 128, 128), (28, 128, 256), (28, 256, 256), (14, 256, 512), (14, 512, 512),
    (7, 512, 1024), (7, 1024, 1024),
)  # fmt: skip
#: (side, channels, stride) of its depthwise ones.
DEPTHWISE = (
    (112, 32, 1), (112, 64, 2), (56, 128, 1), (56, 128, 2), (28, 256, 1), (28, 256, 2), (14, 512, 1), (14, 512, 2),
    (7, 1024, 1),
)  # fmt: skip
#: Convolutions of ResNet-18's stages, and a network's first one.
DENSE = (Geometry(16, 56, 56, 64, 64), Geometry(16, 14, 14, 256, 256), Geometry(16, 224, 224, 3, 32, stride=2))
BATCHES = (1, 16)
#: Kernels whose first two arguments are matrices.
PRODUCT_KERNELS = ("gemm", "gemm_int8", "linear_int8", "logits_int8")
IMAGES = (16, 56, 56, 64)
#: Work that plain Python loops get done too.
SMALL = Geometry(1, 14, 14, 16, 16)


@dataclass(frozen=True)
class Work:
    """One call of a kernel that is worth timing.

    Attributes
    ----------
    kernel, label : str
    arguments : tuple
    """

    kernel: str
    label: str
    arguments: tuple

    @property
    def operations(self) -> int | None:
        """Multiplications and additions, where counting them makes sense."""
        return operations(self.kernel, self.arguments)

    @property
    def size(self) -> int:
        """What the time of a call grows with: operations, or else numbers in its arrays."""
        return self.operations or sum(value.size for value in self.arguments if isinstance(value, np.ndarray))


def operations(kernel: str, arguments: tuple) -> int | None:
    """Multiplications and additions of a call: 2 for each product, as many for a gradient as forward, twice for both.

    Examples
    --------
    >>> operations("gemm", (np.ones((2, 3)), np.ones((3, 5))))
    60
    """
    first, second = (*arguments, None)[:2]
    if kernel in PRODUCT_KERNELS:
        return 2 * first.size * second.shape[1]
    if "conv2d" not in kernel:
        return None
    if kernel.endswith("input_gradient"):
        return 2 * math.prod(first.shape[:3]) * second.size
    if kernel.endswith("weight_gradient"):
        return 2 * math.prod(second.shape[:3]) * math.prod(arguments[2])
    if kernel.endswith("gradients"):
        return 4 * math.prod(second.shape[:3]) * arguments[2].size
    named = signature(getattr(reference, kernel)).bind(*arguments).arguments
    window = geometry.window(first.shape, second.shape[:2], named["stride"], named["padding"])
    return 2 * len(first) * window.out_y * window.out_x * second.size


def typical_work(kernel: str) -> Iterator[Work]:
    """What the kernel called `kernel` has to do in real networks."""
    products = [(batch * side * side, cin, cout) for batch in BATCHES for side, cin, cout in POINTWISE]
    depthwise = [Geometry(16, side, side, channels, 1, stride=stride) for side, channels, stride in DEPTHWISE]
    return _work(kernel, products, DENSE, depthwise, IMAGES)


def small_work(kernel: str) -> Iterator[Work]:
    """One piece of work that even plain Python loops get done."""
    return _work(kernel, [(64, 64, 64)], [SMALL], [SMALL], SMALL[:4])


def _work(kernel: str, products, dense, depthwise, images) -> Iterator[Work]:
    """Work of the sizes that fit the kernel: (m, k, n), geometries, or the shape of images."""
    normal, random = Normal("float32"), Bytes()
    integer = kernel.endswith("int8")
    if kernel in PRODUCT_KERNELS:
        calls = partial(product_calls_int8, random) if integer else partial(product_calls, normal)
        planned = [(f"{m} × {k} · {k} × {n}", calls(m, k, n)) for m, k, n in products]
    elif "conv2d" in kernel:
        separate = kernel.startswith("depthwise")
        float_calls = partial(depthwise_calls if separate else convolution_calls, normal)
        calls = partial(convolution_calls_int8, random) if integer else float_calls
        planned = [(label_of(place, separate), calls(place)) for place in (depthwise if separate else dense)]
    else:
        calls = chain(other_calls(normal, images), other_calls_int8(random, images))
        planned = [("{} × {}×{} × {}".format(*images), calls)]
    for label, calls in planned:
        yield Work(kernel, label, next(arguments for name, arguments in calls if name == kernel))


def label_of(place: Geometry, depthwise: bool) -> str:
    """A convolution in a few words."""
    channels = f"{place.cin}" if depthwise else f"{place.cin} → {place.cout}"
    return f"{place.filter_y}×{place.filter_x} / {place.stride}, {place.n} × {place.y}² × {channels}"
