"""What every kernel and its twin ask of their arguments, in one place.

An error names the argument, its value and what was expected. Arrays leave here as C-contiguous, aligned and writable
ones of one floating dtype: compiled code is specialised for exactly these, and anything else would compile it anew.
"""

from __future__ import annotations

import operator

import numpy as np

from .deferred import Deferred, written
from .geometry import Window, window

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def array(name: str, value, *dtypes: type) -> np.ndarray:
    """`value` as a C-contiguous, aligned, writable array, if its dtype is one of `dtypes`; a copy only where needed."""
    given = np.asarray(value)
    if given.dtype not in dtypes:
        allowed = " or ".join(str(np.dtype(dtype)) for dtype in dtypes)
        raise TypeError(f"`{name}` (dtype {given.dtype}) must be {allowed}")
    return given if given.flags.carray else np.require(given, requirements=["C", "A", "W", "E"])


def floats(**arguments) -> list[np.ndarray | None]:
    """Each argument as `array` gives it, in the dtype of the first one, float32 or float64.

    None stays None, and what is deferred stays deferred, if its dtype is right.

    Examples
    --------
    >>> x, bias = floats(x=np.ones((2, 3), "f4"), bias=np.ones(3))
    >>> bias.dtype
    dtype('float32')
    """
    checked = [
        value if value is None or isinstance(value, Deferred) else array(name, value, *FLOATS)
        for name, value in arguments.items()
    ]
    dtype = checked[0].dtype
    return [value if value is None or value.dtype == dtype else written(value).astype(dtype) for value in checked]


def rank(name: str, value: np.ndarray, axes: str) -> None:
    """`value` has one axis for each word of `axes`."""
    if value.ndim != len(axes.split()):
        raise ValueError(f"`{name}` (shape {value.shape}) must have the axes ({', '.join(axes.split())})")


def shape(name: str, value: np.ndarray | None, expected: tuple[int, ...]) -> None:
    """`value` has the shape `expected`, or is None."""
    if value is not None and value.shape != tuple(expected):
        raise ValueError(f"`{name}` (shape {value.shape}) must have the shape {tuple(expected)}")


def shape_tuple(name: str, value, axes: int) -> tuple[int, ...]:
    """`value` as a shape with that many axes."""
    try:
        sizes = tuple(operator.index(size) for size in value)
    except TypeError:
        raise TypeError(f"`{name}` (={value!r}) must be a tuple of ints") from None
    if len(sizes) != axes or min(sizes) < 0:
        raise ValueError(f"`{name}` (={sizes}) must have {axes} sizes of at least 0")
    return sizes


def gemm(a, b) -> tuple[np.ndarray, np.ndarray]:
    """The matrices of `gemm`; the transpose of a contiguous one is left as it is."""
    matrices = []
    for name, value in (("a", a), ("b", b)):
        given = np.asarray(value)
        matrices.append(array(name, given.T, *FLOATS).T if given.T.flags.carray else array(name, given, *FLOATS))
        rank(name, given, "row column")
    a, b = matrices
    if a.shape[1] != b.shape[0]:
        raise ValueError(f"`b` (shape {b.shape}) must have {a.shape[1]} rows, as `a` (shape {a.shape}) has columns")
    return a, b.astype(a.dtype, copy=False)


def _filter_window(input_shape, weight_shape, stride, padding) -> Window:
    """The geometry of a convolution whose filter has the input's channels on its third axis, depthwise or not."""
    if weight_shape[2] != input_shape[3]:
        raise ValueError(
            f"`weight` (shape {tuple(weight_shape)}) must have {input_shape[3]} input channels, "
            f"as many as the images (shape {tuple(input_shape)})"
        )
    if 0 in weight_shape:
        raise ValueError(f"`weight` (shape {tuple(weight_shape)}) must not be empty")
    return window(input_shape, weight_shape[:2], stride, padding)


def _forward(x, weight, bias, stride, padding, axes):
    x, weight, bias = floats(x=x, weight=weight, bias=bias)
    rank("x", x, "n y x c")
    rank("weight", weight, axes)
    shape("bias", bias, weight.shape[-1:])
    return x, weight, bias, _filter_window(x.shape, weight.shape, stride, padding)


def _input_gradient(grad, weight, input_shape, stride, padding, axes):
    grad, weight = floats(grad=grad, weight=weight)
    rank("weight", weight, axes)
    input_shape = shape_tuple("input_shape", input_shape, 4)
    place = _filter_window(input_shape, weight.shape, stride, padding)
    shape("grad", grad, (input_shape[0], place.out_y, place.out_x, weight.shape[-1]))
    return grad, weight, input_shape, place


def _weight_gradient(x, grad, weight_shape, stride, padding, axes):
    x, grad = floats(x=x, grad=grad)
    rank("x", x, "n y x c")
    weight_shape = shape_tuple("weight_shape", weight_shape, len(axes.split()))
    place = _filter_window(x.shape, weight_shape, stride, padding)
    shape("grad", grad, (x.shape[0], place.out_y, place.out_x, weight_shape[-1]))
    return x, grad, weight_shape, place


def _gradients(x, grad, weight, stride, padding, axes):
    x, grad, weight = floats(x=x, grad=grad, weight=weight)
    rank("x", x, "n y x c")
    rank("weight", weight, axes)
    place = _filter_window(x.shape, weight.shape, stride, padding)
    shape("grad", grad, (x.shape[0], place.out_y, place.out_x, weight.shape[-1]))
    return x, grad, weight, place


#: Axes of a convolution's filter and of a depthwise one's.
FILTER, DEPTHWISE = "filter_y filter_x cin cout", "filter_y filter_x c"


def conv2d(x, weight, bias, stride, padding):
    """The arguments of `conv2d` as arrays, and their `Window`."""
    return _forward(x, weight, bias, stride, padding, FILTER)


def conv2d_gradients(x, grad, weight, stride, padding):
    """The arguments of `conv2d_gradients` as arrays, and their `Window`."""
    return _gradients(x, grad, weight, stride, padding, FILTER)


def conv2d_input_gradient(grad, weight, input_shape, stride, padding):
    """The arguments of `conv2d_input_gradient` as arrays and a shape, and their `Window`."""
    return _input_gradient(grad, weight, input_shape, stride, padding, FILTER)


def conv2d_weight_gradient(x, grad, weight_shape, stride, padding):
    """The arguments of `conv2d_weight_gradient` as arrays and a shape, and their `Window`."""
    return _weight_gradient(x, grad, weight_shape, stride, padding, FILTER)


def depthwise_conv2d(x, weight, bias, stride, padding):
    """The arguments of `depthwise_conv2d` as arrays, and their `Window`."""
    return _forward(x, weight, bias, stride, padding, DEPTHWISE)


def depthwise_conv2d_gradients(x, grad, weight, stride, padding):
    """The arguments of `depthwise_conv2d_gradients` as arrays, and their `Window`."""
    return _gradients(x, grad, weight, stride, padding, DEPTHWISE)


def depthwise_conv2d_input_gradient(grad, weight, input_shape, stride, padding):
    """The arguments of `depthwise_conv2d_input_gradient` as arrays and a shape, and their `Window`."""
    return _input_gradient(grad, weight, input_shape, stride, padding, DEPTHWISE)


def depthwise_conv2d_weight_gradient(x, grad, weight_shape, stride, padding):
    """The arguments of `depthwise_conv2d_weight_gradient` as arrays and a shape, and their `Window`."""
    return _weight_gradient(x, grad, weight_shape, stride, padding, DEPTHWISE)


def max_pool_window(x: np.ndarray, size, stride, padding) -> Window:
    """The geometry of a max pooling, in which each window must touch the image: padding has no largest value."""
    rank("x", x, "n y x c")
    place = window(x.shape, size, stride, padding)
    if max(place.top, place.bottom) >= place.size_y or max(place.left, place.right) >= place.size_x:
        raise ValueError(f"`padding` (={padding!r}) must be smaller than `size` (={size!r})")
    if 0 in x.shape[1:3]:
        raise ValueError(f"`x` (shape {x.shape}) must have at least one pixel")
    return place


def max_pool_gradient(grad, argmax, input_shape):
    """The arguments of `max_pool2d_gradient` as arrays and a shape."""
    (grad,) = floats(grad=grad)
    argmax = array("argmax", argmax, np.int32)
    input_shape = shape_tuple("input_shape", input_shape, 4)
    n, in_y, in_x, c = input_shape
    rank("grad", grad, "n out_y out_x c")
    shape("grad", grad, (n, *grad.shape[1:3], c))
    shape("argmax", argmax, grad.shape)
    if argmax.size and not 0 <= argmax.min() <= argmax.max() < in_y * in_x:
        raise ValueError(f"`argmax` ({argmax.min()} to {argmax.max()}) must lie in a plane of {in_y}×{in_x} pixels")
    return grad, argmax, input_shape


def avg_pool_gradient(grad, input_shape, size, stride, padding):
    """The arguments of `avg_pool2d_gradient` as an array, a shape and their `Window`."""
    (grad,) = floats(grad=grad)
    input_shape = shape_tuple("input_shape", input_shape, 4)
    place = window(input_shape, size, stride, padding)
    shape("grad", grad, (input_shape[0], place.out_y, place.out_x, input_shape[3]))
    return grad, input_shape, place


def positive(name: str, value) -> float:
    """`value` as a float that is finite and above 0."""
    number = float(value)
    if not 0.0 < number < float("inf"):
        raise ValueError(f"`{name}` (={value!r}) must be finite and above 0")
    return number


def ordered(low_name: str, low, high_name: str, high) -> None:
    """`low` is not above `high`."""
    if low > high:
        raise ValueError(f"`{low_name}` (={low!r}) must be at most `{high_name}` (={high!r})")


def some_axes(name: str, value: np.ndarray) -> None:
    """`value` has a last axis, its channels."""
    if value.ndim == 0:
        raise ValueError(f"`{name}` (shape ()) must have channels on its last axis")


def some_rows(name: str, value: np.ndarray) -> None:
    """`value` has channels on its last axis and something to take a mean of."""
    some_axes(name, value)
    if value.size == 0:
        raise ValueError(f"`{name}` (shape {value.shape}) must not be empty")


def scale_shift(x, scale, shift, low, high):
    """The arrays of `scale_shift`."""
    x, scale, shift_vector = floats(x=x, scale=scale, shift=shift)
    some_axes("x", x)
    shape("scale", scale, x.shape[-1:])
    shape("shift", shift_vector, x.shape[-1:])
    ordered("low", low, "high", high)
    return x, scale, shift_vector


def passing_gradient(grad, x, low, high, **vectors):
    """The arrays of a gradient that passes a normalisation and its bounds: two of one shape, and a number a channel."""
    grad, x, *channels = floats(grad=grad, x=x, **vectors)
    some_axes("x", x)
    shape("grad", grad, x.shape)
    for name, vector in zip(vectors, channels, strict=True):
        shape(name, vector, x.shape[-1:])
    ordered("low", low, "high", high)
    return grad, x, channels


def normalize_images(images, mean, std):
    """The arguments of `normalize_images`: uint8 images and float64 vectors of a number a channel."""
    images = array("images", images, np.uint8)
    some_axes("images", images)
    mean, std = (np.atleast_1d(np.asarray(value, np.float64)) for value in (mean, std))
    shape("mean", mean, images.shape[-1:])
    shape("std", std, images.shape[-1:])
    if not (std > 0).all():
        raise ValueError(f"`std` (={std}) must be above 0")
    return images, mean, std


def momentum_step(weight, grad, velocity, out) -> tuple:
    """The arrays of `momentum_step`; those of `out` are written to, so they are taken as they are or not at all."""
    arrays = floats(weight=weight, grad=grad, velocity=velocity)
    for name, value in zip(("grad", "velocity"), arrays[1:], strict=True):
        shape(name, value, arrays[0].shape)
    for index, value in enumerate(out or ()):
        shape(f"out[{index}]", value, arrays[0].shape)
        if value.dtype != arrays[0].dtype or not value.flags.carray:
            raise ValueError(f"`out[{index}]` must be a C-contiguous, writable array of {arrays[0].dtype}")
    return *arrays, out


def fake_quant(x, scale, zero_point, qmin, qmax) -> tuple:
    """The grid of `fake_quant` in x's dtype: positive scales (1,) or (c,), and three whole numbers."""
    ordered("qmin", qmin, "qmax", qmax)
    steps = np.atleast_1d(np.asarray(scale, x.dtype))
    if np.ndim(scale):
        some_axes("x", x)
        shape("scale", steps, x.shape[-1:])
    if not (np.isfinite(steps) & (steps > 0)).all():
        raise ValueError(f"`scale` (={scale!r}) must be finite and above 0")
    return steps, *(x.dtype.type(int(value)) for value in (zero_point, qmin, qmax))
