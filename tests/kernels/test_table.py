"""Kernels can be swapped by name, for as long as a block runs."""

from __future__ import annotations

import numpy as np
import pytest

from tinyslim import kernels

ONES = np.ones((2, 2), "f4")


def test_a_swapped_kernel_runs_in_its_block_alone():
    with kernels.use(gemm=lambda a, b: "swapped"):
        assert kernels.gemm(ONES, ONES) == "swapped"
        assert kernels.is_swapped()
    assert kernels.gemm(ONES, ONES).tolist() == [[2, 2], [2, 2]]
    assert not kernels.is_swapped()


def test_an_error_in_the_block_brings_the_kernels_back():
    with pytest.raises(RuntimeError, match="in the block"), kernels.use(gemm=lambda a, b: "swapped"):
        raise RuntimeError("in the block")
    assert not kernels.is_swapped()


def test_blocks_nest():
    with kernels.use(gemm=lambda a, b: "outer"):
        with kernels.use(clip=lambda x, low, high: "inner"):
            assert (kernels.gemm(ONES, ONES), kernels.clip(ONES, 0, 1)) == ("outer", "inner")
        assert kernels.clip(ONES, 0, 1).tolist() == ONES.tolist()


def test_an_unknown_kernel_is_refused_with_the_names_that_exist():
    with pytest.raises(ValueError, match=r"no kernel is named 'gem'; there are .*gemm"), kernels.use(gem=max):
        pass


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match=r"the kernel gemm \(=3\) must be a function"), kernels.use(gemm=3):
        pass


def test_use_reference_runs_the_twins(monkeypatch):
    called = []
    monkeypatch.setattr(kernels.reference, "gemm", lambda a, b: called.append("twin"))
    with kernels.use_reference():
        kernels.gemm(ONES, ONES)
    assert called == ["twin"]


def test_every_kernel_has_a_twin_of_the_same_signature():
    from inspect import signature

    for name, kernel in kernels.table.KERNELS.items():
        assert list(signature(kernel).parameters) == list(signature(getattr(kernels.reference, name)).parameters), name
