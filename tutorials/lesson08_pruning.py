# %% [markdown]
# # Pruning: the smallest filters go, and what hangs together goes with them
#
# A trained network has filters that matter little. **Which ones, and what else must be cut when one goes?** You will rank
# filters, cut a network by hand so that it computes exactly what it should, fall off a cliff, and climb back up.
#
# You need: lessons 5 and 6. You will use: sorting, indexing.

# %% tags=["setup"]
import numpy as np

import tinyslim.functional as F
from tinyslim import Tensor, compress, course, data, models, prune, report
from tinyslim.prune import criteria

# %% [markdown]
# ## One equation
#
# The *$L_1$ norm* of filter $j$ is the sum of its absolute weights:
#
# $$ \|w_j\|_1 = \sum_{u, v, i} |w[u, v, i, j]| . $$
#
# A filter of small weights makes a channel of small numbers, and the next layer hardly hears it. It is a guess, no
# proof: a small number may be multiplied by a large weight. But it costs nothing, and it is hard to beat.

# %%
course.show(criteria.l1_norm)

# %% [markdown]
# ### Exercise 1
# Return the numbers of the filters that stay, in rising order, when a share `ratio` of them goes, rounded down.


# %% nbgrader={"grade": false, "grade_id": "stays", "solution": true}
def stays(weight, ratio):
    """(k, k, cin, cout) → the numbers of the filters that stay."""
    ### BEGIN SOLUTION
    norms = np.abs(weight).sum(axis=(0, 1, 2))
    gone = int(ratio * len(norms))
    return np.sort(np.argsort(norms, kind="stable")[gone:])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_stays", "points": 2}
weight = np.zeros((1, 1, 2, 5))
weight[0, 0] = [[1.0, -4.0, 0.5, 2.0, 3.0], [1.0, -4.0, 0.5, -2.0, 3.0]]
yours = list(stays(weight, 0.5))
assert len(yours) == 3, f"half of 5 filters, rounded down, are 2 that go: 3 stay, not {len(yours)}"
assert 1 in yours, f"you keep {yours}; filter 1 has weights of −4, the largest of all: take absolute values"
assert 3 in yours, f"you keep {yours}; in filter 3 the weights 2 and −2 cancel in a sum, but not in the norm"
assert yours == [1, 3, 4], f"you keep {yours}, expected [1, 3, 4]"

# %% [markdown]
# ## What hangs together
#
# Remove filter $j$ of a convolution, and channel $j$ of its result is gone. Then there must also go: entry $j$ of the
# batch norm behind it, filter $j$ of a depthwise convolution behind that, and, in the next dense or pointwise
# convolution, the *input* slice $j$ of every filter. All these arrays, cut at one number, are a **group**. Where a
# residual network adds two branches, the layers of both are one group. The engine finds the groups from the tape:

# %%
model = models.mobilenet_v1(num_classes=10, width=0.25, in_channels=1, stem_stride=1, pretrained="fashion_mnist")
example = np.zeros((1, 28, 28, 1), np.float32)
groups = prune.groups(model, example)
print(groups[1])
print()
print(next(group for group in prune.groups(models.resnet20(in_channels=1), example) if len(group.layers) > 1))

# %% [markdown]
# ### Exercise 2
# Cut a tiny network by hand: a convolution, a batch norm in use (scale `gamma`, shift `beta`), a ReLU, a second
# convolution. Keep the channels `keep` between the two. The parts are in a dictionary of arrays.


# %% nbgrader={"grade": false, "grade_id": "cut", "solution": true}
def cut(parts, keep):
    """The same parts with fewer channels in the middle: "first" (k, k, 1, c), "gamma", "beta" (c,), "second" (k, k, c, 3)."""
    ### BEGIN SOLUTION
    return {
        "first": parts["first"][..., keep], "gamma": parts["gamma"][keep], "beta": parts["beta"][keep],
        "second": parts["second"][:, :, keep],
    }  # fmt: skip
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_cut", "points": 3}
def run(parts, x):
    """The tiny network."""
    y = F.conv2d(Tensor(x), Tensor(np.ascontiguousarray(parts["first"]))) * parts["gamma"] + parts["beta"]
    return F.conv2d(F.relu(y), Tensor(np.ascontiguousarray(parts["second"]))).data


rng = np.random.default_rng(0)
shapes = {"first": (3, 3, 1, 6), "gamma": (6,), "beta": (6,), "second": (3, 3, 6, 3)}
parts = {name: rng.normal(size=shape) for name, shape in shapes.items()}
keep = np.array([0, 2, 5])
smaller = cut(parts, keep)
for name, shape in {"first": (3, 3, 1, 3), "gamma": (3,), "beta": (3,), "second": (3, 3, 3, 3)}.items():
    assert smaller[name].shape == shape, f"`{name}` has shape {smaller[name].shape} after the cut, expected {shape}"
masked = {name: array.copy() for name, array in parts.items()}
masked["second"][:, :, [1, 3, 4]] = 0
x = rng.normal(size=(1, 8, 8, 1))
assert np.allclose(run(smaller, x), run(masked, x)), (
    "the small network must compute what the large one does whose other channels are silenced; "
    "was `second` cut along its *input* axis, the third, and by the same numbers?"
)

# %% [markdown]
# ## Cut the real one
#
# `plan_uniform` looks for the one ratio that removes the share of FLOPs you ask for. It cuts every group, and then
# checks, as you just did, that the smaller network computes what the masked one computes.

# %%
plan = prune.plan_uniform(model, example, target_flops=0.5)
print(plan)
chosen = [group for group in groups if group.name in plan.keep]
scores = prune.channel_scores(prune.read_structure(model, example), chosen)
course.picture(
    report.filters_figure(plan, scores), "filters",
    "Small bar charts, one a layer: the filters ranked by their L1 norm from small to large, the lowest third in the "
    "colour of those that go.",
)  # fmt: skip
course.picture(
    report.widths_figure(plan), "widths",
    f"Horizontal bars for each layer, before and after the cut: about a third of the channels goes everywhere, and "
    f"{plan.achieved:.0%} of the FLOPs.",
)  # fmt: skip

# %% [markdown]
# ## The cliff, and the way back
#
# How much can go before the network breaks? We cut ever more, in four ways. Batch norm's averages (lesson 6) belong to
# the *whole* network; measuring them anew in the narrower one needs no training, and no labels. *Fine-tuning* is a
# little more training, here one epoch on 1,000 images.

# %%
train_set, test_set = data.load("fashion_mnist_mini")
train_set, test_set = train_set.subset(1000), test_set.subset(1000)
wanted = ("random channels stay", "largest L1 norms stay", "L1, batch norm re-estimated", "L1, fine-tuned")
ways = [row for row in compress.pruning_cliff.ROWS if row.name in wanted]
cliff = compress.cliff(
    model, train_set, test_set, targets=(0.2, 0.4, 0.6, 0.8), rows=ways,
    mending=compress.Mending(epochs=1, batch_size=64, lr=0.03),
)  # fmt: skip
print(cliff)

# %%
mended, fallen = cliff.lines["L1, fine-tuned"][1], cliff.lines["random channels stay"][1]
course.picture(
    report.cliff_figure(cliff), "cliff",
    f"Accuracy over the share of FLOPs removed. Random channels leave {fallen[1]:.0%} when 40 % of the FLOPs are gone; L1 norms "
    f"fall later, with batch norm re-estimated later still; fine-tuned, {mended[1]:.0%} are right.",
)  # fmt: skip

# %% [markdown]
# ### Exercise 3
# For which ratio $r$, the same in all layers, does a share `target` of the FLOPs go? Assume that each layer loses
# channels on both sides, so that $(1 - r)^2$ of its FLOPs stay.


# %% nbgrader={"grade": false, "grade_id": "ratio", "solution": true}
def ratio(target):
    """The share of channels to remove, so that a share `target` of the FLOPs goes."""
    ### BEGIN SOLUTION
    return 1 - np.sqrt(1 - target)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_ratio", "points": 1}
assert not np.isclose(ratio(0.75), 0.75), "a quarter of the channels on *both* sides would leave 1/16 of the FLOPs"
assert not np.isclose(ratio(0.51), np.sqrt(0.51)), "that is the root of what goes; (1 − r)² is what *stays*"
assert np.isclose(ratio(0.75), 0.5), (
    f"half of the channels leave a quarter of the FLOPs, so the ratio is 0.5, not {ratio(0.75)}"
)

# %% [markdown]
# **Think.** The plan's ratio for 50 % is a little larger than $1 - \sqrt{0.5} = 29.3\,\%$. Which layers of a MobileNet
# don't lose $(1-r)^2$ of their FLOPs, and why do they force the ratio up?

# %% [markdown] nbgrader={"grade": true, "grade_id": "think", "points": 2, "solution": true}
# ### BEGIN SOLUTION
# *One point:* the stem (its input channels are the image's, which stay), the classifier (its outputs are the classes),
# and the depthwise layers (one filter a channel): each falls with $(1 - r)$ only. *One point:* they keep more than
# their share, so the pointwise layers must lose more than half for the sum to be half; so the common ratio is higher.
# Widths are whole numbers as well, which rounds it further.
# ### END SOLUTION

# %% [markdown]
# On all images, with more seeds: `tinyslim cliff --seeds 3`. As a recipe: `tinyslim compress uniform_prune`.
#
# Next: lesson 9 asks whether every layer should lose the same share.
#
# Sources: H. Li et al. 2017, *Pruning filters for efficient ConvNets*, arXiv 1608.08710, §3 · G. Fang et al. 2023,
# *DepGraph*, CVPR (groups) · S. Han, MIT 6.5940, lab 1 (the three ways to cut).
