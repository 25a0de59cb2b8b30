"""What MkDocs calls while it builds the site: pages that are made from the code, so that they can't drift from it."""

from __future__ import annotations

import re
from html import unescape

import house
import lesson_pages
import reference_pages
from latex2mathml.converter import convert
from mkdocs.structure.files import File

ROOT = house.ROOT


def on_config(config):
    """Put the lessons and the rooms into the navigation."""
    sections = {title: entries for entry in config["nav"] for title, entries in entry.items()}
    sections["Course"][1:1] = [path for path, _ in lesson_pages.pages()]
    sections["Reference"][1:1] = [path for path, _ in reference_pages.pages()]
    return config


def on_files(files, config):
    """Add the generated pages."""
    specification = (ROOT / "tinyslim/deploy/integer_specification.md").read_text(encoding="utf-8")
    generated = [
        *lesson_pages.pages(),
        *reference_pages.pages(),
        ("integer_specification.md", specification),
        *lesson_pages.pictures(),
        *_result_pictures(),
    ]
    for path, content in generated:
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown, page, config, files):
    """Replace ``<!-- what -->`` on a line of its own by what is made from the code or read from another file."""
    makers = {
        "house": house.drawing,
        "rooms": house.table,
        "names": reference_pages.index,
        "lessons": lesson_pages.index,
        "results": _results,
    }
    for what, make in makers.items():
        markdown = re.sub(f"^<!-- {what} -->$", lambda _, make=make: make(), markdown, flags=re.M)
    return re.sub(r"^<!-- README: (.+) -->$", lambda found: _section_of_readme(found[1]), markdown, flags=re.M)


def on_page_content(html, page, config, files):
    """Formulas as MathML, which browsers draw by themselves."""
    html = re.sub(r'<span class="arithmatex">\\\((.+?)\\\)</span>', lambda found: _math(found[1], "inline"), html)
    return re.sub(
        r'<div class="arithmatex">\s*\\\[(.+?)\\\]\s*</div>', lambda found: _math(found[1], "block"), html, flags=re.S
    )


def _math(formula: str, display: str) -> str:
    return convert(unescape(formula).strip(), display=display)


def _section_of_readme(heading: str) -> str:
    """What the README says below ``## heading``: the measured tables stand there, and nowhere else."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(heading)}\n(.+?)(?=^## |\Z)", text, flags=re.M | re.S)
    if not found:
        raise ValueError(f"README.md has no section {heading!r}")
    text = re.sub(r"\]\(results/[^)]+\.md\)", "](results.md#tables-over-several-seeds)", found[1].strip())
    return text.replace("](docs/", "](")


def _result_files(pattern: str):
    return sorted((ROOT / "results").glob(pattern))


def _results() -> str:
    """The pages that `tinyslim reproduce` wrote, one level of headings lower."""
    parts = []
    for path in _result_files("**/*.md"):
        text = re.sub(r"^#", "##", path.read_text(encoding="utf-8"), flags=re.M)
        folder = path.parent.relative_to(ROOT).as_posix()
        parts.append(re.sub(r"\]\((?!\w+:)(?:\./)?([^)#]+\.(?:png|svg))\)", rf"]({folder}/\1)", text))
    return "\n\n".join(parts) or "No table lies in `results/` yet: `tinyslim reproduce` measures one."


def _result_pictures():
    for path in [*_result_files("**/*.png"), *_result_files("**/*.svg")]:
        yield path.relative_to(ROOT).as_posix(), path.read_bytes()
