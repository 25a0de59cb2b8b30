"""Each rule against a plain twin: loops over the bins, as its description reads."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyslim.quant import range_search
from tinyslim.quant.histograms import BINS, Histogram

SEEDS, STEPS = st.integers(0, 2**31), st.sampled_from([1, 7, 127, 255])


def histogram_of(x):
    histogram = Histogram()
    histogram.add(np.asarray(x, np.float32))
    return histogram


def heavy_tailed(seed, size=4000):
    """Values of which few are much larger than the rest."""
    return np.random.default_rng(seed).standard_t(2.5, size).astype(np.float32)


def squared_error(values, clip, steps):
    step = clip / steps
    return sum((abs(x) - step * min(round(abs(x) / step), steps)) ** 2 for x in values)


@given(SEEDS, STEPS)
def test_mse_is_the_best_of_its_candidates_for_the_histogram_by_a_plain_loop(seed, steps):
    histogram = histogram_of(heavy_tailed(seed, 300))
    used = np.flatnonzero(histogram.counts)
    middles = np.repeat((used + 0.5) * histogram.width, histogram.counts[used]).tolist()
    found = range_search.mse(histogram, steps)
    best = squared_error(middles, found, steps)
    for i in (*range(1, 40), *range(40, BINS + 1, 101)):
        # Clips between two candidates may be better by a little.
        assert best <= squared_error(middles, i * histogram.width, steps) * 1.1 + 1e-12


@given(SEEDS, st.sampled_from([7, 127, 255]))
def test_mse_has_almost_the_least_squared_error_on_the_values_themselves(seed, steps):
    x = heavy_tailed(seed)
    largest = float(np.abs(x).max())

    def error(clip):
        return ((np.abs(x) - np.minimum(np.rint(np.abs(x) * steps / clip), steps) * clip / steps) ** 2).sum()

    found = range_search.mse(histogram_of(x), steps)
    assert error(found) <= 1.15 * min(error(largest * share) for share in np.linspace(0.01, 1, 200))


def plain_divergence(counts, i, groups):
    """Migacz 2017, the loop on the slide "Pseudocode", without arrays; Q counts one value at least."""
    reference = list(counts[:i])
    reference[-1] += sum(counts[i:])
    quantized = [0.0] * i
    for group in range(groups):
        first, last = group * i // groups, (group + 1) * i // groups
        members = [k for k in range(first, last) if reference[k] > 0]
        total = sum(counts[first:last])
        for k in members:
            quantized[k] = max(total / len(members), 1)
    p_sum, q_sum = sum(reference), sum(quantized)
    divergence = 0.0
    for p, q in zip(reference, quantized, strict=True):
        if p > 0:
            divergence += p / p_sum * math.log((p / p_sum) / (q / q_sum))
    return divergence


@given(SEEDS, st.integers(2, 40), st.integers(0, 60))
def test_the_divergence_is_that_of_a_plain_loop(seed, groups, more):
    counts = np.random.default_rng(seed).poisson(1.5, 100).astype(np.float64)
    i = min(groups + more, 100)
    expected = plain_divergence(counts.tolist(), i, groups)
    assert range_search.divergence(counts, i, groups) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_kl_takes_the_candidate_of_least_divergence(rng):
    histogram = histogram_of(np.abs(rng.normal(size=20_000)) ** 3)
    found = range_search.kl(histogram, 127)
    counts = [0.0, *histogram.counts[1:].astype(float).tolist()]
    divergences = {i: plain_divergence(counts, i, 128) for i in range_search.candidate_bins(128).tolist()[::16]}
    best = min(divergences.values())
    assert plain_divergence(counts, round(found / histogram.width), 128) <= best + 1e-12
    assert found < 0.8 * histogram.largest


def test_kl_keeps_all_of_a_distribution_that_has_no_tail(rng):
    histogram = histogram_of(rng.uniform(0, 1, 200_000))
    assert range_search.kl(histogram, 255) > 0.95


@given(SEEDS, st.floats(50, 100))
def test_a_percentile_is_numpys_to_the_width_of_a_bin(seed, percentile):
    x = np.abs(heavy_tailed(seed, 500))
    histogram = histogram_of(x)
    found = range_search.percentile(histogram, 127, percentile)
    exact = np.percentile(x, percentile, method="inverted_cdf")
    assert abs(found - exact) <= histogram.width * (1 + 1e-3)
    assert (x <= found * (1 + 1e-6)).mean() >= percentile / 100 - 1e-9


@given(SEEDS, STEPS, st.sampled_from(list(range_search.METHODS)))
def test_no_range_exceeds_the_largest_value_and_none_is_zero(seed, steps, method):
    histogram = histogram_of(heavy_tailed(seed, 100))
    assert 0 < range_search.METHODS[method](histogram, steps) <= histogram.largest


@given(st.floats(1e-6, 1e6), STEPS, st.sampled_from(["abs_max", "percentile", "mse"]))
def test_a_constant_is_covered(value, steps, method):
    histogram = histogram_of([value] * 10)
    assert range_search.METHODS[method](histogram, steps) == pytest.approx(value, rel=0.02 + 0.5 / steps)


@pytest.mark.parametrize("method", range_search.METHODS)
def test_values_that_are_all_zero_have_the_range_zero(method):
    assert range_search.search(method, 99.9)(histogram_of(np.zeros(9)), 255) == 0


def test_wrong_names_and_shares_are_refused():
    with pytest.raises(ValueError, match=r"`method` \(='mean'\) must be one of abs_max, percentile, mse, kl"):
        range_search.search("mean", 99)
    for share in (0, 101, "99"):
        with pytest.raises(ValueError, match=r"`percentile` \(="):
            range_search.search("percentile", share)
