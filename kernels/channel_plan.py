"""How a depthwise filter walks over images without padding them.

At the image's edge a filter sees less than its taps. Output rows that see the same lines of the filter form a group,
and so do columns: the output falls into rectangles, at most nine for a 3×3 filter, inside which every pixel meets the
same taps. No pixel outside the image is ever read, so nothing has to be copied to make room for one.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .walk import Walk, offsets

#: The columns of `Plan.walks`: a walk's stride, where its first output's first tap lies, its output rows, where its
#: outputs lie and how far apart, its filter's sides and its first tap's number, its share of the groups of rows and
#: columns.
STRIDE, FIRST_Y, FIRST_X, OUT_Y, ORIGIN, STEP_Y, SIZE_Y, SIZE_X, FILTER = range(9)
ROWS, ROWS_END, COLUMNS, COLUMNS_END = range(9, 13)

#: The columns of `Plan.rows` and `Plan.columns`: a group's first output and the one after its last, the first tap that
#: they see and how many. Columns have more: where their tables of pixels and of taps begin.
BEGIN, END, TAP, TAPS, PIXELS, PLACES = range(6)


class Plan(NamedTuple):
    """Walks over images (n, in_y, in_x, c) that fill (n, y, x, c), as tables for compiled loops.

    `pixels` and `outputs` hold, for each group of columns, where the pixels of its rows lie behind the first one: in
    the input and in the output. `taps` and `places` hold where the taps that it sees lie: in the input behind the first
    one, and in the gradient of the filter.
    """

    walks: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    pixels: np.ndarray
    outputs: np.ndarray
    taps: np.ndarray
    places: np.ndarray


def groups(outputs: int, first: int, stride: int, taps: int, extent: int) -> Iterable[tuple[int, int, int, int]]:
    """Runs of outputs along one axis that see the same taps: (begin, end, first tap, how many taps)."""
    begin = 0
    while begin < outputs:
        seen = _seen(begin, first, stride, taps, extent)
        end = begin + 1
        while end < outputs and _seen(end, first, stride, taps, extent) == seen:
            end += 1
        yield begin, end, *seen
        begin = end


def _seen(output: int, first: int, stride: int, taps: int, extent: int) -> tuple[int, int]:
    """The first tap of an output that lies inside the image, and how many do."""
    place = first + output * stride
    lowest, end = max(-place, 0), min(extent - place, taps)
    return (lowest, end - lowest) if end > lowest else (0, 0)


@lru_cache(maxsize=256)
def plan(walks: tuple[Walk, ...], input_shape, line: int, step: int, output_shape, wide: int) -> Plan:
    """The tables of walks whose filters' taps are numbered one walk after the other.

    Parameters
    ----------
    walks
    input_shape : (n, in_y, in_x, c)
    line, step : int
        Elements from one input line to the next, and from one pixel to the next, where the loops will read them.
    output_shape : (n, y, x, c)
    wide : int
        Elements from one tap of the filter's gradient to the next.
    """
    _, in_y, in_x, _ = input_shape
    _, _, image_x, c = output_shape
    heads, rows, columns, pixels, outputs, taps, places, tap_number = [], [], [], [], [], [], [], 0
    for walk in walks:
        ends = [len(rows), len(rows), len(columns), len(columns)]
        rows += groups(walk.out_y, walk.first_y, walk.stride, walk.size_y, in_y)
        for begin, end, tap, seen in groups(walk.out_x, walk.first_x, walk.stride, walk.size_x, in_x):
            columns.append((begin, end, tap, seen, sum(map(len, pixels)), sum(map(len, taps))))
            pixels.append(offsets(walk.band, walk.stride * line, end - begin, walk.stride * step))
            outputs.append(offsets(walk.band, walk.step * image_x * c, end - begin, walk.step * c))
            taps.append(offsets(walk.size_y, line, seen, step))
            places.append(offsets(walk.size_y, walk.size_x * wide, seen, wide) + tap * wide)
        ends[1], ends[3] = len(rows), len(columns)
        origin = (walk.origin_y * image_x + walk.origin_x) * c
        place = (walk.stride, walk.first_y, walk.first_x, walk.out_y, origin, walk.step)
        heads.append((*place, walk.size_y, walk.size_x, tap_number, *ends))
        tap_number += walk.size_y * walk.size_x
    nothing = np.zeros(0, np.int64)
    return Plan(
        *(np.array(table, np.int64).reshape(-1, size) for table, size in ((heads, 13), (rows, 4), (columns, 6))),
        *(np.concatenate([nothing, *tables]) for tables in (pixels, outputs, taps, places)),
    )
