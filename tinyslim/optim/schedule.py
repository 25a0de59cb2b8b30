"""Learning rates over time: a schedule is a function from the step's number, from 0, to a learning rate."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi

Schedule = Callable[[int], float]


def constant(lr: float) -> Schedule:
    """The same learning rate at every step.

    Examples
    --------
    >>> from tinyslim import optim
    >>> optim.constant(0.1)(0), optim.constant(0.1)(1000)
    (0.1, 0.1)
    """
    return lambda step: lr


def cosine(lr: float, total: int, warmup: int = 0, final: float = 0.0) -> Schedule:
    """Up in a straight line over `warmup` steps, then down half a cosine to `final` at step `total`.

    Loshchilov, Hutter 2017, eq. 5, without restarts.

    Examples
    --------
    >>> from tinyslim import optim
    >>> [round(optim.cosine(1.0, 4)(step), 2) for step in range(5)]
    [1.0, 0.85, 0.5, 0.15, 0.0]
    """
    _check(lr=lr, total=total)

    def at(step: int) -> float:
        if step < warmup:
            return lr * (step + 1) / warmup
        passed = min((step - warmup) / max(total - warmup, 1), 1.0)
        return final + (lr - final) * (1 + cos(pi * passed)) / 2

    return at


def step_decay(lr: float, milestones: tuple[int, ...], factor: float = 0.1) -> Schedule:
    """Times `factor` at each of the `milestones` (step numbers).

    Examples
    --------
    >>> from tinyslim import optim
    >>> rate = optim.step_decay(1.0, milestones=(10, 20))
    >>> [f"{rate(step):g}" for step in (0, 9, 10, 20)]
    ['1', '1', '0.1', '0.01']
    """
    _check(lr=lr)
    return lambda step: lr * factor ** sum(step >= milestone for milestone in milestones)


def one_cycle(lr: float, total: int, rise: float = 0.3, start: float = 0.04, final: float = 1e-4) -> Schedule:
    """Up half a cosine from `start`·lr to lr over the share `rise` of all steps, then down to `final`·lr.

    Smith, Topin 2018 (super-convergence), with cosines for straight lines.

    Examples
    --------
    >>> from tinyslim import optim
    >>> rate = optim.one_cycle(1.0, total=100)
    >>> [f"{rate(step):.2f}" for step in (0, 30, 99)]
    ['0.04', '1.00', '0.00']
    """
    _check(lr=lr, total=total)
    top = max(rise * total, 1e-9)

    def at(step: int) -> float:
        if step < top:
            return lr * (start + (1 - start) * (1 - cos(pi * step / top)) / 2)
        passed = min((step - top) / max(total - top, 1e-9), 1.0)
        return lr * (final + (1 - final) * (1 + cos(pi * passed)) / 2)

    return at


#: What a recipe may name.
SCHEDULES = ("constant", "cosine", "one_cycle", "step")


def by_name(name: str, lr: float, total: int) -> Schedule:
    """The schedule of this name over `total` steps; "step" falls at one half and at three quarters.

    Examples
    --------
    >>> from tinyslim import optim
    >>> optim.by_name("cosine", 0.1, total=100)(0)
    0.1
    """
    if name == "constant":
        return constant(lr)
    if name == "cosine":
        return cosine(lr, total)
    if name == "one_cycle":
        return one_cycle(lr, total)
    if name == "step":
        return step_decay(lr, (total // 2, total * 3 // 4))
    raise ValueError(f"`schedule` (={name!r}) must be one of {', '.join(SCHEDULES)}")


def _check(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"`{name}` (={value!r}) must be above 0")
