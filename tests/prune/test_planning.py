from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyslim import models, nn, prune
from tinyslim.prune.stepping import step_ratios, widths_to_keep

FLAT = np.zeros((1, 4), np.float32)


def mlp(*widths: int) -> nn.Module:
    return nn.Sequential(*[nn.Linear(i, o, seed=n) for n, (i, o) in enumerate(pairwise(widths))])


def by_level(model, curves, target, **options):
    structure = prune.read_structure(model, FLAT)
    chosen = prune.choose_groups(structure, "*")
    order = {group.name: np.arange(group.width) for group in chosen}
    return prune.plan_by_level(structure, chosen, order, curves, target, **options)


@given(st.integers(1, 300), st.integers(1, 40))
def test_widths_go_down_by_multiples_and_steps_lie_midway(width, round_to):
    widths, ratios = widths_to_keep(width, round_to), step_ratios(width, round_to)
    assert widths[0] == width
    assert all(w % round_to == 0 and w >= 1 for w in widths[1:])
    assert widths[-1] <= max(round_to, 1)
    assert (np.diff(widths) < 0).all() and (np.diff(ratios) > 0).all()
    for (before, after), ratio in zip(pairwise(widths), ratios, strict=True):
        assert np.isclose(width * (1 - ratio), (before + after) / 2)


def test_channels_go_where_the_curve_is_lowest():
    # FLOPs of 4 → a → 10 → 1: 2(14a + 10), half of them at a = 4; the first layer's last step costs less than the
    # second's first.
    plan = by_level(mlp(4, 10, 10, 1), {"0": lambda r: r, "1": lambda r: 20 * r}, 0.5)
    assert plan.widths == {"0": (10, 4), "1": (10, 10), "2": (1, 1)}
    assert plan.level == pytest.approx(0.55)


def test_among_equal_levels_the_group_that_lost_less_goes_first():
    plan = by_level(mlp(4, 10, 10, 1), dict.fromkeys("01", np.zeros_like), 0.5)
    uniform = by_level(mlp(4, 10, 10, 1), dict.fromkeys("01", lambda r: r), 0.5)
    assert plan.widths == uniform.widths


@pytest.mark.parametrize("curve", [lambda r: -r, lambda r: r * np.nan, lambda r: r[:1]])
def test_a_curve_that_falls_or_gives_no_level_is_refused(curve):
    with pytest.raises(ValueError, match="the curve of 1 must give a level for each ratio, and never fall"):
        by_level(mlp(4, 6, 4, 1), {"0": lambda r: r, "1": curve}, 0.5)


@pytest.mark.parametrize("build", [lambda: models.mobilenet_v1(num_classes=10, width=0.25), models.resnet20])
def test_rounded_widths_are_multiples_and_the_plan_says_so(build):
    model, images = build().eval(), np.zeros((1, 32, 32, 3), np.float32)
    plan = prune.plan_uniform(model, images, 0.5, round_to=8)
    for group in plan.structure.groups:
        assert len(plan.keep[group.name]) % 8 == 0
        assert abs(plan.ratios[group.name] - plan.level) * group.width <= 4
    assert plan.achieved >= 0.5
    assert "widths are multiples of 8" in str(plan)
    assert plan.apply()(images).shape == (1, 10)


def test_a_rounding_that_makes_the_plan_miss_its_target_is_named():
    text = str(by_level(mlp(4, 16, 1), {"0": lambda r: r}, 0.1, round_to=8))
    assert "one step fewer of 0 (16 channels) and only 0.00% would go" in text


def test_a_target_out_of_reach_of_rounded_widths_tells_the_nearest():
    with pytest.raises(ValueError, match=r"can't be met: with at most 8 channels left in each of 1 groups 0\.5000 of"):
        by_level(mlp(4, 16, 1), {"0": lambda r: r}, 0.6, round_to=8)


@pytest.mark.parametrize("round_to", [0, -8])
def test_widths_are_rounded_to_at_least_one(round_to):
    with pytest.raises(ValueError, match=r"`round_to` \(=.*\) must be at least 1"):
        prune.uniform(mlp(4, 6, 1), FLAT, round_to=round_to)


def test_ratios_of_ones_own_are_cut_to_the_nearest_channel_and_leave_one():
    plan = prune.plan_ratios(mlp(4, 10, 10, 1), FLAT, {"0": 0.26, "1": 0.999})
    assert plan.widths == {"0": (10, 7), "1": (10, 1), "2": (1, 1)}
    assert plan.ratios == {"0": pytest.approx(0.3), "1": pytest.approx(0.9)}
    assert plan.level is None and "requested" not in str(plan) + repr(plan)
    assert plan.apply()(FLAT).shape == (1, 1)


def test_a_group_without_a_ratio_stays_whole():
    assert prune.plan_ratios(mlp(4, 10, 10, 1), FLAT, {"1": 0.5}).widths["0"] == (10, 10)


@pytest.mark.parametrize("ratio", [1, -0.1, float("nan")])
def test_a_ratio_is_a_share(ratio):
    with pytest.raises(ValueError, match=r"`ratios\['0'\]` \(=.*\) must be at least 0 and below 1"):
        prune.plan_ratios(mlp(4, 6, 1), FLAT, {"0": ratio})


def test_ratios_of_an_unknown_group_are_refused_with_the_names():
    with pytest.raises(ValueError, match="no group is named 'head'; there are 0"):
        prune.plan_ratios(mlp(4, 6, 1), FLAT, {"head": 0.5})
