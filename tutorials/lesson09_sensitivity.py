# %% [markdown]
# # Which layers bear it: sensitivity, and a walk that may step down
#
# Lesson 8 took the same share from every layer. **But does every layer bear the same?** You will measure what each one
# can lose, turn the measurements into a plan, and then let a random walk look for a better one: a walk that sometimes
# goes the wrong way on purpose.
#
# You need: lessons 6 and 8. You will use: means, an exponential, a random generator.

# %% tags=["setup"]
import numpy as np

from tinyslim import course, data, models, prune, report, train
from tinyslim.prune.annealing import Cooling, anneal

# %% [markdown]
# ## Measure
#
# The recipe is the plainest there is. Take the trained network. Cut *one* group of channels by some ratio, leave all
# others whole, look at the accuracy; take the next. What is lost is the group's *sensitivity* at that ratio.
#
# Each trial sees the same 500 training images. (Not test images: whatever *chooses* something can't judge it
# afterwards.) Batch norm gets its averages anew in every trial, as in lesson 8: that needs no training.

# %%
model = models.mobilenet_v1(num_classes=10, width=0.25, in_channels=1, stem_stride=1, pretrained="fashion_mnist")
example = np.zeros((1, 28, 28, 1), np.float32)
train_set, test_set = data.load("fashion_mnist_mini")
on_500 = prune.SubsetTop1(train_set, images=500, recalibration_batches=2)
measured = prune.sensitivity(model, example, on_500, ratios=(0.2, 0.4, 0.6, 0.8))
print(measured)

# %% [markdown]
# Some losses are negative, and each has an error. Lesson 6 would give a top-1 near 90 % on 500 images an uncertainty of
# $\sqrt{0.9 \cdot 0.1 / 500} = 1.3$ points, and most numbers of the table would be worthless. But both networks see the
# *same* images. Count image by image: $d_i = 1$ where only the whole network is right, $-1$ where only the cut one is,
# and 0 where they agree. The loss is the mean of the $d_i$, and its standard error
#
# $$ e = \sqrt{\frac{1}{n} \cdot \frac{1}{n-1} \sum_{i=1}^{n} \big(d_i - \bar d\,\big)^2} . $$
#
# Images on which the two agree, and these are most, make it small.
#
# ### Exercise 1
# Write the loss and its error. Both networks' answers come as arrays of 0 and 1, one number an image.


# %% nbgrader={"grade": false, "grade_id": "loss", "solution": true}
def loss(whole, cut):
    """Two of (n,) → (the mean loss, its standard error)."""
    ### BEGIN SOLUTION
    d = np.asarray(whole) - np.asarray(cut)
    return d.mean(), d.std(ddof=1) / np.sqrt(len(d))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_loss", "points": 2}
whole, cut = np.array([1.0, 1, 1, 1, 0, 1, 0, 1]), np.array([1.0, 1, 0, 1, 0, 1, 0, 0])
mean, error = loss(whole, cut)
assert not np.isclose(mean, -0.25), "the whole network is right more often here: a loss is whole − cut, above 0"
assert np.isclose(mean, 0.25), f"the loss is the mean of the differences, 0.25; you return {mean}"
apart = np.sqrt(whole.var(ddof=1) / 8 + cut.var(ddof=1) / 8)
assert not np.isclose(error, apart), "these are two errors added as if the images were different ones: take d first"
assert not np.isclose(error, np.std(whole - cut, ddof=1)), "that is the deviation of one image; a mean's is √n smaller"
assert np.isclose(error, 0.16366, atol=1e-4), (
    f"expected the standard error 0.164, you return {error:.4f}: n − 1 in the sum?"
)
assert loss(whole, whole) == (0, 0), "two networks that agree everywhere have a loss of 0 ± 0"

# %% [markdown]
# ## From losses to a plan
#
# Through each group's points goes a curve that never falls. Then *one* level of loss $\lambda$ holds for all groups:
# each loses as much as costs it $\lambda$. The level rises until enough FLOPs are gone:
#
# $$ r_g(\lambda) = \max\{\, r : \mathrm{loss}_g(r) \le \lambda \,\}, \qquad
# \lambda^* = \min\{\, \lambda : \text{FLOPs removed by all } r_g(\lambda) \ge \text{target} \,\} . $$
#
# In the engine this is a list of all channels in the order in which the rising level takes them; `removed` grows along
# the list, so `bisect_left` finds the place.

# %%
course.show(prune.plan_by_level)
plan = prune.plan_sensitive(model, example, measured, target_flops=0.5)
ratios = plan.ratios
most, least = max(ratios, key=ratios.get), min(ratios, key=ratios.get)
course.picture(
    report.sensitivity_figure(measured, plan), "sensitivity",
    f"A small plot for each of {len(ratios)} groups: loss over the share of channels removed. All rise, some at once, some late. "
    f"A line marks the common level of loss, {plan.level:.1%}; there {most} loses {ratios[most]:.0%}, {least} {ratios[least]:.0%}.",
)  # fmt: skip
course.picture(
    report.widths_figure(plan), "widths",
    f"Bars for each layer before and after: {least} keeps nearly all of its channels, {most} loses {ratios[most]:.0%}.",
)  # fmt: skip

# %% [markdown]
# ### Exercise 2
# Write $r_g(\lambda)$ for all groups: `ratios` are those that were measured, rising; `losses` has a row a group, which
# never falls. A group for which even the smallest ratio costs too much loses nothing: 0.


# %% nbgrader={"grade": false, "grade_id": "ratios_at", "solution": true}
def ratios_at(level, ratios, losses):
    """(r,), (groups, r) → (groups,): the largest ratio of each group that costs at most `level`."""
    ### BEGIN SOLUTION
    fits = np.asarray(losses) <= level
    return np.where(fits, ratios, 0.0).max(axis=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_ratios_at", "points": 2}
losses = np.array([[0.00, 0.01, 0.20], [0.05, 0.30, 0.60], [0.00, 0.00, 0.01]])
yours = np.asarray(ratios_at(0.01, np.array([0.25, 0.5, 0.75]), losses))
assert yours.shape == (3,), f"one ratio a group: shape (3,), not {yours.shape}"
assert yours[1] == 0, f"group 1 loses 0.05 at the smallest ratio, more than 0.01: nothing goes, and you take {yours[1]}"
assert yours[0] != 0.25, "group 0 loses *exactly* 0.01 at 0.5, and at most 0.01 is allowed: ≤, not <"
assert list(yours) == [0.5, 0, 0.75], f"expected the ratios [0.5, 0, 0.75], you return {yours}"

# %% [markdown]
# ## But losses don't add up
#
# Each group was cut *alone*. Cut together, an early layer's damage meets that of a late one. And the rule is blind to
# prices: it treats a channel at 28×28 pixels, which costs much, as one at 7×7. So the plan is a guess as well:


# %%
def top1(plan):
    """On 2,000 test images, with batch norm measured anew and no training."""
    smaller = plan.apply()
    prune.recalibrate_batch_norm(smaller, [train_set.normalized(slice(k, k + 128)) for k in range(0, 512, 128)])
    return train.evaluate(smaller, test_set.subset(2000))["top1"]


uniform = prune.plan_uniform(model, example, target_flops=0.5)
scores = {"uniform": top1(uniform), "sensitive": top1(plan)}
for name, score in scores.items():
    print(
        f"{name:>9}: {score:.1%} at half of the FLOPs; forecast from the level alone: {measured.baseline - plan.level:.1%}"
    )

# %% [markdown]
# ## Walk
#
# So try whole plans. Change the ratios of one to three groups at random, scale all so that half of the FLOPs go again,
# cut, measure; keep the new plan if it is better. Such a climber ends on the first hill that it meets. *Simulated
# annealing* takes a step that changes the score by $\Delta$ with the probability
#
# $$ p = \min\big(1, e^{\Delta / T}\big), \qquad T_k = T_0 \, \rho^k . $$
#
# At a *temperature* $T$ far above $|\Delta|$ it goes anywhere; far below, it only climbs. $T$ falls from the one to the
# other, as in slowly cooled steel, whose atoms find their places.
#
# ### Exercise 3
# Write $p$. At $T = 0$ nothing that is worse is accepted, and nothing is divided by 0.


# %% nbgrader={"grade": false, "grade_id": "chance", "solution": true}
def chance(change, temperature):
    """The probability of a step that changes the score by `change`."""
    ### BEGIN SOLUTION
    if change >= 0:
        return 1.0
    return float(np.exp(change / temperature)) if temperature > 0 else 0.0
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_chance", "points": 2}
assert chance(0.3, 0.1) <= 1, f"a better score gives {chance(0.3, 0.1):.1f}, which is no probability: cut it off at 1"
assert chance(0.3, 0.1) == 1 and chance(0.0, 0.1) == 1, "what is better, or as good, is always accepted"
assert chance(-0.1, 0.1) < 0.5, (
    "a loss must be *less* likely than a coin's toss here: the score rises, so it is e^(+Δ/T)"
)
assert np.isclose(chance(-0.1, 0.1), np.exp(-1)), f"Δ = −T has the chance 1/e = 0.37, you return {chance(-0.1, 0.1)}"
assert chance(-0.1, 0.0) == 0 and chance(0.1, 0.0) == 1, "at T = 0 the walk only climbs"

# %% [markdown]
# Here is the engine's walk, and forty of them on two hills. All begin on the lower one. What must the temperature be?

# %%
course.show(anneal)


def hills(states):
    """The higher of two hills stands on the right."""
    return [0.75 * np.exp(-((x + 1.2) ** 2)) + np.exp(-((x - 1.2) ** 2)) for x in states]


def ends(temperature, rate=None):
    """Where forty walks of 200 steps stand at last."""
    found = []
    for seed in range(40):
        walk = anneal(
            -1.2, lambda x, rng: np.clip(x + 0.5 * rng.normal(), -3, 3), hills, Cooling(200, temperature, rate), seed
        )
        found.append([step.state for step in walk if step.accepted][-1])
    return np.array(found)


walks = {"T = 0: a climber": ends(0.0), "T from 0.3 to 0.003": ends(0.3), "T = 1024: a drunkard": ends(1024.0, 1.0)}
figure = report.empty_figure(9, 2.8)
x = np.linspace(-3, 3, 200)
for axes, (title, found) in zip(figure.subplots(1, 3, sharey=True), walks.items(), strict=True):
    axes.plot(x, hills(x), color="#666666")
    axes.plot(found, hills(found), "o", color="#0072B2", alpha=0.5)
    axes.set_title(f"{title}\nmean score {np.mean(hills(found)):.2f}", fontsize=9)
    axes.set_xlabel("state")
figure.axes[0].set_ylabel("score")
right = {title: np.mean(found > 0) for title, found in walks.items()}
course.picture(
    figure, "walks",
    "Three plots of two hills, the right one higher, and where forty walks end. Climbers: nearly all on the low hill. Cooled "
    f"walks: {right['T from 0.3 to 0.003']:.0%} on the high one, at the tops. Hot walks: spread everywhere, valleys too.",
)  # fmt: skip

# %% [markdown]
# The temperature only means something beside the changes $\Delta$ that it shall allow. PaddleSlim begins at 1024, on
# scores from 0 to 1: its first 60 trials are the right-hand picture. Here $T_0$ is taken from the spread of the first
# ten trials.

# %%
found = prune.plan_search(model, example, on_500, target_flops=0.5, steps=30, seed=0)
print(found)
scores["searched"] = top1(found.plan)
course.picture(
    report.search_figure(found.trials), "search",
    f"Above, the score of each trial, from {found.trials[0].score:.1%} to {found.best.score:.1%}, accepted ones joined by a "
    "line that falls at times, and the best so far as a staircase. Below, the falling temperature.",
)  # fmt: skip
print("test images: " + ", ".join(f"{name} {score:.1%}" for name, score in scores.items()))
print(f"the search's own score of its best, on the 500 images that chose it: {found.best.score:.1%}")

# %% [markdown]
# **Think.** The best trial scores higher on the 500 images that chose it than on the test images, while the first
# trial's scores differ less. Why? And would a search of 3,000 steps on the same 500 images cure it?

# %% [markdown] nbgrader={"grade": true, "grade_id": "think", "points": 2, "solution": true}
# ### BEGIN SOLUTION
# *One point:* each score is the plan's worth plus luck with these images, and the largest of many is likely one with
# much luck. The first trial was not chosen by its score, so its luck is as often bad as good. (Training images flatter
# both, for the network has learnt from them.) *One point:* more steps on the same images make it worse: there are more
# draws to choose the luckiest from. What helps is more images a trial, or judging the best few anew on other images.
# ### END SOLUTION

# %% [markdown]
# On more images, on all cores, kept in a file: `tinyslim sensitivity mobilenet_v1 --images 2000`. As recipes:
# `tinyslim compress sensitive_prune` and `tinyslim compress auto_prune`, which fine-tune afterwards.
#
# Next: lesson 10 keeps all channels, and makes the numbers in them smaller.
#
# Sources: H. Li et al. 2017, arXiv 1608.08710, §3.2 (sensitivity) · S. Kirkpatrick, C. Gelatt, M. Vecchi 1983,
# *Optimization by simulated annealing*, Science 220 · N. Metropolis et al. 1953, J. Chem. Phys. 21 · R. Barlow, H. Brunk
# 1972, JASA 67 (curves that never fall).
