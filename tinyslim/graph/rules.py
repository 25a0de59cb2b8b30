"""What is known of each operation: how many multiply-adds one image costs. An operation without a rule is an error."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

Shape = tuple[int, ...]


def conv2d_macs(weight: Shape, result: Shape) -> int:
    """Each of out_y·out_x·cout results sums filter_y·filter_x·cin products."""
    return prod(result[1:]) * prod(weight[:3])


def depthwise_conv2d_macs(weight: Shape, result: Shape) -> int:
    """Each of out_y·out_x·c results sums filter_y·filter_x products."""
    return prod(result[1:]) * prod(weight[:2])


def linear_macs(weight: Shape, result: Shape) -> int:
    """Each result sums as many products as there are inputs."""
    return prod(result[1:]) * weight[0]


#: Multiply-adds for one image from the shapes of weight and result.
MACS: dict[str, Callable[[Shape, Shape], int]] = {
    "conv2d": conv2d_macs,
    "depthwise_conv2d": depthwise_conv2d_macs,
    "linear": linear_macs,
}

#: Operations whose multiplications are not counted, as in the papers: one or a few for each element.
UNCOUNTED = {
    "input", "batch_norm", "relu", "relu6", "clip", "sigmoid", "tanh", "exp", "log", "softmax", "log_softmax",
    "dropout", "add", "subtract", "multiply", "divide", "negate", "power", "sum", "mean", "max_pool2d", "avg_pool2d",
    "global_avg_pool2d", "flatten", "reshape", "transpose", "take", "pad", "concat", "fake_quant", "learned_fake_quant",
}  # fmt: skip


def check_known(op: str, where: str) -> None:
    """Refuse an operation that nobody wrote a rule for: a guess would make wrong counts and cut wrong channels."""
    if op not in MACS and op not in UNCOUNTED:
        raise ValueError(
            f"the operation {op!r} in {where or 'the network'} is unknown to the graph; register() can add it"
        )


def register(op: str, macs: Callable[[Shape, Shape], int] | None = None) -> None:
    """Make an operation of your own known to the graph.

    Parameters
    ----------
    op : str
        Its name on the tape.
    macs
        From the shapes of its weight and its result (with the batch axis) to multiply-adds of one image; None counts
        none.
    """
    if macs is None:
        UNCOUNTED.add(op)
    else:
        MACS[op] = macs
