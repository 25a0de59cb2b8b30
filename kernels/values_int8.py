"""Values of an int8 plan: images of bytes in one arena, and the places that they share one after another."""

from __future__ import annotations

from dataclasses import dataclass

from .sizes_int8 import VECTOR, pixel_bytes, round_up


@dataclass(eq=False)
class Value:
    """An image in the arena: height × width pixels of `channels`, each `pixel` bytes after the one before.

    `border` is what its readers want around it: (top, bottom, left, right) pixels of the byte `fill`.
    """

    height: int
    width: int
    channels: int
    pixel: int
    itemsize: int = 1
    border: tuple[int, int, int, int] = (0, 0, 0, 0)
    fill: int = 0
    offset: int = -1
    born: int = 0
    last_use: int = 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height, self.width, self.channels

    @property
    def line(self) -> int:
        """Bytes from one line to the next."""
        return (self.border[2] + self.width + self.border[3]) * self.pixel

    @property
    def start(self) -> int:
        """The offset of the first pixel inside the border."""
        return self.offset + self.border[0] * self.line + self.border[2] * self.pixel

    @property
    def nbytes(self) -> int:
        """Bytes in the arena. Vectors may read over the end, into the four pixels of one more quad."""
        lines = self.border[0] + self.height + self.border[1]
        return round_up(lines * self.line + 4 * self.pixel + VECTOR, VECTOR)


def image(height: int, width: int, channels: int) -> Value:
    """A value whose pixels leave room for whole vectors."""
    return Value(height, width, channels, pixel=pixel_bytes(channels))


def windows(x: Value, size: tuple[int, int], stride: int, padding, channels: int) -> Value:
    """The value of one pixel for each window over `x`."""
    top, bottom, left, right = padding
    height = (x.height + top + bottom - size[0]) // stride + 1
    width = (x.width + left + right - size[1]) // stride + 1
    return image(height, width, channels)
