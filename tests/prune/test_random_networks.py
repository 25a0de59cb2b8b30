from __future__ import annotations

import os
import tempfile

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import tinyslim.functional as F
from tinyslim import Tensor, graph, nn, no_grad, optim, prune, train
from tinyslim.prune.checking import silence

IMAGES = np.random.default_rng(0).standard_normal((2, 8, 8, 2))

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["conv", "depthwise", "residual", "project", "concat", "dense", "shared", "gate", "scale", "pool"]
        ),
        st.integers(1, 6),
    ),
    min_size=1,
    max_size=6,
)
HEADS = st.sampled_from(["pool", "flatten", "hidden", "conv"])


class RandomNet(nn.Module):
    """A network made of steps, each a (kind, width)."""

    def __init__(self, steps, head, seed):
        rng = np.random.default_rng(seed)
        self.kinds, self.parts, self.head = [], [], head
        width, side = 2, 8
        for kind, wish in steps:
            wish = {"conv": wish, "project": wish, "concat": wish}.get(kind, width)
            self.kinds.append(kind)
            self.parts.append(self._part(kind, width, wish, rng))
            width = width + wish if kind in ("concat", "dense") else wish
            side = max(side // 2, 1) if kind == "pool" else side
        inputs = width if head in ("pool", "conv") else side * side * width
        self.hidden = nn.Linear(inputs, 5, seed=rng) if head == "hidden" else None
        self.last = (
            nn.Conv2d(width, 3, 1, seed=rng) if head == "conv" else nn.Linear(5 if self.hidden else inputs, 3, seed=rng)
        )
        for norm in (layer for layer in self.modules() if isinstance(layer, nn.BatchNorm2d)):
            for array in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
                array += rng.random(array.shape, np.float32)

    def _part(self, kind, width, wish, rng):
        def conv(cin, cout, size=3):
            return nn.Conv2d(cin, cout, size, padding=size // 2, seed=rng)

        made = {
            "conv": lambda: [conv(width, wish), nn.BatchNorm2d(wish)],
            "depthwise": lambda: [nn.DepthwiseConv2d(width, 3, padding=1, seed=rng), nn.BatchNorm2d(width)],
            "residual": lambda: [conv(width, width), nn.BatchNorm2d(width)],
            "project": lambda: [conv(width, wish), conv(width, wish, 1), nn.BatchNorm2d(wish)],
            "concat": lambda: [conv(width, width), conv(width, wish, 1)],
            "dense": lambda: [conv(width, width)],
            "shared": lambda: [conv(width, width, 1)],
            "gate": lambda: [nn.Linear(width, 3, seed=rng), nn.Linear(3, width, seed=rng)],
            "scale": lambda: [nn.BatchNorm2d(width)],
            "pool": lambda: [nn.MaxPool2d(2, 2)],
        }
        return nn.Sequential(*made[kind]())

    def forward(self, x):
        for kind, part in zip(self.kinds, self.parts, strict=True):
            x = getattr(self, f"_{kind}")(x, *part) if x.shape[1] > 1 or kind != "pool" else x
        if self.head == "conv":
            return self.last(x)
        x = F.global_avg_pool2d(x) if self.head == "pool" else F.flatten(x)
        return self.last(x if self.hidden is None else F.relu(self.hidden(x)))

    def _conv(self, x, conv, norm):
        return F.relu(norm(conv(x)))

    def _depthwise(self, x, conv, norm):
        return F.relu6(norm(conv(x)))

    def _residual(self, x, conv, norm):
        return F.relu(x + norm(conv(x)))

    def _project(self, x, conv, shortcut, norm):
        return F.tanh(norm(conv(x)) - shortcut(x))

    def _concat(self, x, left, right):
        return F.concat([left(x), F.sigmoid(right(x))])

    def _dense(self, x, conv):
        return F.concat([x, F.relu(conv(x))], axis=3)

    def _shared(self, x, conv):
        return F.relu(conv(F.relu(conv(x))))

    def _gate(self, x, squeeze, excite):
        gate = F.sigmoid(excite(F.relu(squeeze(x.mean(axis=(1, 2))))))
        return x * gate.reshape(len(x), 1, 1, -1)

    def _scale(self, x, norm):
        return x * norm.weight / 2 + norm.bias

    def _pool(self, x, pool):
        return pool(x)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(STEPS, HEADS, st.data())
def test_pruned_equals_masked_and_weighs_what_was_predicted(steps, head, data):
    model = RandomNet(steps, head, seed=len(steps)).astype(np.float64)
    structure = prune.read_structure(model, IMAGES)
    keep = {
        group.name: sorted(data.draw(st.sets(st.integers(0, group.width - 1), min_size=1)))
        for group in structure.groups
    }
    before = {name: array.copy() for name, array in model.state_dict().items()}
    smaller = prune.cut(model, IMAGES, keep)
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())

    mask = structure.mask(keep)
    silent = silence(structure, mask).eval()
    with no_grad():
        np.testing.assert_allclose(smaller.eval()(IMAGES).data, silent(IMAGES).data, rtol=1e-9, atol=1e-12)
    counts = graph.summary(smaller, IMAGES)
    assert (counts.params, counts.macs) == (structure.params(mask), structure.macs(mask))
    assert sum(array.nbytes for array in smaller.state_dict().values()) == structure.nbytes(mask)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(STEPS, HEADS)
def test_a_pruned_network_saves_loads_trains_and_saves_and_is_pruned_again(steps, head):
    model, images = RandomNet([("conv", 6), *steps], head, seed=1), IMAGES.astype(np.float32)
    smaller = prune.uniform(model, images, 0.25)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.npz")
        train.save(smaller, path, images)
        loaded = train.load(path).train()
        optimizer = optim.SGD(loaded.parameters(), lr=0.01, momentum=0.9)
        (loaded(images) ** 2).sum().backward()
        optimizer.step()
        train.save(loaded, path)
        again = train.load(path)
    with no_grad():
        np.testing.assert_array_equal(again(images).data, loaded.eval()(images).data)
    plan = prune.plan_uniform(again, Tensor(images), 0.05)
    smallest = plan.apply()
    assert graph.summary(smallest, images).flops == plan.flops_after < plan.flops_before
    assert sum(array.nbytes for array in smallest.state_dict().values()) == plan.bytes_after < plan.bytes_before


def _left(smaller: nn.Module) -> float:
    """A score that falls with the weights that are gone: cheap, and different for each cut."""
    return float(sum(np.abs(tensor.data).sum() for tensor in smaller.parameters()))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(STEPS, HEADS, st.sampled_from(["sensitive", "search"]), st.sampled_from([0.1, 0.3]))
def test_measured_strategies_cut_any_network_to_what_they_predict(steps, head, strategy, target):
    model, images = RandomNet([("conv", 6), *steps], head, seed=2), IMAGES.astype(np.float32)
    if strategy == "sensitive":
        measured = prune.sensitivity(model, images, _left, ratios=(0.3, 0.6))
        plan = prune.plan_sensitive(model, images, measured, target)
    else:
        plan = prune.plan_search(model, images, _left, target, steps=4, seed=0).plan
    smaller = plan.apply()  # which refuses a network that does not equal the masked one
    counts = graph.summary(smaller, images)
    assert (counts.params, counts.flops) == (plan.params_after, plan.flops_after)
    assert sum(array.nbytes for array in smaller.state_dict().values()) == plan.bytes_after
    assert target <= plan.achieved and (plan.achieved <= target + 0.02 or "would go" in plan.note)
