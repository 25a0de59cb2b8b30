"""Cutting: a copy of the network without the channels that go, and the proof that nothing else went."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np

from tinyslim.autograd import Tensor
from tinyslim.graph import GraphModule, trace
from tinyslim.nn import Module

from .checking import check_equal
from .structure import Structure, read_structure


def cut(model: Module, example, keep: Mapping[str, np.ndarray]) -> Module:
    """A physically smaller copy of `model`, of the same class, that keeps only the channels named in `keep`.

    An optimizer holds arrays of the widths before: build a new one over the parameters of the result.

    Parameters
    ----------
    model : Module
        Stays as it is.
    example : array
        A batch that the model takes.
    keep : dict
        For each group to be cut (see `groups`), by its name, the numbers of the channels that stay; at least one.

    Raises
    ------
    ValueError
        When a name or a number is unknown.
    PruningMismatchError
        When the result does not compute what `model` computes with the same channels at zero.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn, prune
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
    >>> prune.cut(net, np.zeros((1, 7, 7, 1)), {"0": [0, 3]})
    Sequential()
      0: Conv2d(weight (3, 3, 1, 2), bias (2,), stride=1, padding=0)
      1: ReLU()
      2: Conv2d(weight (3, 3, 2, 2), bias (2,), stride=1, padding=0)
    """
    structure = read_structure(model, example)
    return cut_structure(structure, structure.mask(keep))


def cut_structure(structure: Structure, mask: np.ndarray) -> Module:
    """`cut`, where the structure is known: a copy of its network with the units in `mask`, checked."""
    smaller = copy.deepcopy(structure.graph.model)
    for path, axes in structure.positions(mask).items():
        folder, _, name = path.rpartition(".")
        _resize(smaller.get(folder), name, axes)
    for parameter in smaller.parameters():
        parameter.grad = None
    check_equal(structure, mask, smaller)
    if isinstance(smaller, GraphModule):
        # Its nodes remember the shapes and counts that they were traced with.
        smaller.graph = trace(smaller, np.zeros(structure.graph.input.shape))
    return smaller


def _resize(owner: Module, name: str, axes: Mapping[int, np.ndarray]) -> None:
    """Let a parameter or buffer keep only what stays along each of `axes`."""
    value = getattr(owner, name)
    array = value.data if isinstance(value, Tensor) else value
    for axis, stay in axes.items():
        array = np.compress(stay, array, axis)
    if isinstance(value, Tensor):
        value.data = array
    else:
        setattr(owner, name, array)
