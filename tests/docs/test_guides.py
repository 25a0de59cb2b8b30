"""What the guides say can be done: their Python runs, their commands exist, their configs are valid."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from markdown_blocks import ROOT, blocks, commands, run_python

from tinyslim.cli.command_line import _parser
from tinyslim.compress import read_config

PAGES = sorted((ROOT / "docs").rglob("*.md"))
WITH_PYTHON = [page for page in PAGES if any(block.language == "python" for block in blocks(page))]
WITH_COMMANDS = [*[page for page in PAGES if commands(page)], *sorted(ROOT.glob("README*.md"))]
WHAT_BENCH_TAKES = {"kernels", "models", "pruned", "train", "ladder", "asm", "conv2d", "depthwise", "gemm", "gemm_int8"}


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def check_command(words: list[str]) -> None:
    """Raise SystemExit where argparse would."""
    arguments = _parser().parse_args(words)
    if words[0] == "bench" and words[1] not in WHAT_BENCH_TAKES:
        raise SystemExit(f"bench takes no {words[1]!r}")
    if words[0] == "compress" and arguments.recipe and not arguments.recipe.endswith(".toml"):
        read_config(arguments.recipe)


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name)
def test_python_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run_python(page)


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name)
def test_commands_of_a_page_exist(page):
    for words in commands(page):
        check_command(words)


def test_configs_of_pages_are_valid():
    found = [block for page in PAGES for block in blocks(page) if block.language == "toml"]
    assert found
    for block in found:
        read_config(tomllib.loads(block.text))


def test_most_guides_hold_both_python_and_commands():
    guides = {page for page in PAGES if page.parent.name == "guides" and page.name != "index.md"}
    assert len(guides) == 10
    assert guides <= set(WITH_PYTHON)
    assert len(guides & set(WITH_COMMANDS)) >= 9


def test_python_that_fails_is_found_with_its_line(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n")
    with pytest.raises(AssertionError) as failure:
        run_python(page)
    assert failure.traceback[-1].lineno + 1 == 8


@pytest.mark.parametrize(
    "line", ["tinyslim compres", "tinyslim compress --sed 1", "tinyslim compress no_recipe", "tinyslim bench convd"]
)
def test_command_that_does_not_exist_is_found(line, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text(f"```sh\n{line}   # a comment\n```\n")
    (words,) = commands(page)
    with pytest.raises((SystemExit, ValueError)):
        check_command(words)


def numbers_in_tables(text: str) -> set[str]:
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return {number for row in rows for number in re.findall(r"\d[\d,]*\.?\d+", row)}


def test_chinese_readme_tells_only_numbers_that_the_english_one_tells():
    chinese, english = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.zh-CN.md", "README.md"))
    assert len(numbers_in_tables(chinese)) > 40
    assert numbers_in_tables(chinese) - numbers_in_tables(english) == set()
    fault = "a number that the other does not tell: | 854,243 |"
    assert numbers_in_tables(f"{chinese}\n| {fault} |") - numbers_in_tables(english) == {"854,243"}


def test_chinese_readme_has_the_two_commands_of_the_english_one():
    english = (ROOT / "README.md").read_text(encoding="utf-8")
    marked = re.findall(r"^(.+)  # the (?:main job|tests)$", english, flags=re.M)
    assert len(marked) == 2
    assert all(line in (ROOT / "README.zh-CN.md").read_text(encoding="utf-8") for line in marked)
