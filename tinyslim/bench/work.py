"""The work that kernels are timed on: shapes of real networks, and how many operations each takes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from tinyslim.kernels import geometry

from .cases import Geometry, Normal, convolution_calls, depthwise_calls, other_calls, product_calls
from .cases_int8 import Bytes, convolution_calls_int8, other_calls_int8, product_calls_int8

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
IMAGES = (16, 56, 56, 64)


@dataclass(frozen=True)
class Work:
    """One call of a kernel that is worth timing.

    Attributes
    ----------
    kernel, label : str
    arguments : tuple
    operations : int or None
        Multiplications and additions, where counting them makes sense.
    """

    kernel: str
    label: str
    arguments: tuple
    operations: int | None = None


def products() -> Iterator[tuple[str, tuple[int, int, int]]]:
    """Label and (m, k, n) of MobileNetV1's pointwise convolutions as matrix products, batches 1 and 16."""
    for batch in BATCHES:
        for side, cin, cout in POINTWISE:
            m = batch * side * side
            yield f"batch {batch}: {m} × {cin} · {cin} × {cout}", (m, cin, cout)


def convolution_label(place: Geometry, channels: str) -> str:
    """A convolution in a few words."""
    return f"{place.filter_y}×{place.filter_x} / {place.stride}, {place.n} × {place.y}² × {channels}"


def convolutions() -> Iterator[tuple[str, Geometry]]:
    """Label and geometry of dense convolutions."""
    return ((convolution_label(place, f"{place.cin} → {place.cout}"), place) for place in DENSE)


def depthwise_convolutions() -> Iterator[tuple[str, Geometry]]:
    """Label and geometry of MobileNetV1's depthwise convolutions, batch 16."""
    for side, channels, stride in DEPTHWISE:
        place = Geometry(16, side, side, channels, 1, stride=stride)
        yield convolution_label(place, str(channels)), place


def convolution_operations(place: Geometry, depthwise: bool) -> int:
    """2 for each multiplication of a tap; each gradient takes as many."""
    size = place.filter_y, place.filter_x
    window = geometry.window((place.n, place.y, place.x, place.cin), size, place.stride, place.padding)
    taps = math.prod(size) * place.cin * (1 if depthwise else place.cout)
    return 2 * place.n * window.out_y * window.out_x * taps


def typical_work(kernel: str) -> Iterator[Work]:
    """What the kernel called `kernel` has to do in real networks."""
    normal, random = Normal("float32"), Bytes()
    if kernel in ("gemm", "gemm_int8", "linear_int8", "logits_int8"):
        make = partial(product_calls_int8, random) if kernel.endswith("int8") else partial(product_calls, normal)
        planned = [(label, partial(make, *size), 2 * math.prod(size)) for label, size in products()]
    elif "conv2d" in kernel:
        depthwise, integer = kernel.startswith("depthwise"), kernel.endswith("int8")
        make = depthwise_calls if depthwise else convolution_calls
        make = partial(convolution_calls_int8, random) if integer else partial(make, normal)
        places = depthwise_convolutions() if depthwise else convolutions()
        planned = [(label, partial(make, place), convolution_operations(place, depthwise)) for label, place in places]
    else:
        floats, integers = partial(other_calls, normal, IMAGES), partial(other_calls_int8, random, IMAGES)
        label = "{} × {}² × {}".format(IMAGES[0], *IMAGES[2:])
        planned = [(label, floats, None), (label, integers, None)]
    for label, calls, operations in planned:
        arguments = _first(calls(), kernel)
        if arguments is not None:
            yield Work(kernel, label, arguments, operations)


def _first(calls, kernel: str) -> tuple | None:
    """The arguments of the first call of a kernel."""
    return next((arguments for name, arguments in calls if name == kernel), None)
