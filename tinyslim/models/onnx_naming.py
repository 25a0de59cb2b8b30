"""Names of layers that come from a file: the paths that they had where they were made, as far as the file tells."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .onnx_reading import OnnxNode


def layer_wish(node: OnnxNode) -> str:
    """The path that a layer had, from the scopes in its node's name, from its weight's name, or from its node's name.

    Examples
    --------
    >>> from tinyslim.models.onnx_reading import OnnxNode
    >>> layer_wish(OnnxNode("Conv", "/blocks/blocks.0/conv1/Conv", (), (), {}))
    'blocks.0.conv1'
    >>> layer_wish(OnnxNode("Conv", "Conv_7", ("x", "stem.0.weight"), (), {}))
    'stem.0'
    """
    *scopes, _ = node.name.strip("/").split("/")
    parts: list[str] = []
    for scope in filter(None, scopes):
        # PyTorch names a container's item by both: blocks/blocks.0.
        if parts and scope.startswith(f"{parts[-1]}."):
            parts[-1] = scope
        else:
            parts.append(scope)
    if parts:
        return ".".join(parts)
    weight = node.inputs[1] if len(node.inputs) > 1 else ""
    return weight.removesuffix(".weight") if weight.endswith(".weight") else node.name


class Paths:
    """Gives each layer a path of its own, which Python and a Module can bear.

    Parameters
    ----------
    reserved : set of str
        Names that mean something else in a Module.

    Examples
    --------
    >>> paths = Paths({"train"})
    >>> paths.free("a.train"), paths.free("a"), paths.free("a.train"), paths.free("a.train.b"), paths.free("1: x")
    ('a.train_', 'a_1', 'a_train_', 'a_train__b', '1__x')
    """

    def __init__(self, reserved: set[str]):
        self.reserved = reserved
        self.taken: set[str] = set()
        self.folders: set[str] = set()

    def free(self, wish: str) -> str:
        """`wish`, changed as little as is needed."""
        path = ".".join(self._part(part) for part in wish.split("."))
        flat, count = path.replace(".", "_"), 0
        while self._is_taken(path):
            path, count = f"{flat}_{count}" if count else flat, count + 1
        self.taken.add(path)
        self.folders.update(_above(path))
        return path

    def _part(self, part: str) -> str:
        clean = re.sub(r"\W", "_", part, flags=re.ASCII) or "_"
        return f"{clean}_" if clean in self.reserved else clean

    def _is_taken(self, path: str) -> bool:
        """Whether something lies at `path`, below it, or where a folder on the way to it would."""
        return path in self.taken or path in self.folders or any(above in self.taken for above in _above(path))


def _above(path: str) -> Iterator[str]:
    parts = path.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts)))
