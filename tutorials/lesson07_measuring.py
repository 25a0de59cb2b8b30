# %% [markdown]
# # Measuring: parameters, FLOPs, bytes, milliseconds, and why they disagree
#
# "Our network is twice as small." **Smaller in what?** Four numbers are called the size of a network. In this lesson you
# compute all four, watch two networks change places depending on the number, and learn to time something without
# fooling yourself.
#
# You need: lessons 4 and 5. You will use: counting, medians.

# %% tags=["setup"]
import numpy as np

import tinyslim
from tinyslim import course, deploy, graph, kernels, models, nn, report

# %% [markdown]
# ## Four numbers, one equation
#
# For a convolution with $k \times k$ filters from $c$ to $d$ channels, whose result has $h \times w$ pixels:
#
# $$ \text{parameters} = k^2 c\,d, \qquad \text{FLOPs} = 2\,h\,w \cdot \text{parameters} $$
#
# | number | how to get it | it decides |
# |---|---|---|
# | parameters | the equation | what must be learned |
# | FLOPs | the equation | how much arithmetic an image takes |
# | bytes | parameters × bytes a number | the download |
# | milliseconds | no equation: measure | what a user feels |
#
# *FLOP* is short for floating-point operation; a multiplication with its addition counts as two. *MACs*,
# multiply-accumulates, are half as many. Papers mix the two up: always say which.
#
# ### Exercise 1
# Write the first two. Batch norm, biases and activations are left out, as everybody does.


# %% nbgrader={"grade": false, "grade_id": "counts", "solution": true}
def parameters(k, c, d):
    """Weights of a k × k convolution from c to d channels."""
    ### BEGIN SOLUTION
    return k * k * c * d
    ### END SOLUTION


def flops(k, c, d, side, stride):
    """FLOPs of it on an image of side × side pixels, padded so that stride 1 would keep the size; `side` is even."""
    ### BEGIN SOLUTION
    return 2 * (side // stride) ** 2 * parameters(k, c, d)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_counts", "points": 2}
layer, example = nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False), np.zeros((1, 28, 28, 16), np.float32)
counted = graph.summary(nn.Sequential(layer), example)
assert parameters(3, 16, 32) == counted.params, (
    f"3·3·16·32 = {counted.params:,} weights, you say {parameters(3, 16, 32):,}"
)
yours = flops(3, 16, 32, 28, 2)
assert yours != counted.macs, "these are multiply-accumulates: a multiplication and its addition are two FLOPs"
assert yours != 4 * counted.flops, "the result has 14×14 pixels, since the stride is 2: count places of the *result*"
assert yours == counted.flops, f"the engine counts {counted.flops:,} FLOPs, you {yours:,}"

# %% [markdown]
# ## The engine's count
#
# It traces the network, and reads each node's counts off the shapes that really occurred: nothing can be forgotten.

# %%
course.show(graph.summary)

# %% [markdown]
# ## Timing without fooling yourself
#
# 1. **Warm up.** The first call compiles, allocates, and fills caches.
# 2. **Repeat, and take the median.** Times have a hard floor and a long tail: another program may interrupt. One
#    interruption moves a mean; half of all runs must be disturbed to move a *median*.
# 3. **Say how many threads**, and compare only what ran in the same process, by turns. Machines differ by a factor of
#    two, and one machine by 30 % between morning and noon.

# %%
course.show(deploy.latency)

# %% [markdown]
# ### Exercise 2
# Write the summary of a list of times: the median, and how far the middle half is spread (upper minus lower quartile).


# %% nbgrader={"grade": false, "grade_id": "middle", "solution": true}
def middle(times):
    """(median, interquartile range)."""
    ### BEGIN SOLUTION
    lower, median, upper = np.percentile(times, [25, 50, 75])
    return median, upper - lower
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_middle", "points": 1}
times = [1.0, 1.1, 1.2, 1.3, 50.0]
median, spread = middle(times)
assert not np.isclose(median, np.mean(times)), "that is the mean: one interruption of 50 ms has made it 10.9"
assert np.isclose(median, 1.2), f"the median of {times} is 1.2, not {median}"
assert np.isclose(spread, 0.2), f"a quarter of the times lie below 1.1 and a quarter above 1.3: 0.2, not {spread}"

# %% [markdown]
# ## Networks change places
#
# Each is *frozen* into a Program, the form without training code that is shipped, and runs on one image of 32×32
# pixels. The weights are random: time does not care.

# %%
image = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
networks = {
    "MobileNetV1, width 0.5": models.mobilenet_v1(num_classes=10, width=0.5, stem_stride=1),
    "MobileNetV1, width 0.25": models.mobilenet_v1(num_classes=10, width=0.25, stem_stride=1),
    "MobileNetV2, width 0.5": models.mobilenet_v2(num_classes=10, width=0.5, stem_stride=1),
    "ResNet-20": models.resnet20(),
}
rows = {}
print(f"{'':24} {'parameters':>11} {'MFLOPs':>8} {'kB':>8} {'ms':>8} {'GFLOP/s':>8}")
for name, model in networks.items():
    counted = graph.summary(model, image)
    program = tinyslim.freeze(model.eval(), image)
    took = deploy.latency(program, image, repeats=40).median
    rows[name] = counted.params, counted.flops / 1e6, program.nbytes / 1e3, took
    print(
        f"{name:24} {counted.params:11,} {counted.flops / 1e6:8.1f} {program.nbytes / 1e3:8.0f} {took:8.3f} {counted.flops / took / 1e6:8.1f}"
    )

# %% [markdown]
# ## See it
#
# By parameters, ResNet-20 is among the small ones; by time it is the slowest, since each of its weights is used at many
# more pixels. If FLOPs decided, all points on the right would lie on the dotted line. Those above it, the networks of
# many thin layers, also pay for *moving* numbers and for *starting* layers, and both are missing from the count.

# %%
figure = report.empty_figure(8.6, 3.6)
for axes, column, label in zip(
    figure.subplots(1, 2, sharey=True), (0, 1), ("parameters, thousands", "MFLOPs an image"), strict=True
):
    for (name, row), colour, marker in zip(
        rows.items(), ("#0072B2", "#56B4E9", "#009E73", "#D55E00"), "oDs^", strict=True
    ):
        axes.plot(
            row[column] / (1e3 if column == 0 else 1),
            row[3],
            marker,
            color=colour,
            markersize=9,
            label=name if column == 0 else None,
        )
    axes.set(xlabel=label, ylabel="ms an image" if column == 0 else None)
    if column == 1:
        most = max(row[1] for row in rows.values())
        slope = next(row[3] for row in rows.values() if row[1] == most) / most
        axes.plot([0, most], [0, slope * most], ":", color="#666666")
        axes.text(0.55 * most, 0.5 * slope * most, "equal GFLOP/s", color="#666666", fontsize=8)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8)
slowest = max(rows, key=lambda name: rows[name][3])
course.picture(
    figure, "size_and_time",
    f"Milliseconds over parameters and over FLOPs for four networks; the points lie on no common line. {slowest} takes "
    f"longest, {rows[slowest][3]:.2f} ms.",
)  # fmt: skip

# %% [markdown]
# ## Why: the same layer, wide and thin
#
# A pointwise layer of $c$ channels, on $14 \times 14$ pixels. Its FLOPs fall with $c^2$. Does the time?

# %%
import time


def median_ms(function, *arguments, repeats=30):
    """The median of `repeats` calls, after three that don't count."""
    times = []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        function(*arguments)
        times.append(1e3 * (time.perf_counter() - start))
    return np.median(times[3:])


rng = np.random.default_rng(0)
widths, spent = (256, 128, 64, 32, 24, 16, 8), []
for c in widths:
    spent.append(
        median_ms(kernels.conv2d, rng.random((1, 14, 14, c), np.float32), rng.random((1, 1, c, c), np.float32))
    )
    print(
        f"{c:4} channels: {2 * 196 * c * c / 1e6:7.3f} MFLOPs, {spent[-1]:.4f} ms, {2 * 196 * c * c / spent[-1] / 1e6:7.1f} GFLOP/s"
    )
print(f"256 to 8 channels: FLOPs fall {256**2 // 8**2:,}-fold, time {spent[0] / spent[-1]:.0f}-fold")

# %% [markdown]
# ### Exercise 3
# A pruned network has a share `kept` of its FLOPs. A share `arithmetic` of the original time was arithmetic, which
# shrinks with the FLOPs, and the rest stays. How many times faster is it? (This is Amdahl's law.)


# %% nbgrader={"grade": false, "grade_id": "speedup", "solution": true}
def speedup(kept, arithmetic):
    """(time before) / (time after)."""
    ### BEGIN SOLUTION
    return 1 / (arithmetic * kept + 1 - arithmetic)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_speedup", "points": 2}
assert np.isclose(speedup(0.5, 1.0), 2.0), (
    f"if all is arithmetic, half the FLOPs are twice as fast, not {speedup(0.5, 1.0)}"
)
assert np.isclose(speedup(0.5, 0.0), 1.0), (
    f"if nothing is arithmetic, nothing gets faster, and you say {speedup(0.5, 0.0)}"
)
assert np.isclose(speedup(0.5, 0.6), 1 / 0.7), (
    f"0.6 of the time halves to 0.3 and 0.4 stays: 1/0.7 = 1.43, not {speedup(0.5, 0.6):.2f}"
)

# %% [markdown]
# **Think.** A colleague prunes a layer from 64 to 57 channels and finds it *slower*. What may have happened, and what
# would you try?

# %% [markdown] nbgrader={"grade": true, "grade_id": "think", "points": 2, "solution": true}
# ### BEGIN SOLUTION
# *One point:* kernels work in vectors and tiles, of 16, 32 or 64 channels. 57 channels fill the same number of vectors
# as 64, and the last, partly empty one may take a slower path (masks, padding, a copy); lines of 57 floats are also
# not aligned to 64 bytes. *One point:* round widths to a multiple of 8 or 16 (`prune.uniform(..., round_to=8)`) and
# measure again, by turns in one process, with medians: perhaps it was only noise.
# ### END SOLUTION

# %% [markdown]
# `tinyslim summary resnet20` counts a network; `tinyslim bench models` times ours beside others, by turns.
#
# Next: lesson 8 cuts filters out, and finds that they hang together.
#
# Sources: G. M. Amdahl 1967, AFIPS 30 · N. Ma et al. 2018, *ShuffleNet V2*, arXiv 1807.11164, §2 · T. Hoefler, R. Belli
# 2015, *Scientific benchmarking of parallel computing systems*, SC15.
