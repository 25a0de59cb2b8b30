from __future__ import annotations

import io
import json
import time
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console
from tinyslim.kernels import jit, reference
from tinyslim.kernels import ladder as ladders

from tinyslim.bench import ladder, ladder_problems
from tinyslim.bench.peak import Peak
from tinyslim.bench.roofline import spread_out

PEAKS = {1: Peak(1, 100.0, 400.0, 300.0, 20.0), 2: Peak(2, 200.0, 800.0, 600.0, 36.0)}
compiled = pytest.mark.skipif(not jit.COMPILED, reason="nothing is compiled")


def rung_of(function, number=1) -> SimpleNamespace:
    return SimpleNamespace(number=number, name="mine", title="My step", run=function, bytes_per_operation=None)


def step_of(function) -> ladder.Step:
    """What becomes of a rung of the matrix product."""
    small = [ladder_problems.product(np.random.default_rng(0), np.float32, np.float32, *s) for s in SIZES]
    odd = ladder_problems.odd_shapes("gemm")
    pairs = [[(problem, ladder.expected_of("gemm", problem)) for problem in problems] for problems in (odd, small)]
    return ladder.climb_rung("gemm", rung_of(function), *pairs, peak=200.0, previous=None)


SIZES = ((4, 4, 4), (40, 40, 40))


def one_sum_too_few(a, b):
    out = reference.gemm(a, b)
    if out.shape == (13, 37):
        out[3, 5] += 1
    return out


def test_a_wrong_rung_is_not_timed_but_shown_with_its_first_wrong_element():
    step = step_of(one_sum_too_few)
    assert step.timing is None
    assert step.rate == 0
    assert "float32 (13, 1)" in step.fault
    assert "index (3, 5): expected " in step.fault


def test_a_rung_that_is_wrong_at_the_timed_size_alone_is_seen_too():
    def wrong_when_large(a, b):
        return reference.gemm(a, b) + (len(a) == 40)

    assert "index (0, 0)" in step_of(wrong_when_large).fault


def test_a_rung_that_raises_is_shown_with_its_error():
    def broken(a, b):
        raise IndexError("beyond the end")

    assert "IndexError: beyond the end" in step_of(broken).fault


def test_a_right_rung_is_timed_at_the_largest_size():
    step = step_of(reference.gemm)
    assert step.fault is None
    assert step.size == "40×40×40"
    assert step.rate == pytest.approx(2 * 40**3 / step.timing.median / 1e6)
    assert step.share == pytest.approx(step.rate / 200)


def test_a_slow_rung_stays_at_a_small_size():
    def slow(a, b):
        time.sleep(0.002 if len(a) == 4 else 0)
        return reference.gemm(a, b)

    assert step_of(slow).size == "4×4×4"


@pytest.fixture
def quick(monkeypatch):
    """A ladder of three rungs, the second one wrong, with small sizes and made-up peaks."""
    rungs = [rung_of(reference.gemm, 1), rung_of(one_sum_too_few, 2), rung_of(np.matmul, 3)]
    small = [ladder_problems.product(np.random.default_rng(0), np.float32, np.float32, *s) for s in SIZES]
    monkeypatch.setattr(ladders, "rungs", lambda name: rungs)
    monkeypatch.setattr(ladder, "sizes", lambda name: small)
    monkeypatch.setattr(ladder, "measure_peak", PEAKS.get)
    monkeypatch.setattr(ladder, "TIME_OF_RUNG", 0.01)
    return ladder.climb("gemm")


@compiled
def test_a_climb_prints_rates_shares_and_what_is_wrong(quick):
    printed = io.StringIO()
    quick.print(Console(file=printed, width=200))
    text = printed.getvalue()
    assert "GFLOP/s" in text
    assert "mine is wrong and was not timed" in text
    assert "200 GFLOP/s" in text


@compiled
def test_the_factor_is_that_to_the_last_rung_that_is_right(quick):
    first, _, third = quick.steps
    assert first.factor is None
    assert third.factor == pytest.approx(third.rate / first.rate)


@compiled
def test_the_roofline_is_a_png_and_the_numbers_are_json(quick, tmp_path):
    path = quick.draw(tmp_path / "roofline.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    values = json.loads(quick.to_json())
    assert [step["fault"] is None for step in values["steps"]] == [True, False, True]
    assert values["peaks"][1]["gflops"] == 200


def test_labels_keep_their_distance_and_their_order():
    values = [5.0, 5.1, 0.01, 5.2, 400.0]
    heights = np.log10(spread_out(values, 0.3))
    assert np.array_equal(np.argsort(heights), np.argsort(values))
    assert np.diff(np.sort(heights)).min() > 0.299
    assert heights[2] == pytest.approx(-2)


@pytest.mark.parametrize("name", ladders.LADDERS)
def test_sizes_grow_and_count_the_work(name):
    problems = ladder_problems.sizes(name)
    operations = [problem.operations for problem in problems]
    assert operations == sorted(operations)
    x, weight, *_ = problems[0].arguments
    result = getattr(reference, ladders.LADDERS[name])(*problems[0].arguments)
    assert problems[0].operations == 2 * result.size * weight.size // weight.shape[-1]
    assert problems[0].bytes == x.nbytes + weight.nbytes + result.nbytes
