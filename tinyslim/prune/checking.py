"""Is the smaller network the same function? It must compute what the whole one does with the cut channels at zero."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np

from tinyslim.autograd import Tensor, no_grad
from tinyslim.graph import Graph, Node, evaluating, run_node, trace
from tinyslim.nn import Module

from .channels import TAKES
from .structure import Structure

#: How many random images both networks are shown.
PROBES = 2


class PruningMismatchError(ValueError):
    """A pruned network computes something else than the network that it was cut from."""


def silence(structure: Structure, mask: np.ndarray) -> Module:
    """A copy of the network in its full width for which a channel that is not in `mask` is 0 wherever a layer takes it.

    Instead of the channel, the weights that would multiply it are set to 0: the products are the same.
    """
    silent = copy.deepcopy(structure.graph.model)
    parameters = dict(silent.named_parameters())
    for path, axes in structure.positions(mask).items():
        for axis, stay in axes.items():
            if structure.channels.axes[path, axis].role == TAKES:
                tensor = parameters[path]
                shape = [len(stay) if a == axis else 1 for a in range(tensor.ndim)]
                tensor.data = np.where(stay.reshape(shape), tensor.data, tensor.dtype.type(0))
    return silent


def check_equal(structure: Structure, mask: np.ndarray, smaller: Module) -> None:
    """Show `smaller` and the silenced network the same random images, in eval mode.

    Raises
    ------
    PruningMismatchError
        When a result differs by more than half of the dtype's digits; names the first node that does.
    """
    silent = silence(structure, mask)
    dtype = next((tensor.dtype for tensor in silent.parameters()), np.float32)
    images = np.random.default_rng(0).standard_normal((PROBES, *structure.graph.input.shape[1:])).astype(dtype)
    fault = None
    with no_grad(), evaluating(silent), evaluating(smaller):
        expected = silent(images).data
        try:
            equal = not _differ(expected, smaller(images).data)
        except (ValueError, IndexError) as error:
            equal, fault = False, error
        if not equal:
            raise PruningMismatchError(_first_difference(structure, mask, silent, smaller, images)) from fault


def _differ(expected: np.ndarray, result: np.ndarray) -> bool:
    """Whether two results are apart by more than rounding, or not finite: √ε of the largest number."""
    if expected.shape != result.shape:
        return True
    near = np.abs(expected - result).max() <= np.sqrt(np.finfo(result.dtype).eps) * np.abs(expected).max()
    return not near


def _first_difference(
    structure: Structure, mask: np.ndarray, silent: Module, smaller: Module, images: np.ndarray
) -> str:
    """Which node is the first whose results are not those of the silenced network's channels that stay."""
    told = "the smaller network is not the masked one"
    graph = trace(silent, images)
    small = results(graph, smaller, images)
    for node, expected in zip(structure.graph, results(graph, silent, images), strict=True):
        where = f"{told}, first at node {node.name!r} ({node.op})"
        try:
            result = next(small)
        except (ValueError, IndexError) as error:
            return f"{where}, which does not run: {error}"
        if expected.ndim > 1:
            expected = expected[..., structure.result_positions(node, mask)]
        if expected.shape != result.shape:
            return f"{where}, which has shape {result.shape[1:]}, expected {expected.shape[1:]}"
        if _differ(expected, result):
            return f"{where}, by up to {np.abs(expected - result).max():.3g}"
    return f"{told}, though each of its nodes is: does `forward` hold a width as a number?"


def results(graph: Graph, model: Module, images: np.ndarray) -> Iterator[np.ndarray]:
    """Run a graph on the layers of `model`, which may be narrower than those it was traced with; yield every result."""
    layers, parameters = dict(model.named_modules()), dict(model.named_parameters())
    # Batch norm called without its layer has running arrays as attributes: they are buffers of the traced network.
    buffers, path_of = dict(model.named_buffers()), {id(array): path for path, array in graph.model.named_buffers()}
    values: dict[Node, Tensor] = {graph.input: Tensor(images)}
    yield images
    for node in graph.nodes[1:]:
        own = {k: buffers[path_of[id(v)]] if id(v) in path_of else v for k, v in node.attributes.items()}
        values[node] = run_node(node, values, layers, parameters, own)
        yield values[node].data
