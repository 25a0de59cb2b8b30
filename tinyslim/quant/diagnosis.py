"""Where quantisation hurts: noise, loss of accuracy, ranges and distributions, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import numpy as np

from tinyslim.autograd import Tensor, no_grad
from tinyslim.graph import Graph, GraphModule, Node, evaluating
from tinyslim.nn import Module

from .grid import weight_limit
from .layers import QuantizedWeight
from .placement import WEIGHTED, chain
from .quantizers import ActivationQuantizer

BINS = 120


@dataclass(frozen=True)
class Distribution:
    """How often values occur, and which of them the grid holds.

    Attributes
    ----------
    counts, edges : list
        A histogram.
    low, high : float
        The ends of the grid: what lies outside is clipped.
    step : float
        Between two numbers of the grid.
    clipped : float
        The share of values outside.
    """

    counts: list[int]
    edges: list[float]
    low: float
    high: float
    step: float
    clipped: float


@dataclass(frozen=True)
class LayerDiagnosis:
    """One layer with a weight.

    Attributes
    ----------
    name, op : str
    weight_noise, input_noise : float or None
        Signal-to-quantisation-noise ratio in dB of the rounded weight and of the rounded input, each by itself; None if
        rounding changes nothing.
    output_noise : float or None
        That of the layer's output when all before it is rounded too.
    top1 : float or None
        Of the network when this layer alone is quantised, its weight and its input; None if it was not measured.
    weights, inputs : Distribution
        Weights in steps of their channel; inputs as they are.
    """

    name: str
    op: str
    weight_noise: float | None
    input_noise: float | None
    output_noise: float | None
    top1: float | None
    weights: Distribution
    inputs: Distribution


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` finds; printed, a table.

    Attributes
    ----------
    layers : list of LayerDiagnosis
    float_top1, top1 : float or None
        Of the network without rounding, and with all of it.
    ranges : dict
        For each quantiser the (low, high) of its grid after each epoch of training, where these are known.
    """

    layers: list[LayerDiagnosis]
    float_top1: float | None = None
    top1: float | None = None
    ranges: dict[str, list] = field(default_factory=dict)

    def as_dict(self) -> dict:
        """All numbers, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        header = ("layer", "op", "weight dB", "input dB", "output dB", "clipped", "alone")
        table = [header, *(self._cells(layer) for layer in self.layers)]
        if self.top1 is not None:
            table.append(("all", "", "", "", "", "", _points(self.top1 - self.float_top1)))
        widths = [max(len(line[i]) for line in table) for i in range(len(header))]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in table
        )

    def _cells(self, layer: LayerDiagnosis) -> tuple[str, ...]:
        noises = (layer.weight_noise, layer.input_noise, layer.output_noise)
        alone = "" if layer.top1 is None else _points(layer.top1 - self.float_top1)
        decibels = ("exact" if noise is None else f"{noise:.1f}" for noise in noises)
        return layer.name, layer.op, *decibels, f"{layer.inputs.clipped:.2%}", alone


def _points(change: float) -> str:
    return f"{100 * change:+.2f}".replace("-", "−")


def signal_to_noise(signal: np.ndarray, rounded: np.ndarray) -> float | None:
    """10·log₁₀(Σ x² / Σ (x − x̂)²) in decibels: 6 dB are one bit. None if nothing was rounded, or all is 0.

    Examples
    --------
    >>> signal_to_noise(np.array([10.0, -10.0]), np.array([9.0, -11.0]))
    20.0
    """
    noise = np.square(signal - rounded, dtype=np.float64).sum()
    power = np.square(signal, dtype=np.float64).sum()
    return float(10 * np.log10(power / noise)) if noise > 0 and power > 0 else None


def distribution(values: np.ndarray, low: float, high: float, step: float) -> Distribution:
    """A histogram of `values` that shows the grid from `low` to `high` as a whole."""
    ends = min(float(values.min()), low), max(float(values.max()), high)
    counts, edges = np.histogram(values, BINS, ends)
    outside = (values < low - step / 2) | (values > high + step / 2)
    return Distribution(counts.tolist(), edges.tolist(), float(low), float(high), float(step), float(outside.mean()))


def ranges(model: Module) -> dict[str, tuple[float, float]]:
    """The numbers that the grid of each activation quantiser begins and ends with, by its path."""
    found = {}
    for path, layer in model.named_modules():
        if isinstance(layer, ActivationQuantizer):
            grid = layer.grid()
            low, high = (grid.scale * (end - grid.zero_point) for end in (grid.qmin, grid.qmax))
            found[path] = float(low), float(high)
    return found


@contextmanager
def rounding_only(model: GraphModule, paths: Collection[str]) -> Iterator[None]:
    """Inside the `with` block only the layers and quantisers at `paths` round; the others hand on what they get."""
    silenced = [(path, layer) for path, layer in model.named_modules() if path not in paths]
    quantizers = [layer for _, layer in silenced if isinstance(layer, ActivationQuantizer)]
    weighted = [layer for _, layer in silenced if isinstance(layer, QuantizedWeight)]
    for layer in quantizers:
        layer.forward = lambda x: x  # shadows the method for this one layer
    for layer in weighted:
        layer.rounded = lambda *neighbours, weight=layer.weight: weight
    try:
        yield
    finally:
        for layer in quantizers:
            del layer.forward
        for layer in weighted:
            del layer.rounded


def diagnose(
    model: GraphModule,
    batch: np.ndarray,
    evaluate: Callable[[Module], float] | None = None,
    on_layer: Callable[[int, int], None] = lambda done, of: None,
) -> Diagnosis:
    """Measure what rounding does to each layer of a prepared model.

    Parameters
    ----------
    model : GraphModule
        What `prepare` or `calibrate` made, with ranges; it is run in eval mode and stays as it is.
    batch : float32 array (n, h, w, c)
        Images, for noise and distributions.
    evaluate : callable, optional
        Takes a model and gives its top-1. It is called once for each layer, and twice for the whole.
    on_layer : callable, optional
        Is told how many layers are done, and of how many.

    Raises
    ------
    ValueError
        When the model was not prepared.

    Examples
    --------
    >>> from tinyslim import nn, quant
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(4, 2))
    >>> x = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype(np.float32)
    >>> prepared = quant.prepare(net, x)
    >>> _ = prepared(x)
    >>> [layer.name for layer in quant.diagnose(prepared, x).layers]
    ['0', '3']
    """
    graph = model.graph
    nodes = [node for node in graph if node.op in WEIGHTED and _quantizer_before(node) is not None]
    if not nodes:
        raise ValueError("`model` has no layer that is quantised: prepare or calibrate it first")
    layers = []
    with no_grad(), evaluating(model):
        simulated = model.results(Tensor(batch))
        with rounding_only(model, ()):
            real = model.results(Tensor(batch))
            float_top1 = evaluate and evaluate(model)
        for done, node in enumerate(nodes, 1):
            with rounding_only(model, (node.module, _quantizer_before(node).module)):
                top1 = evaluate and evaluate(model)
            layers.append(_layer(graph, node, simulated, real, top1))
            on_layer(done, len(nodes))
        return Diagnosis(layers, float_top1, evaluate and evaluate(model))


def _quantizer_before(node: Node) -> Node | None:
    """The quantiser whose grid the input of `node` is on."""
    while node.inputs:
        node = node.inputs[0]
        if node.op == "fake_quant":
            return node
        if node.op in WEIGHTED:
            return None
    return None


def _layer(graph: Graph, node: Node, simulated: dict, real: dict, top1: float | None) -> LayerDiagnosis:
    quantizer, layer, norm = _quantizer_before(node), graph.layer(node), graph.neighbour(node)
    end = chain(graph, node)[-1].name
    weight, scales, limit = layer.weight.data, layer.scales(norm), weight_limit(layer.weight_bits)
    before, after = (simulated[name].data for name in (quantizer.inputs[0].name, quantizer.name))
    grid = graph.layer(quantizer).grid()
    low, high = (grid.scale * (q - grid.zero_point) for q in (grid.qmin, grid.qmax))
    return LayerDiagnosis(
        node.name,
        node.op,
        weight_noise=signal_to_noise(weight, layer.rounded(norm).data),
        input_noise=signal_to_noise(before, after),
        output_noise=signal_to_noise(real[end].data, simulated[end].data),
        top1=top1,
        weights=distribution(weight / scales, -limit, limit, 1.0),
        inputs=distribution(before, low, high, grid.scale),
    )
