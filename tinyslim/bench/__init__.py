"""How fast the engine is, with its peers beside it: in one process, by turns, with the same number of threads."""

from .timing import Timing, by_turns, same_memory
from .training import compare_training, train_step

__all__ = ["Timing", "by_turns", "compare_training", "same_memory", "train_step"]
