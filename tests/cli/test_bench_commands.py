"""``tinyslim bench`` and ``tinyslim info``."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from tinyslim.kernels import jit

from tinyslim.bench import kernel_tables
from tinyslim.cli import main

RIGHT = """
from tinyslim.kernels import reference
def my_gemm(a, b):
    return reference.gemm(a, b)
def off(a, b):
    out = reference.gemm(a, b)
    out[-1:, -1:] += 1
    return out
"""


@pytest.fixture
def own_file(tmp_path):
    (tmp_path / "mine.py").write_text(RIGHT)
    return tmp_path / "mine.py"


@pytest.fixture(autouse=True)
def only_small(monkeypatch):
    """Typical work takes long."""
    monkeypatch.setattr(kernel_tables, "typical_work", kernel_tables.small_work)


def test_bench_times_a_kernel_of_ones_own(own_file, tmp_path, capsys):
    words = ["bench", "gemm", "--kernel", f"{own_file}:my_gemm", "--repeats", "4", "--json", str(tmp_path / "x.json")]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "your my_gemm agrees with kernels.reference.gemm on all 48 test cases" in printed
    assert "64 × 64 · 64 × 64" in printed and "NumPy's OpenBLAS" in printed
    rows = json.loads((tmp_path / "x.json").read_text())["comparisons"][0]["rows"]
    assert {"tinyslim", "your my_gemm", "NumPy's OpenBLAS"} == set(rows[0]["timings"])


def test_a_wrong_kernel_ends_in_its_first_mismatch_and_exit_code_2(own_file, capsys):
    assert main(["bench", "gemm", "--kernel", f"{own_file}:off"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    first, second = printed.err.splitlines()
    assert first == "tinyslim: your off is wrong on case 1: a float32 (1, 1), b float32 (1, 1)"
    assert second.startswith("tinyslim:   index (0, 0): expected ")


def test_bench_kernels_holds_every_table(tmp_path, capsys):
    assert main(["bench", "kernels", "--repeats", "4", "--json", str(tmp_path / "x.json")]) == 0
    titles = [part["title"] for part in json.loads((tmp_path / "x.json").read_text())["comparisons"]]
    assert len(titles) == 6 and titles[2].endswith("forward + backward")
    printed = capsys.readouterr().out
    assert all(title in printed for title in titles)
    assert "2 threads each, one process, by turns" in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["conv2"], "nothing to time is called 'conv2'; did you mean 'conv2d'?"),
        (["kernels", "gemm"], "`tinyslim bench kernels` takes no name (='gemm')"),
        (["kernels", "--kernel", "a.py:f"], "`--kernel` needs the name of the kernel whose place it takes"),
        (["ladder"], "`tinyslim bench ladder` needs a name"),
        (["gemm", "--repeats", "0"], "`--repeats` (=0) must be at least 1"),
        (["gemm", "--threads", "0"], "`--threads` (=0) must be at least 1"),
    ],
)
def test_mistakes_are_one_line(words, message, capsys):
    assert main(["bench", *words]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1 and message in printed


class Studied:
    """What a climb or a look at the instructions gives."""

    def __init__(self, name: str, threads: int = 0):
        self.name, self.threads = name, threads

    def print(self, console) -> None:
        console.print(f"printed {self.name} {self.threads}")

    def draw(self, path):
        return f"drawn to {path}"

    def to_json(self) -> str:
        return "{}"


@pytest.mark.skipif(not jit.COMPILED, reason="there is no machine code to look at")
def test_ladders_and_instructions_are_asked_for_by_name(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "tinyslim.bench.ladder", SimpleNamespace(climb=Studied))
    monkeypatch.setitem(sys.modules, "tinyslim.bench.assembly_kernels", SimpleNamespace(assembly=Studied))
    assert main(["bench", "ladder", "gemm", "--threads", "1", "--json", str(tmp_path / "x.json")]) == 0
    assert capsys.readouterr().out.splitlines() == ["printed gemm 1", "the roofline: drawn to ladder-gemm.png"]
    assert (tmp_path / "x.json").read_text() == "{}"
    assert main(["bench", "asm", "gemm"]) == 0
    assert capsys.readouterr().out == "printed gemm 0\n"


def test_info_tells_path_threads_and_versions(capsys):
    assert main(["info"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert {"tinyslim", "path", "processor", "threads", "numpy", "numba", "llvm", "torch", "onnxruntime"} <= set(lines)


def test_info_as_json_says_the_same(capsys):
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["path"] in ("plain", "avx2", "avx512", "plain twins")
    assert set(facts["peers"]) == {"torch", "onnxruntime", "onnx"}


def test_info_takes_less_than_two_seconds():
    code = "import time; from tinyslim.cli import main; main(['info']); print(time.process_time())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout.splitlines()[-1]) < 2
