"""Strategy: what changes a model while it trains, written as frozen configuration and six hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, Field

from .settings import STRICT

if TYPE_CHECKING:
    from .context import Context

#: Every strategy that a config may name as its `class`.
STRATEGIES: dict[str, type[Strategy]] = {}


class Strategy(BaseModel):
    """The base of all strategies; a subclass declares fields and overrides the hooks that it needs.

    The fields are the keys of its table in a config: typed, checked before any work starts, and frozen. What changes
    while it runs and must outlive a kill lies in ``context.state[self.name]``: numbers, strings, lists and dicts of
    these, arrays; metrics.json shows all but the arrays. Objects that are made anew in every process lie in
    ``context.objects[self.name]``.

    Epochs count from 0. Hooks run in the order of the config, as PaddleSlim 1.x has them.

    Attributes
    ----------
    name : str
        That of its table, ``[strategies.NAME]``.
    start_epoch : int
    end_epoch : int or None
        The first epoch that is no longer the strategy's; None: it stays to the end.
    lr : float or None
        A new learning-rate schedule with this largest rate begins at `start_epoch`.

    Examples
    --------
    >>> from tinyslim import compress
    >>> @compress.register
    ... class NoteLoss(compress.Strategy):
    ...     every: int = 1
    ...     def on_epoch_end(self, context):
    ...         if context.epoch % self.every == 0:
    ...             context.state[self.name]["loss"] = context.history[-1]["train_loss"]
    >>> compress.read_config({"compressor": {"epochs": 1}, "strategies": {"note": {"class": "NoteLoss"}}}).strategies
    (NoteLoss(name='note', start_epoch=0, end_epoch=None, lr=None, every=1),)
    """

    model_config = STRICT

    #: Whether the model trains with rounding from `start_epoch` on: then nothing may replace it any more.
    quantizes: ClassVar[bool] = False
    #: Whether its work may be done at once, at the beginning of `start_epoch`.
    instant: ClassVar[bool] = False

    name: str
    start_epoch: int = Field(0, ge=0)
    end_epoch: int | None = Field(None, ge=0)
    lr: float | None = Field(None, gt=0)

    def epochs(self, total: int) -> range:
        """The epochs that are this strategy's, of `total`."""
        return range(self.start_epoch, total if self.end_epoch is None else self.end_epoch)

    def replacing(self, total: int) -> range:
        """The epochs at whose beginning it puts another model in the place of the one that trains: none by default."""
        return range(0)

    def describe(self, context: Context) -> str:
        """What it will do, in a few words for the plan."""
        values = self.model_dump(exclude={"name", "start_epoch", "end_epoch", "lr"})
        return ", ".join(f"{key} {value}" for key, value in values.items())

    def on_compression_begin(self, context: Context) -> None:
        """Before the first epoch, in every process, with the model as it came; mistakes should be found here."""

    def on_epoch_begin(self, context: Context) -> None:
        """Before the batches of ``context.epoch``; the place to replace the model or the loss of this epoch."""

    def on_batch_begin(self, context: Context) -> None:
        """Before the forward pass of a batch."""

    def on_batch_end(self, context: Context) -> None:
        """After the step; ``context.batch`` tells its loss."""

    def on_epoch_end(self, context: Context) -> None:
        """After the batches and the test of an epoch, before its checkpoint."""

    def on_compression_end(self, context: Context) -> None:
        """After the last epoch, before the model is frozen and measured."""


def register(strategy: type[Strategy]) -> type[Strategy]:
    """Let configs name a subclass of `Strategy`; a class decorator.

    Raises
    ------
    TypeError
        When it is no subclass.
    ValueError
        When a class of another module bears the name already.
    """
    if not (isinstance(strategy, type) and issubclass(strategy, Strategy)):
        raise TypeError(f"`strategy` (={strategy!r}) must be a subclass of Strategy")
    known = STRATEGIES.get(strategy.__name__, strategy)
    if known.__module__ != strategy.__module__:
        raise ValueError(f"`strategy` (={strategy.__name__}) is the name of a class in {known.__module__} already")
    STRATEGIES[strategy.__name__] = strategy
    return strategy
