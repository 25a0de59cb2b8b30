# %% [markdown]
# # One scalar to a million: the tape
#
# Training asks one question a million times a second: *if I change this number a little, how does the result change?*
# **How can a program answer that for every number at once, in about the time that computing the result took?** At the
# end of this page you will have written that program, in a dozen lines, and seen the one mistake that everybody makes.
#
# You need: what a derivative is. You will use: the chain rule, a list, and patience with the letter $a$.

# %% tags=["setup"]
import numpy as np

from tinyslim import Tensor, course, report

# %% [markdown]
# ## One equation
#
# A result $L$ is computed from $b$, which is computed from $a$. The chain rule says how $L$ depends on $a$:
#
# $$ \frac{\partial L}{\partial a} = \sum_{\text{uses } u \text{ of } a} \frac{\partial L}{\partial u} \cdot
#    \frac{\partial u}{\partial a} $$
#
# The sum is the important sign. When $a$ is used twice, a change of $a$ reaches $L$ on two ways, and both count.
#
# We call $\partial L / \partial x$ the *gradient* of $x$ and read the equation backwards: once the gradient of $u$ is
# known, each input of $u$ receives its share. So the program goes from the result to its inputs. To know the way, every
# result remembers the operation that made it and the tensors that went in: that record is the *tape*.

# %%
a = Tensor(1.0, requires_grad=True)
b = a + a
c = b + b
print("c was made by", c.op, "from tensors with the values", [float(t) for t in c.inputs])

# %% [markdown]
# ## See it
#
# Each box is a tensor, each arrow one use of it. The numbers on the arrows are the shares that flow *back*.

# %%
names = {"a": a, "b": b, "c": c}
course.picture(report.expression_figure(c, names), "twice", report.describe_expression(c, names))

# %% [markdown]
# `b` receives a share of 1 on each of its two arrows, so its gradient is 2, and `a` receives 2 + 2 = 4. That is right:
# $c = 4a$.
#
# ## Why the order matters
#
# Suppose that we visit `b` as soon as its *first* share has arrived. It passes 1 on along both arrows to `a`. Then the
# second share arrives at `b`. Too late: either it is lost, and `a` ends with 2, or `b` is visited again with its
# whole gradient of 2, hands 2 + 2 on, and `a` ends with 2 + 4 = 6. The rule must be:
#
# > Visit a tensor only after **everything that was made from it** has been visited.
#
# An order with this property is called *topological*. The engine gets one for nothing. A tensor is always younger than
# its inputs, since these had to exist first. So it gives each tensor a running number, `born`, and always visits the
# youngest one that waits. Here is the whole backward pass, as it stands in the engine:

# %%
from tinyslim.autograd import backward_pass

course.show(backward_pass.backward)

# %% [markdown]
# Notice what it does *not* contain: no addition, no convolution, no name of any operation. Each result brings a
# function `pull_back` that turns its own gradient into shares for its inputs. Lesson 2 writes such functions.
#
# ### Exercise 1
# Write the heart of it. A `Node` has a value, its `inputs`, and for each input the `slopes`, the derivative of the node
# by that input. Visit the nodes youngest first and fill in `.grad`. (`max(waiting, key=...)` finds the youngest.)


# %% tags=["setup"]
class Node:
    """A number that knows what it was made from."""

    count = 0

    def __init__(self, value, inputs=(), slopes=()):
        self.value, self.inputs, self.slopes, self.grad = value, inputs, slopes, 0.0
        Node.count += 1
        self.born = Node.count

    def __add__(self, other):
        return Node(self.value + other.value, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        return Node(self.value * other.value, (self, other), (other.value, self.value))


# %% nbgrader={"grade": false, "grade_id": "backward", "solution": true}
def backward(result):
    """Fill in the `.grad` of every node that `result` was made from; `result.grad` is 1."""
    result.grad = 1.0
    waiting = {result}
    ### BEGIN SOLUTION
    while waiting:
        node = max(waiting, key=lambda one: one.born)
        waiting.remove(node)
        for parent, slope in zip(node.inputs, node.slopes, strict=True):
            parent.grad += node.grad * slope
            waiting.add(parent)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_backward", "points": 3}
one = Node(1.0)
two = one + one
four = two + two
backward(four)
assert one.grad != 1.0, "a's gradient is 1: does a later share overwrite an earlier one? They must be added up"
assert one.grad != 2.0, "a's gradient is 2, half of it: was a share lost because b was visited once too early?"
assert one.grad != 6.0, "a's gradient is 6: b was visited twice, and the first time it was not complete"
assert one.grad != 8.0, "a's gradient is 8: b was visited twice, each time with its whole gradient. Does it wait twice?"
assert one.grad == 4.0, f"c = 4a, so a's gradient is 4, and yours is {one.grad}"
x, y = Node(3.0), Node(-2.0)
product = x * y
backward(product * product + x)
assert (x.grad, y.grad) == (25.0, -36.0), (
    f"for x²y² + x at x = 3, y = −2 the gradients are 2xy² + 1 = 25 and 2x²y = −36, yours are {x.grad} and {y.grad}"
)

# %% [markdown]
# ## From scalars to tensors
#
# Nothing in the equation says that a "number" must be one number. If $a$ is an array of a million elements, one
# multiplication `a * a` is *one* node on the tape, and its pull-back is one NumPy expression. The price of the tape is
# paid per operation, not per number:

# %%
import time


def milliseconds_of_step(size):
    """One multiplication, one sum and their backward pass, the best of seven."""
    times = []
    for _ in range(7):
        start = time.perf_counter()
        vector = Tensor(np.ones(size, np.float32), requires_grad=True)
        (vector * vector).sum().backward()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


sizes = [1, 100, 10_000, 1_000_000]
taken = [milliseconds_of_step(size) for size in sizes]
for size, milliseconds in zip(sizes, taken, strict=True):
    print(f"{size:9,} numbers: {milliseconds:8.3f} ms, {1e6 * milliseconds / size:12,.1f} ns a number")

figure = report.empty_figure(6, 3.2)
axes = figure.subplots()
axes.loglog(sizes, [1e6 * ms / size for ms, size in zip(taken, sizes, strict=True)], "o-", color="#0072B2")
axes.set(xlabel="numbers in the tensor", ylabel="nanoseconds a number", title="The tape costs per operation")
course.picture(figure, "per_number", "On logarithmic axes, the time for each number falls steeply as the tensor grows.")

# %% [markdown]
# ### Exercise 2
# A tensor that is *broadcast* is used many times, too: adding one bias to 100 rows uses it 100 times. By the sum in the
# equation, what is the gradient of `bias` in `rows + bias`, given the gradient `grad` of the result? Shapes: `grad` is
# `(n, c)`, `bias` is `(c,)`.


# %% nbgrader={"grade": false, "grade_id": "bias_gradient", "solution": true}
def bias_gradient(grad):
    """The gradient of a bias that was added to every row: (n, c) → (c,)."""
    ### BEGIN SOLUTION
    return grad.sum(axis=0)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_bias_gradient", "points": 1}
rows, bias = Tensor(np.ones((5, 3))), Tensor(np.zeros(3), requires_grad=True)
grad = np.arange(15.0).reshape(5, 3)
(rows + bias).backward(grad)
yours = np.asarray(bias_gradient(grad))
assert yours.shape == (3,), f"your gradient has shape {yours.shape}, but bias has (3,): one number for each column"
assert not np.allclose(yours, grad.mean(axis=0)), "every use adds its share; a mean would make 100 rows count as one"
assert np.allclose(yours, bias.grad), f"the engine says {bias.grad}, you say {yours}"

# %% [markdown]
# **Think.** The engine's `backward` sets `tensor.pull_back = None` after using it, so a second `backward()` through the
# same result is refused. What would be kept in memory otherwise, and why is that more than the parameters?

# %% [markdown] nbgrader={"grade": true, "grade_id": "think", "points": 2, "solution": true}
# ### BEGIN SOLUTION
# *One point:* a pull-back is a function that holds on to the arrays it will need, mostly the inputs of its operation
# (for `a * b` both factors). *One point:* these arrays exist for every image of the batch and every layer (batch ×
# height × width × channels each), while a parameter exists once; so in training they, not the weights, fill the
# memory. Dropping each one right after its use lets the memory go while the pass is still running.
# ### END SOLUTION

# %% [markdown]
# Next: lesson 2 writes pull-backs, and catches wrong ones.
#
# Sources: R. E. Wengert 1964, *A simple automatic derivative evaluation program*, CACM 7(8) · A. Griewank, A. Walther
# 2008, *Evaluating derivatives*, ch. 3 · A. G. Baydin et al. 2018, *Automatic differentiation in machine learning: a
# survey*, JMLR 18, §3.2.
