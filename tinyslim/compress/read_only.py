"""What callbacks see of a compression: all that they may want to write down, and nothing that they could change."""

from __future__ import annotations

import copy
from types import MappingProxyType

import numpy as np

from tinyslim.data import Dataset
from tinyslim.naming import nearest
from tinyslim.nn import Module

from .context import Context

#: What of a `Context` is shown.
SHOWN = (
    "settings", "original", "model", "example", "train_set", "test_set", "folder", "epoch", "batch", "history", "best",
    "state", "say",
)  # fmt: skip


class ReadOnlyContext:
    """A `Context` that can be looked at: setting anything raises, down to the numbers of the weights.

    Shown are settings, original, model, example, train_set, test_set, folder, epoch, batch, history, best, state, say:
    see `Context`. Dicts, lists and arrays are read-only views. A model is a copy of its layers around read-only views
    of its arrays, so it can be evaluated as it is, and made anew at each access.

    Raises
    ------
    AttributeError
        When something is set, or asked for that is not shown.

    Examples
    --------
    A callback is a function that bears a hook's name, ``Compressor(…, callbacks=[on_epoch_end])``:

    >>> losses = []
    >>> def on_epoch_end(context):
    ...     losses.append(context.history[-1]["train_loss"])
    """

    __slots__ = ("_context",)

    def __init__(self, context: Context):
        object.__setattr__(self, "_context", context)

    def __getattr__(self, name: str):
        if name in SHOWN:
            return read_only(getattr(self._context, name))
        reason = "; what changes a run is a Strategy" if hasattr(Context, name) else nearest(name, SHOWN)
        raise AttributeError(f"callbacks are shown no {name!r}{reason}")

    def __setattr__(self, name: str, value) -> None:
        raise AttributeError(f"callbacks can't set {name!r}: what changes a run is a Strategy")

    def __dir__(self) -> list[str]:
        return list(SHOWN)


def read_only(value):
    """`value`, or what shows the same and can't be written to.

    Examples
    --------
    >>> shown = read_only({"widths": np.arange(3)})
    >>> shown["widths"][0] = 5
    Traceback (most recent call last):
    ValueError: assignment destination is read-only
    """
    if isinstance(value, np.ndarray):
        view = value.view()
        view.flags.writeable = False
        return view
    if isinstance(value, dict):
        return MappingProxyType({key: read_only(inner) for key, inner in value.items()})
    if isinstance(value, list | tuple):
        return tuple(map(read_only, value))
    if isinstance(value, Module):
        # What deepcopy believes to have copied already it takes as it is: the arrays are not copied.
        return copy.deepcopy(value, {id(array): read_only(array) for array in value.state_dict().values()})
    if isinstance(value, Dataset):
        shown = copy.copy(value)
        shown.images, shown.labels = read_only(value.images), read_only(value.labels)
        return shown
    return value
