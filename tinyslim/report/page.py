"""A report: one file that needs no other, no network and no script, and can be read on a phone, in light and in dark.

It is put together from sections, each with a heading and any of paragraphs, a table, pictures, images with answers, and
a listing. What goes into them is for whoever has something to tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tinyslim.files import write_text_atomically

from .answers import Answer
from .inline_svg import inline_svg


@dataclass(frozen=True)
class Picture:
    """A drawing inside the page: the text under it is also what a screen reader says.

    Attributes
    ----------
    svg : str
    text : str
    """

    svg: str
    text: str

    @classmethod
    def of(cls, figure, text: str) -> Picture:
        """That of a matplotlib figure, whose black becomes the page's own ink."""
        return cls(inline_svg(figure), text)


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes
    ----------
    heading : str
    paragraphs : sequence of str
    table : sequence of rows
        Each a sequence of str; the first holds the headings.
    figures : sequence of Picture
    answers : sequence of Answer
    listing : str
        Shown as it is, line by line.
    """

    heading: str
    paragraphs: Sequence[str] = ()
    table: Sequence[Sequence[str]] = ()
    figures: Sequence[Picture] = ()
    answers: Sequence[Answer] = ()
    listing: str = ""


@dataclass(frozen=True)
class Page:
    """A report.

    Examples
    --------
    >>> from tinyslim.report import Page, Section
    >>> page = Page("A run", "it ended well", [Section("Numbers", table=[("", "top-1"), ("before", "92.6 %")])])
    >>> "<td>92.6 %</td>" in page.html()
    True
    """

    title: str
    subtitle: str
    sections: Sequence[Section]

    def html(self) -> str:
        """The page as text; whatever comes from outside is escaped."""
        return _template().render(page=self)

    def save(self, path) -> None:
        """Write the page, whole or not at all."""
        write_text_atomically(path, self.html())


@cache
def _template():
    # Only who writes a report waits for jinja2.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template("page.html.jinja")
