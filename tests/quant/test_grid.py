import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyslim.quant import activation_grid, integer_weights, weight_scales
from tinyslim.quant.grid import check_bits


def real(grid, q):
    return grid.scale * (q - grid.zero_point)


@given(st.floats(1e-3, 1e3), st.integers(2, 8), st.booleans())
def test_the_grid_holds_zero_exactly_and_reaches_the_range(largest, bits, non_negative):
    grid = activation_grid(largest, bits, non_negative)
    assert grid.qmin <= grid.zero_point <= grid.qmax == 2**bits - 1
    assert real(grid, grid.qmax) == pytest.approx(largest)
    assert real(grid, grid.qmin) <= (0 if non_negative else -largest * (1 - 1e-9))


def test_a_tensor_of_zeros_has_a_step_above_zero():
    assert activation_grid(0.0, 8, non_negative=True).scale > 0
    assert (weight_scales(np.zeros((3, 3, 2), np.float32), 8, per_channel=True) > 0).all()


@given(st.integers(2, 8), st.booleans(), st.integers(0, 2**31))
def test_integer_weights_are_within_half_a_step_and_symmetric(bits, per_channel, seed):
    weight = np.random.default_rng(seed).normal(size=(3, 3, 4, 5)).astype(np.float32)
    scales = weight_scales(weight, bits, per_channel)
    q = integer_weights(weight, scales, bits)
    assert np.abs(q).max() == 2 ** (bits - 1) - 1
    assert np.abs(q * scales - weight).max() <= scales.max() / 2 * (1 + 1e-5)


def test_per_channel_scales_spare_small_filters_from_a_large_one():
    weight = np.array([100, 1], np.float32).reshape(1, 1, 1, 2)
    assert weight_scales(weight, 8, per_channel=True)[1] == np.float32(1 / 127)
    assert (weight_scales(weight, 8, per_channel=False) == np.float32(100 / 127)).all()


@pytest.mark.parametrize("bits", [1, 9, 2.5, "8"])
def test_bits_out_of_range_are_refused(bits):
    with pytest.raises(ValueError, match=r"`weight_bits` \(="):
        check_bits(weight_bits=bits)
