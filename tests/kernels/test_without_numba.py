"""Where Numba can't be imported, or must not compile, the whole engine works on the plain twins, and says so once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ENGINE = """
import numpy as np, tinyslim
import tinyslim.functional as F
from tinyslim import kernels, models, optim, prune, quant

model = models.mobilenet_v1(num_classes=3, width=0.125, in_channels=1, stem_stride=1)
x, labels = np.random.default_rng(0).standard_normal((6, 12, 12, 1), np.float32), np.arange(6) % 3
optimizer = optim.SGD(model.parameters(), lr=0.05)
for _ in range(2):
    optimizer.zero_grad()
    F.cross_entropy(model(x), labels).backward()
    optimizer.step()
prepared = quant.prepare(prune.uniform(model, x, target_flops=0.5), x)
prepared.train()(x)
program = tinyslim.freeze(prepared.eval(), x[:1])
print(program.kind, program.run(x).shape, kernels.jit.COMPILED)
np.testing.assert_array_equal(program.run(x), tinyslim.deploy.reference_run(program, x))
"""
BLOCKED = "import sys; sys.modules['numba'] = sys.modules['llvmlite'] = None\n"
TOLD = "kernels run as plain NumPy, slowly: "


def in_fresh_process(code: str, **environment: str) -> subprocess.CompletedProcess:
    """What a fresh process that shows every warning prints."""
    command = [sys.executable, "-W", "always", "-c", code]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize(
    ("before", "environment", "cause"),
    [
        (BLOCKED, {}, "Numba can't be imported ("),
        ("", {"NUMBA_DISABLE_JIT": "1"}, "NUMBA_DISABLE_JIT is set"),
    ],
    ids=["no Numba", "NUMBA_DISABLE_JIT"],
)
def test_the_whole_engine_works_and_says_once_why_it_is_slow(before, environment, cause):
    done = in_fresh_process(before + ENGINE, **environment)
    assert done.stdout.split("\n")[0] == "int8 (6, 3) False"
    assert done.stderr.count(TOLD) == 1
    assert TOLD + cause in done.stderr


def test_nothing_is_said_while_no_kernel_runs():
    done = in_fresh_process(BLOCKED + "import tinyslim; from tinyslim import kernels, nn, models, quant, deploy, train")
    assert done.stderr == ""


def test_nothing_is_said_where_kernels_are_compiled():
    code = "import numpy as np; from tinyslim import kernels; kernels.gemm(np.ones((2, 2)), np.ones((2, 2)))"
    done = in_fresh_process(code, NUMBA_DISABLE_JIT="0")
    assert TOLD not in done.stderr


def test_a_kernel_of_ones_own_is_not_called_slow():
    code = BLOCKED + (
        "from tinyslim import kernels\n"
        "with kernels.use(gemm=lambda a, b: 'mine'), kernels.use_reference():\n"
        "    kernels.gemm([[1.0]], [[1.0]])"
    )
    assert in_fresh_process(code).stderr == ""


def test_info_tells_why_nothing_is_compiled():
    code = BLOCKED + "from tinyslim.cli import main; raise SystemExit(main(['info']))"
    done = in_fresh_process(code)
    assert "path             plain twins: Numba can't be imported" in done.stdout
    assert done.stderr == ""
