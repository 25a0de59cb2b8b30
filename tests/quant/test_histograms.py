import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyslim.quant.histograms import BINS, Histogram


def filled(*batches):
    histogram = Histogram()
    for batch in batches:
        histogram.add(np.asarray(batch, np.float32))
    return histogram


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=5), st.integers(0, 2**31))
def test_a_histogram_that_widened_is_the_one_of_all_values_at_once(exponents, seed):
    rng = np.random.default_rng(seed)
    # Middles of bins, whatever power of two their width is: no value lies on an edge.
    middles = [(rng.integers(0, BINS, 50) + 0.5) / BINS * 2.0**e * rng.choice([-1, 1], 50) for e in exponents]
    histogram = filled(*(np.append(values, 2.0**e) for values, e in zip(middles, exponents, strict=True)))
    top = 2.0 ** max(exponents)
    # What is the largest when it comes lies at the end of the last bin, and stays in it when bins are joined.
    largest_so_far = np.array(exponents) == np.maximum.accumulate(exponents)
    ends = 2.0 ** np.array(exponents) * np.where(largest_so_far, 1 - 1e-9, 1)
    expected, _ = np.histogram(np.append(np.abs(np.concatenate(middles)), ends), BINS, (0, top))
    assert histogram.largest == top == histogram.width * BINS
    np.testing.assert_array_equal(histogram.counts, expected)


@given(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=6), st.integers(0, 2**31))
def test_no_value_is_lost_and_at_least_half_the_bins_are_in_use(scales, seed):
    rng = np.random.default_rng(seed)
    histogram = filled(*(rng.normal(size=(3, 4, 5)) * scale for scale in scales))
    assert histogram.total == 60 * len(scales)
    assert histogram.width * BINS / 2 < histogram.largest * (1 + 1e-6) <= histogram.width * BINS * (1 + 1e-6)


def test_values_between_edges_are_off_by_one_bin_at_most(rng):
    x = rng.normal(size=10_000).astype(np.float32)
    histogram = filled(x)
    rank = np.searchsorted(np.sort(np.abs(x)), histogram.edges)
    assert np.abs(histogram.counts.cumsum() - rank).max() <= 2


def test_zeros_widen_nothing_and_are_counted():
    histogram = filled(np.zeros(7), [0.0, 4.0])
    assert histogram.counts[0] == 8 and histogram.counts[-1] == 1
    assert filled(np.zeros(7)).width == 0
    assert filled(np.zeros((0, 3))).total == 0


def test_values_too_small_for_a_width_are_counted_as_zeros():
    histogram = filled([1e-44, 1e-40])
    assert histogram.counts[0] == 2 and histogram.largest > 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="not finite"):
        filled([1.0, value])
