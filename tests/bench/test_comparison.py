"""What was timed is told in a table and in JSON, with ratios to the best peer."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from tinyslim.bench import Comparison, Timing, machine_facts
from tinyslim.bench.comparison import Row, print_comparisons, write_json
from tinyslim.bench.peers import NAMES, load_peers, openblas_notes


def timing(median: float) -> Timing:
    return Timing(median, 0.9 * median, 1.1 * median, 20)


ROWS = [
    Row("a", {"tinyslim": timing(1.0), "slow": timing(4.0), "fast": timing(2.0)}, 3_000_000),
    Row("b", {"tinyslim": timing(4.0), "slow": timing(8.0), "fast": timing(2.0)}, 8_000_000, {"of ours": 0.5}),
]


def printed(table) -> str:
    console = Console(width=150, highlight=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_the_ratio_is_to_the_best_peer_of_each_row():
    assert [(row.best_peer, row.ratio) for row in ROWS] == [("fast", 0.5), ("fast", 2.0)]
    assert Row("alone", {"tinyslim": timing(1.0), "your own": timing(0.5)}).ratio is None


def test_geometric_means_are_told_for_each_peer_and_the_best():
    assert Comparison("c", ROWS).ratios == pytest.approx({"slow": 0.125**0.5, "fast": 1.0, "the best": 1.0})
    assert Comparison("c", []).ratios == {}


def test_the_brief_table_has_a_line_for_each_row():
    text = printed(Comparison("some work", ROWS).brief_table())
    assert "some work" in text
    (line,) = [line for line in text.splitlines() if line.startswith("│ a ")]
    assert [cell.strip() for cell in line.strip("│").split("│")] == [
        "a", "1.00 (0.900 … 1.10)", "3.00", "2.00 (1.80 … 2.20)", "1.50", "fast", "0.500",
    ]  # fmt: skip


def test_the_full_table_has_a_line_for_each_contender_and_marks_the_best():
    text = printed(Comparison("some work", ROWS).full_table())
    assert [line.split("│")[2].strip() for line in text.splitlines() if line.startswith("│")] == [
        "tinyslim", "slow", "fast", "tinyslim", "slow", "fast", "of ours",
    ]  # fmt: skip
    assert text.count("*") == 2 and "0.500*" in text


@pytest.mark.parametrize("full", [True, False])
def test_tables_are_printed_whole_with_notes_and_the_machine(full, capsys):
    print_comparisons([Comparison("some work", ROWS, notes=["memory is [kept]"])], full)
    text = capsys.readouterr().out
    assert "memory is [kept]" in text and machine_facts()["cpu"] in text and "…" in text
    assert f"path {machine_facts()['path']}" in text


def test_json_holds_the_machine_and_every_contender(tmp_path):
    write_json(tmp_path / "x.json", "tinyslim bench kernels", [Comparison("c", ROWS, notes=["kept"])])
    report = json.loads((tmp_path / "x.json").read_text())
    assert report["machine"]["numpy"] and report["command"] == "tinyslim bench kernels"
    row = report["comparisons"][0]["rows"][0]
    assert row["timings"]["slow"] == {"median": 4.0, "low": 3.6, "high": 4.4, "repeats": 20}
    assert (row["best_peer"], row["ours_over_best_peer"]) == ("fast", 0.5)
    assert report["comparisons"][0]["notes"] == ["kept"]


def test_peers_that_are_not_installed_are_left_out_and_named(monkeypatch):
    monkeypatch.setattr("tinyslim.bench.peers.find_spec", lambda name: None)
    peers = load_peers(True)
    assert peers.torch is None and peers.onnxruntime is None
    assert [name in note for name, note in zip(NAMES.values(), peers.notes, strict=True)] == [True, True]
    assert all("left out: pip install 'tinyslim[bench]'" in note for note in peers.notes)


def test_peers_that_nobody_asked_for_are_not_mentioned():
    assert load_peers(False).notes == []


def test_a_pinned_openblas_is_told(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    assert openblas_notes(2) == []
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert "OPENBLAS_CORETYPE is 'Haswell'" in openblas_notes(2)[0]
    assert "runs on 2 threads: set OPENBLAS_NUM_THREADS=1" in openblas_notes(1)[1]
