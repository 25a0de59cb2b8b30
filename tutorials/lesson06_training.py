# %% [markdown]
# # Training on real images, and getting the same network twice
#
# "92.3 % with our method, 91.9 % without." **Is that a difference, or was it luck?** In this lesson a network learns to
# tell clothes apart, then learns it again to the very same bits, then with other seeds to other numbers, and you will
# write the two formulas that tell a gain from chance.
#
# You need: lessons 3 and 5. You will use: means, deviations, a random generator.

# %% tags=["setup"]
import numpy as np

import tinyslim.functional as F
from tinyslim import course, data, nn, report, train

# %% [markdown]
# ## The network and its data
#
# 2,000 images to train with, 2,000 others to test with. The test images choose nothing and teach nothing; they are
# there to ask, once, how good the network has become.

# %%
train_set, test_set = data.load("fashion_mnist_mini")
train_set, test_set = train_set.subset(2000), test_set.subset(2000)


def network(seed):
    """A small convolutional network: 28×28×1 to ten logits."""
    rng = np.random.default_rng(seed)
    layers, channels = [], 1
    for width in (16, 32, 64):
        layers += [
            nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False, seed=rng),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        channels = width
    return nn.Sequential(*layers, nn.GlobalAvgPool2d(), nn.Linear(channels, 10, seed=rng))


print(f"{sum(parameter.size for parameter in network(0).parameters()):,} parameters")

# %% [markdown]
# ## Batch norm: one equation
#
# Deep networks train badly if the numbers grow or shrink from layer to layer. *Batch norm* puts a stop to it: for each
# channel, with $\mu$ and $\sigma^2$ the mean and the variance over all pixels of all images in the batch,
#
# $$ y = \gamma \, \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta , $$
#
# where $\gamma$ and $\beta$ are learned and the small $\varepsilon$ keeps the root from 0. When the network is *used*,
# an image must not depend on its neighbours, so $\mu$ and $\sigma$ are then running averages of those seen in training.

# %%
course.show(F.batch_norm)

# %% [markdown]
# ### Exercise 1
# Write the training-time batch norm. Statistics are per channel, the last axis.


# %% nbgrader={"grade": false, "grade_id": "batch_norm", "solution": true}
def batch_norm(x, gamma, beta, eps=1e-5):
    """(n, y, x, c) → the same shape; gamma and beta are (c,)."""
    ### BEGIN SOLUTION
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    return gamma * (x - mean) / np.sqrt(variance + eps) + beta
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_batch_norm", "points": 2}
x = np.random.default_rng(0).normal(3.0, 2.0, size=(4, 5, 5, 3)) * np.array([1.0, 10.0, 0.1])
y = batch_norm(x, np.ones(3), np.zeros(3))
assert y.shape == x.shape, f"your result has shape {y.shape}, expected {x.shape}"
assert np.allclose(y.mean(axis=(0, 1, 2)), 0, atol=1e-6), (
    "a channel's mean is not 0: take it over images, rows and columns"
)
assert np.allclose(y.var(axis=(0, 1, 2)), 1, atol=1e-2), (
    f"the channels' variances are {y.var(axis=(0, 1, 2)).round(2)}, expected 1: divide by the *root* of the variance"
)
moved = batch_norm(x, np.full(3, 2.0), np.full(3, -1.0))
assert np.allclose(moved.mean(axis=(0, 1, 2)), -1), "beta shifts after the scaling: with beta = −1 each mean is −1"

# %% [markdown]
# ## Train
#
# One *epoch* shows every image once, in batches, in a new random order. The *schedule* lets the learning rate rise and
# fall again: large steps first, small ones to settle. The engine's loop for one epoch has the four lines of lesson 3:

# %%
from tinyslim.train.loop import train_epoch

course.show(train_epoch)


def learn(seed, epochs=5):
    """(the trained network, its history)."""
    model = network(seed)
    history = train.fit(model, train_set, epochs, 64, lr=0.2, seed=seed, test_set=test_set, quiet=True)
    return model, history


model, history = learn(seed=0)
for entry in history:
    print(f"epoch {entry['epoch']}: training images {entry['train_top1']:.1%}, test images {entry['top1']:.1%}")

# %% [markdown]
# ## The same bits again
#
# Chance enters training at two places: the first weights, and the order of the images. Both come from generators with
# a known seed, none from a hidden global one. And sums of floats are always taken in the same order, on any number of
# threads: $(a + b) + c$ and $a + (b + c)$ differ in the last bit, and training makes such a bit grow.

# %%
again, _ = learn(seed=0)
same = all(np.array_equal(a.data, b.data) for a, b in zip(model.parameters(), again.parameters(), strict=True))
print("the second training gave the same bits in every parameter:", same)

# %% [markdown]
# ### Exercise 2
# Write the order in which an epoch shows its images: a permutation of $0 \dots n-1$ which is the same for the same seed
# and epoch, differs from epoch to epoch, and neither reads nor changes NumPy's global state.
# (`np.random.default_rng([seed, epoch])` takes a list.)


# %% nbgrader={"grade": false, "grade_id": "order", "solution": true}
def order(n, seed, epoch):
    """The numbers 0 to n − 1, shuffled."""
    ### BEGIN SOLUTION
    return np.random.default_rng([seed, epoch]).permutation(n)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_order", "points": 2}
first = np.asarray(order(50, 3, 0))
assert sorted(first) == list(range(50)), "each image must come exactly once: a permutation, not a draw with replacement"
assert np.array_equal(first, order(50, 3, 0)), "the same seed and epoch gave two different orders"
assert not np.array_equal(first, order(50, 3, 1)), "epoch 1 has the order of epoch 0: the seed alone decides"
assert not np.array_equal(order(50, 3, 1), order(50, 4, 0)), (
    "seed 3, epoch 1 and seed 4, epoch 0 are the same: don't add them"
)

# %% [markdown]
# ## How large is luck?
#
# A test set is a sample. If a network is right on a share $p$ of *all* such images, then on $n$ of them it scores $p$
# give or take the *standard error*
#
# $$ s = \sqrt{\frac{p\,(1-p)}{n}} , $$
#
# and about 95 % of all samples lie within $\pm 1.96\,s$. On top of that, another seed gives another network.

# %%
scores = np.array([history[-1]["top1"]] + [learn(seed)[1][-1]["top1"] for seed in (1, 2)])
print("top-1 by seed:", ", ".join(f"{score:.2%}" for score in scores))
print(f"mean {scores.mean():.2%}, deviation between seeds {scores.std(ddof=1):.2%}")

# %% [markdown]
# ### Exercise 3
# Write the interval, and say whether two networks, each tested on its own sample of `n` images, differ by more than
# 1.96 standard errors of the *difference* (the squares of the two errors add up).


# %% nbgrader={"grade": false, "grade_id": "interval", "solution": true}
def interval(p, n):
    """(low, high): where 95 % of the scores lie, for a share p of right answers on n images."""
    ### BEGIN SOLUTION
    margin = 1.96 * np.sqrt(p * (1 - p) / n)
    return p - margin, p + margin
    ### END SOLUTION


def differ(p, q, n):
    """Whether the scores p and q on n images each are further apart than chance explains."""
    ### BEGIN SOLUTION
    return abs(p - q) > 1.96 * np.sqrt(p * (1 - p) / n + q * (1 - q) / n)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_interval", "points": 2}
low, high = interval(0.9, 10_000)
assert not np.isclose(high, 0.903, atol=1e-4), "that is one standard error; 95 % need 1.96 of them"
assert np.allclose([low, high], [0.89412, 0.90588], atol=1e-5), (
    f"0.9 on 10,000 images: 0.8941 to 0.9059, not {low:.4f} to {high:.4f}"
)
assert not differ(0.923, 0.919, 2_000), (
    "on 2,000 images each, 92.3 % and 91.9 % are no difference: the error of it is 0.85 points"
)
assert differ(0.923, 0.900, 2_000), "2.3 points on 2,000 images are more than 1.96 · 0.9 points: a difference"
assert not differ(0.923, 0.907, 2_000), (
    "1.6 points are inside 1.96 errors of the *difference*: both scores are uncertain"
)

# %% [markdown]
# ## See it

# %%
figure = report.empty_figure(9, 3.8)
left, right = figure.subplots(1, 2)
report.draw_training_curve(left, history)
for place, score in enumerate(scores):
    margin = 1.96 * np.sqrt(score * (1 - score) / len(test_set))
    right.plot(
        [place, place],
        [100 * (score - margin), 100 * (score + margin)],
        color="#0072B2",
        alpha=0.5,
        linewidth=4,
        solid_capstyle="butt",
    )
    right.plot(place, 100 * score, "D", color="#0072B2")
band = 100 * np.array([scores.mean() - scores.std(ddof=1), scores.mean() + scores.std(ddof=1)])
right.axhspan(*band, color="#E69F00", alpha=0.3, linewidth=0)
right.set_xticks(range(3), ["seed 0", "seed 1", "seed 2"])
right.set(xlim=(-0.6, 2.6), ylabel="top-1 on the test images, %", title="bars: 95 % of test sets; band: seeds")
course.picture(
    figure, "luck",
    f"Left, accuracy over five epochs, rising on training and test images. Right, the top-1 of three seeds, "
    f"{scores.min():.1%} to {scores.max():.1%}, each with a bar of about 1.7 points up and down, and a band for the seeds.",
)  # fmt: skip

# %% [markdown]
# **Think.** Two networks tested on the *same* images can be told apart with far fewer of them than `differ` says. Which
# images carry the information, and which don't?

# %% [markdown] nbgrader={"grade": true, "grade_id": "think", "points": 2, "solution": true}
# ### BEGIN SOLUTION
# *One point:* images on which both are right, or both wrong, say nothing about the difference. Only those count that
# one of the two gets right and the other wrong. *One point:* if there are $b$ of one sort and $c$ of the other, the
# question is whether a fair coin would land that way; for many images $(b - c)^2 / (b + c)$ tells (McNemar's test).
# The scores rise and fall together with the images' difficulty, and that common part drops out. (`tinyslim compress`
# prints this test.)
# ### END SOLUTION

# %% [markdown]
# From the command line: `tinyslim train mobilenet_v1 --set width=0.25 --set stem_stride=1 --epochs 5`.
#
# Next: lesson 7 asks what a network costs, and why four honest answers disagree.
#
# Sources: S. Ioffe, C. Szegedy 2015, *Batch normalization*, arXiv 1502.03167 · L. N. Smith 2018, arXiv 1803.09820 (the
# schedule) · Q. McNemar 1947, Psychometrika 12 · X. Bouthillier et al. 2021, *Accounting for variance in machine
# learning benchmarks*, arXiv 2103.03098.
