"""Places in an arena: values that are never alive at the same time share one.

A value is anything with `nbytes`, `born`, `last_use` and `offset`.
"""

from __future__ import annotations


def live_ranges(steps: list[tuple[list, object]], result) -> list:
    """Set when each value is written first and read last, by steps of (inputs, target); returns the values by birth."""
    values: list = []
    for time, (inputs, target) in enumerate(steps):
        for value in inputs:
            value.last_use = time
        if not any(value is target for value in values):
            target.born = target.last_use = time
            values.append(target)
    result.last_use = len(steps)
    return values


def place(values: list) -> int:
    """Give each value the lowest offset that no value alive with it holds; returns the bytes of all."""
    placed: list = []
    for value in values:
        alive = sorted((v for v in placed if v.last_use >= value.born), key=lambda v: v.offset)
        value.offset = 0
        for other in alive:
            if value.offset + value.nbytes <= other.offset:
                break
            value.offset = max(value.offset, other.offset + other.nbytes)
        placed.append(value)
    return max((v.offset + v.nbytes for v in placed), default=0)
