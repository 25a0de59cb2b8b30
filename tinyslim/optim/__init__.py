"""Optimizers, learning-rate schedules, gradient clipping."""

from .adam import Adam, AdamW
from .optimizer import Optimizer, clip_gradients
from .schedule import SCHEDULES, Schedule, by_name, constant, cosine, one_cycle, step_decay
from .sgd import SGD

__all__ = [
    "SCHEDULES",
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "Schedule",
    "by_name",
    "clip_gradients",
    "constant",
    "cosine",
    "one_cycle",
    "step_decay",
]
