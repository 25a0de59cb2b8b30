"""Where results arise in a network, by the paths that people know them by.

A result has the path of the module that returned it, a layer or a whole block: ``blocks.5.pointwise``. A running graph
calls layers and functions only; there a block's path leads to the node whose result the block returned.
"""

from __future__ import annotations

from collections.abc import Iterator

from tinyslim.nn import Layer, Module

from .node import Graph


def numbered(path: str, call: int) -> str:
    """What the result of a further call of one module is called: ``path:1`` is the second."""
    return path if call == 0 else f"{path}:{call}"


def tappable(model: Module) -> dict[str, object]:
    """All paths in `model` whose results can be had, each with the Module or the Node that returns them.

    Examples
    --------
    >>> from tinyslim import graph, models
    >>> [path for path in graph.tappable(models.resnet20()) if path.startswith("blocks.4")]
    ['blocks.4', 'blocks.4.conv1', 'blocks.4.norm1', 'blocks.4.conv2', 'blocks.4.norm2']
    """
    return {path: place for place, path, _ in _places(model)}


def outer_paths(model: Module) -> dict[object, list[str]]:
    """The paths of blocks, by the Module, or the Node of a running graph, that returns their results."""
    found: dict[object, list[str]] = {}
    for place, path, is_block in _places(model):
        if is_block:
            found.setdefault(place, []).append(path)
    return found


def _places(model: Module) -> Iterator[tuple[object, str, bool]]:
    """Each place with its path, and whether that is the path of a block."""
    folders: tuple[str, ...] = ()
    for path, module in model.named_modules():
        # Below a running graph the modules between it and its layers are folders that nobody calls.
        if folders and path.startswith(folders):
            continue
        if path:
            yield module, path, not isinstance(module, Layer)
        graph = getattr(module, "graph", None)
        if isinstance(graph, Graph):
            prefix = f"{path}." if path else ""
            folders += (prefix,)
            for node in graph.nodes[1:]:
                yield node, prefix + node.name, False
                yield from ((node, prefix + block, True) for block in node.returned_by)
