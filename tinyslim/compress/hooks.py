"""Calling hooks: those of the strategies, which may change everything, then those of callbacks, which only look."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tinyslim.naming import nearest

from .context import Context
from .read_only import ReadOnlyContext
from .strategy import Strategy

#: PaddleSlim's, in the order in which they are called.
HOOKS = (
    "on_compression_begin",
    "on_epoch_begin",
    "on_batch_begin",
    "on_batch_end",
    "on_epoch_end",
    "on_compression_end",
)


class Hooks:
    """The strategies of a config, in its order, and the callbacks behind them.

    Parameters
    ----------
    strategies : sequence of Strategy
    callbacks : iterable
        Functions that bear a hook's name, and objects with methods that do.

    Raises
    ------
    TypeError
        When a callback has no hook, or one whose name is misspelt.
    """

    def __init__(self, strategies: Iterable[Strategy], callbacks: Iterable = ()):
        self.strategies = tuple(strategies)
        self.callbacks = [hooks_of(callback, f"callbacks[{place}]") for place, callback in enumerate(callbacks)]

    def __call__(self, hook: str, context: Context) -> None:
        """Call a hook of every strategy, then of every callback."""
        for strategy in self.strategies:
            self.call_one(strategy, hook, context)
        self.show(hook, context)

    def call_one(self, strategy: Strategy, hook: str, context: Context) -> None:
        """Call a hook of one strategy; what is wrong bears its name."""
        try:
            getattr(strategy, hook)(context)
        except ValueError as error:
            raise ValueError(f"strategies.{strategy.name}: {error}") from error

    def show(self, hook: str, context: Context) -> None:
        """Call a hook of every callback, with a context that can't be changed."""
        for hooks in self.callbacks:
            if hook in hooks:
                hooks[hook](ReadOnlyContext(context))


def hooks_of(callback, name: str) -> dict[str, Callable[[ReadOnlyContext], None]]:
    """The hooks of one callback, by name; errors call it `name`."""
    if isinstance(callback, type):
        raise TypeError(f"`{name}` (={callback!r}) is a class: hand over an instance of it")
    if getattr(callback, "__name__", None) in HOOKS and callable(callback):
        return {callback.__name__: callback}
    found = {word: getattr(callback, word) for word in dir(callback) if word.startswith("on_")}
    for word in found:
        if word not in HOOKS:
            raise TypeError(f"`{name}` (={callback!r}) has {word}, which is no hook{nearest(word, HOOKS)}")
    if not found:
        raise TypeError(
            f"`{name}` (={callback!r}) must be a function named after a hook, or have such methods: {HOOKS}"
        )
    return found
