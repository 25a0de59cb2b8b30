from __future__ import annotations

import numpy as np
import pytest

from tinyslim import nn, prune
from tinyslim.prune.proposals import RatioSpace

NAMES = ["0", "2", "4"]


def space_of(target_flops=0.5, **settings) -> RatioSpace:
    """Over the ratios of three layers of 8, 16 and 12 channels."""
    layers = nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Conv2d(16, 12, 3), nn.ReLU()
    net = nn.Sequential(*layers, nn.GlobalAvgPool2d(), nn.Linear(12, 4))
    return RatioSpace(prune.read_structure(net, np.zeros((1, 12, 12, 1))), target_flops, **settings)


def test_ratios_keep_their_proportions_when_they_are_scaled():
    ratios = np.array([0.1, 0.2, 0.4])
    scaled = space_of().project(ratios)
    factor = scaled.plan.level
    # To the nearest channel of 8, 16 and 12.
    np.testing.assert_array_less(
        np.abs(scaled.ratios - np.minimum(factor * ratios, 11 / 12)), 0.5 / np.array([8, 16, 12]) + 1e-9
    )
    assert factor > 1


def test_equal_ratios_are_the_uniform_plan_whatever_their_size():
    uniform = space_of().start()
    assert space_of().project(np.full(3, 0.01)).ratios == uniform.ratios
    assert space_of().project(np.full(3, 0.99)).ratios == uniform.ratios


def test_a_group_of_ratio_zero_stays_whole_until_no_other_has_a_channel_left():
    assert space_of(0.5).project(np.array([0.0, 0.5, 0.5])).ratios[0] == 0
    assert space_of(0.95).project(np.array([0.0, 0.5, 0.5])).ratios[1:] == (15 / 16, 11 / 12)


@pytest.mark.parametrize("seed", range(3))
def test_a_long_walk_never_leaves_the_target(seed):
    space, rng = space_of(0.5), np.random.default_rng(seed)
    here = space.start()
    for _ in range(100):
        here = space.neighbour(here, rng)
        assert 0.5 <= here.plan.achieved <= 0.6
        assert all(0 <= ratio < 1 for ratio in here.ratios)


def test_within_a_range_ratios_stay_as_they_are_and_outside_they_are_scaled_to_its_nearer_end():
    space = space_of((0.4, 0.6))
    assert space.project(np.array([0.25, 0.375, 0.25])).ratios == (0.25, 0.375, 0.25)
    assert 0.4 <= space.project(np.array([0.05, 0.05, 0.05])).plan.achieved < 0.5
    assert 0.6 <= space.project(np.array([0.9, 0.9, 0.9])).plan.achieved < 0.7


def test_proposals_change_at_most_three_groups_before_scaling_and_reach_whole_and_narrow_layers():
    space = space_of((0.01, 0.99))
    here, rng = space.start(dict.fromkeys(NAMES, 0.5)), np.random.default_rng(0)
    changed = [sum(np.not_equal(space.neighbour(here, rng).ratios, here.ratios)) for _ in range(60)]
    assert set(changed) == {0, 1, 2, 3}
    seen = set()
    for _ in range(600):
        here = space.neighbour(here, rng)
        seen |= set(zip(NAMES, here.ratios, strict=True))
    assert {("0", 0.0), ("2", 0.0), ("4", 0.0), ("0", 7 / 8), ("2", 15 / 16), ("4", 11 / 12)} <= seen


def test_ratios_of_a_uniform_range_lie_on_its_grid_before_they_are_scaled():
    space = space_of((0.01, 0.99), uniform_range=4)
    here, rng = space.start(dict.fromkeys(NAMES, 0.5)), np.random.default_rng(0)
    for _ in range(50):
        assert set(space.neighbour(here, rng).ratios) <= {0, 0.25, 0.5, 0.75}
