"""scale = m·2^−s, exactly as documented."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyslim import deploy


@given(st.floats(2.0**-32, (2**31 - 0.5) / 2, exclude_max=True))  # from there on m rounds up to 2^31 at s = 1
def test_multiplier_is_nearest_to_scale(scale):
    m, s = (int(part) for part in deploy.multiplier(scale))
    assert 2**30 <= m < 2**31 and 1 <= s <= 62
    assert abs(Fraction(m, 2**s) - Fraction(scale)) <= Fraction(1, 2 ** (s + 1))


def test_multiplier_takes_arrays_and_carries_into_the_exponent():
    m, s = deploy.multiplier(np.array([0.5, 1 - 2.0**-40, 0.75]))
    assert m.dtype == np.int32 and s.dtype == np.int8
    assert m.tolist() == [2**30, 2**30, 3 * 2**29] and s.tolist() == [31, 30, 31]


@given(st.floats(1e-300, 2.0**-32, exclude_max=True), st.integers(-(2**31), 2**31 - 1))
def test_a_tiny_scale_takes_every_sum_to_zero(scale, total):
    m, s = (int(part) for part in deploy.multiplier(scale))
    assert (m, s) == (2**30, 62)
    assert (total * m + 2 ** (s - 1)) >> s == 0


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf, 2.0**30, (2**31 - 0.5) / 2, [0.5, 0.0]])
def test_impossible_scales_are_refused(scale):
    with pytest.raises(ValueError, match="`scale`"):
        deploy.multiplier(scale)


@given(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3))
def test_a_sum_shares_one_shift(a, b):
    m1, m2, shift = deploy.add_multipliers(a, b)
    assert 2**30 <= max(m1, m2) < 2**31 and 1 <= shift <= 62
    for m, scale in ((m1, a), (m2, b)):
        assert abs(Fraction(m, 2**shift) - Fraction(scale)) <= Fraction(1, 2**shift)
