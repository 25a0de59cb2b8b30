from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tinyslim.kernels import jit, ladder, reference

from tinyslim.bench.ladder_problems import odd_shapes

RUNGS = [(name, rung) for name in ladder.LADDERS for rung in ladder.rungs(name)]
FOLDER = Path(ladder.__file__).parent
compiled = pytest.mark.skipif(not jit.COMPILED, reason="nothing is compiled")


def each_rung(rungs):
    return pytest.mark.parametrize(("name", "rung"), rungs, ids=[f"{name}-{rung.name}" for name, rung in rungs])


def wrong_shapes(name: str, rung, dtypes) -> list[str]:
    """The odd shapes on which a rung is not equal to the reference, to the last bit."""
    wrong = []
    for problem in odd_shapes(name):
        if problem.arguments[0].dtype in dtypes:
            expected = getattr(reference, ladder.LADDERS[name])(*problem.arguments)
            got = rung.run(*problem.arguments)
            if got.dtype != expected.dtype or not np.array_equal(got, expected) or not got.flags.c_contiguous:
                wrong.append(f"{problem.label} {expected.dtype}")
    return wrong


@each_rung(RUNGS)
def test_each_rung_is_equal_to_the_reference_on_odd_shapes(name, rung):
    # Parallel functions compile for a second each, and the engine has tests of its own: float32 is enough for those.
    dtypes = (np.float32, np.uint8) if rung.number > 6 else (np.float32, np.float64, np.uint8)
    assert wrong_shapes(name, rung, dtypes) == []


def test_the_comparison_sees_a_rung_that_forgets_the_last_step_of_the_depth():
    class Forgetful:
        def run(self, a, b):
            return reference.gemm(np.ascontiguousarray(a[:, :-1]), np.ascontiguousarray(b[:-1]))

    assert len(wrong_shapes("gemm", Forgetful(), (np.float32,))) == 5


@each_rung(RUNGS)
def test_a_rung_is_a_file_of_at_most_120_lines_that_explains_itself(name, rung):
    source = (FOLDER / name / f"{rung.name}.py").read_text()
    explanation = source.partition('"""')[2].partition('"""')[0]
    assert len(source.splitlines()) <= 120
    assert len(explanation.split()) >= 50
    assert len(rung.title) <= 80


@pytest.mark.parametrize("name", ladder.LADDERS)
def test_a_ladder_goes_from_python_to_the_engine_without_a_gap(name):
    rungs = ladder.rungs(name)
    assert [rung.number for rung in rungs] == list(range(1, len(rungs) + 1))
    assert rungs[0].title.endswith("loops in Python")
    assert rungs[-1].title == "The engine's kernel"


@compiled
@pytest.mark.parametrize("name", ["gemm", "gemm_int8"])
def test_the_tile_multiplies_matrices_that_are_transposed_in_memory(name):
    problem = next(problem for problem in odd_shapes(name) if problem.label == "17×70×65")
    a, b = problem.arguments
    rung = ladder.rungs(name)[5]
    assert rung.name == "step6_register_tile"
    assert np.array_equal(rung.run(np.asfortranarray(a), np.asfortranarray(b)), rung.run(a, b))


@compiled
@pytest.mark.parametrize("name", ["gemm", "conv2d", "depthwise"])
def test_two_threads_give_the_bits_of_one(name):
    rng = np.random.default_rng(0)
    shapes = {
        "gemm": [(150, 70), (70, 65)],
        "conv2d": [(3, 15, 13, 9), (3, 3, 9, 33)],
        "depthwise": [(3, 15, 13, 70), (3, 3, 70)],
    }
    arguments = [rng.normal(size=shape).astype(np.float32) for shape in shapes[name]]
    _, _, _, _, _, tile, threads, *_ = ladder.rungs(name)
    assert np.array_equal(tile.run(*arguments), threads.run(*arguments))


def test_a_ladder_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"`ladder` \(='gemv'\) must be one of gemm, gemm_int8, conv2d, depthwise"):
        ladder.rungs("gemv")


SCRIPT = """
import sys
import numpy as np
from tinyslim.kernels import ladder, reference
from tinyslim.bench.ladder_problems import odd_shapes
for name in ladder.LADDERS:
    for rung in ladder.rungs(name):
        if rung.name in sys.argv[1:]:
            for problem in odd_shapes(name)[2:4]:
                got = rung.run(*problem.arguments)
                assert np.array_equal(got, getattr(reference, ladder.LADDERS[name])(*problem.arguments)), rung
            print(name, rung.number)
"""


def ran_with(*names: str, **environment: str) -> list[str]:
    """The rungs of these names that ran, and were right, in a process with these variables."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *names],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@compiled
@pytest.mark.parametrize("path", jit.PATHS[: jit.PATHS.index(jit.best_path())])
def test_the_tiles_are_right_under_every_other_instruction_set(path):
    assert ran_with("step6_register_tile", TINYSLIM_ISA=path) == [f"{name} 6" for name in ladder.LADDERS]


def test_without_a_compiler_the_plain_rungs_run_and_the_tiles_are_left_out():
    names = [rung.name for rung in ladder.rungs("gemm")]
    ran = ran_with(*names, NUMBA_DISABLE_JIT="1")
    assert {"gemm 1", "gemm 4", "gemm 5", "gemm 8", "gemm_int8 3"} <= set(ran)
    assert "gemm 6" not in ran
