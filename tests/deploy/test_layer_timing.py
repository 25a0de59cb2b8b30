"""Where the time goes: beginnings of a Program are what the whole Program does up to there."""

from __future__ import annotations

import time

import numpy as np
import pytest

import tinyslim
from tinyslim import deploy, models, quant

IMAGES = np.random.default_rng(0).standard_normal((2, 16, 16, 3)).astype(np.float32)


@pytest.fixture(scope="module", params=["float32", "int8"])
def program(request):
    model = models.resnet20(in_channels=3).eval()
    model.preprocessing = ((0.5,) * 3, (0.25,) * 3)
    if request.param == "int8":
        model = quant.prepare(model, IMAGES)
        model.train()(IMAGES)
        model.eval()
    return tinyslim.freeze(model, IMAGES)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_a_beginning_gives_what_the_reference_has_at_that_op(program, dtype):
    x = IMAGES if dtype == "float32" else np.random.default_rng(1).integers(0, 256, IMAGES.shape, np.uint8)
    values = [deploy.runtime.normalized(program, x, tinyslim.kernels.reference)]
    for op in program.ops:
        values.append(program.op_kind(op).run(op, tinyslim.kernels.reference, *(values[i] for i in op.inputs)))
    for count in (1, 2, 4, len(program.ops) // 2, len(program.ops)):
        found = np.asarray(program.beginning(count, x.dtype)(x)).reshape(values[count].shape)
        np.testing.assert_allclose(found, values[count], rtol=1e-4, atol=0 if found.dtype == np.uint8 else 1e-4)


def test_each_op_gets_its_share_of_a_whole_run(program):
    found = deploy.latency_by_op(program, IMAGES[:1], repeats=5)
    assert [(one.name, one.kind) for one in found] == [(op.name, op.kind) for op in program.ops]
    assert all(one.milliseconds >= 0 for one in found) and sum(one.milliseconds for one in found) > 0


def test_a_slow_op_is_found():
    class Slow:
        ops = tuple(deploy.Op("relu", name, (i,), {}, {}) for i, name in enumerate("abc"))

        def beginning(self, count, dtype):
            return lambda x: time.sleep(0.001 * (count + 4 * (count > 1)))

    found = {one.name: one.milliseconds for one in deploy.latency_by_op(Slow(), IMAGES, repeats=3)}
    assert found["b"] > 2 * max(found["a"], found["c"])


def test_no_repeats_are_refused(program):
    with pytest.raises(ValueError, match=r"`repeats` \(=0\)"):
        deploy.latency_by_op(program, IMAGES, repeats=0)
