"""The learning rate from the first step of a compression to the last."""

from __future__ import annotations

from itertools import pairwise

from tinyslim.optim import Schedule, by_name

from .config import Config


def schedule(config: Config, steps: int) -> Schedule:
    """The learning rate by the number of the step, of which an epoch has `steps`.

    One schedule spans all epochs. Where a strategy has an `lr` of its own, another begins at its `start_epoch`, and the
    one before ends there.
    """
    settings = config.settings
    starts = {0: settings.lr} | {s.start_epoch: s.lr for s in config.strategies if s.lr is not None}
    parts = [
        (first * steps, by_name(settings.schedule, starts[first], (end - first) * steps))
        for first, end in pairwise([*sorted(starts), settings.epochs])
    ]

    def at(step: int) -> float:
        begin, part = next((begin, part) for begin, part in reversed(parts) if step >= begin)
        return part(step - begin)

    return at
