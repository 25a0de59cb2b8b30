"""Batch norm after a cut: its statistics belong to the whole network, and are measured anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np

from tinyslim.autograd import Tensor, no_grad
from tinyslim.graph import evaluating
from tinyslim.nn import BatchNorm2d, Module


def recalibrate_batch_norm(model: Module, batches: Iterable[np.ndarray]) -> None:
    """Measure the running mean and variance of every batch norm anew, in place; no weight changes.

    The new mean is exactly that of all values given, the new variance the mean of the batches' unbiased variances, each
    weighted by the batch's size. As in training, every layer sees what the layers before it normalised by the batch.
    A network without batch norm stays as it is. If a batch fails, so does the whole, and the old statistics stay.

    Parameters
    ----------
    model : Module
    batches
        Floating arrays (n, h, w, c), normalised as the model takes them; some hundred images will do.

    Raises
    ------
    ValueError
        When there are no batches, or a statistic is not finite.
    TypeError
        When a batch does not hold floats.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn, prune
    >>> net = nn.Sequential(nn.BatchNorm2d(1))
    >>> prune.recalibrate_batch_norm(net, [np.full((2, 4, 4, 1), 3.0, np.float32)])
    >>> net.get("0").running_mean
    array([3.], dtype=float32)
    """
    layers = [layer for layer in model.modules() if isinstance(layer, BatchNorm2d)]
    before = [(layer, layer.running_mean.copy(), layer.running_var.copy()) for layer in layers]
    try:
        with no_grad(), evaluating(model), ExitStack() as stack:
            for layer in layers:
                stack.enter_context(_averaging(layer))
            for batch in _floating(batches):
                model(batch)
        for layer in layers:
            if not (np.isfinite(layer.running_mean).all() and np.isfinite(layer.running_var).all()):
                raise ValueError("`batches` lead to a mean or variance that is not finite")
    except BaseException:
        for layer, mean, var in before:
            layer.running_mean[...], layer.running_var[...] = mean, var
        raise


def _floating(batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    number = -1
    for number, batch in enumerate(batches):
        dtype = batch.dtype if isinstance(batch, Tensor) else np.asarray(batch).dtype
        if dtype.kind != "f":
            raise TypeError(f"`batches[{number}]` (dtype {dtype}) must hold floats, normalised as the model takes them")
        yield batch
    if number < 0:
        raise ValueError("`batches` is empty: there is nothing to measure")


@contextmanager
def _averaging(layer: BatchNorm2d) -> Iterator[None]:
    """Let the running arrays of `layer` be the mean over all its calls inside the `with` block.

    m ← m + share·(x − m) with share = size/(size of all so far) is the mean of all x; the first share is 1.
    """
    seen, momentum = 0, layer.momentum

    def forward(x: Tensor) -> Tensor:
        nonlocal seen
        seen += x.size
        layer.momentum = x.size / seen
        return type(layer).forward(layer, x)

    # Shadows the method for this one layer; a layer called twice in a pass counts twice.
    layer.forward, layer.training = forward, True
    layer.running_mean[...], layer.running_var[...] = 0, 0
    try:
        yield
    finally:
        del layer.forward
        layer.momentum = momentum
