"""The same answers under each instruction set, uncompiled, with bounds checks, with any number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tinyslim.kernels import jit

from tinyslim import kernels

SCRIPT = Path(__file__).with_name("every_kernel.py")


def digest_with(**environment: str) -> str:
    """What `every_kernel.py` prints in a process with these variables; it compares kernels with twins on its way."""
    done = subprocess.run(
        [sys.executable, SCRIPT], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", jit.PATHS[: jit.PATHS.index(jit.best_path()) + 1])
def test_each_instruction_set_agrees_with_the_twins(path):
    digest_with(TINYSLIM_ISA=path)


def test_an_instruction_set_that_nobody_knows_is_refused():
    done = subprocess.run(
        [sys.executable, "-c", "import tinyslim.kernels"],
        env={**os.environ, "TINYSLIM_ISA": "sse9"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "TINYSLIM_ISA is 'sse9', expected one of plain, avx2, avx512" in done.stderr


@pytest.mark.skipif(not jit.COMPILED, reason="nothing is compiled")
def test_kernels_stay_inside_their_arrays():
    digest_with(NUMBA_BOUNDSCHECK="1")


def test_without_compilation_the_twins_run():
    assert digest_with(NUMBA_DISABLE_JIT="1") == digest_with(NUMBA_DISABLE_JIT="1", NUMBA_NUM_THREADS="1")


@pytest.mark.skipif(not jit.COMPILED, reason="nothing is compiled")
def test_one_thread_and_two_give_the_same_bits(rng):
    numba = pytest.importorskip("numba")
    x, weight = rng.normal(size=(5, 23, 17, 19)).astype("f4"), rng.normal(size=(3, 3, 19, 45)).astype("f4")
    deep = rng.normal(size=(3000, 37)).astype("f4")

    def results():
        y = kernels.conv2d(x, weight, None, 1, 1)
        yield y
        yield kernels.conv2d_input_gradient(y, weight, x.shape, 1, 1)
        yield kernels.conv2d_weight_gradient(x, y, weight.shape, 1, 1)
        yield kernels.depthwise_conv2d_weight_gradient(x, x, (3, 3, 19), 1, 1)
        yield kernels.gemm(deep.T, deep)
        yield from kernels.batch_norm_statistics(y)
        yield from kernels.batch_norm_gradient_sums(y, y, y[0, 0, 0], y[0, 0, 0], y[0, 0, 0])
        yield from kernels.conv2d_gradients(x, y, weight[:1, :1])
        yield from kernels.depthwise_conv2d_gradients(x, x, weight[..., 0], 1, 1)

    many = list(results())
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        one = list(results())
    finally:
        numba.set_num_threads(threads)
    assert threads > 1
    for a, b in zip(many, one, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.skipif(not jit.COMPILED, reason="nothing is compiled")
def test_an_edited_source_begins_an_empty_cache(tmp_path, monkeypatch):
    source = tmp_path / "kernels" / "helper.py"
    source.parent.mkdir()
    monkeypatch.setattr(jit, "__file__", str(source.with_name("jit.py")))
    source.write_text("a = 1\n")
    before = jit.cache_folder()
    assert jit.cache_folder() == before
    source.write_text("a = 2\n")
    assert jit.cache_folder() != before


@pytest.mark.skipif(not jit.COMPILED, reason="nothing is compiled")
def test_another_instruction_set_begins_an_empty_cache(monkeypatch):
    before = jit.cache_folder()
    monkeypatch.setattr(jit, "ISA", "another")
    assert jit.cache_folder() != before
