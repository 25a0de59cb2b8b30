"""Kernels in forked children, in several threads at once, and on Numba's own threading layer."""

import os
import subprocess
import sys
import textwrap

import pytest


def run_fresh(code, **environment):
    """What a fresh process prints that runs `code`."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_child_forked_after_a_kernel_ran_takes_the_plain_twins_and_gives_the_same_result():
    printed = run_fresh("""
        import os, numpy as np
        from tinyslim import kernels
        rng = np.random.default_rng(0)
        x, w = rng.normal(size=(4, 30, 30, 8)).astype("f4"), rng.normal(size=(3, 3, 8, 16)).astype("f4")
        y = kernels.conv2d(x, w, padding=1)
        print(kernels.is_swapped(), flush=True)
        child = os.fork()
        if child == 0:
            again = kernels.conv2d(x, w, padding=1)
            print(kernels.is_swapped(), np.abs(again - y).max() < 1e-3, flush=True)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    assert printed == ["False", "True", "True", "0"]


def test_a_child_forked_before_any_kernel_ran_keeps_the_compiled_ones():
    printed = run_fresh("""
        import os, numpy as np
        from tinyslim import kernels
        child = os.fork()
        if child == 0:
            kernels.gemm(np.ones((300, 300), "f4"), np.ones((300, 300), "f4"))
            print(kernels.is_swapped(), flush=True)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    assert printed == ["False", "0"]


CALLED_FROM_FOUR_THREADS = """
    import numpy as np, numba
    from concurrent.futures import ThreadPoolExecutor
    from tinyslim import kernels
    a, b = np.ones((512, 256), "f4"), np.ones((256, 256), "f4")
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: kernels.gemm(a, b).sum(), range(40)))
    print(numba.threading_layer(), set(results) == {np.float32(512 * 256 * 256)})
"""


def test_the_workqueue_layer_survives_several_callers_at_once():
    assert run_fresh(CALLED_FROM_FOUR_THREADS, NUMBA_THREADING_LAYER="workqueue") == ["workqueue", "True"]


def test_the_default_layer_takes_several_callers_at_once():
    assert run_fresh(CALLED_FROM_FOUR_THREADS)[1] == "True"


def spin_count(**environment):
    return run_fresh("import os, tinyslim.kernels; print(os.environ.get('GOMP_SPINCOUNT'))", **environment)[0]


def test_waiting_threads_spin_for_a_short_time_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    assert spin_count() == "10000"
    assert spin_count(GOMP_SPINCOUNT="7") == "7"
    assert spin_count(OMP_WAIT_POLICY="active") == "None"
