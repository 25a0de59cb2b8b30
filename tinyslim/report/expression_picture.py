"""An expression as its graph: each number with the operation that made it, and the gradient that came back to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from tinyslim.autograd import Tensor
from tinyslim.autograd.backward_pass import Gradients
from tinyslim.kernels import written

from .figures import BLUE, GREY, VERMILLION
from .pictures import empty_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Inches from one column to the next, and from one row to the next.
COLUMN, ROW = 2.3, 1.25
#: Of boxes that no gradient reaches: grey, but dark enough for small letters.
CONSTANT = "#666666"

#: (from, to, the share of the gradient that flows back along this use, which of the uses it is)
Edge = tuple[Tensor, Tensor, "np.ndarray | None", int]


def expression_figure(result: Tensor, names: Mapping[str, Tensor] | None = None) -> Figure:
    """Draw how `result` was computed, from left to right, and how its gradient flows back.

    A box holds a tensor: its name, the operation that made it, its value, and d(result)/d(itself). An arrow is one use
    of a tensor; the number on it is the share of the gradient that comes back through this use.

    Parameters
    ----------
    result : Tensor
        One number, whose tape has not been used by `backward` yet; it can be used afterwards.
    names : mapping, optional
        What tensors are called.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> a = Tensor(1.0, requires_grad=True)
    >>> figure = expression_figure(a * a, {"a": a})
    """
    gradients, edges = _flow(result)
    places = _places(result)
    called = {id(tensor): name for name, tensor in (names or {}).items()}
    columns, rows = (1 + max(place[axis] for place in places.values()) for axis in (0, 1))
    figure = empty_figure(COLUMN * columns, ROW * rows + 0.3)
    axes = figure.subplots()
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    axes.set_axis_off()
    for edge in edges:
        _draw_edge(axes, edge, places, [other for other in edges if other[:2] == edge[:2]])
    for tensor, place in places.items():
        _draw_box(axes, place, tensor, called.get(id(tensor)), gradients.get(tensor))
    return figure


def describe_expression(result: Tensor, names: Mapping[str, Tensor] | None = None) -> str:
    """The same in words, as the alt text of the picture.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> a = Tensor(3.0, requires_grad=True)
    >>> describe_expression(a * a, {"a": a})
    'A graph of 2 boxes. a: value 3, gradient 6. multiply of a, a: value 9, gradient 1.'
    """
    gradients, _ = _flow(result)
    called = {id(tensor): name for name, tensor in (names or {}).items()}
    words = []
    for tensor in sorted(_places(result), key=lambda tensor: tensor.born):
        known = called.get(id(tensor))
        made = (
            ""
            if tensor.op == "leaf"
            else f"{tensor.op} of {', '.join(_name(t, called) for t in tensor.inputs if t is not None)}"
        )
        slope = f", gradient {_number(gradients[tensor])}" if tensor in gradients else ""
        title = f"{known} = {made}" if known and made else known or made or "a number"
        words.append(f"{title}: value {_number(tensor.data)}{slope}.")
    return f"A graph of {len(words)} boxes. {' '.join(words)}"


def _name(tensor: Tensor, called: Mapping[int, str]) -> str:
    return called.get(id(tensor)) or (_number(tensor.data) if tensor.op == "leaf" else tensor.op)


def _flow(result: Tensor) -> tuple[dict[Tensor, np.ndarray], list[Edge]]:
    """Every tensor's gradient and every use's share: the backward pass, but nothing is thrown away."""
    if result.size != 1:
        raise ValueError(f"`result` must hold one number, but its shape is {result.shape}")
    if result.op != "leaf" and result.pull_back is None:
        raise ValueError("`result` has no tape: was backward() called already, or was it computed under no_grad?")
    waiting, gradients, edges = Gradients(), {}, []
    waiting.add(result, np.ones_like(result.data))
    while waiting:
        tensor, grad = waiting.pop_youngest()
        gradients[tensor] = written(grad)
        wanted = tuple(parent is not None and parent.requires_grad for parent in tensor.inputs)
        parts = tensor.pull_back(grad, wanted) if tensor.pull_back else ()
        for use, (parent, part) in enumerate(zip(tensor.inputs, parts, strict=True)):
            if parent is not None:
                edges.append((parent, tensor, part, use))
            if wanted[use]:
                waiting.add(parent, part)
    return gradients, edges


def _places(result: Tensor) -> dict[Tensor, tuple[int, float]]:
    """(column, row): a tensor stands right of all its inputs, near their mean height."""
    everyone, waiting = {result}, [result]
    while waiting:
        for parent in waiting.pop().inputs:
            if parent is not None and parent not in everyone:
                everyone.add(parent)
                waiting.append(parent)
    columns: dict[int, list[Tensor]] = {}
    depth: dict[Tensor, int] = {}
    for tensor in sorted(everyone, key=lambda tensor: tensor.born):
        depth[tensor] = 1 + max((depth[parent] for parent in tensor.inputs if parent is not None), default=-1)
    # A leaf stands right before its first use, or a constant's arrow would cross the whole picture.
    for tensor in everyone:
        if tensor.op == "leaf":
            depth[tensor] = min((depth[user] for user in everyone if tensor in user.inputs), default=1) - 1
    for tensor in sorted(everyone, key=lambda tensor: tensor.born):
        columns.setdefault(depth[tensor], []).append(tensor)
    return _rows(columns)


def _rows(columns: dict[int, list[Tensor]]) -> dict[Tensor, tuple[int, float]]:
    rows = max(len(column) for column in columns.values())
    places: dict[Tensor, tuple[int, float]] = {}
    for number, column in sorted(columns.items()):
        heights = {
            tensor: np.mean([places[parent][1] for parent in tensor.inputs if parent in places] or [index])
            for index, tensor in enumerate(column)
        }
        first = (rows - len(column)) / 2
        for index, tensor in enumerate(sorted(column, key=heights.get)):
            places[tensor] = (number, first + index)
    return places


def _draw_box(axes, place, tensor: Tensor, name: str | None, grad) -> None:
    title = " = ".join(part for part in (name, "" if tensor.op == "leaf" else tensor.op) if part) or "constant"
    colour = BLUE if tensor.op == "leaf" and tensor.requires_grad else "#000000" if tensor.requires_grad else CONSTANT
    lines = [title, f"value {_number(tensor.data)}", *([] if grad is None else [f"gradient {_number(grad)}"])]
    axes.text(
        *place, "\n".join(lines), ha="center", va="center", fontsize=10, color=colour, linespacing=1.4,
        bbox={"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": colour, "linewidth": 1.4}, zorder=3,
    )  # fmt: skip


def _draw_edge(axes, edge: Edge, places, same: list[Edge]) -> None:
    """An arrow; two uses of one tensor by another bend away from each other."""
    start, end, part, use = edge
    bend = 0.0 if len(same) == 1 else 0.35 * (1 - 2 * [other[3] for other in same].index(use) / (len(same) - 1))
    arrow = {
        "arrowstyle": "-|>", "color": GREY, "linewidth": 1.3, "shrinkA": 42, "shrinkB": 44,
        "connectionstyle": f"arc3,rad={-bend}",
    }  # fmt: skip
    axes.annotate("", places[end], xytext=places[start], arrowprops=arrow, zorder=1)
    if part is not None:
        (x0, y0), (x1, y1) = places[start], places[end]
        middle = (x0 + x1) / 2, (y0 + y1) / 2 + bend * 0.92 * (x1 - x0) * COLUMN / ROW / 1.84
        axes.annotate(
            _number(written(part)), middle, ha="center", va="center", fontsize=9, color=VERMILLION, zorder=4,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"},
        )  # fmt: skip


def _number(array) -> str:
    """One number, a few of them, or a shape."""
    array = np.asarray(array)
    if array.size > 4:
        return f"of shape {array.shape}"
    if array.size == 1:
        return f"{array.item():.4g}".replace("-", "−")
    return np.array2string(array, precision=3, separator=", ").replace("-", "−").replace("\n", "")
