"""Metrics: top-k with ties and NaN, and whether a difference is real."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from tinyslim import nn, train

LABELS = np.array([0, 1, 2])


@given(st.integers(1, 6), st.integers(0, 99))
def test_top_k_without_ties_is_the_rank_of_the_label(k, seed):
    rng = np.random.default_rng(seed)
    logits, labels = rng.standard_normal((20, 6)), rng.integers(0, 6, 20)
    best = np.argsort(-logits, axis=1)[:, :k]
    np.testing.assert_array_equal(train.in_top(logits, labels, k), (best == labels[:, None]).any(axis=1))


def test_tie_counts_against_the_model():
    assert not train.in_top(np.zeros((3, 10)), LABELS, 1).any()
    assert not train.in_top(np.zeros((3, 10)), LABELS, 9).any()
    assert train.in_top(np.zeros((3, 10)), LABELS, 10).all()


def test_model_that_answers_nan_is_never_right():
    logits = np.full((3, 10), np.nan)
    assert not train.in_top(logits, LABELS, 1).any()
    assert not train.in_top(logits, LABELS, 5).any()
    logits[:, 3:] = 0
    logits[0, 0] = 1
    assert not train.in_top(logits, LABELS, 1).any()


def test_scores_are_shares_and_the_mean_cross_entropy():
    logits = np.log(np.float32([[0.7, 0.2, 0.1], [0.5, 0.25, 0.25], [0.2, 0.2, 0.6]]))
    scores = train.scores(logits, LABELS)
    assert scores["top1"] == pytest.approx(2 / 3)
    assert scores["top5"] == 1
    assert scores["loss"] == pytest.approx(-np.log([0.7, 0.25, 0.6]).mean(), rel=1e-6)


def test_prediction_is_in_order_whatever_the_batch_and_leaves_the_mode(stripes, small_net, monkeypatch):
    model = small_net()
    model.preprocessing = (0.5,), (0.25,)
    whole = train.predict(model, stripes)
    monkeypatch.setattr("tinyslim.train.metrics.BATCH", 50)
    np.testing.assert_allclose(train.predict(model, stripes), whole, rtol=1e-5, atol=1e-6)
    expected = model.eval()(stripes.normalized(slice(None), model.preprocessing)).data
    np.testing.assert_allclose(whole, expected, rtol=1e-5, atol=1e-6)
    model.train()
    train.evaluate(model, stripes)
    assert all(module.training for module in model.modules())


def test_program_gets_the_bytes_themselves(stripes):
    class Program:
        def run(self, images):
            assert images.dtype == np.uint8
            return nn.GlobalAvgPool2d()(images).data * np.float32([1, 2, 3])

    assert train.predict(Program(), stripes).shape == (120, 3)


def answers(both: int, lost: int, won: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    before = np.repeat([True, True, False, False], (both, lost, won, neither))
    after = np.repeat([True, False, True, False], (both, lost, won, neither))
    return before, after


def test_difference_is_that_done_by_hand():
    difference = train.top1_difference(*answers(both=80, lost=8, won=2, neither=10))
    assert (difference.lost, difference.won, difference.change) == (8, 2, -0.06)
    # Exact McNemar: 2 · (C(10,0) + C(10,1) + C(10,2)) / 2¹⁰.
    assert difference.p_value == pytest.approx(2 * (1 + 10 + 45) / 1024)
    # Agresti and Min: half a case to each of the four cells, then Wald.
    shift, size = (2.5 - 8.5) / 102, 102
    spread = np.sqrt(((8.5 + 2.5) / size - shift**2) / size)
    assert (difference.low, difference.high) == pytest.approx((shift - 1.96 * spread, shift + 1.96 * spread), rel=1e-12)


def test_p_value_is_scipys_exact_binomial():
    difference = train.top1_difference(*answers(500, 31, 17, 52))
    assert difference.p_value == pytest.approx(binomtest(17, 48).pvalue)


def test_equal_answers_are_no_difference():
    difference = train.top1_difference(*answers(90, 0, 0, 10))
    assert (difference.change, difference.p_value) == (0, 1)
    assert difference.low < 0 < difference.high


def test_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        kinds = rng.choice(4, 300, p=[0.8, 0.08, 0.04, 0.08])
        difference = train.top1_difference(np.isin(kinds, (0, 1)), np.isin(kinds, (0, 2)))
        hits += difference.low <= -0.04 <= difference.high
    assert 0.92 <= hits / 400 <= 0.98


def test_answers_to_other_images_are_refused():
    with pytest.raises(ValueError, match=r"`before` has shape \(3,\), `after` \(4,\)"):
        train.top1_difference(np.ones(3, bool), np.ones(4, bool))
