"""kill −9, for real: a process dies at a write, and what the resumed run ends in is that of an unbroken one."""

from __future__ import annotations

import importlib.util
import os
import signal
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


# Twenty kills in each recipe take half an hour of one core: `python tests/compress/kill_many.py`.
@pytest.mark.parametrize(("recipe", "write", "renamed"), [("prune_quant", 5, True), ("auto_prune", 6, False)])
def test_a_killed_run_ends_in_the_same_bytes(recipe, write, renamed, harness, tmp_path, monkeypatch):
    # The harness counts files as they get their names; this process goes on afterwards.
    monkeypatch.setattr(os, "replace", os.replace)
    harness.compress(recipe, 16, str(tmp_path / "unbroken"), 0, False)
    words = [recipe, "--images", "16", "--run", str(tmp_path / "killed"), "--write", str(write)]
    words += ["--renamed"] if renamed else []
    done = subprocess.run([sys.executable, str(HARNESS), *words], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (tmp_path / "killed" / "checkpoint.npz").exists() and not (tmp_path / "killed" / "metrics.json").exists()
    harness.compress(recipe, 16, str(tmp_path / "killed"), 0, False)
    assert harness.unequal(harness.results(tmp_path / "unbroken"), harness.results(tmp_path / "killed")) == []


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
