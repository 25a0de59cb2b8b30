# %% [markdown]
# # The whole in ten minutes: from a trained network to one that is seven times smaller
#
# A neural network that tells trousers from sandals is a few hundred thousand numbers and a few million
# multiplications an image. **Which of them does it need?** On this page you take a network that is trained already,
# remove half of its arithmetic, round what is left to whole numbers of eight bits, and measure what that cost. All
# later lessons open one of the boxes that you use here.
#
# You need: Python and a little NumPy. Words that you don't know yet are explained where they come up.

# %% tags=["setup"]
import numpy as np

from tinyslim import Compressor, course, data, models, report

# %% [markdown]
# ## The data and the network
#
# Fashion-MNIST holds grey pictures of clothes, 28 pixels high and wide, of ten kinds. A part of it ships with
# tinyslim. To be quick, we take 2,000 pictures to train with and 2,000 others to test with, as many of each kind.

# %%
train_set, test_set = data.load("fashion_mnist_mini")
train_set, test_set = train_set.subset(2000), test_set.subset(2000)
print(train_set, "for training,", test_set, "for testing")

figure = report.empty_figure(9, 1.5)
for label, axes in enumerate(figure.subplots(1, 10)):
    axes.imshow(test_set.images[test_set.labels == label][0, :, :, 0], cmap="gray_r")
    axes.set_title(test_set.classes[label], fontsize=8)
    axes.set_axis_off()
course.picture(
    figure, "clothes", "Ten small grey pictures of clothes in a row, one of each kind, from T-shirt to boot."
)

# %% [markdown]
# The network is a MobileNet, a *convolutional* network: layer after layer, it looks for small patterns everywhere in
# the picture. The patterns of one layer are called its *filters*. Each filter makes one new picture, a *channel*, and
# the next layer's filters look at all these channels. Lessons 4 and 5 build one from nothing.

# %%
model = models.mobilenet_v1(num_classes=10, width=0.25, in_channels=1, stem_stride=1, pretrained="fashion_mnist")
print(f"{sum(parameter.size for parameter in model.parameters()):,} parameters, the numbers that training found")

# %% [markdown]
# ## One equation
#
# **Pruning** removes whole filters, those whose weights are smallest in sum. A layer with $c_\text{in}$ channels in
# and $c_\text{out}$ filters of $k \times k$ pixels multiplies, for each pixel of its result,
#
# $$ k^2 \, c_\text{in} \, c_\text{out} \quad\text{times.} $$
#
# Remove a share $r$ of the filters in *every* layer, and both $c_\text{in}$ and $c_\text{out}$ shrink by the factor
# $(1 - r)$: what is left is $(1-r)^2$ of the work. For half of it, $r = 1 - \sqrt{1/2} \approx 29\,\%$ is enough.
#
# **Quantisation** stores each of the remaining weights as a whole number of 8 bits instead of a *float* of 32. If a
# share $p$ of the parameters stays, and each takes $b$ bits where it took 32 before, then of the file's size stays
#
# $$ \frac{\text{bytes after}}{\text{bytes before}} \approx p \cdot \frac{b}{32}. $$
#
# **Distillation** repairs the damage: while the small network trains on, it imitates the answers of the large one.
#
# ## Run it
#
# A *recipe* says which of the three are done, and when. Here each *epoch* shows all 2,000 pictures to the network once.

# %%
recipe = {
    "compressor": {"epochs": 6, "batch_size": 64, "lr": 0.04, "schedule": "one_cycle", "weight_decay": 1e-4},
    "strategies": {
        "prune": {"class": "UniformPruneStrategy", "target_ratio": 0.5},
        "distil": {
            "class": "DistillationStrategy", "teacher": "self", "distillation_loss_weight": 9.0,
            "student_temperature": 3.0, "teacher_temperature": 3.0, "label_loss_weight": 0.3,
        },
        "quant": {"class": "QuantizationStrategy", "start_epoch": 4, "lr": 0.004},
    },
}  # fmt: skip
result = Compressor(model, train_set, test_set, recipe, out="runs/lesson00", quiet=True).run()

for name, unit in (
    ("top1", "of the answers right"),
    ("params", "parameters"),
    ("bytes", "bytes"),
    ("latency_ms", "ms"),
):
    before, after = result.metrics["before"][name], result.metrics["after"][name]
    print(f"{before:12,.4g} → {after:10,.4g}  {unit}")

# %% [markdown]
# `top1` is the share of test pictures whose first answer is right. What ran for the right-hand column is not a
# simulation: the file `program.npz` holds whole numbers, and so do the registers of your processor while it runs.
#
# Does the equation hold? Put in the parameters that stayed:

# %%
stayed = result.metrics["after"]["params"] / result.metrics["before"]["params"]
print(f"predicted size: {stayed * 8 / 32:.1%} of the original; measured: {1 - result.metrics['size_reduction']:.1%}")

# %% [markdown]
# A little more than predicted stays: some numbers, such as one scale a channel, are kept at 32 bits.
#
# ## See it
#
# On the left, size against accuracy. On the right, the way there: the cut throws the network back, and training on
# brings most of it back.

# %%
metrics = result.metrics
alt = (
    f"Left, size against accuracy: the original at {metrics['before']['bytes'] / 1e3:.0f} kB and "
    f"{metrics['before']['top1']:.1%}, the compressed one at {metrics['after']['bytes'] / 1e3:.0f} kB and "
    f"{metrics['after']['top1']:.1%}. Right, accuracy over six epochs: it falls after the cut and recovers."
)
course.picture(report.compression_figure(metrics, result.history), "compression", alt)

# %% [markdown]
# ## The engine's own code
#
# This is what has just run, as it stands in the engine. A *strategy* is an object whose methods, the hooks, are called
# at fixed moments: here before everything and after it, and within each epoch `on_epoch_begin`, where pruning cuts.

# %%
course.show(Compressor.run)

# %% [markdown]
# ### Exercise 1
# How small will it be? Write the second equation as a function. One *byte* is 8 bits.


# %% nbgrader={"grade": false, "grade_id": "bytes_after", "solution": true}
def bytes_after(parameters, share_kept, bits):
    """Bytes of a file that holds `share_kept` of `parameters` numbers, each of `bits` bits."""
    ### BEGIN SOLUTION
    return parameters * share_kept * bits / 8
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_bytes_after", "points": 1}
whole = bytes_after(215_498, 1.0, 32)
assert whole != 215_498 * 32, "that is the number of bits: eight of them make one byte"
assert whole == 861_992, f"215,498 floats of 32 bits are 861,992 bytes, and you say {whole:,}"
half = bytes_after(1000, 0.5, 8)
assert half == 500, f"half of 1,000 numbers, at 8 bits each, are 500 bytes, and you say {half:,}"

# %% [markdown]
# ### Exercise 2
# Which filters would you keep? The weights of a layer are an array of shape `(k, k, cin, cout)`: the last axis counts
# the filters. Return the numbers of the `count` filters whose absolute weights have the largest sum, in rising order.


# %% nbgrader={"grade": false, "grade_id": "keep", "solution": true}
def keep(weight, count):
    """The numbers of the `count` largest filters by Σ|w|: (k, k, cin, cout) → (count,), rising."""
    ### BEGIN SOLUTION
    sizes = np.abs(weight).sum(axis=(0, 1, 2))
    return np.sort(np.argsort(sizes)[-count:])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_keep", "points": 2}
weight = np.zeros((3, 3, 2, 4))
weight[..., 0], weight[..., 1], weight[..., 2], weight[..., 3] = 0.5, -3.0, 0.1, 1.0
kept = np.asarray(keep(weight, 2))
assert kept.shape == (2,), f"you return an array of shape {kept.shape}, expected (2,): one number a filter that stays"
assert 1 in kept, f"you keep {kept}. Filter 1 has the weights −3: large, though negative. Are they absolute values?"
assert list(kept) == [1, 3], f"you keep {kept}, expected [1 3]: the largest sums of absolute values, in rising order"

# %% [markdown]
# **Think.** Pruning halved the multiplications, and the file became seven times smaller. Give two reasons why the
# *time* for a picture need not fall by either factor.

# %% [markdown] nbgrader={"grade": true, "grade_id": "think", "points": 2, "solution": true}
# ### BEGIN SOLUTION
# *One point for each of two reasons*, such as: not all time is multiplication, since numbers must be fetched from
# memory and some work (rounding, starting a layer) costs the same as before · the processor handles 16 or 32 channels
# at once, and a layer of 22 takes as long as one of 32 · eight-bit multiplications are a different instruction, of
# which more fit into one step, so time can fall by *more* than the factor of the FLOPs. *No point* for "the test was
# noisy" without a mechanism.
# ### END SOLUTION

# %% [markdown]
# The same on all the training pictures, with a longer recipe, is one command, `tinyslim compress`; the file that it
# makes is used by `tinyslim predict runs/prune_quant/program.npz photo.png`.
#
# Next: lesson 1 begins at the beginning. How does a network know in which direction to change each of its numbers?
#
# Sources: A. G. Howard et al. 2017, *MobileNets*, arXiv 1704.04861 · H. Li et al. 2017, *Pruning filters for efficient
# ConvNets*, arXiv 1608.08710 · B. Jacob et al. 2018, *Quantization and training of neural networks for efficient
# integer-arithmetic-only inference*, CVPR · G. Hinton et al. 2015, *Distilling the knowledge in a neural network*,
# arXiv 1503.02531.
