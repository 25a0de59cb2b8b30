"""Counts: those that the papers publish, and those that can be done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tinyslim import graph, models, nn


@pytest.mark.parametrize(
    ("width", "millions_of_params", "millions_of_macs"),
    [(1.0, 4.2, 569), (0.75, 2.6, 325), (0.5, 1.3, 149), (0.25, 0.5, 41)],
)
def test_mobilenet_v1_has_the_counts_of_its_paper(width, millions_of_params, millions_of_macs):
    # Howard et al. 2017, tables 6 and 7.
    counts = graph.summary(models.mobilenet_v1(width=width), np.zeros((1, 224, 224, 3), np.float32))
    assert round(counts.params / 1e6, 1) == millions_of_params
    assert round(counts.macs / 1e6) == millions_of_macs


def test_resnet20_has_the_counts_of_its_paper():
    # He et al. 2016, table 6: 0.27 M; the 1×1 shortcuts add 0.26 M multiply-adds to the 40.55 M of the rest.
    counts = graph.summary(models.resnet20(), np.zeros((1, 32, 32, 3), np.float32))
    assert round(counts.params / 1e6, 2) == 0.27
    assert round(counts.macs / 1e6, 1) == 40.8


def test_counts_are_those_done_by_hand_whatever_the_batch():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.DepthwiseConv2d(4, 3),
        nn.Flatten(), nn.Linear(16, 5),
    )  # fmt: skip
    for batch in (1, 3):
        counts = graph.summary(net, np.zeros((batch, 8, 8, 3)))
        assert counts.params == (3 * 3 * 3 * 4 + 4) + 8 + (3 * 3 * 4 + 4) + (16 * 5 + 5)
        assert counts.macs == 4 * 4 * 4 * 27 + 2 * 2 * 4 * 9 + 16 * 5
        assert counts.flops == 2 * counts.macs


def test_printed_table_ends_in_the_totals():
    text = str(graph.summary(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), np.zeros((1, 8, 8, 3)))).split("\n")
    assert [line.split()[0] for line in text] == ["layer", "input", "0", "total"]
    assert text[-1].split() == ["total", "112", "3,888"]
    assert len({len(line) for line in text}) == 1
