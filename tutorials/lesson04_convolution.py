# %% [markdown]
# # Convolution: seven loops, and ten thousand times faster
#
# A network for images spends nearly all its time in one operation, whose textbook definition is seven nested loops.
# **Why does the same arithmetic take a minute or a few milliseconds, depending on little but its order?** You will
# write the trick on which most fast convolutions rest, climb the ladder from the loops to the engine's kernel, and read
# off a picture called the roofline how far the machine still is from its limit.
#
# You need: lesson 3. You will use: array shapes, counting.

# %% tags=["setup"]
import numpy as np
from tinyslim.kernels import ladder

from tinyslim import course, kernels

# %% [markdown]
# ## One equation
#
# An image has shape $(y, x, c)$: height, width, and a number of *channels*, such as red, green and blue. A *filter* is
# a small window of weights, $k \times k$ pixels over all channels. At each place it is laid over the image, multiplied
# with what it covers, and summed up to one number. $c_\text{out}$ filters give a result of $c_\text{out}$ channels:
#
# $$ \text{out}[y, x, j] = \sum_{u=0}^{k-1} \sum_{v=0}^{k-1} \sum_{i=0}^{c_\text{in}-1}
#    \text{in}[s y + u,\; s x + v,\; i] \; w[u, v, i, j] $$
#
# The *stride* $s$ is how far the window moves from one place to the next. *Padding* puts $p$ rows of zeros around the
# image first, so that the window can stand at the edge. With a fourth loop over the images of a batch, these are the
# seven loops; here they are, as the first step of the engine's ladder:

# %%
course.show(ladder.rungs("conv2d")[0].run)

# %% [markdown]
# ### Exercise 1
# How large is the result, along one side? And how many *operations* (multiplications and additions, two for each term
# of the sum) does it take?


# %% nbgrader={"grade": false, "grade_id": "count", "solution": true}
def side_of_result(side, size, stride, padding):
    """Places at which a filter of `size` fits into an image of `side` with `padding` zeros at either end."""
    ### BEGIN SOLUTION
    return (side + 2 * padding - size) // stride + 1
    ### END SOLUTION


def operations(side_out, size, cin, cout):
    """Multiplications and additions of a convolution whose result is side_out × side_out × cout."""
    ### BEGIN SOLUTION
    return 2 * side_out**2 * size**2 * cin * cout
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_count", "points": 2}
assert side_of_result(5, 3, 1, 0) == 3, (
    f"a window of 3 stands at 3 places in a row of 5: at 0, 1 and 2; you say {side_of_result(5, 3, 1, 0)}"
)
assert side_of_result(28, 3, 1, 1) == 28, "with padding 1 a 3×3 filter keeps the size: zeros stand at *both* ends"
assert side_of_result(28, 3, 2, 1) == 14, (
    f"stride 2 halves 28 to 14, rounding down; you say {side_of_result(28, 3, 2, 1)}"
)
assert operations(56, 3, 64, 64) != 115_605_504, "that counts multiplications alone; each has its addition"
assert operations(56, 3, 64, 64) == 231_211_008, (
    f"56×56×64→64 takes 231,211,008 operations, not {operations(56, 3, 64, 64):,}"
)

# %% [markdown]
# ## The trick: im2col
#
# What the filter covers at one place is $k \cdot k \cdot c_\text{in}$ numbers. Write them in a row. Do so for all
# places: the rows form a matrix. The filters, as they lie in memory, are another, of shape
# $(k \cdot k \cdot c_\text{in},\; c_\text{out})$. The seven loops have become **one matrix product**, the operation that
# people have made fast for fifty years:
#
# $$ \text{out} = \underbrace{\text{patches}}_{\text{places} \,\times\, k k c_\text{in}} \cdot
#    \underbrace{w}_{k k c_\text{in} \,\times\, c_\text{out}} $$
#
# The name, *im2col*, is short for "image to columns". The price: with $k = 3$ each pixel is copied up to nine times.
#
# ### Exercise 2
# Write it for one image, stride 1, no padding. (`x[u : u + k, v : v + k]` is a patch; `.reshape(-1)` makes it a row.)


# %% nbgrader={"grade": false, "grade_id": "im2col", "solution": true}
def im2col(x, k):
    """The patches of an image: (y, x, c) → (places, k·k·c), places in reading order."""
    ### BEGIN SOLUTION
    height, width, _ = x.shape
    rows = [x[u : u + k, v : v + k].reshape(-1) for u in range(height - k + 1) for v in range(width - k + 1)]
    return np.array(rows)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_im2col", "points": 3}
image = np.arange(4 * 5 * 2, dtype=np.float32).reshape(4, 5, 2)
patches = np.asarray(im2col(image, 3))
assert patches.shape == (6, 18), (
    f"4×5 pixels have 2·3 places for a 3×3 filter, of 18 numbers each; your shape is {patches.shape}"
)
assert np.array_equal(patches[0], image[:3, :3].reshape(-1)), "the first row must be the patch in the top left corner"
assert np.array_equal(patches[1], image[:3, 1:4].reshape(-1)), "the second place is one to the *right* of the first"
weight = np.random.default_rng(0).normal(size=(3, 3, 2, 4)).astype(np.float32)
expected = kernels.conv2d(image[None], weight)[0]
yours = (patches @ weight.reshape(18, 4)).reshape(2, 3, 4)
assert np.allclose(yours, expected, rtol=1e-4), (
    "patches @ weight differs from the engine's convolution: the order of the numbers?"
)

# %% [markdown]
# ## What limits a processor
#
# A processor multiplies faster than memory can deliver. A core holds sixteen or so numbers in one *vector register*
# and multiplies and adds all of them in one instruction (that is *SIMD*: single instruction, multiple data). But first
# they must be loaded, and a load fetches no more numbers than one multiplication eats.
#
# Let a kernel make $I$ operations for each byte that its instructions load or store. Its *speed* $P$, in operations a
# second, is bounded twice: by the arithmetic units, and by $I$ times the bytes that arrive each second, the *bandwidth*.
#
# $$ P \le \min(\text{peak}, \; I \cdot \text{bandwidth}) $$
#
# Drawn over $I$, this is a slope and a ceiling: the *roofline*. Far left of the corner, faster arithmetic is useless:
# the only way up is to load less for each operation, that is, to **use again** what lies in a register already.
#
# ## See it: the ladder, measured on your machine
#
# Every step is checked against plain NumPy before its time counts. (Where nothing can be compiled, this cell says so.)

# %%
from tinyslim.bench.ladder import climb
from tinyslim.bench.roofline import roofline_figure

if kernels.jit.COMPILED:
    climbed = climb("conv2d", min(2, kernels.threads.thread_count()))
    for step in climbed.steps:
        print(f"{step.number} {step.title[:60]:60} {step.rate:9.3g} GFLOP/s {step.share:8.3%} of the peak")
    first, last = climbed.steps[0].rate, climbed.steps[-1].rate
    print(f"from the first step to the last: {last / first:,.0f} times")
    course.picture(
        roofline_figure(climbed), "roofline",
        f"Speed over operations a byte, both logarithmic, with a slope for memory, one for the cache and a ceiling for "
        f"arithmetic. Eight numbered steps climb from {first:.2g} to {last:.3g} GFLOP/s.",
    )  # fmt: skip
else:
    print("no compiler here:", kernels.jit.why_plain())

# %% [markdown]
# Read the table from top to bottom, one idea a step:
#
# * **1 → 2** The interpreter goes. The compiler's loop is the same arithmetic, some hundred times faster.
# * **2 → 3** The inner loop runs along the output's channels, which lie side by side: now vectors can be used.
# * **3 → 5** im2col, in blocks small enough to stay in the *cache*, the small fast memory beside the core.
# * **5 → 6** A *tile* of sums stays in registers: loaded numbers are used several times. On the roofline this step goes
#   far to the *right*.
# * **6 → 8** Two threads; then nothing is copied at all, since the kernel knows where each patch lies in the image.
#
# Here is im2col as a step of the ladder, yours with the loops written out:

# %%
if kernels.jit.COMPILED:
    from tinyslim.kernels.ladder.conv2d import step4_im2col

    course.show(step4_im2col.unfold)

# %% [markdown]
# ### Exercise 3
# Read a roof. Return the most operations a second (in GFLOP/s) for a kernel of `intensity` operations a byte.


# %% nbgrader={"grade": false, "grade_id": "roof", "solution": true}
def roof(intensity, peak, bandwidth):
    """The bound in GFLOP/s; `peak` in GFLOP/s, `bandwidth` in GB/s, `intensity` in operations a byte."""
    ### BEGIN SOLUTION
    return min(peak, intensity * bandwidth)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_roof", "points": 1}
assert roof(100.0, 400.0, 40.0) == 400.0, (
    f"100 operations a byte would need 4 TFLOP/s: the ceiling of 400 holds, not {roof(100.0, 400.0, 40.0)}"
)
assert roof(0.25, 400.0, 40.0) == 10.0, (
    f"0.25 operations a byte at 40 GB/s are 10 GFLOP/s, not {roof(0.25, 400.0, 40.0)}"
)

# %% [markdown]
# **Think.** A $1 \times 1$ convolution needs no im2col. Why? And which of the ladder's steps does that leave without
# any effect?

# %% [markdown] nbgrader={"grade": true, "grade_id": "think", "points": 2, "solution": true}
# ### BEGIN SOLUTION
# *One point:* the patch of a 1×1 filter at stride 1 is one pixel, all channels, and pixels already lie one behind the
# other: the image, read as a matrix (places, channels), *is* the matrix of patches. *One point:* unfolding (4) and
# unfolding by blocks (5) have nothing to do, except that blocks still keep the product's operands in the cache; the
# register tile and the threads help as before. (MobileNets are mostly 1×1 convolutions: lesson 5.)
# ### END SOLUTION

# %% [markdown]
# The other ladders are climbed with `tinyslim bench ladder depthwise` and `tinyslim bench ladder gemm_int8`; the
# instructions of the inner loop are shown by `tinyslim bench asm conv2d`.
#
# Next: lesson 5 asks whether all those multiplications are needed.
#
# Sources: K. Chellapilla et al. 2006, *High performance convolutional neural networks for document processing* ·
# S. Williams et al. 2009, *Roofline: an insightful visual performance model*, CACM 52(4) · A. Ilic et al. 2014,
# *Cache-aware roofline model* · M. Dukhan 2019, *The indirect convolution algorithm*, arXiv 1907.02129.
