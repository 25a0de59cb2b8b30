"""Every float kernel gives what its twin gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyslim import kernels

SIZES = st.integers(1, 12)
CHANNELS = st.sampled_from([1, 2, 5, 8, 11, 17, 27, 33, 45])
PADDINGS = st.one_of(st.integers(0, 3), st.just("same"), st.tuples(*[st.integers(0, 3)] * 4))
WINDOWS = st.fixed_dictionaries({"stride": st.integers(1, 3), "padding": PADDINGS})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_kernel_agrees_with_its_twin(every_kernel, dtype):
    for name, arguments in every_kernel.cases(dtype):
        result = getattr(kernels, name)(*arguments)
        every_kernel.assert_agree(result, getattr(kernels.reference, name)(*arguments))


def test_cases_cover_every_float_kernel(every_kernel):
    integer = {"quantize", "dequantize", "requantize"}
    floats = {name for name in kernels.table.KERNELS if "int8" not in name} - integer
    assert {name for name, _ in every_kernel.cases()} == floats


@given(
    m=st.integers(0, 40), k=st.integers(0, 40), n=st.integers(0, 70), seed=st.integers(0, 99), turns=st.integers(0, 3)
)
def test_gemm_takes_any_shape_and_transposes_without_a_copy(every_kernel, m, k, n, seed, turns):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(k, m)).astype("f4").T if turns & 1 else rng.normal(size=(m, k)).astype("f4")
    b = rng.normal(size=(n, k)).astype("f4").T if turns & 2 else rng.normal(size=(k, n)).astype("f4")
    every_kernel.assert_agree(kernels.gemm(a, b), a @ b)


@pytest.mark.parametrize(("prefix", "depthwise"), [("conv2d", False), ("depthwise_conv2d", True)])
@given(shape=st.tuples(st.integers(0, 3), SIZES, SIZES, CHANNELS), size=st.tuples(*[st.integers(1, 4)] * 2),
       cout=CHANNELS, place=WINDOWS, seed=st.integers(0, 99))  # fmt: skip
def test_convolutions_and_gradients_take_any_geometry(every_kernel, prefix, depthwise, shape, size, cout, place, seed):
    rng = np.random.default_rng(seed)
    weight_shape = (*size, shape[3]) if depthwise else (*size, shape[3], cout)
    x, weight = rng.normal(size=shape).astype("f4"), rng.normal(size=weight_shape).astype("f4")
    bias = rng.normal(size=weight_shape[-1]).astype("f4")
    try:
        expected = getattr(kernels.reference, prefix)(x, weight, bias, **place)
    except ValueError as misfit:
        with pytest.raises(ValueError, match="does not fit"):
            getattr(kernels, prefix)(x, weight, bias, **place)
        assert "does not fit" in str(misfit)
        return
    every_kernel.assert_agree(getattr(kernels, prefix)(x, weight, bias, **place), expected)
    grad = rng.normal(size=expected.shape).astype("f4")
    for name, arguments in (
        (f"{prefix}_input_gradient", (grad, weight, shape)),
        (f"{prefix}_weight_gradient", (x, grad, weight_shape)),
        (f"{prefix}_gradients", (x, grad, weight)),
    ):
        twin = getattr(kernels.reference, name)(*arguments, **place)
        every_kernel.assert_agree(getattr(kernels, name)(*arguments, **place), twin)


@given(shape=st.tuples(st.integers(1, 3), SIZES, SIZES, st.integers(1, 9)), size=st.tuples(*[st.integers(1, 4)] * 2),
       stride=st.integers(1, 3), padding=st.integers(0, 1), seed=st.integers(0, 99))  # fmt: skip
def test_pooling_takes_any_geometry(every_kernel, shape, size, stride, padding, seed):
    x = np.random.default_rng(seed).integers(-3, 3, shape).astype("f4")
    if min(size) <= padding or shape[1] + 2 * padding < size[0] or shape[2] + 2 * padding < size[1]:
        with pytest.raises(ValueError, match=r"does not fit|smaller than"):
            kernels.max_pool2d(x, size, stride, padding)
        return
    for name in ("max_pool2d", "avg_pool2d"):
        place = (x, size, stride, padding)
        every_kernel.assert_agree(getattr(kernels, name)(*place), getattr(kernels.reference, name)(*place))


@given(pixels=st.integers(1, 3000), c=CHANNELS, offset=st.sampled_from([0.0, 1e4]), seed=st.integers(0, 99))
def test_batch_norm_agrees_with_float64_though_the_mean_is_far_away(every_kernel, pixels, c, offset, seed):
    x = (np.random.default_rng(seed).normal(size=(pixels, c)) + offset).astype("f4")
    mean, var = kernels.batch_norm_statistics(x)
    wide = x.astype("f8")
    np.testing.assert_allclose(mean, wide.mean(axis=0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(var, wide.var(axis=0), rtol=1e-5, atol=1e-12)


@given(pixels=st.integers(1, 3000), c=CHANNELS, bounds=st.sampled_from([(0.0, np.inf), (-np.inf, np.inf), (0.0, 0.5)]),
       seed=st.integers(0, 99))  # fmt: skip
def test_the_gradient_of_a_batch_norm_sums_and_combines_what_passes(every_kernel, pixels, c, bounds, seed):
    rng = np.random.default_rng(seed)
    grad, x = rng.normal(size=(2, pixels, c)).astype("f4")
    mean, scale, shift, a, b, d = rng.normal(size=(6, c)).astype("f4")
    sums = (grad, x, mean, scale, shift, *bounds)
    for got, want in zip(
        kernels.batch_norm_gradient_sums(*sums), kernels.reference.batch_norm_gradient_sums(*sums), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5 * np.sqrt(pixels))
    combined = (grad, x, scale, shift, a, b, d, *bounds)
    every_kernel.assert_agree(kernels.batch_norm_gradient(*combined), kernels.reference.batch_norm_gradient(*combined))


def test_a_nan_stays_a_nan():
    x = np.array([[np.nan, -1.0, 2.0]] * 9)
    ones = np.ones(3)
    assert np.isnan(kernels.clip(x, 0, 1)[:, 0]).all()
    assert np.isnan(kernels.scale_shift(x, ones, ones, 0, 1)[:, 0]).all()
    assert np.isnan(kernels.fake_quant(x, 0.1, 0, -127, 127)[:, 0]).all()
    assert np.isnan(kernels.abs_max(x))
    assert np.isnan(kernels.max_pool2d(x.reshape(1, 3, 3, 3), 2, 1)[0][..., 0]).all()
    assert np.isnan(kernels.batch_norm_statistics(x)[1][0])


def test_clip_gradient_is_zero_on_the_bounds():
    x = np.array([-1.0, 0.0, 0.5, 6.0, 7.0])
    assert kernels.clip_gradient(np.ones(5), x, 0, 6).tolist() == [0, 0, 1, 0, 0]


def test_max_pooling_of_minus_infinity_points_into_the_image():
    x = np.full((1, 2, 2, 1), -np.inf)
    _, argmax = kernels.max_pool2d(x, 2, 1, 1)
    assert (argmax >= 0).all()
    assert (argmax < 4).all()


def test_input_gradient_is_the_adjoint_of_the_convolution(rng):
    x, weight = rng.normal(size=(2, 7, 8, 3)), rng.normal(size=(3, 2, 3, 4))
    y = kernels.conv2d(x, weight, None, 2, 1)
    grad = rng.normal(size=y.shape)
    through_x = (kernels.conv2d_input_gradient(grad, weight, x.shape, 2, 1) * x).sum()
    through_weight = (kernels.conv2d_weight_gradient(x, grad, weight.shape, 2, 1) * weight).sum()
    np.testing.assert_allclose([through_x, through_weight], (y * grad).sum())


def test_normalized_images_are_rounded_once():
    images = np.arange(256, dtype=np.uint8).reshape(-1, 1)
    expected = ((np.arange(256) / 255 - 0.286) / 0.353).astype("f4")
    assert (kernels.normalize_images(images, [0.286], [0.353]).ravel() == expected).all()


def test_a_slightly_wrong_kernel_is_caught(every_kernel):
    def wrong(*arguments):
        result = kernels.reference.conv2d(*arguments)
        result[0, 0, 0, 0] += 1e-3 * np.abs(result).max()
        return result

    convolutions = (arguments for name, arguments in every_kernel.cases() if name == "conv2d")
    arguments = max(convolutions, key=lambda arguments: arguments[0].size)
    with kernels.use(conv2d=wrong), pytest.raises(AssertionError, match=r"index \(0, 0, 0, 0\)"):
        every_kernel.assert_agree(kernels.conv2d(*arguments), kernels.reference.conv2d(*arguments))
