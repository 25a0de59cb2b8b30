# %% [markdown]
# # Distillation: what a wrong answer teaches
#
# A large network looks at a shirt and says: "a shirt, 60 %; it might be a T-shirt; it is no boot." The label says:
# "shirt." **Which of the two would you rather learn from?** In this lesson a small network learns from a large one, by
# its doubts, and by where it looks; and you will find out how much of the labels that replaces.
#
# You need: lessons 3 and 6. You will use: exponentials, a matrix product.

# %% tags=["setup"]
import numpy as np

import tinyslim.functional as F
from tinyslim import Tensor, course, data, distill, graph, models, nn, report, train

# %% [markdown]
# ## One equation
#
# A network's *logits* $z$ become probabilities by softmax (lesson 3). A *temperature* $T$ divides them first:
#
# $$ p_i(T) = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}} . $$
#
# At $T = 1$ these are the usual ones, mostly near 0 and 1. Above, the large ones shrink and the small ones grow, so that
# one can see, and learn, which of the wrong classes the network finds less wrong. The order stays.
#
# ### Exercise 1
# Write it, for a batch of logits. As in lesson 3, subtract the largest logit first, or large ones overflow.


# %% nbgrader={"grade": false, "grade_id": "soften", "solution": true}
def soften(logits, temperature):
    """(n, classes) → probabilities (n, classes)."""
    ### BEGIN SOLUTION
    z = logits / temperature
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_soften", "points": 2}
logits = np.array([[2.0, 0.0, -2.0], [0.0, 3.0, 3.0]])
warm = soften(logits, 2.0)
assert np.allclose(warm.sum(axis=1), 1), (
    f"each image's probabilities must sum to 1, not {warm.sum(axis=1)}: divide z by T"
)
assert warm[0, 0] < soften(logits, 1.0)[0, 0], (
    "at a higher temperature the largest must become *smaller*: divide z by T"
)
assert np.allclose(warm[0], [0.6652, 0.2447, 0.0900], atol=1e-4), f"expected 0.665, 0.245, 0.090, you return {warm[0]}"
assert np.isfinite(soften(np.array([[2000.0, 0.0]]), 1.0)).all(), (
    "exp(2000) overflows: subtract the largest logit first"
)

# %% [markdown]
# ## A teacher's doubts
#
# The teacher is the ResNet-20 that ships, trained on 10,000 images. Here are three test pictures that it gets right, but
# not lightly.

# %%
train_set, test_set = data.load("fashion_mnist_mini")
few, test_set = train_set.subset(1000), test_set.subset(2000)
teacher = models.resnet20(in_channels=1, pretrained="fashion_mnist")
answers = train.predict(teacher, test_set)
print(
    f"the teacher: {train.evaluate(teacher, test_set)['top1']:.1%}, {sum(p.size for p in teacher.parameters()):,} parameters"
)

sure = F.softmax(Tensor(answers)).data
doubt = np.where(sure.argmax(axis=1) == test_set.labels, -(sure * np.log(sure + 1e-12)).sum(axis=1), 0)
figure = report.empty_figure(9, 4.6)
shown = []
for column, place in enumerate(np.argsort(-doubt)[[0, 2, 4]]):
    shown.append(test_set.classes[test_set.labels[place]])
    picture, bars = figure.add_subplot(2, 3, column + 1), figure.add_subplot(2, 3, column + 4)
    picture.imshow(test_set.images[place, :, :, 0], cmap="gray_r")
    picture.set_title(f"label: {shown[-1]}", fontsize=9)
    picture.set_axis_off()
    for temperature, colour, shift in ((1, "#0072B2", -0.2), (4, "#E69F00", 0.2)):
        p = soften(answers[place : place + 1], temperature)[0]
        bars.barh(np.arange(10) + shift, p, height=0.4, color=colour, label=f"T = {temperature}")
    bars.set_yticks(range(10), test_set.classes, fontsize=7)
    bars.invert_yaxis()
figure.axes[1].legend(frameon=False, fontsize=8)
course.picture(
    figure, "doubts",
    f"Three pictures ({', '.join(shown)}), and under each the teacher's ten probabilities. At temperature 1 two or three "
    "classes share nearly all; at 4 the others show as well, similar kinds of clothes above unlike ones.",
)  # fmt: skip

# %% [markdown]
# ## The loss
#
# Hinton et al. let the student's soft probabilities $p^S$ follow the teacher's $p^T$, with $H(p, q) = -\sum_i p_i \ln q_i$
# and a small share for the labels $y$:
#
# $$ L = T^2 \, H\big(p^T(T),\, p^S(T)\big) + \beta \, H\big(y,\, p^S(1)\big) . $$
#
# Why $T^2$? You will see it in the gradient.

# %%
course.show(distill.soft_label_loss)

# %% [markdown]
# ### Exercise 2
# Write the gradient of the first term, $T^2 H$, by the student's logits $z^S$, for one image. Lesson 3 gave
# $\partial H / \partial z = p - y$ at $T = 1$; the chain rule through $z / T$ gives one more factor $1/T$.


# %% nbgrader={"grade": false, "grade_id": "gradient", "solution": true}
def gradient(student, teacher, temperature):
    """Two of (classes,) logits → ∂(T²·H)/∂student, (classes,)."""
    ### BEGIN SOLUTION
    pair = np.stack([student, teacher]) / temperature
    p = np.exp(pair - pair.max(axis=1, keepdims=True))
    ours, theirs = p / p.sum(axis=1, keepdims=True)
    return temperature * (ours - theirs)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_gradient", "points": 3}
ours, theirs = np.array([1.0, 0.0, -1.0]), np.array([-1.0, 3.0, 0.5])
tensor = Tensor(ours[None], requires_grad=True)
distill.soft_label_loss(tensor, Tensor(theirs[None]), 4.0, 4.0, scale_by_temperature=True).backward()
right, yours = tensor.grad[0], gradient(ours, theirs, 4.0)
assert not np.allclose(yours, -right), "the sign is turned: where the student says more than the teacher, go down"
assert not np.allclose(yours, right / 4), "T² from the loss times 1/T from the chain rule leaves one factor T"
assert not np.allclose(yours, right * 4), "the chain rule through z/T divides by T once: T² becomes T"
assert np.allclose(yours, right), f"the engine's tape says {right.round(4)}, you say {yours.round(4)}"
far = [np.abs(gradient(ours, theirs, t)).sum() for t in (4.0, 40.0)]
assert far[1] > far[0] / 2, "with T² the gradient keeps its size when T grows"

# %% [markdown]
# ## Learn from it
#
# The student has eleven times fewer parameters, and it gets no more than 1,000 pictures. Once it learns from their labels
# alone, once from the teacher's soft labels ($T = 2$, and $\beta = 0.1$ for the true ones); three seeds each, for one would
# prove nothing (lesson 6). The teacher is asked once for each picture and remembered.


# %%
def network(seed):
    """28×28×1 to ten logits; the maps behind its last two convolutions are 7×7."""
    rng = np.random.default_rng(seed)
    layers, channels = [], 1
    for width, stride in ((16, 2), (32, 2), (64, 1)):
        conv = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False, seed=rng)
        layers += [conv, nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.GlobalAvgPool2d(), nn.Linear(channels, 10, seed=rng))


def learn(loss):
    """Three students of one loss, and their top-1 on the test images."""
    students = [network(seed) for seed in range(3)]
    found = [
        train.fit(student, few, 8, 64, seed=seed, test_set=test_set, loss=loss, quiet=True)[-1]["top1"]
        for seed, student in enumerate(students)
    ]
    return students, 100 * np.array(found)


soft = distill.SoftLabelDistiller(student_temperature=2.0, teacher_temperature=2.0, scale_by_temperature=True)
remembered = distill.RememberingTeacher(teacher)
plain, by_labels = learn(None)
_, by_doubts = learn(distill.Distiller(remembered, [soft], label_weight=0.1))
print(f"labels alone: {by_labels.mean():.1f} % ± {by_labels.std(ddof=1):.1f} from seed to seed")
print(f"soft labels:  {by_doubts.mean():.1f} % ± {by_doubts.std(ddof=1):.1f}")

# %% [markdown]
# ## Feature maps: where it looks, and how it gets on
#
# Ten probabilities are little; inside the teacher there are maps with thousands of numbers. Three ways to learn from them:
#
# * **L2** (FitNets): the student's map shall *be* the teacher's. If their channels differ, a learned 1×1 convolution
#   stands between them.
# * **Attention**: only *where* a map is large counts, $Q = \sum_c F_c^2$, as a unit vector. Channels may differ.
# * **FSP** (flow of solution procedure): not the maps themselves, but which channels of one layer go with which of a
#   later one, over all places, $G = F_1^\top F_2 / (H W)$.

# %%
course.show(distill.attention_map, distill.fsp_loss)

# %% [markdown]
# ### Exercise 3
# Write the FSP matrix $G$ of one image: $G_{ij}$ is the mean, over all $H W$ places, of channel $i$ of the first map times
# channel $j$ of the second.


# %% nbgrader={"grade": false, "grade_id": "fsp", "solution": true}
def fsp(first, second):
    """(h, w, c₁), (h, w, c₂) → (c₁, c₂)."""
    ### BEGIN SOLUTION
    h, w, _ = first.shape
    return first.reshape(h * w, -1).T @ second.reshape(h * w, -1) / (h * w)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_fsp", "points": 2}
rng = np.random.default_rng(0)
first, second = rng.normal(size=(4, 5, 2)), rng.normal(size=(4, 5, 3))
yours, right = np.asarray(fsp(first, second)), F.fsp_matrix(Tensor(first[None]), Tensor(second[None])).data[0]
assert yours.shape == (2, 3), (
    f"G has a row a channel of the first map, a column a channel of the second: not {yours.shape}"
)
assert not np.allclose(yours, right * 20), "a mean, not a sum: maps of another size would not compare. Divide by H·W"
assert np.allclose(yours, right), "G differs from the engine's: is it the sum over *places* of products of channels?"

# %%
looks = distill.AttentionDistiller("8", "blocks.8", distillation_loss_weight=100.0)
attentive, by_both = learn(distill.Distiller(teacher, [soft, looks], label_weight=0.1))
ways = {"labels alone": by_labels, "soft labels": by_doubts, "soft labels\n+ attention": by_both}

figure = report.empty_figure(9, 4.2)
left, *maps_at = figure.subplot_mosaic("SSabcd;SSefgh;SSijkl").values()
for place, found in enumerate(ways.values()):
    left.plot([place] * 3, found, "o", color="#0072B2", alpha=0.6)
    left.plot([place - 0.25, place + 0.25], [found.mean()] * 2, color="#D55E00", linewidth=2)
left.set_xticks(range(3), ways, fontsize=8)
left.set(xlim=(-0.5, 2.5), ylabel="top-1, %", title="dots: seeds; lines: means")
sample = np.array([np.flatnonzero(test_set.labels == label)[0] for label in (0, 5, 8)])
pictures = test_set.normalized(sample)
columns = [test_set.images[sample, :, :, 0]]
for one, path in ((plain[0], "8"), (teacher, "blocks.8"), (attentive[0], "8")):
    with graph.taps(one.eval(), [path]) as maps:
        one(pictures)
    columns.append(distill.attention_map(maps[path]).data.reshape(-1, 7, 7))
for number, axes in enumerate(maps_at):
    row, column = divmod(number, 4)
    axes.imshow(columns[column][row], cmap="gray_r" if column == 0 else "viridis")
    axes.set_axis_off()
    if row == 0:
        axes.set_title(("picture", "by labels", "teacher", "+ attention")[column], fontsize=8)
course.picture(
    figure, "students",
    f"Left, top-1 of three seeds each: labels alone {by_labels.mean():.1f} %, soft labels {by_doubts.mean():.1f} %, with attention "
    f"{by_both.mean():.1f} %. Right, three pictures and where networks' last maps are large: the student with attention resembles the teacher.",
)  # fmt: skip

# %% [markdown]
# Soft labels are worth several points, more than the seeds differ. What attention adds lies within their spread: to claim
# it, one would need more seeds.
#
# **Think.** Let $T$ grow without bound in your gradient. What does the student then learn, and why is this not the best
# for a small one? (On this task $T = 8$ gives about 72 %.)

# %% [markdown] nbgrader={"grade": true, "grade_id": "think", "points": 2, "solution": true}
# ### BEGIN SOLUTION
# *One point:* for large $T$, $e^{z/T} \approx 1 + z/T$, so $p_i \approx 1/N + z_i / (N T)$ for logits of mean 0, and
# $T (p^S - p^T) \to (z^S - z^T) / N$: the gradient of a squared distance between the *logits*. *One point:* then the
# very negative logits weigh as much as those of the likely classes, though nothing in the teacher's own training cared
# how negative they are; much of it is noise. A small student that spends its capacity on them has less for what counts.
# ### END SOLUTION

# %% [markdown]
# As a recipe, with the maps and weights that the README measures: `tinyslim compress distill`.
#
# Next: lesson 14 puts all into one recipe, and adds a part of your own.
#
# Sources: G. Hinton, O. Vinyals, J. Dean 2015, arXiv 1503.02531, §2 · A. Romero et al. 2015, *FitNets*, arXiv 1412.6550 ·
# S. Zagoruyko, N. Komodakis 2017, arXiv 1612.03928 (attention) · J. Yim et al. 2017, *A gift from knowledge
# distillation*, CVPR, eq. 1 and 2 (FSP).
