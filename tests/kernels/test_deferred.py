"""A deferred array gives a kernel what the array that it stands for would give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyslim import kernels

CHANNELS = st.sampled_from([1, 2, 8, 17, 32, 33, 45])
BOUNDS = st.sampled_from([(0.0, np.inf), (-np.inf, np.inf), (0.0, 1.5)])


def deferred(rng, shape, bounds, dtype="f4"):
    """A normalised array and a gradient of it, both deferred."""
    x, grad = rng.normal(size=(2, *shape)).astype(dtype)
    scale, shift, a, b, d = rng.normal(size=(5, shape[-1])).astype(dtype)
    value = kernels.Normalized(x, scale, shift, *bounds)
    return value, kernels.NormalizedGradient(grad, value, a, b, d)


def agree(every_kernel, name, *arguments):
    got = getattr(kernels, name)(*arguments)
    every_kernel.assert_agree(got, getattr(kernels.reference, name)(*map(kernels.written, arguments)))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@given(shape=st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12), CHANNELS), cout=CHANNELS,
       bounds=BOUNDS, seed=st.integers(0, 99))  # fmt: skip
def test_a_pointwise_convolution_computes_what_it_loads(every_kernel, dtype, shape, cout, bounds, seed):
    rng = np.random.default_rng(seed)
    x, _ = deferred(rng, shape, bounds, dtype)
    _, grad = deferred(rng, (*shape[:3], cout), bounds, dtype)
    weight = rng.normal(size=(1, 1, shape[3], cout)).astype(dtype)
    agree(every_kernel, "conv2d", x, weight, rng.normal(size=cout).astype(dtype))
    agree(every_kernel, "conv2d_gradients", x, grad, weight)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@given(shape=st.tuples(st.integers(1, 3), st.integers(3, 12), st.integers(3, 12), CHANNELS), stride=st.integers(1, 3),
       size=st.tuples(*[st.integers(1, 4)] * 2), bounds=BOUNDS, seed=st.integers(0, 99))  # fmt: skip
def test_a_depthwise_convolution_computes_what_it_loads(every_kernel, dtype, shape, stride, size, bounds, seed):
    rng = np.random.default_rng(seed)
    x, _ = deferred(rng, shape, bounds, dtype)
    weight = rng.normal(size=(*size, shape[3])).astype(dtype)
    agree(every_kernel, "depthwise_conv2d", x, weight, None, stride, 1)
    out = kernels.reference.depthwise_conv2d(x.array(), weight, None, stride, 1).shape
    x, _ = deferred(rng, shape, bounds, dtype)
    _, grad = deferred(rng, out, bounds, dtype)
    agree(every_kernel, "depthwise_conv2d_gradients", x, grad, weight, stride, 1)
    agree(every_kernel, "depthwise_conv2d_weight_gradient", x, grad, weight.shape, stride, 1)


def test_no_array_is_written_that_nobody_asks_for(rng):
    x, grad = deferred(rng, (2, 4, 4, 8), (0.0, np.inf))
    kernels.conv2d_gradients(x, grad, rng.normal(size=(1, 1, 8, 8)).astype("f4"))
    kernels.depthwise_conv2d_gradients(x, grad, rng.normal(size=(3, 3, 8)).astype("f4"), 1, 1)
    assert x.written is None
    assert grad.written is None
    assert np.asarray(x) is x.array()


def test_a_swapped_kernel_sees_arrays(rng):
    seen = []
    x, _ = deferred(rng, (2, 4, 4, 8), (0.0, np.inf))
    with kernels.use(conv2d=lambda *arguments: seen.extend(arguments)):
        kernels.conv2d(x, rng.normal(size=(1, 1, 8, 8)).astype("f4"))
    assert all(isinstance(value, np.ndarray) for value in seen)


def test_a_nan_stays_a_nan_and_passes_no_bound(rng):
    x, grad = deferred(rng, (1, 1, 1, 8), (0.0, 1.0))
    x.x[...] = np.nan
    one = np.eye(8, dtype="f4")[None, None]
    assert np.isnan(kernels.conv2d(x, one)).all()
    assert np.isnan(kernels.conv2d_gradients(x, grad, one)[0]).all()


@given(shape=st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(1, 12), CHANNELS), cout=CHANNELS,
       bounds=BOUNDS, offset=st.sampled_from([0.0, 100.0]), seed=st.integers(0, 99))  # fmt: skip
def test_a_convolution_of_a_normalised_batch_measures_what_the_next_batch_norm_asks(
    every_kernel, shape, cout, bounds, offset, seed
):
    rng = np.random.default_rng(seed)
    y, (scale, shift) = rng.normal(size=shape).astype("f4"), rng.normal(size=(2, shape[3])).astype("f4")
    mean, _ = kernels.batch_norm_statistics(y)
    x = kernels.Normalized(y, scale, shift + np.float32(offset), *bounds, mean=mean)
    out = kernels.conv2d(x, rng.normal(size=(1, 1, shape[3], cout)).astype("f4"))
    assert isinstance(out, kernels.Measured)
    wide = out.array().reshape(-1, cout).astype("f8")
    np.testing.assert_allclose(out.mean, wide.mean(axis=0), rtol=1e-5, atol=1e-5 * (1 + np.abs(wide).max()))
    np.testing.assert_allclose(out.var, wide.var(axis=0), rtol=1e-4, atol=1e-6 * (1 + wide.var(axis=0).max()))

    grad = rng.normal(size=out.shape).astype("f4")
    dx, _ = kernels.conv2d_gradients(x, grad, rng.normal(size=(1, 1, shape[3], cout)).astype("f4"))
    assert dx.of is x
    expected = kernels.reference.batch_norm_gradient_sums(dx.array(), y, mean, scale, x.shift, *bounds)
    for got, want in zip(dx.sums, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5 * np.abs(dx.array()).max() * wide.shape[0] + 1e-6)
