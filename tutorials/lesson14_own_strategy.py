# %% [markdown]
# # Everything in one recipe, and a part of your own
#
# Cut, imitate, round: you have done each by hand. **How do they work together in one training run, and how does something
# that nobody has thought of yet get in?** In this lesson you write a strategy of twelve lines, register it, name it in a
# recipe beside the engine's own, and measure what it is worth.
#
# You need: lessons 8, 10 and 13. You will use: classes, a weighted mean.

# %% tags=["setup"]
import tempfile
import tomllib

import numpy as np
from pydantic import Field

from tinyslim import Compressor, compress, course, data, models, nn, report
from tinyslim.compress.epoch import run_epoch
from tinyslim.compress.rates import schedule

rng = np.random.default_rng(0)
TINY = data.Dataset(rng.integers(0, 256, (32, 8, 8, 1), np.uint8), np.arange(32) % 2, ["even", "odd"])


def run_tiny(config, callbacks=()):
    """Compress a tiny network on 32 pictures of noise, in a folder that is gone afterwards."""
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(4, 2))
    with tempfile.TemporaryDirectory() as folder:
        return Compressor(network, TINY, TINY, config, out=folder, callbacks=callbacks, quiet=True).run()


# %% [markdown]
# ## Six moments
#
# Training is one loop, and whoever wants to change a network while it learns must get into it. A *strategy* is an object
# with six methods, the *hooks*, that the loop calls at six moments. This is the epoch as it stands in the engine, and a
# whole strategy:

# %%
course.show(run_epoch, compress.UniformPruneStrategy)

notes = []
hooks = {hook: lambda self, context, hook=hook: notes.append(hook) for hook in compress.HOOKS}
run_tiny({"compressor": {"epochs": 1, "batch_size": 16}}, [type("Notes", (), hooks)()])
print(" → ".join(notes))

# %% [markdown]
# Hooks get a *context*: the model that trains now, the number of the epoch, the settings, the loss. A strategy may
# replace the model (pruning, quantisation) or wrap the loss (distillation). What must outlive a kill, it keeps in
# `context.state[self.name]`, which is in every checkpoint.
#
# ## One equation
#
# Here is a part that the engine lacks. The last steps of training jump to and fro, since each batch pulls elsewhere
# (and since lesson 10's rounding never lets weights rest). The *mean* of many steps lies between the jumps. One that
# needs no memory of all steps forgets the old ones bit by bit:
#
# $$ m_t = d \, m_{t-1} + (1 - d) \, w_t , \qquad m_0 = w_0 . $$
#
# Put $m_{t-1}$ in, then $m_{t-2}$, and so on: the weights of $k$ steps ago count with the share $(1-d)\,d^k$, and about
# $1/(1-d)$ steps are remembered. See it on a plane, where gradient descent looks for the middle with noisy gradients:


# %%
def descend(steps=300, rate=0.1, decay=0.95):
    """(the way of the weights, the way of their average), each (steps, 2)."""
    noise, weights = np.random.default_rng(1), np.array([2.0, 1.5])
    way, mean = [], weights
    for _ in range(steps):
        weights = weights - rate * (weights + noise.normal(scale=1.5, size=2))
        mean = decay * mean + (1 - decay) * weights
        way.append((weights, mean))
    return np.array(way).transpose(1, 0, 2)


way, mean = descend()
off_way, off_mean = (np.sqrt((places[100:] ** 2).sum(axis=1).mean()) for places in (way, mean))
figure = report.empty_figure(8, 3.6)
axes = figure.subplots()
axes.plot(*way.T, color="#56B4E9", linewidth=0.7, label="weights")
axes.plot(*mean.T, color="#D55E00", linewidth=1.5, label="their average, d = 0.95")
axes.plot(0, 0, "k+", markersize=12, label="the least loss")
axes.set(aspect="equal", xlabel="first weight", ylabel="second weight")
axes.legend(frameon=False, fontsize=8)
course.picture(
    figure, "average",
    "A blue path that runs to the middle of a plane and then jumps around it, and a red one, its average, that stays nearer: "
    f"from step 100 on {off_mean:.2f} from the middle, the weights {off_way:.2f}.",
)  # fmt: skip

# %% [markdown]
# ### Exercise 1
# Write the equation, and the share with which the weights of `k` steps ago count in the average (of a walk that has gone
# on for much longer than `k`).


# %% nbgrader={"grade": false, "grade_id": "average", "solution": true}
def update(average, weights, decay):
    """(m before, w now) → m now, arrays of one shape."""
    ### BEGIN SOLUTION
    return decay * average + (1 - decay) * weights
    ### END SOLUTION


def share(k, decay):
    """How much the weights of k steps ago count."""
    ### BEGIN SOLUTION
    return (1 - decay) * decay**k
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_average", "points": 2}
before, now = np.array([1.0, 2.0]), np.array([11.0, 2.0])
m = update(before, now, 0.9)
assert before[0] == 1.0, "you changed the old average in place; return a new one"
assert not np.isclose(m[0], 10.0), "with d = 0.9 the *past* keeps nine tenths: d belongs to the average"
assert np.allclose(m, [2.0, 2.0]), f"0.9 · [1, 2] + 0.1 · [11, 2] is [2, 2], and you return {m}"
assert np.isclose(share(0, 0.9), 0.1), f"this step's weights count with 1 − d = 0.1, and you say {share(0, 0.9)}"
assert np.isclose(sum(share(k, 0.9) for k in range(200)), 1), "all shares together make 1: a factor d a step back"

# %% [markdown]
# ## A strategy
#
# Its fields are the keys of its table in a recipe: `decay` gets a type, a default and a range, and is checked before any
# work starts. `start_epoch` is there already. `register` lets recipes name the class.
#
# ### Exercise 2
# Write the two hooks. After each step from `start_epoch` on, bring the average in `context.state[self.name]` (a dict)
# up to date, for each array of `context.model.state_dict()`; the first step's weights are the first average. At the end,
# give the model the average: `load_state_dict`.


# %% nbgrader={"grade": false, "grade_id": "strategy", "solution": true}
@compress.register
class RunningAverage(compress.Strategy):
    """What comes out is an average of the weights that training went through."""

    decay: float = Field(0.98, gt=0, lt=1)

    def on_batch_end(self, context):
        """Bring the average up to date."""
        ### BEGIN SOLUTION
        if context.epoch < self.start_epoch:
            return
        average = context.state[self.name]
        for name, weights in context.model.state_dict().items():
            average[name] = self.decay * average.get(name, weights) + (1 - self.decay) * weights
        ### END SOLUTION

    def on_compression_end(self, context):
        """Let the model be the average."""
        ### BEGIN SOLUTION
        context.model.load_state_dict(context.state[self.name])
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_strategy", "points": 3}
seen = []


def on_batch_end(context):
    """Remember all weights after each step."""
    seen.append({name: array.copy() for name, array in context.model.state_dict().items()})


def averaged(steps, decay):
    m = steps[0]
    for weights in steps[1:]:
        m = {name: decay * m[name] + (1 - decay) * weights[name] for name in m}
    return m


own = {"class": "RunningAverage", "start_epoch": 1, "decay": 0.5}
tiny = {"compressor": {"epochs": 3, "batch_size": 8, "lr": 0.5}, "strategies": {"mean": own}}
result = run_tiny(tiny, [on_batch_end]).model.state_dict()


def equals(wanted):
    return all(np.allclose(result[name], wanted[name], atol=1e-5) for name in wanted)


assert len(seen) == 12, "three epochs of four batches are twelve steps"
assert not equals(seen[-1]), "the model has the weights of the last step: does `on_compression_end` load the average?"
assert not equals(averaged(seen, 0.5)), "the steps of epoch 0 are in the average, but `start_epoch` is 1"
assert equals(averaged(seen[4:], 0.5)), "not the average of epochs 1 and 2: is its start the first step's weights?"

# %% [markdown]
# ## The recipe
#
# Recipes are TOML, a format of `key = value` lines under `[table]` headings. The order of the strategies in the file is
# the order in which they act within an epoch; epochs count from 0.
#
# ### Exercise 3
# Write a recipe of 6 epochs, with the `[compressor]` as it is: cut half of the FLOPs in epoch 0 (`UniformPruneStrategy`,
# `target_ratio`); imitate the model as it came, in all epochs (`DistillationStrategy`, `teacher = "self"`); round from
# epoch 4 on (`QuantizationStrategy`, `start_epoch`, and `lr = 0.01`, smaller steps); and average, once the network is
# the one that is to be used (`RunningAverage`).

# %% nbgrader={"grade": false, "grade_id": "recipe", "solution": true}
RECIPE = """
[compressor]
epochs = 6
batch_size = 64
lr = 0.02
schedule = "constant"
weight_decay = 1e-4
"""
### BEGIN SOLUTION
RECIPE += """
[strategies.prune]
class = "UniformPruneStrategy"
target_ratio = 0.5

[strategies.distil]
class = "DistillationStrategy"
teacher = "self"
student_temperature = 3.0
teacher_temperature = 3.0
distillation_loss_weight = 9.0
label_loss_weight = 0.3

[strategies.quant]
class = "QuantizationStrategy"
start_epoch = 4
lr = 0.01

[strategies.mean]
class = "RunningAverage"
start_epoch = 4
"""
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_recipe", "points": 2}
config = compress.read_config(tomllib.loads(RECIPE))
place = {type(strategy).__name__: strategy for strategy in config.strategies}
for name in ("UniformPruneStrategy", "DistillationStrategy", "QuantizationStrategy", "RunningAverage"):
    assert name in place, f"no strategy of your recipe has the class {name}; it has {', '.join(place) or 'none'}"
assert place["UniformPruneStrategy"].target_ratio == 0.5, "half of the FLOPs: target_ratio = 0.5"
assert place["QuantizationStrategy"].start_epoch == 4, "rounding begins in epoch 4: start_epoch = 4"
begin = place["RunningAverage"].start_epoch
assert begin >= 4, f"from epoch {begin} on, your average mixes in weights from before the rounding: another network's"

# %%
figure = report.empty_figure(8, 3.4)
bars, rates = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
for row, strategy in enumerate(config.strategies):
    own = strategy.replacing(6) or strategy.epochs(6)
    bars.barh(row, 6 - own[0] if strategy.quantizes else len(own), left=own[0], color="#0072B2", height=0.6)
bars.set_yticks(range(len(config.strategies)), [type(strategy).__name__ for strategy in config.strategies])
bars.invert_yaxis()
at = schedule(config, 32)
rates.plot(np.arange(6 * 32) / 32, [at(step) for step in range(6 * 32)], color="#D55E00")
rates.set(xlabel="epoch", ylabel="learning rate", xlim=(-0.1, 6))
course.picture(
    figure, "recipe",
    "Above, a bar for each strategy over six epochs: pruning in epoch 0, distillation throughout, rounding and the "
    "average from epoch 4. Below, the learning rate: a line that drops to half at epoch 4.",
)  # fmt: skip

# %% [markdown]
# And run it. The accuracy after the last epoch is that of the last step's weights; what is frozen and measured at the
# end is the average. With a learning rate that stays, the difference shows; one that falls to 0 (`schedule =
# "one_cycle"`) lets the weights settle by itself, and an average of them is worth nothing more. (It is one run and one
# seed: lesson 6 tells what half a point on 2,000 pictures proves.)

# %%
model = models.mobilenet_v1(num_classes=10, width=0.25, in_channels=1, stem_stride=1, pretrained="fashion_mnist")
train_set, test_set = data.load("fashion_mnist_mini")
train_set, test_set = train_set.subset(2000), test_set.subset(2000)
result = Compressor(model, train_set, test_set, tomllib.loads(RECIPE), out="runs/lesson14", quiet=True).run()
before, after, last = result.metrics["before"], result.metrics["after"], result.history[-1]["top1"]
print(f"top-1: {before['top1']:.1%} before, {last:.1%} by the last weights, {after['top1']:.1%} by their average")
print(f"FLOPs {before['flops']:,} → {after['flops']:,}; bytes {before['bytes']:,} → {after['bytes']:,}")

# %% [markdown]
# **Think.** The average contains batch norm's running mean and variance too. Are these the right ones for the averaged
# weights? And what would go wrong if the average began before the cut?

# %% [markdown] nbgrader={"grade": true, "grade_id": "think", "points": 2, "solution": true}
# ### BEGIN SOLUTION
# *One point:* not exactly. They are averages of what *other* weights gave, those of each step; a network is not linear,
# so the averaged weights give other activations. While the steps lie close together the difference is small; to be safe,
# measure them anew on some batches, as lesson 8 did after the cut. *One point:* before the cut the arrays have other
# shapes, and the sum raises an error, which is the lucky case. Where shapes agree (the classifier's bias, or before and
# after rounding begins) it would silently mix the weights of two different networks.
# ### END SOLUTION

# %% [markdown]
# In a file of its own, `my_strategy.py`, a strategy is found by `plugins = ["my_strategy.py"]` under `[compressor]`:
# `tinyslim compress examples/my_strategy.toml` is this one. A run that was stopped goes on with `--resume`, average
# included, since it lay in the state.
#
# Next: lesson 15 goes to the other end of the house, and puts a kernel of yours under the whole engine.
#
# Sources: B. Polyak, A. Juditsky 1992, SIAM J. Control Optim. 30 (averaging) · P. Izmailov et al. 2018, *Averaging
# weights leads to wider optima*, arXiv 1803.05407 · A. Tarvainen, H. Valpola 2017, arXiv 1703.01780, eq. 1 ·
# PaddleSlim 1.x (the hooks and their names).
