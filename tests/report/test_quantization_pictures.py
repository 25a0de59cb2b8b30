"""The pictures of a diagnosis show its numbers."""

from __future__ import annotations

import pytest

from tinyslim import quant, report


def layer(number: int, top1=0.9, noise=30.0, step=0.25) -> quant.LayerDiagnosis:
    found = quant.Distribution([3, 5], [-1.0, 1.0, 3.0], 0.0, 2.0, step, 0.125)
    return quant.LayerDiagnosis(f"layer {number}", "conv2d", 40.0, noise, 20.0, top1, found, found)


@pytest.fixture
def diagnosis() -> quant.Diagnosis:
    ranges = {"quantizers.a": [[0, 2.0], [0, 3.0]], "quantizers.b": [[-1.0, 1.0], [-0.5, 0.5]]}
    layers = [layer(0, 0.88), layer(1, 0.91, noise=None), *map(layer, range(2, 6))]
    return quant.Diagnosis(layers, float_top1=0.9, top1=0.85, ranges=ranges)


def test_noise_and_losses_stand_in_the_layers_lines(diagnosis):
    left, right = report.noise_figure(diagnosis).axes
    noises = {line.get_label(): list(line.get_xdata()) for line in left.lines}
    assert noises["weight, rounded alone"] == [40.0] * 6
    assert len(noises["input, rounded alone"]) == 5  # the layer whose input is exact has no point
    assert [tick.get_text() for tick in left.get_yticklabels()][:2] == ["layer 0", "layer 1"]
    widths = [bar.get_width() for bar in right.patches]
    assert widths[:3] == pytest.approx([-2, 1, 0])
    assert right.lines[1].get_xdata()[0] == pytest.approx(-5)


def test_without_top1_there_is_one_panel(diagnosis):
    bare = quant.Diagnosis([layer(0, top1=None)])
    assert len(report.noise_figure(bare).axes) == 1


def test_the_clip_and_the_levels_are_drawn_into_the_histogram(diagnosis):
    figure = report.distributions_figure(diagnosis, "inputs")
    axes = figure.axes[0]
    assert sorted(float(line.get_xdata()[0]) for line in axes.lines) == [0.0, 2.0]
    levels = axes.collections[0].get_segments()
    assert [segment[0, 0] for segment in levels] == [0.25 * q for q in range(9)]
    assert "12.50% clipped" in axes.get_title()
    assert len(figure.axes) == 8 and not figure.axes[7].axison


def test_ranges_begin_at_one(diagnosis):
    lines = report.ranges_figure(diagnosis.ranges).axes[0].lines
    assert [list(line.get_ydata()) for line in lines] == [[1.0, 1.5], [1.0, 0.5]]
    assert list(lines[0].get_xdata()) == [1, 2]


def test_the_same_diagnosis_gives_the_same_files(diagnosis, tmp_path):
    diagnosis = quant.Diagnosis([layer(0)], 0.9, 0.8, diagnosis.ranges)
    first, second = (report.save_quantization_figures(diagnosis, tmp_path / name) for name in "ab")
    assert [path.name for path in first] == ["noise.png", "inputs.png", "weights.png", "ranges.png"]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(first, second, strict=True))
    without = quant.Diagnosis([layer(0, top1=None)])
    assert len(report.save_quantization_figures(without, tmp_path / "c")) == 3
