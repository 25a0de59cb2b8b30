"""Sensitive pruning: one level of loss for all groups, on curves that never fall, until the FLOPs target is met."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyslim import graph, nn, prune
from tinyslim.prune.curves import fit_curve
from tinyslim.prune.sensitivities import GroupSensitivity, Measurement
from tinyslim.train import model_digest

EXAMPLE = np.zeros((1, 12, 12, 1), np.float32)
FINE = np.linspace(0, 1, 301)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    convs = nn.Conv2d(1, 8, 3, seed=0), nn.Conv2d(8, 16, 3, seed=1), nn.Conv2d(16, 16, 3, seed=2)
    layers = [layer for conv in convs for layer in (conv, nn.ReLU())]
    return nn.Sequential(*layers, nn.GlobalAvgPool2d(), nn.Linear(16, 4, seed=3))


def known(model, losses: dict[str, list[float]], error: float = 0.01, **identity) -> prune.Sensitivity:
    """A sensitivity with these losses at equal ratios between 0 and 1."""
    groups = {}
    for name, values in losses.items():
        width = prune.read_structure(model, EXAMPLE).group(name).width
        rows = [
            Measurement(width * (number + 1) // (len(values) + 1), 0.9 - loss, loss, error)
            for number, loss in enumerate(values)
        ]
        groups[name] = GroupSensitivity(name, width, 0.9, rows)
    usual = {"model": model_digest(model, EXAMPLE), "data": "none", "criterion": "l1_norm", "seed": 0}
    return prune.Sensitivity(usual | identity, (0.25, 0.5, 0.75), 0.9, groups)


EVEN = {"0": [0.1, 0.2, 0.3], "2": [0.1, 0.2, 0.3], "4": [0.1, 0.2, 0.3]}

points = st.lists(
    st.tuples(st.floats(0.02, 0.98), st.floats(-0.3, 0.9), st.just(0.0) | st.floats(1e-9, 0.1)),
    max_size=9,
    unique_by=lambda row: round(row[0], 2),
)


@given(points, st.floats(0, 1))
def test_a_fitted_curve_begins_at_0_never_falls_and_ends_at_the_most(rows, most):
    ratios, losses, errors = np.array(sorted(rows)).reshape(-1, 3).T
    curve = fit_curve(ratios, losses, errors, most)
    levels = curve(FINE)
    assert levels[0] == 0
    assert (np.diff(levels) >= 0).all()
    assert levels[-1] == pytest.approx(max(most, *levels))


@given(points)
def test_losses_that_never_fall_are_met_exactly(rows):
    ratios, losses, errors = np.array(sorted(rows)).reshape(-1, 3).T
    losses = np.sort(np.abs(losses))
    np.testing.assert_allclose(fit_curve(ratios, losses, errors, 0.9)(ratios), losses, atol=1e-12)


def test_a_fall_is_evened_out_by_how_sure_each_point_is():
    fitted = fit_curve([0.25, 0.5], [0.3, 0.1], [0.01, 0.02], 1.0)([0.25, 0.5])
    np.testing.assert_allclose(fitted, (4 * 0.3 + 0.1) / 5)
    np.testing.assert_allclose(fit_curve([0.25, 0.5], [0.3, 0.1], [np.nan, 0.02], 1.0)([0.25, 0.5]), 0.2)


def test_an_error_of_0_counts_as_the_smallest_other():
    fitted = fit_curve([0.25, 0.5], [0.3, 0.1], [0.0, 0.02], 1.0)([0.25, 0.5])
    np.testing.assert_allclose(fitted, 0.2)


def test_negative_losses_cost_nothing_and_the_curve_still_rises_behind_the_last():
    curve = fit_curve([0.25, 0.5], [-0.02, -0.01], [0.01, 0.01], 0.9)
    assert not curve([0.1, 0.25, 0.5]).any()
    assert (np.diff(curve(np.linspace(0.5, 1, 9))) > 0).all()


def test_ratios_may_come_in_any_order_and_shape():
    curve = fit_curve([0.25, 0.5], [0.1, 0.4], [0.01, 0.01], 0.9)
    mixed = np.array([[0.5, 0.1], [0.9, 0.25]])
    assert np.array_equal(curve(mixed).ravel(), [float(curve(ratio)) for ratio in mixed.ravel()])


# Plans.


def test_equal_curves_give_the_uniform_plan(model):
    sensitive = prune.plan_sensitive(model, EXAMPLE, known(model, EVEN), 0.5)
    uniform = prune.plan_uniform(model, EXAMPLE, 0.5)
    assert sensitive.widths == uniform.widths
    assert sensitive.level == pytest.approx(uniform.level * 0.4, rel=0.1)


def test_where_nothing_is_lost_ratios_are_even(model):
    free = prune.plan_sensitive(model, EXAMPLE, known(model, {name: [-0.01, 0.0, 0.0] for name in EVEN}), 0.5)
    assert free.level == 0
    assert free.widths == prune.plan_uniform(model, EXAMPLE, 0.5).widths


def test_a_group_that_bears_nothing_keeps_its_channels(model):
    plan = prune.plan_sensitive(model, EXAMPLE, known(model, EVEN | {"2": [0.9, 0.9, 0.9]}), 0.3)
    assert plan.ratios["2"] == 0
    assert min(plan.ratios["0"], plan.ratios["4"]) > 0.25


def test_every_group_ends_at_one_level(model):
    measured = known(model, {"0": [0.0, 0.1, 0.5], "2": [0.01, 0.02, 0.4], "4": [0.2, 0.3, 0.35]})
    plan = prune.plan_sensitive(model, EXAMPLE, measured, 0.5)
    assert 0.5 <= plan.achieved < 0.55
    for name, ratio in plan.ratios.items():
        group = measured.groups[name]
        steps = np.clip([ratio - 0.5 / group.width, ratio + 0.5 / group.width], 0, 1)
        last, following = group.curve(steps)
        assert last <= plan.level <= following


def test_the_smaller_network_has_the_planned_flops_and_its_sensitivity_can_be_measured_again(model):
    smaller = prune.sensitive(model, EXAMPLE, known(model, EVEN), 0.4)
    plan = prune.plan_sensitive(model, EXAMPLE, known(model, EVEN), 0.4)
    assert graph.summary(smaller, EXAMPLE).flops == plan.flops_after
    again = prune.sensitivity(smaller, EXAMPLE, lambda net: net.get("0").weight.size / 100, (0.5,))
    assert prune.plan_sensitive(smaller, EXAMPLE, again, 0.3).achieved >= 0.3
    with pytest.raises(ValueError, match="measured otherwise than it is to be used: model was"):
        prune.plan_sensitive(model, EXAMPLE, again, 0.3)


def test_widths_are_rounded_and_patterns_heeded(model):
    plan = prune.plan_sensitive(model, EXAMPLE, known(model, EVEN), 0.6, pruned_params="[24].*", round_to=8)
    assert plan.ratios == {"2": 0.5, "4": 0.5}
    assert plan.note == "widths are multiples of 8" or plan.note.startswith("widths are multiples of 8\n")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"criterion": "l2_norm"}, "criterion was 'l1_norm', now 'l2_norm'"),
        ({"target_flops": 0.9999}, "can't be met: .* nearest"),
        ({"sensitivity": {"2": [0.1, 0.2, 0.3], "4": [0.1, 0.2, 0.3]}}, "`sensitivity` lacks 0"),
    ],
)
def test_what_does_not_fit_is_refused(given, told, model):
    given = {"sensitivity": EVEN} | given
    with pytest.raises(ValueError, match=told):
        prune.plan_sensitive(model, EXAMPLE, known(model, given.pop("sensitivity")), **given)


def test_the_seed_counts_for_random_filters_alone(model):
    prune.plan_sensitive(model, EXAMPLE, known(model, EVEN), seed=7)
    with pytest.raises(ValueError, match="seed was 0, now 7"):
        prune.plan_sensitive(model, EXAMPLE, known(model, EVEN, criterion="random"), criterion="random", seed=7)


# What is shown.


def test_suggestions_are_the_largest_shares_of_whole_channels_at_a_loss(model):
    measured = known(model, {"0": [0.0, 0.1, 0.5], "2": [0.01, 0.02, 0.4], "4": [0.2, 0.3, 0.35]})
    found = measured.suggest((0.0, 0.02, 1.0))
    assert found[0.02]["2"] == 0.5
    assert found[0.0] == {"0": 0.25, "2": 0.0, "4": 0.0}
    assert found[1.0] == {"0": 7 / 8, "2": 15 / 16, "4": 15 / 16}
    assert prune.plan_ratios(model, EXAMPLE, found[0.02]).ratios["2"] == 0.5
    assert str(found).splitlines() == [
        "loss    0.00%    2.00%  100.00%",
        "0       25.0%    25.0%    87.5%",
        "2        0.0%    50.0%    93.8%",
        "4        0.0%     0.0%    93.8%",
    ]


def test_a_sensitivity_prints_what_was_measured_negative_losses_too(model):
    lines = str(known(model, {"0": [-0.01, 0.1, 0.5]}, error=0.0123)).splitlines()
    assert lines[0] == "score 90.00%; its loss in points, ± standard error"
    assert lines[1].split() == ["removed", "25%", "50%", "75%"]
    assert lines[2].split() == ["0", "-1.00", "±1.23", "10.00", "±1.23", "50.00", "±1.23"]
