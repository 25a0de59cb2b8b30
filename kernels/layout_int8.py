"""How a plan's layers lie: which are fused, in bands of how many lines they run, and where their values are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .arena import live_ranges, place
from .layers_int8 import CONV2D, DEPTHWISE, FEW_LINES, FUSED, LAYER
from .plan_int8 import Plan
from .sizes_int8 import VECTOR
from .values_int8 import Value

#: Bytes between a depthwise and a pointwise convolution that stay in a core's nearest cache.
CACHED = 1 << 15
#: Pixels of a band of an unfused convolution: its table stays in the cache as well.
BAND_PIXELS = 512


@dataclass
class Step:
    """One layer: its kind, what it reads and writes, and the fields of its record that are not geometry.

    `skipped` bytes of each pixel of the target belong to other layers.
    """

    kind: int
    inputs: list[Value]
    target: Value
    fields: dict = field(default_factory=dict)
    skipped: int = 0

    def __post_init__(self):
        self.skipped = self.fields.pop("skipped", 0)

    def record(self) -> tuple[int, ...]:
        """The layer's record, once its values have places."""
        source, target = self.inputs[0], self.target
        other, sides = self.inputs[-1], ("out_top", "out_bottom", "out_left", "out_right")
        # Of the layers that write parts of each pixel, the first one writes the border.
        border = (0, 0, 0, 0) if self.skipped else target.border
        numbers = {
            "kind": self.kind, "height": source.height, "width": source.width, "channels": source.channels,
            "source": source.start, "line": source.line, "pixel": source.pixel,
            "other": other.start, "other_line": other.line, "other_pixel": other.pixel,
            "target": target.start + self.skipped, "out_line": target.line, "out_pixel": target.pixel,
            "out_height": target.height, "out_width": target.width, "out_channels": target.channels,
            "border": target.fill, **dict(zip(sides, border, strict=True)), **self.fields,
        }  # fmt: skip
        return tuple(numbers.get(name, 0) for name in LAYER.names)


def are_fused(first: Step, second: Step, readers: dict[int, int]) -> bool:
    """Whether two steps are a depthwise and a pointwise convolution with nothing else that reads what lies between."""
    fields = second.fields
    pointwise = second.kind == CONV2D and fields["kernel_height"] == fields["kernel_width"] == fields["stride"] == 1
    behind = second.inputs[0] is first.target and readers[id(first.target)] == 1 and not any(first.target.border)
    return first.kind == DEPTHWISE and pointwise and behind and first.target.height >= FEW_LINES


def count_readers(steps: list[Step]) -> dict[int, int]:
    """How many layers read each value, by its id."""
    readers: dict[int, int] = {}
    for step in steps:
        for value in step.inputs:
            readers[id(value)] = readers.get(id(value), 0) + 1
    return readers


def band_lines(line: int, room: int, height: int) -> int:
    """Output lines of a band whose lines of size `line` fill some `room`: two at least, and an even number."""
    return min(max(room // line // 2 * 2, 2), height)


def pixel_table(lines: int, layer: np.void, source_line: int, source_pixel: int) -> np.ndarray:
    """(read at, write at) of each pixel of a band, counted from its first window and its first output."""
    y, x = np.divmod(np.arange(lines * int(layer["out_width"])), int(layer["out_width"]))
    sources, targets = y * source_line + x * source_pixel, y * layer["out_line"] + x * layer["out_pixel"]
    return np.stack([sources, targets], axis=1).reshape(-1)


def lay_out(steps: list[Step], result: Value, weights: np.ndarray, constants: np.ndarray) -> Plan:
    """The plan of some steps that leaves `result`."""
    readers = count_readers(steps)
    fused = [i for i in range(len(steps) - 1) if are_fused(steps[i], steps[i + 1], readers)]
    order = [i for i in range(len(steps)) if i - 1 not in fused]
    # The last step writes to the caller's array, not to the arena.
    values = live_ranges([(steps[i].inputs, steps[i + (i in fused)].target) for i in order[:-1]], result)
    arena_bytes = place(values)
    layers, tables, scratch = np.array([step.record() for step in steps], LAYER), [], 0
    for i, layer in enumerate(layers):
        if layer["kind"] != CONV2D:
            continue
        if i - 1 in fused:
            line, pixel = int(layer["width"] * layer["pixel"]), layer["pixel"]
            band = band_lines(line, CACHED, int(layer["out_height"]))
            layers[i - 1]["kind"], scratch = FUSED, max(scratch, band * line)
        else:
            line, pixel = layer["line"] * layer["stride"], layer["pixel"] * layer["stride"]
            band = band_lines(int(layer["out_width"]), BAND_PIXELS, int(layer["out_height"]))
        layer["band"], layer["table"] = band, 8 * sum(map(len, tables))
        tables.append(pixel_table(band, layer, line, pixel))
    table = np.concatenate(tables) if tables else np.zeros(1, np.int64)
    return Plan(layers, np.array(order), weights, constants, table, arena_bytes, scratch + 4 * VECTOR, result)
