"""What the networks' settings mean: a width multiplier as channels, and which settings are refused."""

from __future__ import annotations


def scaled(channels: int, width: float) -> int:
    """Channels at a width multiplier: rounded down, as the paper's table for 0.25 to 1 has them, at least 1."""
    return max(int(channels * width), 1)


def in_eights(channels: float) -> int:
    """The multiple of 8 that is nearest, but never less than nine tenths: as the authors' own code rounds widths.

    Examples
    --------
    >>> from tinyslim.models.settings import in_eights
    >>> in_eights(24 * 0.5), in_eights(24 * 0.75), in_eights(32 * 0.35), in_eights(1)
    (16, 24, 16, 8)
    """
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def check_settings(width: float, stem_stride: int) -> None:
    """Refuse what no network can be made with."""
    if not width > 0:
        raise ValueError(f"`width` (={width!r}) must be above 0")
    if stem_stride not in (1, 2):
        raise ValueError(f"`stem_stride` (={stem_stride!r}) must be 1 or 2")


def check_strides(strides: tuple, count: int) -> None:
    """Refuse strides that are not `count` numbers, each 1 or 2."""
    if len(strides) != count or any(stride not in (1, 2) for stride in strides):
        raise ValueError(f"`strides` (={strides!r}) must be {count} numbers, each 1 or 2")
