"""Hearing what modules return, while a network runs as it always does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tinyslim.autograd import Tensor

#: Takes a place in a network (a Module, or a Node of a running graph) and the result that it just returned.
Listener = Callable[[object, Tensor], None]

_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let `listener` hear of each module's result inside the `with` block, inner modules before those that call them.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn
    >>> net = nn.Sequential(nn.Flatten(), nn.ReLU())
    >>> with nn.listening(lambda module, result: print(type(module).__name__, result.shape)):
    ...     y = net(np.ones((1, 2, 2, 1)))
    Flatten (1, 4)
    ReLU (1, 4)
    Sequential (1, 4)
    """
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)


def tell(place: object, result: Tensor) -> Tensor:
    """Tell whoever listens that `place` returned `result`, which is handed back."""
    for listener in _listeners.get():
        listener(place, result)
    return result
