from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import tinyslim.functional as F
from tinyslim import graph, models, nn, no_grad, optim, prune, train

SMALL = np.zeros((1, 32, 32, 3), np.float32)


def mobilenet() -> nn.Module:
    return models.mobilenet_v1(num_classes=10, width=0.25, stem_stride=1)


def mlp(*widths: int) -> nn.Module:
    layers = [nn.Linear(i, o, seed=n) for n, (i, o) in enumerate(pairwise(widths))]
    return nn.Sequential(*layers)


@pytest.mark.parametrize("build", [mobilenet, models.resnet20])
@pytest.mark.parametrize("target", [0.2, 0.5, 0.8])
def test_the_reached_flops_and_the_parameters_are_those_of_the_plan_and_near_the_target(build, target):
    model = build()
    plan = prune.plan_uniform(model, SMALL, target)
    counts = graph.summary(plan.apply(), SMALL)
    assert counts.flops == plan.flops_after
    assert counts.params == plan.params_after
    assert graph.summary(model, SMALL).flops == plan.flops_before
    assert graph.summary(model, SMALL).params == plan.params_before
    assert target <= plan.achieved <= target + 0.02


@pytest.mark.parametrize("build", [mobilenet, models.resnet20])
def test_every_group_loses_the_same_share_to_the_nearest_channel(build):
    plan = prune.plan_uniform(build(), SMALL, 0.5)
    for group in plan.structure.groups:
        gone = group.width - len(plan.keep[group.name])
        assert abs(gone - plan.level * group.width) <= 0.5


def test_the_ratio_is_the_smallest_that_meets_the_target():
    # FLOPs of 4 → a → b → 1: 2(4a + ab + b); one by one the channels go at the ratios ½/6, ½/4, 1½/6, 1½/4, …
    model, images = mlp(4, 6, 4, 1), np.zeros((1, 4), np.float32)
    widths = [(6, 4), (5, 4), (5, 3), (4, 3), (4, 2)]
    macs = [4 * a + a * b + b for a, b in widths]
    for step in range(1, len(widths)):
        target = 1 - (macs[step] + 0.5) / macs[0]
        plan = prune.plan_uniform(model, images, target)
        assert (plan.widths["0"][1], plan.widths["1"][1]) == widths[step]
        assert plan.flops_after == 2 * macs[step]


def test_filters_with_the_smallest_norm_go():
    model, images = mlp(3, 4, 2), np.zeros((1, 3), np.float32)
    model[0].weight.data = np.array([[1, -9, 0, 3], [1, 0, 0, -3], [1, 0, 0.5, 0]], np.float32)
    smaller = prune.uniform(model, images, 0.5)
    np.testing.assert_array_equal(smaller[0].weight.data, model[0].weight.data[:, [1, 3]])
    np.testing.assert_array_equal(smaller[0].bias.data, model[0].bias.data[[1, 3]])
    np.testing.assert_array_equal(smaller[1].weight.data, model[1].weight.data[[1, 3]])


def test_a_pruned_network_trains_saves_loads_and_is_pruned_again(tmp_path):
    model = mobilenet()
    model.preprocessing = ((0.5,) * 3, (0.25,) * 3)
    smaller = prune.uniform(model, SMALL, 0.5)
    assert type(smaller) is type(model)
    train.save(smaller, tmp_path / "pruned.npz")
    loaded = train.load(tmp_path / "pruned.npz")
    assert loaded.preprocessing == model.preprocessing

    optimizer = optim.SGD(loaded.parameters(), lr=0.1, momentum=0.9)
    images = np.random.default_rng(0).standard_normal((2, 32, 32, 3), np.float32)
    F.cross_entropy(loaded.train()(images), np.array([1, 2])).backward()
    optimizer.step()
    train.save(loaded, tmp_path / "trained.npz")
    again = train.load(tmp_path / "trained.npz")
    with no_grad():
        np.testing.assert_array_equal(again(images).data, loaded.eval()(images).data)

    before, after = graph.summary(again, SMALL), graph.summary(prune.uniform(again, SMALL, 0.5), SMALL)
    assert 0.48 <= after.flops / before.flops <= 0.5


def test_a_pattern_chooses_layers_and_brings_along_what_is_tied_to_them():
    plan = prune.plan_uniform(models.resnet20(), SMALL, 0.1, pruned_params="blocks.0.conv2.*")
    changed = {layer for layer, (before, after) in plan.widths.items() if before != after}
    assert changed == {"conv", "blocks.0.conv2", "blocks.1.conv2", "blocks.2.conv2"}


def test_a_pattern_that_matches_nothing_is_an_error_with_the_names():
    with pytest.raises(ValueError, match=r"`pruned_params` \(='head\.\*'\) matches none of .*: 0\.weight, 1\.weight$"):
        prune.uniform(mlp(4, 6, 4, 1), np.zeros((1, 4)), pruned_params="head.*")


def test_a_target_out_of_reach_is_an_error_that_tells_the_nearest():
    # 4 → 6 → 4 → 1 has 52 multiply-adds, 4 → 1 → 1 → 1 has 6.
    with pytest.raises(ValueError, match=r"`target_flops` \(=0\.9\) can't be met: .* 2 groups 0\.8846 of the FLOPs"):
        prune.uniform(mlp(4, 6, 4, 1), np.zeros((1, 4)), 0.9)
    plan = prune.plan_uniform(mlp(4, 6, 4, 1), np.zeros((1, 4)), 0.884)
    assert plan.widths == {"0": (6, 1), "1": (4, 1), "2": (1, 1)}


@pytest.mark.parametrize("target", [0, 1, -0.5, 50, float("nan")])
def test_the_target_is_a_share(target):
    with pytest.raises(ValueError, match=r"`target_flops` \(=.*\) must be above 0 and below 1"):
        prune.uniform(mlp(4, 6, 1), np.zeros((1, 4)), target)


def test_a_network_of_one_layer_has_nothing_to_cut():
    with pytest.raises(ValueError, match=r"no channels .* can be cut \(0: the network's output has a fixed width\)"):
        prune.uniform(mlp(4, 3), np.zeros((1, 4)))


def test_a_printed_plan_shows_widths_reasons_and_both_shares():
    text = str(prune.plan_uniform(mlp(4, 6, 4, 1), np.zeros((1, 4)), 0.5))
    assert "0      6 →     4 channels" in text
    assert "2      1 →     1 channels  kept: the network's output has a fixed width" in text
    assert "of the FLOPs go, 50.00% requested" in text
    assert "FLOPs 104 → 52" in text


def test_a_plan_says_which_channel_made_it_miss_the_target():
    text = str(prune.plan_uniform(mlp(4, 6, 4, 1), np.zeros((1, 4)), 0.51))
    assert "one channel fewer of 0 (6 channels) and only 50.00% would go" in text


def test_the_same_seed_cuts_the_same_random_filters():
    widths = mlp(4, 64, 64, 2), np.zeros((1, 4)), 0.5, "random"
    first, same, other = (prune.plan_uniform(*widths, seed=seed).keep["0"].tolist() for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_groups_and_plans_have_short_names_in_a_list():
    assert repr(prune.groups(mlp(4, 6, 4, 1), np.zeros((1, 4)))) == "[Group('0', 6 channels), Group('1', 4 channels)]"
    plan = prune.plan_uniform(mlp(4, 6, 4, 1), np.zeros((1, 4)), 0.5)
    assert repr(plan) == "Plan(50.00% of the FLOPs go, 50.00% requested)"
