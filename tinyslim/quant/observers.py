"""How the range of an activation is found while training goes on: three rules, each a function of what it remembers.

A rule takes the largest |x| of a new batch and the memory, three numbers that are saved with the model, moves the
memory on and returns the range to use. All begin with zeros, and the first batch decides. A grid that is not symmetric
has two memories, and the rule is told of each side of 0 by itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: How much of the past a moving average keeps (PaddleSlim's `moving_rate`).
RATE = 0.9
#: How many batches `range_abs_max` looks back over, at least.
WINDOW = 10_000

Memory = np.ndarray
Rule = Callable[[Memory, float], float]


def moving_average_abs_max(memory: Memory, largest: float) -> float:
    """accum ← 0.9·accum + max|x|; state ← 0.9·state + 1; range = accum / state.

    Dividing by `state` makes it a weighted mean of the batches seen so far: after one batch the range is that batch's,
    and no start value drags behind it.
    """
    memory[0] = RATE * memory[0] + largest
    memory[1] = RATE * memory[1] + 1
    return memory[0] / memory[1]


def abs_max(memory: Memory, largest: float) -> float:
    """range = max|x| of this very batch. The moving average is kept beside it, for use when training is over."""
    moving_average_abs_max(memory, largest)
    return largest


def range_abs_max(memory: Memory, largest: float) -> float:
    """range = the largest |x| over a window of batches.

    memory[0] and memory[2] are the largest of the running window and of the one before it, so that between one and two
    windows are looked back over without remembering each batch.
    """
    memory[1] += 1
    if memory[1] % WINDOW == 0:
        memory[2], memory[0] = memory[0], 0.0
    memory[0] = max(memory[0], largest)
    return max(memory[0], memory[2])


#: The rules by PaddleSlim's names.
RULES: dict[str, Rule] = {
    "abs_max": abs_max,
    "moving_average_abs_max": moving_average_abs_max,
    "range_abs_max": range_abs_max,
}


def settled(name: str, memory: Memory) -> float:
    """The range that a trained model is used with, from what its rule remembers.

    Raises
    ------
    ValueError
        When no batch was seen yet.
    """
    check_seen(memory)
    return float(max(memory[0], memory[2]) if name == "range_abs_max" else memory[0] / memory[1])


def check_seen(memory: Memory) -> None:
    """Refuse a memory of no batch: memory[1] counts them, in one way or another."""
    if memory[1] == 0:
        raise ValueError("this quantiser has seen no batch: train or calibrate the model before it is used or frozen")
