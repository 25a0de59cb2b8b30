"""kill −9, for real: processes are killed at random moments and writes, and what resumed runs end in is compared."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).with_name("kill_many.py")


@pytest.fixture(scope="module")
def harness():
    specification = importlib.util.spec_from_file_location("kill_many", HARNESS)
    module = importlib.util.module_from_spec(specification)
    sys.modules["kill_many"] = module
    specification.loader.exec_module(module)
    return module


# Twenty kills in each recipe take half an hour: `python tests/compress/kill_many.py`.
@pytest.mark.parametrize("recipe", ("quant", "uniform_prune"))
def test_a_killed_run_ends_in_the_same_bytes(recipe):
    words = [sys.executable, str(HARNESS), recipe, "--kills", "1", "--images", "16"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"{recipe}: 1 kills, ")


def test_the_harness_sees_one_byte_that_differs_and_a_file_too_many(harness, tmp_path):
    (tmp_path / "metrics.json").write_text('{"seconds": 1, "after": {"top1": 0.5}}')
    (tmp_path / "program.npz").write_bytes(b"abc")
    expected = harness.results(tmp_path)
    (tmp_path / "metrics.json").write_text('{"seconds": 2, "after": {"top1": 0.5}}')
    assert harness.unequal(expected, harness.results(tmp_path)) == []
    (tmp_path / "program.npz").write_bytes(b"abd")
    (tmp_path / ".program.npz.x").write_bytes(b"")
    (tmp_path / "metrics.json").write_text('{"seconds": 2, "after": {"top1": 0.6}}')
    assert harness.unequal(expected, harness.results(tmp_path)) == [".program.npz.x", "metrics.json", "program.npz"]
