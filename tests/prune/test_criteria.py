from __future__ import annotations

import numpy as np
import pytest

from tinyslim import models, nn, prune

RNG = np.random.default_rng(3)


def filters(weight, scale=None) -> prune.Filters:
    return prune.Filters("layer", np.asarray(weight, np.float32), scale, np.random.default_rng(0))


def test_norms_are_of_each_filter():
    weight = RNG.standard_normal((3, 3, 2, 5), np.float32)
    np.testing.assert_allclose(
        prune.CRITERIA["l1_norm"](filters(weight)), np.abs(weight).sum(axis=(0, 1, 2)), rtol=1e-6
    )
    np.testing.assert_allclose(
        prune.CRITERIA["l2_norm"](filters(weight)), np.linalg.norm(weight.reshape(18, 5), axis=0)
    )


def test_geometric_median_is_the_sum_of_distances_to_all_filters():
    weight = RNG.standard_normal((3, 3, 2, 5), np.float32)
    rows = weight.reshape(18, 5).T.astype(np.float64)
    expected = [sum(np.linalg.norm(a - b) for b in rows) for a in rows]
    np.testing.assert_allclose(prune.CRITERIA["geometric_median"](filters(weight)), expected)


def test_geometric_median_removes_the_replaceable_filter_and_a_norm_the_small_one():
    weight = np.array([[5.0, 5.1, 4.9, 0.0]])
    assert prune.CRITERIA["geometric_median"](filters(weight)).argmin() == 0
    assert prune.CRITERIA["l1_norm"](filters(weight)).argmin() == 3


def test_batch_norm_scale_is_that_of_the_norm_right_behind_the_layer():
    model = models.mobilenet_v1(num_classes=10, width=0.25, stem_stride=1)
    model.stem.norm.weight.data[:] = [3, -4, 1, 2, -5, 6, 8, -7]
    plan = prune.plan_uniform(model, np.zeros((1, 32, 32, 3)), 0.5, "batch_norm_scale")
    assert plan.keep["stem.conv"].tolist() == [1, 4, 5, 6, 7]


def test_batch_norm_scale_needs_a_batch_norm():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 1))
    with pytest.raises(ValueError, match=r"'batch_norm_scale'.* needs a batch norm right behind 0; it has none"):
        prune.uniform(net, np.zeros((1, 4, 4, 3)), 0.5, "batch_norm_scale")


class Added(nn.Module):
    def __init__(self):
        self.a, self.b, self.last = nn.Conv2d(1, 3, 1), nn.Conv2d(1, 3, 1), nn.Conv2d(3, 1, 1)

    def forward(self, x):
        return self.last(self.a(x) + self.b(x))


def test_branches_of_an_add_count_by_the_share_of_their_layer():
    net = Added()
    net.a.weight.data[:] = np.array([300.0, 200, 100])
    net.b.weight.data[:] = np.array([1.0, 2, 9])
    # a: 1½, 1, ½ of its mean; b: ¼, ½, 2¼ of its own. Unscaled sums would remove the last one.
    plan = prune.plan_uniform(net, np.zeros((1, 4, 4, 1)), 0.3)
    assert plan.keep["a"].tolist() == [0, 2]


def test_a_function_of_the_weight_is_a_criterion():
    net, seen = Added(), []

    def last_first(weight):
        seen.append(weight.shape)
        return -np.arange(weight.shape[-1])

    plan = prune.plan_uniform(net, np.zeros((1, 4, 4, 1)), 0.6, last_first)
    assert plan.keep["a"].tolist() == [0]
    assert seen == [(1, 1, 1, 3)] * 2


@pytest.mark.parametrize("wrong", [lambda w: w, lambda w: w.sum(), lambda w: np.full(w.shape[-1], np.nan)])
def test_a_criterion_must_give_one_finite_number_a_filter(wrong):
    with pytest.raises(
        ValueError, match=r"the criterion gave a scores of .* expected \(3,\): one finite number a filter"
    ):
        prune.uniform(Added(), np.zeros((1, 4, 4, 1)), 0.5, wrong)


def test_an_unknown_criterion_is_an_error_with_the_known():
    with pytest.raises(ValueError, match=r"`criterion` \(='l3_norm'\) must be a function or one of l1_norm, l2_norm"):
        prune.uniform(Added(), np.zeros((1, 4, 4, 1)), 0.5, "l3_norm")


@pytest.mark.parametrize("criterion", prune.CRITERIA)
def test_every_criterion_prunes_a_residual_network(criterion):
    images = np.zeros((1, 8, 8, 3), np.float32)
    plan = prune.plan_uniform(models.resnet20(), images, 0.5, criterion)
    assert plan.apply().conv.weight.shape[-1] == len(plan.keep["conv"])
