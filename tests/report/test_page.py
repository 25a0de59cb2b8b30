"""A report is one file that is whole in itself, says what the numbers say, and lets nothing in unescaped."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tinyslim.report import Page, Picture, Section, disagreements, layers_figure, training_figure

VOID = {"meta", "img", "br"}


class Checked(HTMLParser):
    """Reads a page; fails at a tag that is not closed, collects tags, ids and whatever points elsewhere."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.ids, self.links = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name.split(":")[-1] in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(page: Page) -> Checked:
    checked = Checked()
    checked.feed(page.html())
    assert checked.open == []
    return checked


@pytest.fixture
def pictures() -> list[Picture]:
    history = [{"epoch": 1, "train_top1": 0.8, "top1": 0.9}]
    return [
        Picture.of(training_figure(history), "top-1 by epoch"),
        Picture.of(layers_figure({"stem": (32, 16), "head": (10, 10)}, "channels"), "widths"),
    ]


def test_a_page_needs_no_other_file_and_no_script(pictures):
    images = np.zeros((1, 4, 4, 1), np.uint8)
    logits = {"before": np.eye(2)[[0]], "after": np.eye(2)[[1]]}
    answers = disagreements(images, np.array([1]), ["cat", "dog"], logits)
    page = read(Page("title", "subtitle", [Section("a", figures=pictures, answers=answers, listing="x = 1")]))
    assert "script" not in page.tags and "link" not in page.tags
    assert {link.split(":")[0][:1] for link in page.links} == {"#", "d"}  # a part of the page, or data:


def test_every_part_of_every_drawing_has_a_name_of_its_own(pictures):
    page = read(Page("title", "", [Section("a", figures=pictures)]))
    assert len(page.ids) == len(set(page.ids)) > 10
    assert {link[1:] for link in page.links} <= set(page.ids)


def test_drawings_take_the_ink_of_the_page_and_are_described(pictures):
    html = Page("title", "", [Section("a", figures=pictures)]).html()
    assert "#000000" not in html.split("</style>")[1] and html.count('fill="currentColor"') == 2
    assert (
        'aria-label="top-1 by epoch"' in html and "prefers-color-scheme: dark" in html and "width=device-width" in html
    )


def test_the_same_run_gives_the_same_page(pictures):
    again = Picture.of(layers_figure({"stem": (32, 16), "head": (10, 10)}, "channels"), "widths")
    assert again == pictures[1]


def test_what_comes_from_outside_is_escaped():
    bad = "<script>alert(1)</script>"
    page = read(
        Page(bad, bad, [Section(bad, [bad], [("", bad), (bad, "1")], [Picture.of(Figure(), bad)], listing=bad)])
    )
    assert "script" not in page.tags


def test_a_page_is_written_whole(tmp_path):
    Page("title", "", [Section("a", ["text"])]).save(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_the_surest_disagreements_come_first_and_show_their_image():
    images = np.arange(4, dtype=np.uint8).repeat(12).reshape(4, 2, 2, 3)
    before = np.array([[5.0, 0, 0], [1, 0, 0], [9, 0, 0], [9, 0, 0]])
    after = np.array([[0.0, 5, 0], [0, 1, 0], [9, 0, 0], [0, 0, 8]])
    found = disagreements(images, np.array([1, 0, 0, 1]), "abc", {"before": before, "after": after}, count=2)
    decoded = [np.asarray(Image.open(io.BytesIO(base64.b64decode(one.source.split(",")[1])))) for one in found]
    assert [array[0, 0, 0] for array in decoded] == [3, 0]
    assert [(one.says, one.right) for one in found[0].opinions] == [("a", False), ("c", False)]
    assert [(one.says, one.right) for one in found[1].opinions] == [("a", False), ("b", True)]
    assert found[1].opinions[1].sure == pytest.approx(np.exp(5) / (np.exp(5) + 2))


def test_networks_that_agree_leave_no_images():
    logits = np.eye(3)
    assert disagreements(np.zeros((3, 2, 2, 1), np.uint8), np.arange(3), "abc", {"a": logits, "b": 2 * logits}) == []
