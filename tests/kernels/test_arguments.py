"""What kernels accept, and how they refuse the rest."""

from __future__ import annotations

import numpy as np
import pytest
from tinyslim.kernels import geometry

from tinyslim import kernels

X, WEIGHT = np.ones((2, 5, 5, 3), "f4"), np.ones((3, 3, 3, 4), "f4")


@pytest.fixture(params=["compiled", "twins"])
def table(request):
    """The kernels themselves and their twins: both check alike."""
    return kernels if request.param == "compiled" else kernels.reference


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: t.conv2d(X.astype("i4"), WEIGHT), TypeError, r"`x` \(dtype int32\) must be float32 or float64"),
        (lambda t: t.conv2d(X.astype(">f4"), WEIGHT), TypeError, r"`x` \(dtype >f4\)"),
        (lambda t: t.conv2d(X[0], WEIGHT), ValueError, r"`x` \(shape \(5, 5, 3\)\) must have the axes \(n, y, x, c\)"),
        (lambda t: t.conv2d(X, WEIGHT[:, :, :2]), ValueError, r"`weight` \(shape .*\) must have 3 input channels"),
        (lambda t: t.conv2d(X, WEIGHT, np.ones(3)), ValueError, r"`bias` \(shape \(3,\)\) must have the shape \(4,\)"),
        (lambda t: t.conv2d(X, WEIGHT, stride=0), ValueError, r"`stride` \(=0\) must be at least 1"),
        (lambda t: t.conv2d(X, WEIGHT, stride=1.5), TypeError, r"`stride` \(=1.5\) must be an int"),
        (lambda t: t.conv2d(X, WEIGHT, padding=-1), ValueError, r"`padding` \(=-1\) must be at least 0"),
        (lambda t: t.conv2d(X, WEIGHT, padding="valid"), ValueError, r"`padding` \(='valid'\) must be an int"),
        (lambda t: t.conv2d(X, WEIGHT, padding=(1, 1)), ValueError, r"`padding` \(=\(1, 1\)\) must be an int"),
        (lambda t: t.conv2d(X[:, :2], WEIGHT), ValueError, r"a window of 3×3 does not fit an image of 2×5"),
        (lambda t: t.conv2d_input_gradient(X, WEIGHT, X.shape), ValueError, r"`grad` \(shape .*\) must have the shape"),
        (lambda t: t.conv2d_input_gradient(X, WEIGHT, (2, 5, 5)), ValueError, r"`input_shape` .* must have 4 sizes"),
        (
            lambda t: t.conv2d_weight_gradient(X, X, WEIGHT.shape),
            ValueError,
            r"`grad` \(shape .*\) must have the shape",
        ),
        (lambda t: t.depthwise_conv2d(X, WEIGHT), ValueError, r"`weight` \(shape .*\) must have the axes"),
        (lambda t: t.gemm(X[0, 0], X[0, 0]), ValueError, r"`b` \(shape \(5, 3\)\) must have 3 rows"),
        (lambda t: t.max_pool2d(X, 2, 1, 2), ValueError, r"`padding` \(=2\) must be smaller than `size` \(=2\)"),
        (lambda t: t.avg_pool2d(X, 0, 1), ValueError, r"`size` \(=0\) must be at least 1"),
        (
            lambda t: t.max_pool2d_gradient(X, np.full(X.shape, 25, "i4"), X.shape),
            ValueError,
            r"`argmax` \(25 to 25\) must lie in a plane of 5×5",
        ),
        (lambda t: t.batch_norm_statistics(X[:0]), ValueError, r"`x` \(shape .*\) must not be empty"),
        (lambda t: t.scale_shift(X, np.ones(2), np.ones(3)), ValueError, r"`scale` \(shape \(2,\)\)"),
        (lambda t: t.clip(X, 1, 0), ValueError, r"`low` \(=1\) must be at most `high` \(=0\)"),
        (lambda t: t.clip_gradient(X[:1], X, 0, 1), ValueError, r"`grad` \(shape .*\) must have the shape"),
        (lambda t: t.fake_quant(X, 0.0, 0, 0, 255), ValueError, r"`scale` \(=0.0\) must be finite and above 0"),
        (lambda t: t.fake_quant(X, np.nan, 0, 0, 255), ValueError, r"`scale` \(=nan\) must be finite and above 0"),
        (lambda t: t.normalize_images(X, [0.5] * 3, [1] * 3), TypeError, r"`images` \(dtype float32\) must be uint8"),
        (lambda t: t.normalize_images(np.zeros((2, 1), "u1"), [0.5], [0]), ValueError, r"`std` .* must be above 0"),
    ],
)
def test_a_wrong_argument_is_named_with_its_value(table, call, error, message):
    with pytest.raises(error, match=message):
        call(table)


def test_views_and_read_only_arrays_give_what_contiguous_ones_give(rng):
    wide = rng.normal(size=(2, 9, 5, 6)).astype("f4")
    view = wide[:, ::2, :, ::2]
    still = view.copy()
    still.flags.writeable = False
    expected = kernels.conv2d(view.copy(), WEIGHT, None, 1, 1)
    for x in (view, still, np.asfortranarray(view)):
        assert (kernels.conv2d(x, WEIGHT, None, 1, 1) == expected).all()


def test_results_have_the_dtype_of_the_first_array():
    assert kernels.conv2d(X, WEIGHT.astype("f8")).dtype == np.float32
    assert kernels.conv2d(X.astype("f8"), WEIGHT).dtype == np.float64


def test_same_padding_counts_as_tensorflow():
    window = geometry.window((1, 5, 6, 1), size=3, stride=2, padding="same")
    assert window[3:7] == (1, 1, 0, 1)
    assert (window.out_y, window.out_x) == (3, 3)


def test_an_empty_batch_gives_an_empty_result():
    assert kernels.conv2d(X[:0], WEIGHT).shape == (0, 3, 3, 4)
    assert not kernels.conv2d_weight_gradient(X[:0], np.ones((0, 3, 3, 4), "f4"), WEIGHT.shape).any()
    assert kernels.clip(X[:0], 0, 1).shape == (0, 5, 5, 3)
    assert kernels.channel_sums(X[:0]).tolist() == [0, 0, 0]
    assert kernels.abs_max(X[:0]) == 0
