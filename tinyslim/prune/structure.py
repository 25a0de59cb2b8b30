"""What pruning knows of a network: its groups, and what it would weigh with any choice of channels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from tinyslim.graph import Graph, Node, trace
from tinyslim.nn import Module

from .channels import MAKES, ChannelMap
from .grouping import Group, Member, layer_name
from .rules import follow


@dataclass(frozen=True, eq=False, repr=False)
class Structure:
    """The groups of a network and the arithmetic of cutting.

    Every channel of the network has a number, its unit; a `mask` says for each unit whether it stays.

    Attributes
    ----------
    graph : Graph
    groups : tuple of Group
    uncut : dict
        Layers that keep all channels, or some of them, by name, with the reason.
    channels : ChannelMap
    unit : numpy.ndarray
        For each label its unit.
    """

    graph: Graph
    groups: tuple[Group, ...]
    uncut: dict[str, str]
    channels: ChannelMap
    unit: np.ndarray

    def group(self, name: str) -> Group:
        """The group of this name."""
        for group in self.groups:
            if group.name == name:
                return group
        raise ValueError(f"no group is named {name!r}; there are {', '.join(group.name for group in self.groups)}")

    def mask(self, keep: Mapping[str, np.ndarray]) -> np.ndarray:
        """Which units stay, (units,) bool, if each group named in `keep` keeps only its channels named there."""
        mask = np.ones(self.unit.max(initial=-1) + 1, bool)
        for name, kept in keep.items():
            group = self.group(name)
            mask[group.units] = False
            mask[group.units[_checked(name, kept, group.width)]] = True
        return mask

    def positions(self, mask: np.ndarray) -> dict[str, dict[int, np.ndarray]]:
        """For each array that counts channels, by path, and each such axis, which positions stay: (length,) bool."""
        found: dict[str, dict[int, np.ndarray]] = {}
        for (path, axis), entry in self.channels.axes.items():
            found.setdefault(path, {})[axis] = mask[self.unit[entry.labels]]
        return found

    def macs(self, mask: np.ndarray) -> int:
        """Multiply-adds of one image."""
        return sum(self.layer_macs(mask).values())

    def layer_macs(self, mask: np.ndarray) -> dict[str, int]:
        """Multiply-adds of each node that has some: they grow with its channels in times its channels out."""
        stay, found = self.positions(mask), {}
        for node in self.graph:
            if node.macs:
                axes = stay[self.channels.weights[node]].values() if node in self.channels.weights else ()
                whole, kept = prod(len(one) for one in axes), prod(int(one.sum()) for one in axes)
                found[node.name] = node.macs // whole * kept
        return found

    def layer_widths(self, mask: np.ndarray) -> dict[str, int]:
        """Channels of the result of each node that has multiply-adds."""
        return {node.name: int(self.result_positions(node, mask).sum()) for node in self.graph if node.macs}

    def params(self, mask: np.ndarray) -> int:
        """Trained numbers."""
        return sum(self._left(mask, self.channels.parameters).values())

    def nbytes(self, mask: np.ndarray) -> int:
        """Bytes of all arrays, trained numbers and running statistics: what `state_dict` would hold."""
        left = self._left(mask, self.channels.arrays)
        return sum(number * self.channels.arrays[path].dtype.itemsize for path, number in left.items())

    def _left(self, mask: np.ndarray, arrays: Mapping) -> dict[str, int]:
        """For each array, by path, how many of its numbers stay: all its axes that count channels shrink."""
        stay, left = self.positions(mask), {}
        for path, array in arrays.items():
            axes = stay.get(path, {}).values()
            left[path] = array.size // prod(len(kept) for kept in axes) * prod(int(kept.sum()) for kept in axes)
        return left

    def widths(self, mask: np.ndarray) -> dict[str, tuple[int, int]]:
        """For each layer that makes channels, how many it makes now and how many it would."""
        kept = {axis.path: mask[self.unit[axis.labels]] for axis in self.channels.makers()}
        return {layer_name(path): (len(stay), int(stay.sum())) for path, stay in kept.items()}

    def result_positions(self, node: Node, mask: np.ndarray) -> np.ndarray:
        """Which channels of a node's result stay."""
        return mask[self.unit[self.channels.labels[node]]]


def _checked(name: str, kept, width: int) -> np.ndarray:
    kept = np.asarray(kept)
    whole = kept.ndim == 1 and kept.dtype.kind in "iu"
    if not whole or not kept.size or len(np.unique(kept)) < len(kept) or kept.min() < 0 or kept.max() >= width:
        raise ValueError(
            f"`keep[{name!r}]` (={kept!r}) must be different whole numbers from 0 to {width - 1}, at least one"
        )
    return kept


def read_structure(model: Module, example) -> Structure:
    """Trace `model` and find what can be cut; see `groups` for the arguments."""
    graph = trace(model, example)
    channels = follow(graph)
    unit = channels.units()
    pinned = {int(unit[label]): reason for label, reason in reversed(channels.pins.items())}
    uncut: dict[str, str] = {}
    made_by: dict[int, dict[str, None]] = {}
    for axis in channels.makers():
        for number in unit[axis.labels].tolist():
            if number in pinned:
                uncut.setdefault(layer_name(axis.path), pinned[number])
            else:
                made_by.setdefault(number, {})[axis.path] = None
    # Channels with the same makers are a group: cutting all but one leaves each of these layers at least one channel.
    alike: dict[tuple[str, ...], list[int]] = {}
    for number, makers in made_by.items():
        alike.setdefault(tuple(makers), []).append(number)
    return Structure(graph, _groups(channels, unit, list(alike.values())), uncut, channels, unit)


def _groups(channels: ChannelMap, unit: np.ndarray, alike: list[list[int]]) -> tuple[Group, ...]:
    """The groups of units that are alike, with whatever in the network belongs to each."""
    group_of, channel_of = np.full((2, unit.max(initial=-1) + 1), -1)
    for number, units in enumerate(alike):
        group_of[units], channel_of[units] = number, np.arange(len(units))
    members: list[list[Member]] = [[] for _ in alike]
    for axis in channels.axes.values():
        units, shape = unit[axis.labels], channels.arrays[axis.path].shape
        for number in _numbers(group_of[units]):
            at = np.where(group_of[units] == number, channel_of[units], -1)
            members[number].append(Member(axis.path, axis.axis, shape, axis.role, axis.op, at))
    ties: list[dict[str, None]] = [{} for _ in alike]
    for labels, _, reason in channels.ties:
        for number in _numbers(group_of[unit[labels]]):
            ties[number][reason] = None
    made, names = [], Counter()
    for units, own, reasons in zip(alike, members, ties, strict=True):
        layers = tuple(layer_name(member.path) for member in own if member.role == MAKES)
        name = f"{layers[0]}:{names[layers[0]]}" if names[layers[0]] else layers[0]
        names[layers[0]] += 1
        made.append(Group(name, len(units), layers, tuple(own), tuple(reasons), np.array(units)))
    return tuple(made)


def _numbers(groups: np.ndarray) -> list[int]:
    """The groups among `groups`, where −1 stands for none."""
    return [number for number in np.unique(groups).tolist() if number >= 0]


def groups(model: Module, example) -> list[Group]:
    """The channels of `model` that can be cut, in groups; print one to see what goes with a channel, and why.

    Parameters
    ----------
    model : Module
    example : array
        A batch that the model takes, (n, h, w, c); its values don't matter.

    Raises
    ------
    ValueError
        When an operation has no rule.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn, prune
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2))
    >>> print(prune.groups(net, np.zeros((1, 5, 5, 1)))[0])
    0: 4 channels; with channel i go
      0.weight[:, :, :, i], bias[i]                          conv2d makes the channel with it
      1.weight[i], bias[i], running_mean[i], running_var[i]  batch_norm has it for each channel that passes
      4.weight[i, :], 9 times                                linear takes the channel in with it
    """
    return list(read_structure(model, example).groups)


def uncut(model: Module, example) -> dict[str, str]:
    """The layers of `model` that keep all or some of their channels, by name, with the reason.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import models, prune
    >>> prune.uncut(models.mobilenet_v1(width=0.25), np.zeros((1, 32, 32, 3)))
    {'classifier': "the network's output has a fixed width"}
    """
    return dict(read_structure(model, example).uncut)
