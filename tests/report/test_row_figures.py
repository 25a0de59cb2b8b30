"""The picture of a table."""

from __future__ import annotations

import pytest

from tinyslim.report import RowPoint, rows_figure
from tinyslim.report.row_figures import FAR

POINTS = [
    RowPoint("baseline", 800_000, None, 0.93, None),
    RowPoint("pruned", 400_000, 5_000, 0.92, 0.001),
    RowPoint("broken", 200_000, 0.0, 0.31, 0.02),
]


def test_every_row_is_named_with_its_numbers():
    _, rows = rows_figure(POINTS, "a table").axes
    assert [label.get_text() for label in rows.get_yticklabels()] == ["baseline", "pruned", "broken"]
    assert [text.get_text() for text in rows.texts] == ["93.00", "92.00 ± 0.10", "← 31.00 ± 2.00"]


def test_row_far_below_stands_at_the_edge_and_does_not_press_the_others_together():
    sizes, rows = rows_figure(POINTS, "a table").axes
    lowest = min(line.get_ydata().min() for line in sizes.lines if len(line.get_ydata()) == 1)
    assert lowest == pytest.approx(93 - FAR)
    assert rows.get_xlim()[0] > 80


def test_no_two_rows_look_alike():
    from tinyslim.report.row_figures import _styles

    assert len(set(_styles(40))) == 40
