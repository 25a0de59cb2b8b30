"""Every float kernel on small odd shapes, beside its twin; run as a script it prints a digest of all results.

The tests run it in other processes: under each instruction set, without compilation, with bounds checks, on one thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from tinyslim import kernels


def cases(dtype: str = "float32") -> Iterator[tuple[str, tuple]]:
    """Name and arguments of each kernel."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.normal(size=shape).astype(dtype)

    yield "gemm", (normal(13, 7), normal(7, 37))
    yield "gemm", (normal(9, 21).T, normal(9, 5))
    for stride, padding in ((1, 1), (2, "same"), (2, (0, 2, 1, 0))):
        x, weight, bias = normal(2, 9, 7, 5), normal(3, 3, 5, 19), normal(19)
        out = kernels.reference.conv2d(x, weight, bias, stride, padding)
        yield "conv2d", (x, weight, bias, stride, padding)
        yield "conv2d_input_gradient", (out, weight, x.shape, stride, padding)
        yield "conv2d_weight_gradient", (x, out, weight.shape, stride, padding)
        yield "conv2d_gradients", (x, out, weight, stride, padding)
        weight, bias = normal(3, 3, 5), normal(5)
        out = kernels.reference.depthwise_conv2d(x, weight, bias, stride, padding)
        yield "depthwise_conv2d", (x, weight, bias, stride, padding)
        yield "depthwise_conv2d_input_gradient", (out, weight, x.shape, stride, padding)
        yield "depthwise_conv2d_weight_gradient", (x, out, weight.shape, stride, padding)
        yield "depthwise_conv2d_gradients", (x, out, weight, stride, padding)
    yield "conv2d_gradients", (normal(3, 9, 7, 5), normal(3, 9, 7, 37), normal(1, 1, 5, 37))
    x = normal(3, 8, 7, 5)
    out, argmax = kernels.reference.max_pool2d(x, 3, 2, 1)
    yield "max_pool2d", (x, 3, 2, 1)
    yield "max_pool2d_gradient", (out, argmax, x.shape)
    yield "avg_pool2d", (x, 3, 2, 1)
    yield "avg_pool2d_gradient", (out, x.shape, 3, 2, 1)
    grad, scale = normal(*x.shape), normal(5)
    yield "batch_norm_statistics", (x,)
    yield "scale_shift", (x, scale, normal(5), -1.0, 1.0)
    yield "batch_norm_gradient_sums", (grad, x, normal(5), scale, normal(5), 0.0, 1.0)
    yield "batch_norm_gradient", (grad, x, scale, *normal(4, 5), 0.0, 1.0)
    yield "channel_sums", (x,)
    yield "clip", (x, 0.0, 1.0)
    yield "clip_gradient", (grad, x, 0.0, 1.0)
    yield "fake_quant", (x, 0.02, 128, 0, 255)
    yield "fake_quant_gradient", (grad, x, 0.01, 128, 0, 255)
    yield "abs_max", (x,)
    yield "normalize_images", (rng.integers(0, 256, (2, 5, 4, 3), np.uint8), [0.4, 0.5, 0.6], [0.2, 0.3, 0.2])


def arrays(result) -> list[np.ndarray]:
    """A kernel's results, one or several, as arrays."""
    return [np.asarray(value) for value in (result if isinstance(result, tuple) else (result,))]


def assert_agree(result, expected) -> None:
    """Shapes and dtypes are equal, integers too, and floats to what their dtype's rounding allows."""
    for got, want in zip(arrays(result), arrays(expected), strict=True):
        assert got.shape == want.shape
        assert got.dtype == want.dtype
        tolerance = 0.0 if got.dtype.kind in "iu" else 400 * np.finfo(got.dtype).eps
        size = np.nanmax(np.abs(want[np.isfinite(want)]), initial=1.0)
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * size)


def main() -> None:
    digest = hashlib.sha256()
    for name, arguments in cases():
        result = getattr(kernels, name)(*arguments)
        assert_agree(result, getattr(kernels.reference, name)(*arguments))
        for array in arrays(result):
            digest.update(array.tobytes())
    print(digest.hexdigest())


if __name__ == "__main__":
    main()
