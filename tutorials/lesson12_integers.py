# %% [markdown]
# # Integers all the way: a proof that nothing was simulated
#
# "It is an int8 network." **Does it compute with integers, or does it only look as if?** Here you run a whole network on
# one picture with nothing but Python's own whole numbers, then on a thousand with NumPy's, and demand that the fast
# kernels give the same bytes: after every layer, every single one.
#
# You need: lessons 4, 8 and 10. You will use: products, sums, one shift of bits.

# %% tags=["setup"]
import math
from dataclasses import replace

import numpy as np
from tinyslim.kernels import rescale_int8

import tinyslim
from tinyslim import course, data, models, prune, quant, report
from tinyslim.deploy import plain_integers

# %% [markdown]
# ## The network
#
# The shipped MobileNet, half of its FLOPs removed (lesson 8), its ranges calibrated on 200 images (lesson 10). `freeze`
# turns it into a Program: a list of operations and arrays of integers, without any training code.

# %%
train_set, test_set = data.load("fashion_mnist_mini")
images, test_set = train_set.normalized(slice(0, 200)), test_set.subset(1000)
model = models.mobilenet_v1(num_classes=10, width=0.25, in_channels=1, stem_stride=1, pretrained="fashion_mnist")
smaller = prune.uniform(model, images[:1], target_flops=0.5)
prune.recalibrate_batch_norm(smaller, [images])
calibrated = quant.calibrate(smaller, [images])
program = tinyslim.freeze(calibrated, images[:1])
print("\n".join(str(program).splitlines()[:8]))

# %% [markdown]
# ## One equation
#
# A byte $q$ stands for the real number $S (q - Z)$ (lesson 10). Put this in for the inputs $a$, the weights $w$ (with
# $Z = 0$) and the outputs of a layer, $S_3 (q - Z_3) = \sum S_1 (a - Z_1) \cdot S_2 w + \text{bias}$, and solve for $q$:
#
# $$ q = Z_3 + M \Big( b + \sum_k (a_k - Z_1)\, w_k \Big), \qquad M = \frac{S_1 S_2}{S_3} , $$
#
# where $b$ is the bias in steps of $S_1 S_2$. All is whole except for $M$. So $M$ becomes a whole number $m$ and a shift:
#
# $$ M \approx m \cdot 2^{-s}, \quad 2^{30} \le m < 2^{31}, \qquad
# q = \mathrm{clip}\Big(Z_3 + \big((t \cdot m + 2^{s-1}) \gg s\big)\Big) . $$
#
# $t$ is the sum with its bias. $\gg s$ drops the last $s$ bits, which divides by $2^s$ and rounds *down*; the half that
# is added before, $2^{s-1}$, makes this the nearest integer, and ties go up.
#
# ### Exercise 1
# Find $m$ and $s$. `math.frexp(x)` gives a fraction $f$ in $[1/2, 1)$ and an exponent $e$ with $x = f \cdot 2^e$. (Should
# rounding give $m = 2^{31}$, halve it and take one from $s$.)


# %% nbgrader={"grade": false, "grade_id": "fixed_point", "solution": true}
def fixed_point(real):
    """(m, s), ints, with m·2^−s next to `real`, and m of 31 bits."""
    ### BEGIN SOLUTION
    fraction, exponent = math.frexp(real)
    m, s = round(fraction * 2**31), 31 - exponent
    return (m // 2, s - 1) if m == 2**31 else (m, s)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_fixed_point", "points": 2}
for real in (0.3, 0.0007, 0.5, 1.5, 1 - 2**-40):
    m, s = fixed_point(real)
    assert isinstance(m, int), f"m must be a Python int, so that nothing overflows; yours is a {type(m).__name__}"
    assert m >= 2**30, f"for {real} you return m = {m:,}, below 2³⁰: its leading bits are 0, and precision is lost"
    assert m < 2**31, f"for {real} you return m = {m:,}, which no int32 holds: it must be below 2³¹"
    assert abs(m * 2.0**-s / real - 1) <= 2**-31, f"{m:,}·2^−{s} is not {real}: is m rounded, not cut off?"

# %% [markdown]
# ## One byte, in plain Python
#
# Whatever the layer (convolution, pointwise, depthwise, a mean), *one* byte of its result is made in one way: some
# values times some weights, summed, rescaled. The engine has such an implementation to step through:

# %%
course.show(plain_integers.conv2d)

# %% [markdown]
# ### Exercise 2
# Write that one byte, with Python's ints, which never overflow: no float anywhere, no `round`, no `/`.


# %% nbgrader={"grade": false, "grade_id": "one_byte", "solution": true}
def one_byte(values, weights, bias, m, s, zero_in, zero_out, low, high):
    """Lists of ints `values` and `weights` → one int from `low` to `high`."""
    ### BEGIN SOLUTION
    total = bias + sum((value - zero_in) * weight for value, weight in zip(values, weights, strict=True))
    return max(low, min(zero_out + ((total * m + (1 << (s - 1))) >> s), high))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_one_byte", "points": 3}
half = 2**30, 31
yours = one_byte([5], [1], 0, *half, 0, 0, 0, 255)
assert yours == 3, f"half of 5 is 2.5, a tie, and ties go up to 3; you return {yours}: add 2^(s−1), then shift"
assert one_byte([0], [1], 0, *half, 1, 10, 0, 255) == 10, "−1/2 is a tie too: up to 0, then Z = 10"
assert one_byte([3, 4], [2, -1], 0, 2**30, 30, 3, 0, 0, 255) == 0, "(3−3)·2 + (4−3)·(−1) is −1: `low` is 0"
assert one_byte([9], [9], 20, 2**30, 30, 0, 0, 0, 255) == 101, "9·9 + 20 is 101: the bias belongs to the sum"

# %% [markdown]
# Now the whole network on one picture. `windows` yields the parts of the picture that a filter sees, padded with the
# byte that stands for 0. The engine rounds a bias to 256ths of a step, $b + f / 256$; so all is counted in 256ths here:
# weights times 256, and 8 more bits to shift.


# %%
def in_256ths(op):
    """Weights, bias, m and s of a layer that counts in 256ths of a step."""
    of = {name: array.astype(np.int64) for name, array in op.arrays.items()}
    return of["weight"] * 256, of["bias"] * 256 + of["fraction"], of["multiplier"], of["shift"] + 8


def plain_layer(op, image):
    """A convolution, dense or depthwise, byte by byte: lists in, lists out."""
    weight, bias, m, s = (array.tolist() for array in in_256ths(op))
    about, taps, alone = op.attributes, plain_integers.pixels(weight), op.kind == "depthwise_conv2d"
    grid = about["input_zero_point"], about["zero_point"], about["low"], about["high"]

    def pixel(window, c):
        near = plain_integers.pixels(window)
        values = [one[c] for one in near] if alone else [value for one in near for value in one]
        weights = [tap[c] for tap in taps] if alone else [row[c] for tap in taps for row in tap]
        return one_byte(values, weights, bias[c], m[c], s[c], *grid)

    size = len(weight), len(weight[0])
    lines = plain_integers.windows(image, size, about["stride"], about["padding"], grid[0])
    return [[[pixel(window, c) for c in range(len(bias))] for window in line] for line in lines]


def plain_step(op, image):
    """One operation of a Program on one image."""
    about = op.attributes
    if op.kind in ("conv2d", "depthwise_conv2d"):
        return plain_layer(op, image)
    if op.kind == "global_avg_pool2d":
        scaling = about["multiplier"], about["shift"], about["input_zero_point"], about["zero_point"]
        channels = zip(*plain_integers.pixels(image), strict=True)
        return [one_byte(values, [1] * len(values), 0, *scaling, 0, 255) for values in channels]
    arrays = {name: array.tolist() for name, array in op.arrays.items()}
    return plain_integers.OPS[op.kind](image, **arrays, **about)  # the two ends: floats to bytes, sums to logits


value, first = plain_integers.normalized(program, test_set.images[0]), test_set.images[:1]
fast = [program.beginning(count, np.uint8) for count in range(1, len(program.ops) + 1)]
same = bytes_seen = 0
for op, run in zip(program.ops, fast, strict=True):
    value = plain_step(op, value)
    mine, theirs = np.array(value), np.asarray(run(first)).reshape(np.shape(value))
    same, bytes_seen = same + np.sum(mine == theirs), bytes_seen + mine.size
print(f"one picture, plain Python: {same:,} of {bytes_seen:,} numbers are those of the fast kernels")
assert same == bytes_seen

# %% [markdown]
# ## A thousand pictures, in NumPy
#
# ### Exercise 3
# The same for many bytes at once: each row of `columns` holds what one output pixel sees (`im2col`, lesson 4), each
# column of `weight` is a filter. Do all arithmetic in int64.


# %% nbgrader={"grade": false, "grade_id": "many_bytes", "solution": true}
def many_bytes(columns, weight, bias, m, s, zero_in, zero_out, low, high):
    """(p, k) uint8, (k, cout) int8, three of (cout,) → (p, cout) uint8."""
    ### BEGIN SOLUTION
    bias, m, s = (np.asarray(array, np.int64) for array in (bias, m, s))
    total = (columns.astype(np.int64) - zero_in) @ weight.astype(np.int64) + bias
    return np.clip(zero_out + ((total * m + (1 << (s - 1))) >> s), low, high).astype(np.uint8)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_many_bytes", "points": 3}
rng = np.random.default_rng(0)
columns, weight = rng.integers(0, 256, (40, 27), np.uint8), rng.integers(-127, 128, (27, 6)).astype(np.int8)
bias, shift = rng.integers(-9999, 9999, 6).astype(np.int32), np.full(6, 38, np.int8)
m = rng.integers(2**30, 2**31, 6).astype(np.int32)
yours = np.asarray(many_bytes(columns, weight, bias, m, shift, 128, 100, 3, 250))
right = [[plain_integers.rescale(int(t), int(m[c]), 38, 100, 3, 250) for c, t in enumerate(row)]
         for row in (columns.astype(object) - 128) @ weight.astype(object) + bias.astype(object)]  # fmt: skip
assert yours.shape == (40, 6), f"expected shape (40, 6), a byte a pixel and filter, not {yours.shape}"
assert np.mean(yours == right) > 0.9, (
    "most bytes differ: uint8 and int32 wrap around in silence; int64 before the first −"
)
assert np.array_equal(yours, right), f"{np.sum(yours != right)} of {yours.size} bytes differ: half added, then shifted?"


# %%
def numpy_step(op, x):
    """One operation of a Program on a batch of bytes (n, h, w, c)."""
    about, arrays = op.attributes, op.arrays
    zeros = about["input_zero_point"], about.get("zero_point", 0), about.get("low", 0), about.get("high", 255)
    if op.kind == "logits":
        total = (x.astype(np.int64) - zeros[0]) @ arrays["weight"].astype(np.int64) + arrays["bias"]
        return total.astype(np.float32) * arrays["scale"]
    if op.kind == "global_avg_pool2d":
        rows = x.reshape(len(x), -1, x.shape[3]).transpose(0, 2, 1).reshape(-1, x.shape[1] * x.shape[2])
        ones = np.ones((rows.shape[1], 1), np.int8)
        return many_bytes(rows, ones, [0], [about["multiplier"]], [about["shift"]], *zeros).reshape(len(x), -1)
    top, bottom, left, right = about["padding"]
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=zeros[0])
    seen = np.lib.stride_tricks.sliding_window_view(padded, arrays["weight"].shape[:2], axis=(1, 2))
    seen = seen[:, :: about["stride"], :: about["stride"]]  # (n, y, x, c, filter_y, filter_x)
    weight, bias, m, s = in_256ths(op)
    if op.kind == "conv2d":
        filters = weight.transpose(2, 0, 1, 3).reshape(-1, len(bias))
        return many_bytes(seen.reshape(-1, len(filters)), filters, bias, m, s, *zeros).reshape(*seen.shape[:3], -1)
    filters, result = weight.reshape(-1, len(bias)), np.empty(seen.shape[:4], np.uint8)
    for c in range(len(bias)):
        one = slice(c, c + 1)
        near = seen[..., c, :, :].reshape(-1, len(filters))
        made = many_bytes(near, filters[:, one], bias[one], m[one], s[one], *zeros)
        result[..., c] = made.reshape(seen.shape[:3])
    return result


same = numbers = hits = 0
for start in range(0, 1000, 100):
    x = test_set.images[start : start + 100]
    value = fast[0](x)  # pictures to bytes: a table of 256
    for op, run in zip(program.ops[1:], fast[1:], strict=True):
        value = numpy_step(op, value)
        same, numbers = same + np.sum(value == np.asarray(run(x)).reshape(value.shape)), numbers + value.size
    hits += np.sum(value.argmax(axis=1) == test_set.labels[start : start + 100])
print(f"1,000 pictures, NumPy int64: {same:,} of {numbers:,} are those of the fast kernels; top-1 {hits / 1000:.1%}")
assert same == numbers

# %% [markdown]
# Where the processor can, the fast kernels do it for 16 sums at a time, with a trick: for $s \ge 33$ the half has no bit
# in the lower 32 bits of the product, so its upper half alone is rounded and shifted. That they give the same bytes is
# what you have just proved. Would you have noticed a difference? One weight of one layer, smaller by one:

# %%
course.show(rescale_int8.scale_down)
place = next(number for number, op in enumerate(program.ops) if op.name == "blocks.3.pointwise.conv")
op, before = program.ops[place], fast[place - 1](first)
after, changed = numpy_step(op, before), op.arrays["weight"].copy()
changed[0, 0, before.sum(axis=(0, 1, 2)).argmax(), after.sum(axis=(0, 1, 2)).argmax()] -= 1
moved = numpy_step(replace(op, arrays=op.arrays | {"weight": changed}), before)
print(f"{np.sum(moved != after)} of the layer's {after.size:,} bytes differ")

# %% [markdown]
# ## See one layer
#
# All numbers that pass through this layer, for one picture: bytes in, weights, sums of 32 bits, bytes out.

# %%
weight = op.arrays["weight"].reshape(-1, len(op.arrays["bias"]))
sums = before.reshape(-1, len(weight)).astype(np.int64) @ weight.astype(np.int64) + op.arrays["bias"]
figure = report.empty_figure(9, 2.8)
panels = {"bytes in": before, "weights": weight, "sums t": sums, "bytes out": after}
for axes, (title, numbers) in zip(figure.subplots(1, 4), panels.items(), strict=True):
    axes.hist(numbers.ravel(), bins=50, log=True, color="#0072B2")
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(f"{numbers.min():,} to {numbers.max():,}", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.locator_params(axis="x", nbins=4)
figure.axes[0].set_ylabel("how many")
course.picture(
    figure, "layer",
    f"Four histograms in a row: bytes from {before.min()} to {before.max()}, weights on both sides of 0, sums from {sums.min():,} to "
    f"{sums.max():,}, and bytes again, with a tall bar at 0 where negative sums were clipped.",
)  # fmt: skip

# %% [markdown]
# ## And the simulation?
#
# Training and calibration rounded *floats* (lesson 10). Is that the same network? `quant.compare` gives each layer the
# simulation's own integers and counts where the Program makes others of them.

# %%
compared = quant.compare(calibrated, program, images[:50])
print(f"of {compared.integers:,} bytes {compared.differing:,} differ, by {compared.largest} at most;", end=" ")
print(f"that its biases are rounded, to 256ths, changes {sum(row.by_bias for row in compared.rows):,} more")

# %% [markdown]
# **Think.** Where can a byte of the simulation and one of the Program differ at all, if the formula is the same? And how
# long may a sum of products of a byte and a weight (−127 to 127) grow before an int32 overflows?

# %% [markdown] nbgrader={"grade": true, "grade_id": "think", "points": 2, "solution": true}
# ### BEGIN SOLUTION
# *One point* for one reason with its cause: the simulation's sums are float32, with an error in the 24th bit, and $M$ is
# rounded to 31 bits; both matter only where the exact value lies next to a half · ties go to the even number there, up
# here · the Program's bias is rounded, to 256ths of $S_1 S_2$, the simulation's is not. *One point:* one product is
# at most $255 \cdot 127 = 32{,}385$, and $2^{31} / 32{,}385 = 66{,}311$: that many products always fit (less the bias).
# The product $t \cdot m$, though, needs 62 bits, hence int64.
# ### END SOLUTION

# %% [markdown]
# What a file holds is printed by `tinyslim summary runs/prune_quant/program.npz`. The whole specification, op by op, stands in
# `tinyslim/deploy/integer_specification.md`.
#
# Next: lesson 13 makes a small network better without making it larger.
#
# Sources: B. Jacob et al. 2018, CVPR, §2.1 and 2.2 · gemmlowp, `doc/quantization.md`.
