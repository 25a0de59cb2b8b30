"""From a trained network to one that is ready for integers, without training: ranges from some batches of images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np

from tinyslim.autograd import Tensor, no_grad
from tinyslim.graph import GraphModule
from tinyslim.nn import Module

from .bias_correction import correct_bias
from .grid import activation_grid
from .histograms import Histogram
from .layers import QuantizedWeight
from .observers import RATE
from .preparation import prepare
from .quantizers import ActivationQuantizer
from .range_search import search

#: accum/state of a moving average that has run for long: its state is Σ rateⁱ = 1/(1 − rate).
STATE = 1 / (1 - RATE)


def calibrate(
    model: Module,
    batches: Iterable[np.ndarray],
    method: str = "abs_max",
    weight_quantize_type: str = "channel_wise_abs_max",
    weight_bits: int = 8,
    activation_bits: int = 8,
    percentile: float = 99.99,
    bias_correction: bool = False,
    table=None,
) -> GraphModule:
    """A copy of `model` with fake quantisers whose ranges come from `batches`: post-training quantisation.

    The float model runs over the batches once, with a histogram behind each operation. The result, in eval mode, is
    ready for `tinyslim.freeze`; trained further, it is what `prepare` makes, and its ranges move on from here as moving
    averages.

    Parameters
    ----------
    model : Module
        Stays as it is. Networks with depthwise convolutions gain by `equalize` first when weights have one step a
        tensor.
    batches : iterable of float32 arrays (n, h, w, c)
        Normalised as the model takes them; some hundred images will do. A list, or another iterable that can be read
        again, is read a second time for `bias_correction`; an iterator is read once and its batches are kept.
    method : str
        How much of a histogram the grid covers, see `range_search`: "abs_max", "percentile", "mse" or "kl".
    weight_quantize_type, weight_bits, activation_bits, table
        As for `prepare`.
    percentile : float
        For the method of that name: how many of a hundred values are not cut off.
    bias_correction : bool
        Whether `correct_bias` follows.

    Raises
    ------
    TypeError, ValueError
        When there are no batches, one is no float array of images, or a value in the network is not finite.

    Examples
    --------
    >>> import numpy as np, tinyslim
    >>> from tinyslim import nn, quant
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(4, 2))
    >>> images = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype(np.float32)
    >>> calibrated = quant.calibrate(net, [images], method="mse")
    >>> tinyslim.freeze(calibrated, images).kind
    'int8'
    """
    rule = search(method, percentile)
    batches = readable_again(batches)
    first = next(iter(checked(batches)))
    widths = {"weight_bits": weight_bits, "activation_bits": activation_bits}
    prepared = prepare(model, first[:1], weight_quantize_type, **widths, table=table).eval()
    for path, histogram in observe(prepared, batches).items():
        quantizer = prepared.get(path)
        grid = activation_grid(1.0, quantizer.bits, quantizer.non_negative)
        clip = rule(histogram, grid.qmax - grid.zero_point)
        quantizer.memory[...] = clip * STATE, STATE, 0
    if bias_correction:
        correct_bias(prepared, model, batches)
    return prepared


def observe(prepared: GraphModule, batches: Iterable[np.ndarray]) -> dict[str, Histogram]:
    """A histogram of what each quantiser of `prepared` would get if no number were rounded, by the quantiser's path."""
    histograms = {}
    with no_grad(), ExitStack() as stack:
        for path, layer in prepared.named_modules():
            if isinstance(layer, QuantizedWeight):
                stack.enter_context(unrounded(layer))
            if isinstance(layer, ActivationQuantizer):
                histograms[path] = stack.enter_context(observing(layer, path))
        for batch in checked(batches):
            prepared(batch)
    return histograms


@contextmanager
def unrounded(layer: QuantizedWeight) -> Iterator[None]:
    """Let `layer` use its weight as it is inside the `with` block."""
    layer.rounded = lambda *_: layer.weight  # shadows the method for this one layer
    try:
        yield
    finally:
        del layer.rounded


@contextmanager
def observing(quantizer: ActivationQuantizer, path: str) -> Iterator[Histogram]:
    """Let `quantizer` count what comes by inside the `with` block, and hand it on as it is."""
    histogram = Histogram()

    def forward(x: Tensor) -> Tensor:
        try:
            histogram.add(x.data)
        except ValueError as error:
            raise ValueError(f"{path.removeprefix('quantizers.')} can't be calibrated: {error}") from None
        return x

    quantizer.forward = forward  # shadows the method for this one layer
    try:
        yield histogram
    finally:
        del quantizer.forward


def readable_again(batches: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
    """`batches`, in a list if they could be read only once."""
    if isinstance(batches, np.ndarray) or not isinstance(batches, Iterable):
        shape = f"an array {batches.shape}" if isinstance(batches, np.ndarray) else f"{batches!r:.60}"
        raise TypeError(f"`batches` (={shape}) must be an iterable of arrays (n, h, w, c), such as [images]")
    return list(batches) if isinstance(batches, Iterator) else batches


def checked(batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The batches one by one; the first that is none is an error, as is none at all."""
    number = -1
    for number, batch in enumerate(batches):
        found = getattr(batch, "dtype", type(batch).__name__)
        if not isinstance(batch, np.ndarray) or batch.dtype.kind != "f":
            raise TypeError(f"`batches[{number}]` (={found}) must be an array of floats, as the model takes them")
        if batch.ndim != 4 or len(batch) == 0:
            raise ValueError(f"`batches[{number}]` (shape {batch.shape}) must be images (n, h, w, c), at least one")
        yield batch
    if number < 0:
        raise ValueError("`batches` is empty: there is nothing to calibrate with")
