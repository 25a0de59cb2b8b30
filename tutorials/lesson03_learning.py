# %% [markdown]
# # Layers, a loss, and steps downhill
#
# We have gradients. **How do a few matrix products become something that learns?** At the end of this page two
# interleaved spirals, which no straight line can part, are told apart by a network of 162 numbers, and you will have
# written its loss and its learning step yourself.
#
# You need: lessons 1 and 2. You will use: matrix products, logarithms.

# %% tags=["setup"]
import numpy as np

import tinyslim.functional as F
from tinyslim import Tensor, course, kernels, nn, no_grad, optim, report

# %% [markdown]
# ## A layer
#
# A *linear layer* takes rows $x$ of $m$ numbers to rows of $n$: $y = xW + b$. Its *parameters* $W$ and $b$ are what is
# learned. Two linear layers in a row are one linear layer, $(xW_1)W_2 = x(W_1W_2)$, so that between them stands an
# *activation*, a function of each number that is not linear, here $\tanh$.

# %%
course.show(nn.Linear)


def network(seed):
    """Points of the plane, (n, 2), to scores of two classes, (n, 2)."""
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Linear(2, 32, seed=rng), nn.Tanh(), nn.Linear(32, 2, seed=rng))


print(network(0))
print(sum(parameter.size for parameter in network(0).parameters()), "parameters")

# %% [markdown]
# ## The loss: one equation
#
# The network's last numbers, one a class, are called *logits*: $z_1, z_2, \dots$, any real numbers. The *softmax* turns
# them into probabilities, $p_k = e^{z_k} / \sum_j e^{z_j}$, and the *cross-entropy* loss is large if the probability of
# the true class, the label $t$, is small:
#
# $$ L = -\log p_t, \qquad \frac{\partial L}{\partial z_k} = p_k - [k = t] . $$
#
# ($[k = t]$ is 1 for the true class and 0 for the others.) Read the gradient: each logit is pushed down by the
# probability that it was given, and the true one is pushed up by 1. A network that is right and sure is left in peace.
#
# The engine subtracts the largest logit before it takes exponentials. That changes no probability, and nothing overflows:

# %%
course.show(F.cross_entropy)

# %% [markdown]
# ### Exercise 1
# Write the loss and its gradient for one row of logits. Mind large numbers: logits of 1,000 are allowed.


# %% nbgrader={"grade": false, "grade_id": "cross_entropy", "solution": true}
def cross_entropy(logits, label):
    """(the loss, its gradient) for logits (classes,) and the number of the true class."""
    ### BEGIN SOLUTION
    shifted = logits - logits.max()
    p = np.exp(shifted) / np.exp(shifted).sum()
    target = np.arange(len(logits)) == label
    return np.log(np.exp(shifted).sum()) - shifted[label], p - target
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_cross_entropy", "points": 2}
loss, gradient = cross_entropy(np.zeros(4), 2)
assert np.isclose(loss, np.log(4)), f"four equal logits give each class 1/4, so the loss is ln 4 = 1.386, not {loss}"
assert np.allclose(gradient, [0.25, 0.25, -0.75, 0.25]), (
    f"the gradient is p, minus 1 for the label; yours is {gradient}"
)
with np.errstate(all="ignore"):
    loss, gradient = cross_entropy(np.array([1000.0, 0.0]), 1)
assert np.isfinite(loss), f"logits of 1000 and 0 give a loss of 1000, not {loss}: subtract the largest logit before exp"
assert np.isclose(loss, 1000.0) and np.allclose(gradient, [1.0, -1.0]), (
    f"for logits 1000, 0 you return {loss}, {gradient}"
)

# %% [markdown]
# ## The step: downhill, with momentum
#
# The gradient $g$ of a parameter $w$ points to where the loss grows. So a step goes the other way, and its size is the
# *learning rate* $\eta$. *Stochastic gradient descent* (SGD) takes the gradient of a few examples, a *batch*, instead
# of all. Such gradients jitter. *Momentum* averages them: a velocity $v$ keeps a share $m$ of itself from step to step.
#
# $$ v \leftarrow m\,v + g, \qquad w \leftarrow w - \eta\,v $$

# %%
course.show(kernels.reference.momentum_step)

# %% [markdown]
# ### Exercise 2
# Write one step for one parameter, without the Nesterov variant and without decay.


# %% nbgrader={"grade": false, "grade_id": "step", "solution": true}
def step(weight, grad, velocity, lr, momentum):
    """(the new weight, the new velocity)."""
    ### BEGIN SOLUTION
    velocity = momentum * velocity + grad
    return weight - lr * velocity, velocity
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_step", "points": 1}
weight, velocity = step(np.array([1.0]), np.array([2.0]), np.array([0.0]), lr=0.1, momentum=0.9)
assert weight[0] < 1.0, f"the weight went from 1 to {weight[0]}, uphill: subtract"
assert np.isclose(weight[0], 0.8), f"1 − 0.1·2 = 0.8, not {weight[0]}"
weight, velocity = step(weight, np.array([2.0]), velocity, lr=0.1, momentum=0.9)
assert not np.isclose(velocity[0], 2.0), (
    "the second step forgot the first: the old velocity, times momentum, belongs in it"
)
assert np.isclose(weight[0], 0.42), f"the second velocity is 0.9·2 + 2 = 3.8 and the weight 0.42, not {weight[0]}"

# %% [markdown]
# ## See it learn
#
# Two spirals, 200 points each, and 600 steps. The four lines in the loop are the whole of training, here and for the
# largest networks there are: forward, backward, step, forget the gradients.


# %%
def spirals(count, rng):
    """Points (2·count, 2) on two spirals, a little shaken, and their labels."""
    angle = np.sqrt(rng.random(count)) * 2.5 * np.pi
    arm = np.stack([np.cos(angle), np.sin(angle)], axis=1) * angle[:, None] / 3
    points = np.concatenate([arm, -arm]) + rng.normal(scale=0.08, size=(2 * count, 2))
    return points.astype(np.float32), np.repeat([0, 1], count)


points, labels = spirals(200, np.random.default_rng(0))


def learn(lr, steps=600, seed=0):
    """(the trained network, the loss of each step)."""
    model, rng, losses = network(seed), np.random.default_rng(seed), []
    sgd = optim.SGD(model.parameters(), lr, momentum=0.9)
    for _ in range(steps):
        batch = rng.integers(0, len(points), 64)
        loss = F.cross_entropy(model(points[batch]), labels[batch])
        loss.backward()
        sgd.step()
        sgd.zero_grad()
        losses.append(loss.item())
    return model, losses


model, losses = learn(lr=0.3)
with no_grad():
    right = model(points).data.argmax(axis=1) == labels
print(f"{right.mean():.1%} of the points on the right side; loss {losses[0]:.3f} → {np.mean(losses[-20:]):.3f}")

# %%
figure = report.empty_figure(9, 3.8)
left, right_axes = figure.subplots(1, 2)
side = np.linspace(-3.2, 3.2, 160, dtype=np.float32)
grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
with no_grad():
    chance = F.softmax(model(grid)).data[:, 1].reshape(160, 160)
left.contourf(side, side, chance, levels=np.linspace(0, 1, 11), cmap="PuOr", alpha=0.6)
for label, (colour, marker) in enumerate((("#7f3b08", "o"), ("#2d004b", "^"))):
    left.scatter(*points[labels == label].T, s=12, c=colour, marker=marker)
left.set(title="what the network says, and the points", aspect="equal")
for lr, colour in ((0.003, "#999999"), (0.3, "#0072B2"), (30.0, "#D55E00")):
    right_axes.semilogy(np.maximum(learn(lr)[1], 1e-6), color=colour, linewidth=1, label=f"learning rate {lr:g}")
right_axes.set(xlabel="step", ylabel="loss of the batch", title="too small, right, too large", ylim=(4e-3, 1e3))
right_axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3, fontsize=8)
course.picture(
    figure, "spirals",
    "Left, two spirals of points in the plane, and a coloured surface whose border winds between them. Right, the loss "
    "over 600 steps: hardly falling at a learning rate of 0.003, falling at 0.3, jumping about at 30.",
)  # fmt: skip

# %% [markdown]
# ### Exercise 3
# Before the first step a network of $K$ classes should know nothing: all classes about equally likely. Which loss does
# that give? It is the cheapest test there is for a training loop: look at the first number it prints.


# %% nbgrader={"grade": false, "grade_id": "first_loss", "solution": true}
def first_loss(classes):
    """The cross-entropy of a network that gives each of `classes` classes the same probability."""
    ### BEGIN SOLUTION
    return np.log(classes)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_first_loss", "points": 1}
yours = first_loss(10)
assert not np.isclose(yours, np.log2(10)), "that is in bits; the loss uses the natural logarithm"
expected = F.cross_entropy(Tensor(np.zeros((1, 10))), np.array([3])).item()
assert np.isclose(yours, expected), f"ten classes: the engine says {expected:.4f}, you say {yours}"

# %% [markdown]
# **Think.** `sgd.zero_grad()` throws the gradients away after each step. What would happen without this line, and what
# could one use that for on purpose?

# %% [markdown] nbgrader={"grade": true, "grade_id": "think", "points": 2, "solution": true}
# ### BEGIN SOLUTION
# *One point:* `backward` adds to `.grad` (lesson 1: uses add up), so each step would follow the sum of all gradients
# since the beginning: old directions never fade, as with a momentum of 1, and training soon diverges. *One point:* on
# purpose, a few backward passes before one step give the gradient of a batch that would not fit into memory at once
# (divide by their number).
# ### END SOLUTION

# %% [markdown]
# Next: lesson 4 takes the layer that images need, and makes it ten thousand times faster.
#
# Sources: H. Robbins, S. Monro 1951, *A stochastic approximation method* · I. Sutskever et al. 2013, *On the importance
# of initialization and momentum in deep learning*, §2 · I. Goodfellow et al. 2016, *Deep learning*, §6.2.
