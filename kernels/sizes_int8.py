"""The sizes that packing, compiled code and arena agree on."""

from __future__ import annotations

#: Pixels of one register tile.
ROWS = 8
#: Output channels of one panel of packed weights: the int32 sums of one 64-byte register.
PANEL = 16
#: Channels that are rescaled at once: the int64 products of one 64-byte register.
LANES = 8


def round_up(count: int, unit: int) -> int:
    """The least multiple of `unit` that is not below `count`."""
    return -(-count // unit) * unit
