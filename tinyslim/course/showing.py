"""What lessons show: the engine's own source, and pictures with their alt text, on a terminal and in a notebook."""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path
from textwrap import dedent

from tinyslim.report import save_figure


def show(*functions) -> None:
    """Print the source of functions or classes as it stands in the engine today, docstrings cut to their first line.

    Examples
    --------
    >>> from tinyslim.autograd.operations import each
    >>> show(each)  # doctest: +ELLIPSIS
    # tinyslim/autograd/operations.py, from line ...
    def each(*rules: Callable) -> Callable:
        \"\"\"A `pull_back` made of one rule for each input, run only where the input's gradient is wanted.\"\"\"
    ...
    """
    for function in functions:
        # What Numba compiled keeps the Python it came from.
        function = inspect.unwrap(getattr(function, "py_func", function))
        lines, start = inspect.getsourcelines(function)
        text = f"# {_place(function)}, from line {start}\n{_shortened(dedent(''.join(lines)))}"
        if _in_notebook():
            from IPython.display import Markdown, display

            display(Markdown(f"```python\n{text}\n```"))
        else:
            print(text)


def _place(function) -> str:
    """The file as people find it in the repository."""
    module = sys.modules[function.__module__]
    name = Path(module.__file__).name
    folder = module.__name__ if name == "__init__.py" else module.__name__.rpartition(".")[0]
    return "/".join([*folder.split("."), name])


def _shortened(source: str) -> str:
    """`source` with each docstring cut to its first line."""
    lines = source.rstrip().split("\n")
    tree = ast.parse(source)
    kinds = ast.FunctionDef | ast.ClassDef
    docstrings = [
        node.body[0] for node in ast.walk(tree) if isinstance(node, kinds) and ast.get_docstring(node) is not None
    ]
    for string in sorted(docstrings, key=lambda found: -found.lineno):
        first = lines[string.lineno - 1]
        if string.end_lineno > string.lineno:
            lines[string.lineno - 1 : string.end_lineno] = [f'{first.rstrip()}"""']
    return "\n".join(lines)


def picture(figure, name: str, alt: str) -> None:
    """Write a figure to ``pictures/NAME.png`` and show it, where something can show it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        See `report.empty_figure`.
    name : str
    alt : str
        What there is to see, in a sentence or two, for whoever can't see it; it goes into the file as well.
    """
    if len(alt.split()) < 5:
        raise ValueError(f"`alt` (={alt!r}) must say in a sentence what there is to see")
    path = Path("pictures", f"{name}.png")
    save_figure(figure, path, alt)
    if _in_notebook():
        from IPython.display import Image, display

        display(Image(filename=str(path), alt=alt))
    else:
        print(f"[picture {path}: {alt}]")


def _in_notebook() -> bool:
    """Whether the code runs in a Jupyter kernel (or another IPython)."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None
