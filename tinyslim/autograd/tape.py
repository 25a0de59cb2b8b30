"""What is being recorded, and inside which modules: two facts about the running code, each a context variable.

A context variable belongs to one thread (and one async task), so that an evaluation in one thread does not stop another
from recording gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum


class Recording(Enum):
    """Which results of operations remember how they were made."""

    GRADIENTS = "those that some gradient will flow through"
    NOTHING = "none"
    EVERYTHING = "all, and no gradient will flow: the tape is read as a graph"


_recording: ContextVar[Recording] = ContextVar("recording", default=Recording.GRADIENTS)
_scope: ContextVar[tuple] = ContextVar("scope", default=())


def recording() -> Recording:
    """What the tape keeps at this moment."""
    return _recording.get()


@contextmanager
def record(what: Recording) -> Iterator[None]:
    """Let the tape keep `what` inside the `with` block."""
    token = _recording.set(what)
    try:
        yield
    finally:
        _recording.reset(token)


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without remembering: nothing inside the `with` block can be differentiated, no memory is kept for it.

    Examples
    --------
    >>> from tinyslim import Tensor, no_grad
    >>> weight = Tensor([1.0], requires_grad=True)
    >>> with no_grad():
    ...     print((weight * 2).requires_grad)
    False
    """
    with record(Recording.NOTHING):
        yield


def scope() -> tuple:
    """The calls that are under way, outermost first; opaque here, `graph.trace` reads them as module paths."""
    return _scope.get()


@contextmanager
def inside(call: object) -> Iterator[None]:
    """Add `call` to the scope inside the `with` block."""
    token = _scope.set((*_scope.get(), call))
    try:
        yield
    finally:
        _scope.reset(token)
