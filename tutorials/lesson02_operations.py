# %% [markdown]
# # An operation is two functions, and the second can be checked
#
# The tape of lesson 1 knows no operation. Each brings its own way back. **How do you write a derivative for an array
# operation, and how do you find out that it is wrong, before a network trains badly for a week?** You will add two
# operations to the engine, and then catch a mistake that no error message reports.
#
# You need: lesson 1. You will use: derivatives of simple functions, matrix products.

# %% tags=["setup"]
import numpy as np

import tinyslim.functional as F
from tinyslim import Tensor, course, gradcheck, report
from tinyslim.autograd import arithmetic, gradient_check
from tinyslim.autograd.operations import each, operation

# %% [markdown]
# ## One equation
#
# Let $y = f(x)$ be one step on the way to a result $L$, and let $g = \partial L / \partial y$ be the gradient that
# arrives at $y$; it has the shape of $y$. The operation must turn it into the gradient of $x$, of the shape of $x$:
#
# $$ \frac{\partial L}{\partial x_i} = \sum_j g_j \, \frac{\partial y_j}{\partial x_i} $$
#
# The table of all $\partial y_j / \partial x_i$ is called the *Jacobian*. It would be huge, and nobody ever builds it:
# we need only its product with $g$. For a function of each element alone, such as $y_i = x_i^3$, the sum has one term,
# and the pull-back is an element-wise product: $g_i \cdot 3 x_i^2$.
#
# ## The engine's own code
#
# An operation returns its result and, beside it, the pull-back; `each` takes one rule for each input. (`grad` is $g$.)

# %%
course.show(arithmetic.multiply, arithmetic.matmul, F.tanh)

# %% [markdown]
# `unbroadcast` in the first is what you found in lesson 1: if a factor was repeated along an axis, its gradient is
# summed over that axis.
#
# The rule for the matrix product looks like magic and isn't. From $C = A B$ follows $C_{ik} = \sum_j A_{ij} B_{jk}$. So
# $A_{ij}$ is used in row $i$ of $C$, once for each $k$, with the factor $B_{jk}$. Sum over its uses:
#
# $$ \frac{\partial L}{\partial A_{ij}} = \sum_k G_{ik} B_{jk} = (G B^\top)_{ij} . $$
#
# ### Exercise 1
# *Softplus*, $y = \ln(1 + e^{x})$, is a smooth relative of the ReLU. Its derivative is $1 / (1 + e^{-x})$. Make it an
# operation: return the result, and `each(...)` of one rule. (`np.logaddexp(0, x)` is $\ln(e^0 + e^x)$ without overflow.)


# %% nbgrader={"grade": false, "grade_id": "softplus", "solution": true}
@operation("x")
def softplus(x):
    """ln(1 + eˣ), element by element."""
    ### BEGIN SOLUTION
    return np.logaddexp(0, x), each(lambda grad: grad / (1 + np.exp(-x)))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_softplus", "points": 2}
value = softplus(Tensor(np.array([-1.0, 0.0, 2.0]))).data
assert np.allclose(value, [0.31326, 0.69315, 2.12693], atol=1e-4), (
    f"softplus(−1, 0, 2) is 0.3133, 0.6931, 2.1269, not {value}"
)
point = Tensor(np.array([0.0]), requires_grad=True)
(softplus(point) * 10.0).sum().backward()
assert point.grad != 0.5, "the slope at 0 is 0.5, but ten times softplus has ten times the slope: multiply by `grad`"
assert np.allclose(point.grad, 5.0), f"the slope of 10·softplus at 0 is 5, and your pull-back says {point.grad}"
assert gradcheck(softplus, np.linspace(-3, 3, 7))

# %% [markdown]
# ## How to catch a wrong one
#
# A wrong gradient raises no error. The network trains, just worse. But the derivative is a limit that can be measured:
# go a small step forwards and backwards along a direction $d$ and look how far the result moved:
#
# $$ \frac{f(x + h d) - f(x - h d)}{2h} \;\approx\; \sum_i \frac{\partial f}{\partial x_i}\, d_i . $$
#
# The left side needs no derivative at all. If the two sides differ, the pull-back is wrong. The engine takes $d$ at
# random: a mistake in a single element shows along almost every direction.

# %%
course.show(gradient_check.directional_derivative)


@operation("x")
def careless_tanh(x):
    """tanh with a derivative that forgets the square."""
    y = np.tanh(x)
    return y, each(lambda grad: grad * (1 - y))


try:
    gradcheck(careless_tanh, np.linspace(-1, 1, 5))
except AssertionError as error:
    print("caught:", error)

# %% [markdown]
# ## See it: how small a step?
#
# The formula has two errors. With a large $h$ the curve bends within the step: the error grows like $h^2$. With a
# small one, two almost equal numbers are subtracted, and their rounding errors, about $10^{-16}$ of their size, are
# divided by the tiny $2h$. In between lies the best step.


# %%
def slope_error(step, dtype):
    """|measured − true| slope of tanh at 0.5, in one floating-point type."""
    x, h = dtype(0.5), dtype(step)
    measured = (np.tanh(x + h) - np.tanh(x - h)) / (2 * h)
    return abs(float(measured) - (1 - np.tanh(0.5) ** 2))


steps = np.logspace(-13, 0, 53)
doubles, singles = ([slope_error(step, dtype) for step in steps] for dtype in (np.float64, np.float32))
figure = report.empty_figure(6.4, 3.6)
axes = figure.subplots()
axes.loglog(steps, np.maximum(singles, 1e-14), "s-", color="#D55E00", markersize=3, label="float32")
axes.loglog(steps, np.maximum(doubles, 1e-14), "o-", color="#0072B2", markersize=3, label="float64")
axes.set(xlabel="step h", ylabel="error of the measured slope", title="Too large, it bends; too small, it rounds")
axes.legend(frameon=False)
course.picture(
    figure, "step_size",
    "Error of the measured slope over the step, both logarithmic: two V-shaped curves; float64 is best near 1e-5, "
    "float32 near 1e-2 and much worse.",
)  # fmt: skip
print(f"best step in float64: {steps[np.argmin(doubles)]:.0e}, error {min(doubles):.0e}")
print(f"best step in float32: {steps[np.argmin(singles)]:.0e}, error {min(singles):.0e}")

# %% [markdown]
# That is why `gradcheck` computes in float64, with a step of $10^{-6}$, though training runs in float32.
#
# ### Exercise 2
# Write the check yourself: the slope of `function` at the array `x` along `direction`. `function` returns one number.


# %% nbgrader={"grade": false, "grade_id": "slope", "solution": true}
def slope(function, x, direction, step=1e-6):
    """The slope of `function` at `x` along `direction`, by a step forwards and one backwards."""
    ### BEGIN SOLUTION
    return (function(x + step * direction) - function(x - step * direction)) / (2 * step)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_slope", "points": 2}
x, direction = np.array([1.0, 2.0]), np.array([1.0, -1.0])
yours = slope(lambda v: float((v**2).sum()), x, direction)
assert not np.isclose(yours, -4.0, atol=1e-3), "twice the slope: the two points lie 2·step apart"
assert np.isclose(yours, -2.0), f"x² + y² at (1, 2) along (1, −1) has the slope 2·1 − 2·2 = −2, not {yours}"
bent = slope(lambda v: float((v**3).sum()), np.array([0.0]), np.array([1.0]), step=0.1)
assert abs(slope(lambda v: float((v**2).sum()), np.zeros(1), np.ones(1), step=0.1)) < 1e-9, (
    "x² is flat at 0: only a step to *both* sides sees that, a step forwards measures `step` itself"
)
assert np.isclose(bent, 0.01), f"with a step of 0.1, x³ at 0 must measure h² = 0.01, and you measure {bent}"

# %% [markdown]
# ### Exercise 3
# The maximum of two arrays, element by element, hands the gradient to the winner alone: that is how max pooling learns.
# Write it for two arrays of one shape, without ties.


# %% nbgrader={"grade": false, "grade_id": "larger", "solution": true}
@operation("a", "b")
def larger(a, b):
    """max(a, b), element by element; two rules in `each`, one for a and one for b."""
    ### BEGIN SOLUTION
    return np.maximum(a, b), each(lambda grad: grad * (a > b), lambda grad: grad * (a < b))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_larger", "points": 2}
first, second = Tensor(np.array([1.0, 5.0]), requires_grad=True), Tensor(np.array([3.0, 2.0]), requires_grad=True)
result = larger(first, second)
assert np.array_equal(result.data, [3.0, 5.0]), f"the larger of (1, 5) and (3, 2) is (3, 5), not {result.data}"
result.backward(np.array([10.0, 20.0]))
assert not np.array_equal(first.grad, [10.0, 20.0]), (
    "both inputs got the whole gradient; only the larger element earned it"
)
assert np.array_equal(first.grad, [0.0, 20.0]), f"a won in element 1 alone: its gradient is (0, 20), not {first.grad}"
assert np.array_equal(second.grad, [10.0, 0.0]), f"b won in element 0 alone: its gradient is (10, 0), not {second.grad}"

# %% [markdown]
# **Think.** The ReLU, $\max(x, 0)$, has no derivative at 0; the engine says 0 there. Why can `gradcheck` fail near 0
# although the pull-back is right, and why does training hardly care?

# %% [markdown] nbgrader={"grade": true, "grade_id": "think", "points": 2, "solution": true}
# ### BEGIN SOLUTION
# *One point:* the two points of the measurement can lie on different sides of the kink; it then measures a mean of
# the slopes 0 and 1, which is no derivative at all. So inputs of a check are kept away from kinks. *One point:* an
# activation that is exactly 0 is rare among floats, any number between 0 and 1 would be a valid descent direction
# there (a *subgradient*), and the next step moves it away.
# ### END SOLUTION

# %% [markdown]
# Next: lesson 3 joins operations to a network, and lets it learn.
#
# Sources: D. Maclaurin et al. 2015, *Autograd: effortless gradients in NumPy* · W. H. Press et al. 2007, *Numerical
# recipes*, §5.7 (the best step) · A. Griewank, A. Walther 2008, *Evaluating derivatives*, ch. 2.
