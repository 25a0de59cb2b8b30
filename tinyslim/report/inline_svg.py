"""Figures as SVG that takes the colours of the page around it."""

from __future__ import annotations

import hashlib
import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What matplotlib draws in black follows the page.
INK = "#000000"


def inline_svg(figure: Figure) -> str:
    """A figure as an ``<svg>`` element: black is the page's ink, the paper is left out, letters are outlines.

    The same figure gives the same text. Names of its parts bear its digest, so that several can stand in one page.
    """
    from matplotlib import rc_context

    figure.patch.set_alpha(0)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
    file = io.StringIO()
    with rc_context({"svg.hashsalt": "tinyslim", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Letters say nothing of their colour: SVG's own black is meant.
    text = text.replace("<svg ", '<svg fill="currentColor" ', 1)
    return _own_names(text).replace(INK, "currentColor").strip()


def _own_names(text: str) -> str:
    """Give every id of the drawing a prefix: in one page, two figures must not share a clip path or a glyph."""
    prefix = hashlib.sha256(text.encode()).hexdigest()[:8]
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = text.replace('href="#', f'href="#{prefix}-')
    return text.replace("url(#", f"url(#{prefix}-")
