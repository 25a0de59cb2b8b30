import numpy as np
import pytest
from tinyslim.kernels import jit, ladder

from tinyslim.bench.ladder import call
from tinyslim.bench.ladder_problems import product
from tinyslim.bench.peak import expect, measure_peak, need_compiler

pytestmark = pytest.mark.skipif(not jit.COMPILED, reason="nothing is compiled")


@pytest.fixture(scope="module")
def peak():
    return measure_peak(1, seconds=0.05)


def test_limits_are_those_of_a_machine_of_this_century(peak):
    assert 1 < peak.gflops < 1000
    assert peak.gops > peak.gflops
    assert peak.cache_gb > 2 * peak.memory_gb > 1


@pytest.mark.parametrize(("name", "limit"), [("gemm", "gflops"), ("gemm_int8", "gops")])
def test_no_rung_of_one_thread_is_faster_than_the_peak(peak, name, limit):
    dtypes = (np.float32, np.float32) if name == "gemm" else (np.uint8, np.int8)
    problem = product(np.random.default_rng(0), *dtypes, 256, 256, 256)
    rungs = ladder.rungs(name)[1:6]
    rate = max(problem.operations / min(call(rung, problem) for _ in range(5)) / 1e9 for rung in rungs)
    assert rate <= 1.05 * getattr(peak, limit)


def test_a_loop_that_did_nothing_is_seen():
    with pytest.raises(RuntimeError, match=r"the loop of loads ended with \[0\. 0\.\], expected 4"):
        expect("loads", np.zeros(2), 4)


def test_the_number_of_threads_is_put_back(peak):
    import numba

    before = numba.get_num_threads()
    measure_peak(1, seconds=0.001)
    assert numba.get_num_threads() == before


def test_without_a_compiler_nothing_is_measured(monkeypatch):
    monkeypatch.setattr("tinyslim.bench.peak.COMPILED", False)
    with pytest.raises(ValueError, match="it needs Numba"):
        need_compiler()
