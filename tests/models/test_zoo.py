"""Every network of the zoo goes the whole way: counted, pruned twice, saved, trained, frozen in float32 and int8."""

from __future__ import annotations

import numpy as np
import pytest

import tinyslim
import tinyslim.functional as F
from tinyslim import deploy, graph, models, no_grad, optim, prune, quant, train

EXAMPLE = np.zeros((1, 32, 32, 3), np.float32)

SMALL = {
    "mobilenet_v1": {"num_classes": 10, "width": 0.25, "stem_stride": 1},
    "mobilenet_v2": {"num_classes": 10, "width": 0.25, "stem_stride": 1},
    "resnet18": {"num_classes": 10, "width": 0.125, "stem_stride": 1},
    "resnet34": {"num_classes": 10, "width": 0.125, "stem_stride": 1},
    "resnet50": {"num_classes": 10, "width": 0.125, "stem_stride": 1},
    "resnet20": {},
    "resnet56": {},
}

#: Trained numbers, and millions of multiply-adds at 224, as published.
PUBLISHED = {
    "mobilenet_v1": (4_231_976, 569),
    "mobilenet_v2": (3_504_872, 300),
    "resnet18": (11_689_512, 1_814),
    "resnet34": (21_797_672, 3_664),
    "resnet50": (25_557_032, 4_089),
}


def small(name: str):
    return getattr(models, name)(**SMALL[name])


def seen(model, batches: int = 3):
    """The model, its running statistics and ranges those of some batches of noise, in eval mode."""
    rng = np.random.default_rng(1)
    with no_grad():
        for _ in range(batches):
            model.train()(rng.standard_normal((8, 32, 32, 3), np.float32))
    return model.eval()


@pytest.mark.parametrize("name", PUBLISHED)
def test_networks_for_large_images_have_the_published_counts(name):
    counts = graph.summary(getattr(models, name)(), np.zeros((1, 224, 224, 3), np.float32))
    params, millions = PUBLISHED[name]
    assert counts.params == params
    assert counts.macs / 1e6 == pytest.approx(millions, rel=0.01)


@pytest.mark.parametrize("name", SMALL)
def test_a_pruned_network_weighs_what_was_planned_trains_and_is_pruned_again(name, tmp_path):
    model = seen(small(name))
    plan = prune.plan_uniform(model, EXAMPLE, 0.5)
    smaller = plan.apply()  # refuses to return when pruned is not masked
    counts = graph.summary(smaller, EXAMPLE)
    assert (counts.params, counts.flops) == (plan.params_after, plan.flops_after)
    assert plan.achieved >= 0.5
    # Where one channel of a narrow network weighs more than the tolerance, the plan names it.
    assert plan.achieved <= 0.52 or "one channel fewer of" in plan.note

    train.save(smaller, tmp_path / "pruned.npz")
    loaded = train.load(tmp_path / "pruned.npz")
    images = np.random.default_rng(0).standard_normal((4, 32, 32, 3), np.float32)
    F.cross_entropy(loaded.train()(images), np.arange(4)).backward()
    optim.SGD(loaded.parameters(), lr=0.01, momentum=0.9).step()
    train.save(loaded, tmp_path / "trained.npz")
    again = train.load(tmp_path / "trained.npz").eval()
    with no_grad():
        np.testing.assert_array_equal(again(images).data, loaded.eval()(images).data)
    second = prune.plan_uniform(again, EXAMPLE, 0.3)
    assert graph.summary(second.apply(), EXAMPLE).flops == second.flops_after


@pytest.mark.parametrize("name", SMALL)
def test_programs_compute_what_the_network_does(name):
    model = seen(small(name))
    images = np.random.default_rng(2).standard_normal((3, 32, 32, 3), np.float32)
    with no_grad():
        expected = model(images).data
    np.testing.assert_allclose(
        tinyslim.freeze(model, EXAMPLE).run(images), expected, atol=1e-4 * np.abs(expected).max()
    )
    prepared = seen(quant.prepare(model, EXAMPLE))
    program = tinyslim.freeze(prepared, EXAMPLE)
    assert program.kind == "int8"
    np.testing.assert_array_equal(program.run(images), deploy.program.reference_run(program, images))
