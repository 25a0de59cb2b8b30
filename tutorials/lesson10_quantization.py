# %% [markdown]
# # Rounding that learns: from floats to 256 numbers and fewer
#
# An int8 network knows 256 different numbers a tensor and no more. **Which 256, what do they lose, and how can gradient
# descent still move a weight that must be one of them?** You will lay a grid over real activations, choose how far it
# reaches, and train through a staircase whose slope is zero almost everywhere.
#
# You need: lesson 2 (what a pull-back is), lesson 6. You will use: `rint`, `clip`, one division.

# %% tags=["setup"]
import numpy as np
from tinyslim.kernels.fake_quantization import round_all

import tinyslim.functional as F
from tinyslim import Tensor, course, data, graph, models, quant, report, train
from tinyslim.autograd.operations import each, operation
from tinyslim.quant import range_search

# %% [markdown]
# ## One equation
#
# A real number $x$ is stored as an integer $q$ and read back as $\hat x$:
#
# $$ q = \mathrm{clip}\big(\mathrm{round}(x / S) + Z,\; q_\min,\, q_\max\big), \qquad \hat x = S\,(q - Z) . $$
#
# $S$ is the *scale*, the distance of two neighbouring numbers; $Z$, the *zero point*, is the integer that stands for 0.
# The map is *affine*: a stretch and a shift. With $b$ bits, $q$ runs from 0 to $2^b - 1$. Going there and back at once
# is called *fake quantisation*: the result is a float, but one that an integer could stand for.

# %%
course.show(round_all)

# %% [markdown]
# ### Exercise 1
# Find $S$ and $Z$ for values between `low` ≤ 0 and `high` ≥ 0, so that the grid's $2^b - 1$ steps span them. $Z$ must
# be a whole number, so that 0 is stored *exactly*: images are padded with it, and after a ReLU it is the commonest
# value of all. (The grid's ends then move by up to half a step.)


# %% nbgrader={"grade": false, "grade_id": "affine", "solution": true}
def affine(low, high, bits):
    """(the scale, the zero point) of an unsigned grid of `bits` bits."""
    ### BEGIN SOLUTION
    scale = (high - low) / (2**bits - 1)
    return scale, round(-low / scale)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_affine", "points": 2}
scale, zero_point = affine(-55.0, 200.0, 8)
assert not np.isclose(scale, 255 / 256), "256 numbers have 255 steps between them"
assert np.isclose(scale, 1.0), f"from −55 to 200 are 255, in 255 steps of 1, not of {scale}"
assert zero_point != -55, "q = round(x/S) + Z must be at least 0: the lowest value −55 becomes 0, so Z = +55"
assert zero_point == 55, f"the integer that stands for 0.0 is 55, and you say {zero_point}"
assert affine(0.0, 6.0, 8)[1] == 0, "where nothing is negative, Z = 0: no integer is wasted below"
assert float(affine(-1.0, 2.0, 3)[1]).is_integer(), "Z must be a whole number: round it"

# %% [markdown]
# ## How far should the grid reach?
#
# Look at real numbers: what comes out of one ReLU of the shipped MobileNet on 200 images. To know such ranges, one must
# run images through the network and watch: *calibration*. It needs no labels and no training.

# %%
model = models.mobilenet_v1(num_classes=10, width=0.25, in_channels=1, stem_stride=1, pretrained="fashion_mnist")
train_set, test_set = data.load("fashion_mnist_mini")
train_set, test_set = train_set.subset(2000), test_set.subset(1000)
images = train_set.normalized(slice(0, 200))
with graph.taps(model.eval(), ["blocks.3.pointwise.relu"]) as maps:
    model(images)
values = maps["blocks.3.pointwise.relu"].data.ravel()
print(f"{values.size:,} values; {np.mean(values == 0):.0%} are 0, half of the others lie below", end=" ")
print(
    f"{np.median(values[values > 0]):.2f}, 99.9 % below {np.quantile(values, 0.999):.2f}, the largest is {values.max():.2f}"
)

# %% [markdown]
# A few values are far larger than the rest. If the grid reaches up to the largest, everybody else is rounded coarsely;
# if it ends earlier, at a *clip* $T$, they are cut off. With steps of $S = T / \text{steps}$, the error of a value is
#
# $$ |x - \hat x| \le S/2 \quad\text{for } x \le T, \qquad x - \hat x = x - T \quad\text{beyond.} $$
#
# Rounding spreads errors evenly over a step, so its mean square is about $S^2/12$; it falls as $T$ falls, and the
# other rises. In between lies the best bargain.
#
# ### Exercise 2
# Write the mean squared error of values $x \ge 0$ on a grid of `steps` steps that ends at `clip`. ($Z = 0$.)


# %% nbgrader={"grade": false, "grade_id": "squared_error", "solution": true}
def squared_error(x, clip, steps):
    """The mean of (x − x̂)²: an array → one number."""
    ### BEGIN SOLUTION
    scale = clip / steps
    rounded = np.clip(np.rint(x / scale), 0, steps) * scale
    return np.mean((x - rounded) ** 2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_squared_error", "points": 2}
x = np.array([0.2, 0.9, 3.0])
yours = squared_error(x, clip=2.0, steps=4)
assert not np.isclose(yours, 0.05 / 3), "3.0 lies beyond the clip and can only become 2.0: is the integer clipped?"
assert not np.isclose(yours, 1.05), "that is the sum; the mean over three values is a third of it"
assert np.isclose(yours, 0.35), f"0.2, 0.9, 3.0 become 0, 1, 2: a mean square of 0.35, and you say {yours:.4f}"
even = squared_error(np.linspace(0, 1, 100_001), clip=1.0, steps=10)
assert np.isclose(even, 0.1**2 / 12, rtol=1e-3), f"rounding alone should leave about S²/12 = 0.000833, not {even:.6f}"

# %%
course.show(range_search.mse)
shares = np.geomspace(0.03, 1.0, 60)
best = {}
figure = report.empty_figure(9, 3.4)
left, right = figure.subplots(1, 2)
left.hist(values, bins=120, log=True, color="#56B4E9")
for bits, colour in ((8, "#0072B2"), (4, "#D55E00")):
    errors = [squared_error(values, share * values.max(), 2**bits - 1) for share in shares]
    best[bits] = shares[np.argmin(errors)] * values.max()
    right.semilogy(shares * values.max(), np.sqrt(errors), color=colour, label=f"{bits} bits")
    right.plot(best[bits], np.sqrt(min(errors)), "o", color=colour)
    left.axvline(best[bits], color=colour, label=f"best clip, {bits} bits")
left.set(xlabel="value behind the ReLU", ylabel="how many")
right.set(xlabel="clip T", ylabel="root of the mean squared error")
left.legend(framealpha=1)
right.legend(frameon=False)
course.picture(
    figure, "clip",
    f"Left, a histogram of activations, falling by five orders of magnitude up to {values.max():.1f}; the best clip for 8 bits at "
    f"{best[8]:.1f}, for 4 bits at {best[4]:.1f}. Right, the error over the clip: two valleys, the one of 4 bits higher and further left.",
)  # fmt: skip

# %% [markdown]
# ## Post-training quantisation, measured
#
# `quant.calibrate` does this for every activation of a network at once, by four rules: up to the largest value; so that
# 99.99 % fit; your error; and one that compares histograms. Weights get 8 bits, from $-127$ to 127, and *one scale a
# channel*: lesson 8 has shown how different their norms are.

# %%
print(f"float32: {train.evaluate(model, test_set)['top1']:.1%}")
for bits in (8, 6, 4):
    found = {
        method: train.evaluate(quant.calibrate(model, [images], method, activation_bits=bits), test_set)["top1"]
        for method in quant.METHODS
    }
    print(f"activations of {bits} bits: " + ", ".join(f"{method} {top1:.1%}" for method, top1 in found.items()))

# %% [markdown]
# At 8 bits the plain rule is as good as any, within the error of 1,000 images (lesson 6). At 6 bits cutting off begins
# to pay. At 4 bits all break, and the smallest error in each layer isn't the best network: the few large values that it
# gives up may be those that decide. (`kl` was made for smooth histograms. Where half of every picture has one colour,
# they have spikes, and it cuts far too much.) To do better, the network must be *told* that it will be rounded.
#
# ## The gradient that isn't there
#
# The slope of the staircase is 0, except at its edges, where there is none. A weight behind it would never move. Bengio
# et al. look away: in the backward pass, treat rounding as if it were not there. Only the clip counts:
#
# $$ \frac{\partial \hat x}{\partial x} := \begin{cases} 1 & q_\min \le \mathrm{round}(x / S) + Z \le q_\max \\
# 0 & \text{otherwise.} \end{cases} $$
#
# This is the *straight-through* gradient. It is no derivative, and `gradcheck` would refuse it. It works.
#
# ### Exercise 3
# Write the operation for a symmetric grid ($Z = 0$, integers from `-limit` to `limit`), as in lesson 2: the result, and
# the pull-back.


# %% nbgrader={"grade": false, "grade_id": "straight_through", "solution": true}
@operation("x")
def straight_through(x, scale, limit):
    """x̂ on the way forward; on the way back, the gradient where nothing was clipped."""
    ### BEGIN SOLUTION
    q = np.rint(x / scale)
    return np.clip(q, -limit, limit) * scale, each(lambda grad: grad * (np.abs(q) <= limit))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_straight_through", "points": 3}
point = Tensor(np.array([-9.0, -0.26, 0.0, 0.24, 9.0]), requires_grad=True)
result = straight_through(point, scale=0.5, limit=2)
assert np.array_equal(result.data, [-1, -0.5, 0, 0, 1]), f"expected −1, −0.5, 0, 0, 1, you return {result.data}"
(result * 3.0).sum().backward()
assert point.grad.any(), "the true slope is 0 everywhere, and nothing behind it would ever learn: pass `grad` through"
assert point.grad[0] == point.grad[4] == 0, (
    f"the gradient at ±9, beyond the clip at ±1, must be 0, and yours is {point.grad[4]}: pushing further changes nothing"
)
assert np.array_equal(point.grad[1:4], [3, 3, 3]), (
    f"inside, `grad` (here 3) passes as it is; yours is {point.grad[1:4]}"
)

# %% [markdown]
# Train one weight: its rounded value shall be 0.8, on a grid of steps of 0.25.

# %%
weight, path = Tensor(np.array([0.1]), requires_grad=True), []
for _ in range(60):
    weight.grad = None
    rounded = straight_through(weight, 0.25, 4)
    ((rounded - 0.8) ** 2 / 2).sum().backward()
    path.append((weight.data[0], rounded.data[0]))
    weight.data -= 0.2 * weight.grad

x = np.linspace(-1.6, 1.6, 800)
figure = report.empty_figure(9, 3.2)
left, right = figure.subplots(1, 2)
left.plot(x, x, color="#999999", label="x")
left.plot(x, F.fake_quant(Tensor(x), 0.25, 0, -4, 4).data, color="#0072B2", label="x̂, four steps a side")
left.fill_between(x, -1.7, 1.7, where=np.abs(x) > 1.125, color="#E69F00", alpha=0.25, linewidth=0, label="gradient 0")
left.set(xlabel="x", xlim=(-1.6, 1.6), ylim=(-1.7, 1.7))
right.plot([true for true, _ in path], color="#999999", label="weight")
right.plot([seen for _, seen in path], color="#0072B2", drawstyle="steps-mid", label="rounded")
right.axhline(0.8, color="#D55E00", linestyle="--", label="wanted")
right.set(xlabel="step")
left.legend(frameon=False, fontsize=8)
right.legend(frameon=False, fontsize=8, loc="lower right")
course.picture(
    figure, "staircase",
    "Left, a staircase along the diagonal that turns flat beyond ±1, where the gradient is 0. Right, a weight that rises in "
    "ever smaller steps; its rounded value climbs to 0.75 and then jumps between 0.75 and 1, around the wanted 0.8.",
)  # fmt: skip

# %% [markdown]
# ## The whole network
#
# `quant.prepare` puts such operations behind all activations and all weights; `calibrate` does so too, and sets their
# ranges. What it makes trains like any network: *quantisation-aware training*. With 4 bits for weights *and*
# activations, before and after one epoch on 2,000 images:

# %%
four = quant.calibrate(model, [images], "mse", weight_bits=4, activation_bits=4)
print(f"calibrated: {train.evaluate(four, test_set)['top1']:.1%}")
history = train.fit(four, train_set, 1, 64, lr=0.005, seed=0, test_set=test_set, quiet=True)
print(f"after one epoch of training with rounding: {history[-1]['top1']:.1%}")

# %% [markdown]
# **Think.** The trained weight of the picture never rests. Why does it move to and fro between two grid points, and why
# is it more often at 0.75? What would a smaller learning rate change, and what would it not?

# %% [markdown] nbgrader={"grade": true, "grade_id": "think", "points": 2, "solution": true}
# ### BEGIN SOLUTION
# *One point:* no grid point is 0.8. At 0.75 the error says "up", so the true weight rises until it is rounded to 1;
# there the error says "down", and is four times as large (0.2 against 0.05): one step down undoes four up. So it hovers
# at the edge 0.875 between the two, and is at 0.75 about four times as often. *One point:* a smaller rate makes the
# moves of the true weight smaller and the jumps rarer, but the two values that it jumps between stay: the mean of the
# rounded value over time is near 0.8 at any rate. (So QAT ends with small rates, or freezes what hovers.)
# ### END SOLUTION

# %% [markdown]
# From the command line: `tinyslim quantize model.npz` calibrates, `tinyslim compress quant` trains with rounding.
#
# Next: lesson 11 multiplies such integers as fast as your processor can.
#
# Sources: B. Jacob et al. 2018, CVPR, eq. 1 and 12 · R. Krishnamoorthi 2018, arXiv 1806.08342 · Y. Bengio, N. Léonard,
# A. Courville 2013, arXiv 1308.3432, §4 (straight through) · R. Banner et al. 2019, arXiv 1810.05723 (the best clip) ·
# M. Nagel et al. 2022, arXiv 2203.11086 (oscillating weights).
