"""A group: channels that can be cut, and everything that goes with each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .channels import CARRIES, MAKES, TAKES

WHY = {
    MAKES: "{} makes the channel with it",
    CARRIES: "{} has it for each channel that passes",
    TAKES: "{} takes the channel in with it",
}


def layer_name(path: str) -> str:
    """What to call a layer by the path of its weight."""
    return path.removesuffix(".weight")


@dataclass(frozen=True, eq=False)
class Member:
    """An axis of an array that loses positions when a channel of the group is cut.

    Attributes
    ----------
    path : str
        The parameter or buffer, by its dotted name.
    axis : int
    shape : tuple of int
        Of the array.
    role : str
        "makes", "carries" or "takes".
    op : str
        The operation that uses the array.
    channels : numpy.ndarray
        For each position along the axis the channel of the group that it belongs to, −1 for none.
    """

    path: str
    axis: int
    shape: tuple[int, ...]
    role: str
    op: str
    channels: np.ndarray

    def __str__(self) -> str:
        index = ", ".join("i" if axis == self.axis else ":" for axis in range(len(self.shape)))
        times = np.bincount(self.channels[self.channels >= 0]).max()
        return f"{self.path.rpartition('.')[2]}[{index}]" + (f", {times} times" if times > 1 else "")


@dataclass(frozen=True, eq=False)
class Group:
    """Channels that can be cut one by one; each takes a position of every member with it.

    Attributes
    ----------
    name : str
        The first layer that makes these channels. A group keeps or loses channels by their number in it: that is
        their number in this layer, unless the layer's channels are spread over several groups.
    width : int
        How many channels.
    layers : tuple of str
        All layers that make these channels.
    members : tuple of Member
    ties : tuple of str
        Why channels of several layers, or of several calls, are one.
    units : numpy.ndarray
        The numbers of the channels among those of the whole network.
    """

    name: str
    width: int
    layers: tuple[str, ...]
    members: tuple[Member, ...]
    ties: tuple[str, ...]
    units: np.ndarray

    @property
    def makers(self) -> tuple[Member, ...]:
        """The weights whose filters make the channels."""
        return tuple(member for member in self.members if member.role == MAKES)

    def __repr__(self) -> str:
        return f"Group({self.name!r}, {self.width} channels)"

    def __str__(self) -> str:
        rows: dict[tuple[str, bool], list[Member]] = {}
        for member in self.members:
            rows.setdefault((member.path.rpartition(".")[0], member.role == TAKES), []).append(member)
        arrays = [f"{layer}.{', '.join(map(str, own))}".lstrip(".") for (layer, _), own in rows.items()]
        reasons = [WHY[own[0].role].format(own[0].op) for own in rows.values()]
        longest = max(map(len, arrays))
        lines = [f"{self.name}: {self.width} channels; with channel i go"]
        lines += [f"  {text.ljust(longest)}  {why}" for text, why in zip(arrays, reasons, strict=True)]
        return "\n".join(lines + [f"  since {reason}" for reason in self.ties])
