# %% [markdown]
# # Depthwise convolution, and the network built from it
#
# A convolution does two things at once: it looks at neighbouring pixels, and it mixes channels. **What if each is done
# alone?** That idea made networks fit into telephones. You will write both halves, count what they save, and find out
# that the half with hardly any multiplications costs several times its share of the time.
#
# You need: lesson 4. You will use: counting, and a NumPy product that broadcasts.

# %% tags=["setup"]
import numpy as np

from tinyslim import course, graph, kernels, models, report

# %% [markdown]
# ## One equation
#
# A dense $k \times k$ convolution from $c$ to $d$ channels makes $k^2 c\, d$ multiplications for each pixel of its
# result. Split it:
#
# * a *depthwise* convolution: each channel has one filter of its own, $k \times k$, and is not mixed with any other:
#   $k^2 c$ multiplications;
# * a *pointwise* convolution, $1 \times 1$: each pixel's channels are mixed, no neighbour is looked at: $c\, d$.
#
# Together this is a *depthwise separable* convolution, and it needs the share
#
# $$ \frac{k^2 c + c\, d}{k^2 c\, d} = \frac1d + \frac1{k^2} $$
#
# of the work: with $k = 3$ and many channels, about one ninth.
#
# ### Exercise 1
# Write the depthwise convolution for one image, stride 1, no padding. Loop over the $k \times k$ *taps* of the filter;
# at each, the whole shifted image is multiplied by one weight a channel. NumPy does that in one product.


# %% nbgrader={"grade": false, "grade_id": "depthwise", "solution": true}
def depthwise(x, weight):
    """(y, x, c) ⋆ (k, k, c) → (y − k + 1, x − k + 1, c)."""
    k = weight.shape[0]
    height, width = x.shape[0] - k + 1, x.shape[1] - k + 1
    out = np.zeros((height, width, x.shape[2]), x.dtype)
    ### BEGIN SOLUTION
    for u in range(k):
        for v in range(k):
            out += x[u : u + height, v : v + width] * weight[u, v]
    ### END SOLUTION
    return out


# %% nbgrader={"grade": true, "grade_id": "check_depthwise", "points": 2}
rng = np.random.default_rng(0)
image, weight = rng.normal(size=(6, 7, 3)), rng.normal(size=(3, 3, 3))
yours, expected = depthwise(image, weight), kernels.reference.depthwise_conv2d(image[None], weight)[0]
assert yours.shape == (4, 5, 3), f"6×7 pixels and a 3×3 filter give 4×5, your shape is {yours.shape}"
assert not np.allclose(yours, 0), "the result is all zeros: is something added to `out`?"
assert not np.allclose(yours, kernels.reference.depthwise_conv2d(image[None], weight[::-1, ::-1])[0]), (
    "your filter is turned by 180°: tap (u, v) meets pixel (y + u, x + v)"
)
assert np.allclose(yours, expected), "the result is not the engine's: does tap (u, v) meet the pixel at (y + u, x + v)?"

# %% [markdown]
# ### Exercise 2
# Count. How many multiplications for each pixel of the result?


# %% nbgrader={"grade": false, "grade_id": "share", "solution": true}
def dense(k, c, d):
    """Multiplications a pixel of a k × k convolution from c to d channels."""
    ### BEGIN SOLUTION
    return k * k * c * d
    ### END SOLUTION


def separable(k, c, d):
    """The same of a depthwise k × k convolution and a pointwise one behind it."""
    ### BEGIN SOLUTION
    return k * k * c + c * d
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_share", "points": 1}
assert dense(3, 64, 128) == 73_728, f"3·3·64·128 = 73,728, not {dense(3, 64, 128):,}"
assert separable(3, 64, 128) != 9 * 64 + 9 * 64 * 128, "the pointwise filter is 1×1: it has no 9"
assert separable(3, 64, 128) == 8_768, f"9·64 + 64·128 = 8,768, not {separable(3, 64, 128):,}"

# %% [markdown]
# ## The network
#
# *MobileNetV1* is a dense convolution (the *stem*), thirteen separable blocks, an average over all pixels and a linear
# layer. Behind each convolution stands *batch norm*, which shifts and scales each channel to mean 0 and deviation 1
# over the batch and then by two learned numbers, and a ReLU. A block, as it stands in the engine:

# %%
from tinyslim.models import mobilenet

course.show(mobilenet.SeparableBlock)

# %%
model, image = models.mobilenet_v1(), np.zeros((1, 224, 224, 3), np.float32)
counts = graph.summary(model, image)
print(
    f"{counts.params / 1e6:.2f} M parameters, {counts.macs / 1e6:.0f} M multiplications for an image of 224×224 pixels"
)

# %% [markdown]
# `graph.summary` runs the network once, reads the tape of lesson 1 as a graph, and counts at each node.
#
# ## See it: where the multiplications are, and where the time goes
#
# We time each kind of layer by itself: the same shapes, with the engine's kernels, the best of several calls.

# %%
import time


def seconds(function, *arguments):
    """The best of five calls, after one that compiles."""
    function(*arguments)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return min(times)


def kind_of(node):
    """Which of the four kinds of layer a node is."""
    if node.op == "conv2d":
        return "pointwise" if ".pointwise." in node.name else "stem"
    return {"depthwise_conv2d": "depthwise", "linear": "classifier"}[node.op]


rng = np.random.default_rng(0)
macs, spent = {}, {}
for node in counts.graph:
    if node.macs:
        layer = model.get(node.name)
        x = rng.random(node.inputs[0].shape, np.float32)
        if node.op == "linear":
            took = seconds(kernels.gemm, x, layer.weight.data)
        else:
            took = seconds(getattr(kernels, node.op), x, layer.weight.data, None, layer.stride, layer.padding)
        kind = kind_of(node)
        macs[kind], spent[kind] = macs.get(kind, 0) + node.macs, spent.get(kind, 0.0) + took

kinds = ("stem", "depthwise", "pointwise", "classifier")
for kind in kinds:
    share, time_share = macs[kind] / sum(macs.values()), spent[kind] / sum(spent.values())
    speed = 2 * macs[kind] / spent[kind] / 1e9
    print(f"{kind:10} {share:6.1%} of the multiplications, {time_share:6.1%} of the time, {speed:6.1f} GFLOP/s")

# %%
figure = report.empty_figure(6.4, 2.6)
axes = figure.subplots()
for row, parts in enumerate((macs, spent)):
    left = 0.0
    for kind, colour in zip(kinds, ("#999999", "#D55E00", "#0072B2", "#E69F00"), strict=True):
        width = 100 * parts[kind] / sum(parts.values())
        axes.barh(row, width, left=left, color=colour, label=kind if row == 0 else None)
        if width > 6:
            axes.text(left + width / 2, row, f"{width:.0f} %", ha="center", va="center", color="white")
        left += width
axes.set_yticks([0, 1], ["multiplications", "time"])
axes.set(xlabel="share of the network, %", xlim=(0, 100), ylim=(1.5, -0.5))
figure.legend(loc="outside upper center", ncols=4, frameon=False)
course.picture(
    figure, "shares",
    f"Two bars of shares. Depthwise layers make {macs['depthwise'] / sum(macs.values()):.0%} of the multiplications but "
    f"take {spent['depthwise'] / sum(spent.values()):.0%} of the time; pointwise ones make nearly all the rest.",
)  # fmt: skip

# %% [markdown]
# Depthwise layers make 3 % of the multiplications and take several times that share of the time. The roofline of lesson 4
# says why: a pointwise layer uses a loaded pixel for *all* $d$ outputs, a depthwise one uses it $k^2 = 9$ times at most.
#
# ### Exercise 3
# The *width multiplier* $\alpha$ scales the channels of every layer. By which factor do the multiplications of a
# pointwise layer fall? And those of a depthwise one?


# %% nbgrader={"grade": false, "grade_id": "width", "solution": true}
def pointwise_factor(alpha):
    """(multiplications at width alpha) / (those at width 1) of a pointwise layer."""
    ### BEGIN SOLUTION
    return alpha**2
    ### END SOLUTION


def depthwise_factor(alpha):
    """The same of a depthwise layer."""
    ### BEGIN SOLUTION
    return alpha
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_width", "points": 1}
assert pointwise_factor(0.5) != 0.5, "a pointwise layer has alpha·c channels in *and* alpha·d out: both shrink"
assert pointwise_factor(0.5) == 0.25, f"half the width leaves a quarter of c·d, not {pointwise_factor(0.5)}"
assert depthwise_factor(0.5) == 0.5, (
    f"a depthwise layer makes k²·c multiplications: half of them, not {depthwise_factor(0.5)}"
)

# %% [markdown]
# **Think.** Between the depthwise and the pointwise convolution stand a batch norm and a ReLU. What could the pair
# compute if the ReLU were left out, and what would it be exactly? (Think of lesson 3's two linear layers.)

# %% [markdown] nbgrader={"grade": true, "grade_id": "think", "points": 2, "solution": true}
# ### BEGIN SOLUTION
# *One point:* without something that is not linear between them, the two are one dense convolution, with the weights
# $w[u, v, i, j] = a[u, v, i] \cdot b[i, j]$. *One point:* not every dense one: for each input channel $i$ all filters
# share the same spatial pattern, up to a factor (the $k^2 \times d$ matrix of each input channel has rank 1), which is
# where the savings come from.
# ### END SOLUTION

# %% [markdown]
# `tinyslim summary mobilenet_v1` prints the count layer by layer.
#
# Next: lesson 6 trains a network of this kind on real images, twice, to the same bits.
#
# Sources: A. G. Howard et al. 2017, *MobileNets*, arXiv 1704.04861, §3.1–3.3 · L. Sifre 2014, *Rigid-motion scattering
# for image classification*, thesis, §6.2 · S. Ioffe, C. Szegedy 2015, *Batch normalization*, arXiv 1502.03167.
