"""Module: parameters, buffers and other modules, found by looking at its attributes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyslim.autograd import Tensor, inside, scope

from .hearing import tell


class Call:
    """One call of a module, as the tape's scope holds it; two calls of one module are two.

    `neighbours` are the modules among what it was called with: it reads their arrays.
    """

    __slots__ = ("module", "neighbours")

    def __init__(self, module: Module, neighbours: tuple[Module, ...] = ()):
        self.module, self.neighbours = module, neighbours


class Module:
    """A function with parameters. A subclass sets attributes in `__init__` and computes in `forward`.

    A Tensor attribute is a parameter, a NumPy array a buffer (saved, not trained), a Module or a list of Modules
    a child.

    Attributes
    ----------
    training : bool
        Whether batch norm and dropout behave as in training; see `train` and `eval`.
    preprocessing : tuple or None
        (mean, std) of each channel, which images are normalised with before they come here.
    input_shape : tuple or None
        (h, w, c) of the last image that came, so that the module can be traced without an example.

    Examples
    --------
    >>> from tinyslim import nn
    >>> class Twice(nn.Module):
    ...     def __init__(self):
    ...         self.inner = nn.Linear(3, 3)
    ...     def forward(self, x):
    ...         return self.inner(self.inner(x))
    >>> [name for name, _ in Twice().named_parameters()]
    ['inner.weight', 'inner.bias']
    """

    training: bool = True
    preprocessing: tuple | None = None
    input_shape: tuple[int, ...] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Compute the result; every subclass has its own."""
        raise TypeError(f"{type(self).__name__} has no `forward`")

    def __call__(self, *inputs) -> Tensor:
        inputs = [x if isinstance(x, Tensor | Module) else Tensor(x) for x in inputs]
        if not scope() and inputs:
            self.input_shape = inputs[0].shape[1:]
        with inside(Call(self, tuple(x for x in inputs if isinstance(x, Module)))):
            return tell(self, self.forward(*inputs))

    def children(self) -> Iterator[tuple[str, Module]]:
        """The modules that are attributes, or stand in a list that is one, with their names."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value
            elif isinstance(value, list | tuple):
                for index, item in enumerate(value):
                    if isinstance(item, Module):
                        yield f"{name}.{index}", item

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all below it, each once, by dotted path; this one's path is ''."""
        seen: set[int] = set()

        def walk(module: Module, path: str) -> Iterator[tuple[str, Module]]:
            if id(module) in seen:
                return
            seen.add(id(module))
            yield path, module
            for name, child in module.children():
                yield from walk(child, f"{path}.{name}" if path else name)

        yield from walk(self, prefix)

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def get(self, path: str) -> Module:
        """The module at a dotted path."""
        for name, module in self.named_modules():
            if name == path:
                return module
        raise ValueError(f"no module lies at {path!r}; there are {', '.join(n for n, _ in self.named_modules() if n)}")

    def _named(self, kind: type) -> Iterator[tuple[str, Module, str]]:
        """Every attribute of `kind`, each object once: (dotted name, its owner, its name there)."""
        seen: set[int] = set()
        for path, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, kind) and id(value) not in seen:
                    seen.add(id(value))
                    yield (f"{path}.{name}" if path else name), module, name

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """All parameters, each once, by dotted name."""
        return ((path, getattr(owner, name)) for path, owner, name in self._named(Tensor))

    def parameters(self) -> list[Tensor]:
        """All parameters, each once."""
        return [tensor for _, tensor in self.named_parameters()]

    def named_buffers(self) -> Iterator[tuple[str, np.ndarray]]:
        """All arrays that are saved but not trained, by dotted name."""
        return ((path, getattr(owner, name)) for path, owner, name in self._named(np.ndarray))

    def train(self, mode: bool = True) -> Module:
        """Behave as in training, here and below; returns this module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Behave as in use, here and below; returns this module."""
        return self.train(False)

    def astype(self, dtype) -> Module:
        """Turn floating parameters and buffers into `dtype`, in place; returns this module."""
        for tensor in self.parameters():
            tensor.data = tensor.data.astype(dtype)
        for _, owner, name in list(self._named(np.ndarray)):
            array = getattr(owner, name)
            if array.dtype.kind == "f":
                setattr(owner, name, array.astype(dtype))
        return self

    def state_dict(self) -> dict[str, np.ndarray]:
        """All parameters and buffers by dotted name: the arrays themselves, not copies."""
        return {name: tensor.data for name, tensor in self.named_parameters()} | dict(self.named_buffers())

    def load_state_dict(self, state: dict[str, np.ndarray], strict: bool = True) -> None:
        """Copy arrays into parameters and buffers of the same names and shapes; nothing changes if one doesn't fit.

        Raises
        ------
        ValueError
            Names every array that is missing, unexpected (both only if `strict`) or of another shape.
        """
        own = self.state_dict()
        faults = [
            f"{name} has shape {np.shape(state[name])}, expected {own[name].shape}"
            for name in own.keys() & state.keys()
            if np.shape(state[name]) != own[name].shape
        ]
        if strict:
            faults += [f"{name} is missing" for name in own.keys() - state.keys()]
            faults += [f"{name} is unexpected" for name in state.keys() - own.keys()]
        if faults:
            raise ValueError(f"`state` does not fit {type(self).__name__}: " + "; ".join(sorted(faults)))
        for name in own.keys() & state.keys():
            own[name][...] = state[name]

    def describe(self) -> str:
        """What `print` tells of this module beside its class; layers tell their widths."""
        return ""

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__}({self.describe()})"]
        for name, child in self.children():
            first, *rest = repr(child).split("\n")
            lines += [f"  {name}: {first}", *(f"  {line}" for line in rest)]
        return "\n".join(lines)
