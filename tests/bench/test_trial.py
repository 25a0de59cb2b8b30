"""A kernel of one's own is compared with the reference on every shape, and its first fault is named."""

from __future__ import annotations

import numpy as np
import pytest
from tinyslim.kernels import reference
from tinyslim.kernels.table import KERNELS

from tinyslim import kernels, models
from tinyslim.bench import (
    KernelError,
    Timing,
    cases,
    check_kernel,
    compare_own_kernel,
    kernel_tables,
    load_kernel,
)
from tinyslim.bench.peers import load_peers
from tinyslim.bench.work import Work, small_work, typical_work

RIGHT = """
from tinyslim.kernels import reference
def my_conv(x, weight, bias=None, stride=1, padding=0):
    return reference.conv2d(x, weight, bias, stride, padding)
"""


@pytest.fixture
def own_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(RIGHT)
    return path


def wrong(change):
    """A convolution whose result `change` has spoilt on batches of two images."""

    def my_conv(x, weight, bias=None, stride=1, padding=0):
        out = reference.conv2d(x, weight, bias, stride, padding)
        return change(out) if len(x) == 2 else out

    return my_conv


def off_in_one_element(out):
    out[1, 2, 3, 4] += 0.5
    return out


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_our_own_kernels_pass(name):
    assert check_kernel(name, getattr(kernels, name)).cases == len(list(cases(name))) >= 3


def test_one_wrong_element_is_found_with_its_case_and_index():
    with pytest.raises(KernelError) as found:
        check_kernel("conv2d", wrong(off_in_one_element))
    first, second = str(found.value).splitlines()
    assert first == (
        "your my_conv is wrong on case 2: x float32 (2, 7, 5, 3), weight float32 (1, 1, 3, 11), bias float32 (11,), "
        "stride=1, padding=0"
    )
    assert second.startswith("  index (1, 2, 3, 4): expected ")
    assert second.endswith("(1 of 770 elements are wrong)")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda out: out.astype("f8"), "dtype: expected float32, got float64"),
        (lambda out: out[..., :1], r"shape: expected \(2, 7, 5, 11\), got \(2, 7, 5, 1\)"),
        (lambda out: out.tolist(), "type: expected an array, got list"),
        (lambda out: out * np.nan, r"index \(0, 0, 0, 0\): expected .*, got nan \(770 of 770"),
        (lambda out: 1 // 0, "it raises ZeroDivisionError in line [0-9]+ of test_trial.py: integer division"),
    ],
)
def test_faults_of_every_kind_are_named(change, fault):
    with pytest.raises(KernelError, match=fault):
        check_kernel("conv2d", wrong(change))


def test_a_kernel_that_writes_to_its_input_is_refused():
    def my_clip(x, low, high):
        return np.clip(x, low, high, out=x)

    with pytest.raises(KernelError, match="it changes its arguments"):
        check_kernel("clip", my_clip)


def test_a_wrong_number_of_results_is_refused():
    with pytest.raises(KernelError, match="number of results: expected 2, got one ndarray"):
        check_kernel("max_pool2d", lambda *arguments: reference.max_pool2d(*arguments)[0])


def test_arguments_that_a_kernel_does_not_take_are_its_own_fault():
    with pytest.raises(KernelError, match=r"it raises TypeError, when called: .* takes 2 positional arguments"):
        check_kernel("conv2d", lambda x, weight: x)


def test_cases_hold_what_goes_wrong():
    found = list(cases("conv2d"))
    assert {x.dtype.name for x, *_ in found} == {"float32", "float64"}
    assert {len(x) for x, *_ in found} >= {0, 1, 2}
    assert {stride for *_, stride, _ in found} == {1, 2, 3}
    assert {type(padding) for *_, padding in found} == {int, str, tuple}
    assert any(bias is None for _, _, bias, *_ in found) and any(bias is not None for _, _, bias, *_ in found)


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_there_is_small_work_for_every_kernel(name):
    (work,) = small_work(name)
    assert work.size > 100


def test_operations_of_a_gradient_are_those_of_the_convolution():
    counts = {work.operations for ending in ("", "_input_gradient", "_weight_gradient")
              for work in small_work(f"conv2d{ending}")}  # fmt: skip
    assert counts == {2 * 14 * 14 * 9 * 16 * 16}


def test_typical_products_are_the_pointwise_convolutions_of_mobilenet():
    shapes = [(*a.shape, b.shape[1]) for a, b in (work.arguments for work in typical_work("gemm"))]
    assert len(shapes) == 18
    assert shapes[0] == (112 * 112, 32, 64) and shapes[-1] == (16 * 49, 1024, 1024)


@pytest.fixture
def only_small(monkeypatch):
    """No time for typical work."""
    monkeypatch.setattr(kernel_tables, "typical_work", lambda name: iter(()))


def test_a_right_kernel_is_timed_beside_ours(own_file, only_small):
    compared = compare_own_kernel("conv2d", load_kernel(f"{own_file}:my_conv"), load_peers(False), repeats=2)
    (row,) = compared.rows
    assert [*row.timings] == ["tinyslim", "your my_conv"]
    assert all(isinstance(timing, Timing) for timing in row.timings.values())
    assert "your my_conv agrees with kernels.reference.conv2d on all 36 test cases" in compared.notes


def test_a_wrong_kernel_is_not_timed(only_small, monkeypatch):
    monkeypatch.setattr(kernel_tables, "by_turns", lambda *_: pytest.fail("it was timed"))
    with pytest.raises(KernelError):
        compare_own_kernel("conv2d", wrong(off_in_one_element), load_peers(False))


def test_work_that_would_take_too_long_is_left_out_and_named(own_file, monkeypatch):
    monkeypatch.setattr(kernel_tables, "PATIENCE", 0.0)
    compared = compare_own_kernel("conv2d", load_kernel(f"{own_file}:my_conv"), load_peers(False))
    assert compared.rows == []
    assert sum("is left out: your my_conv would take about" in note for note in compared.notes) == 4


def test_a_loaded_kernel_runs_under_the_whole_engine(own_file, rng):
    model = models.mobilenet_v1(num_classes=3, width=0.125, in_channels=1, stem_stride=1).eval()
    own, called = load_kernel(f"{own_file}:my_conv"), []
    x = rng.normal(size=(1, 8, 8, 1)).astype("f4")

    def counted(*arguments, **keywords):
        called.append(1)
        return own(*arguments, **keywords)

    expected = model(x).data
    with kernels.use(conv2d=counted):
        got = model(x).data
    assert called
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("mine.py", "must be of the form my_file.py:my_function"),
        ("none.py:my_conv", "there is no file 'none.py'"),
        ("{}:other", "has no function 'other'; it has my_conv"),
    ],
)
def test_a_kernel_that_is_not_there_is_named(where, message, own_file):
    with pytest.raises(ValueError, match=message):
        load_kernel(where.format(own_file))


def test_a_file_that_cannot_be_run_is_named(tmp_path):
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(ValueError, match=r"broken.py can't be run: ModuleNotFoundError: No module named"):
        load_kernel(f"{tmp_path / 'broken.py'}:f")


def test_the_size_of_work_without_operations_is_that_of_its_arrays():
    assert Work("clip", "", (np.zeros((2, 3)), 0.0, 1.0)).size == 6
