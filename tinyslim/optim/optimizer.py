"""What all optimizers share: parameters, a learning rate, buffers that are saved, and which parameters decay."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tinyslim.autograd import Tensor


class Optimizer:
    """Moves parameters by their gradients.

    Parameters
    ----------
    parameters
        The tensors to move.
    lr : float
        The learning rate; a schedule may set the attribute before each step.
    weight_decay : float
        Pulls weights towards 0. Batch norm's parameters and biases are spared: those of one axis or none.
    """

    #: The names of the arrays that each parameter carries along.
    buffer_names: tuple[str, ...] = ()

    def __init__(self, parameters: Iterable[Tensor], lr: float, weight_decay: float = 0.0):
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError("`parameters` is empty: there is nothing to train")
        for name, value in (("lr", lr), ("weight_decay", weight_decay)):
            if not (np.isfinite(value) and value >= 0):
                raise ValueError(f"`{name}` (={value!r}) must be a finite number of at least 0")
        self.lr, self.weight_decay = lr, weight_decay
        self.steps = 0
        self.buffers = [{name: np.zeros_like(p.data) for name in self.buffer_names} for p in self.parameters]

    def exchange(self, parameters: Iterable[Tensor]) -> None:
        """Move these tensors from now on: those that stay keep their buffers, those that are new begin at zero."""
        kept = {id(p): buffers for p, buffers in zip(self.parameters, self.buffers, strict=True)}
        self.parameters = list(parameters)
        self.buffers = [
            kept.get(id(p)) or {name: np.zeros_like(p.data) for name in self.buffer_names} for p in self.parameters
        ]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        self.steps += 1
        for parameter, buffers in zip(self.parameters, self.buffers, strict=True):
            if parameter.grad is not None:
                self.update(parameter, buffers)

    def update(self, parameter: Tensor, buffers: dict[str, np.ndarray]) -> None:
        """Move one parameter; every optimizer has its own."""
        raise TypeError(f"{type(self).__name__} has no `update`")

    def decay(self, parameter: Tensor) -> float:
        """The weight decay of this parameter."""
        return self.weight_decay if parameter.ndim > 1 else 0.0

    def state_dict(self) -> dict[str, np.ndarray]:
        """The buffers and the count of steps, by name: what training needs to go on as if it had not stopped."""
        arrays = {f"{name}.{i}": array for i, buffers in enumerate(self.buffers) for name, array in buffers.items()}
        return {"steps": np.array(self.steps), **arrays}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Copy what `state_dict` returned; the parameters must have the same shapes."""
        own = self.state_dict()
        for name, array in own.items():
            if name not in state or np.shape(state[name]) != array.shape:
                raise ValueError(f"`state` has no array {name!r} of shape {array.shape}: was it another model?")
        self.steps = int(state["steps"])
        for name in own.keys() - {"steps"}:
            own[name][...] = state[name]


def clip_gradients(parameters: Iterable[Tensor], max_norm: float) -> float:
    """Scale all gradients together so that their norm is at most `max_norm`; returns the norm before.

    Pascanu, Mikolov, Bengio 2013, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor, optim
    >>> x = Tensor([3.0, 4.0], requires_grad=True)
    >>> (x * x / 2).sum().backward()
    >>> float(optim.clip_gradients([x], max_norm=1.0)), x.grad
    (5.0, array([0.6, 0.8], dtype=float32))
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = float(np.sqrt(sum(float(np.vdot(grad, grad)) for grad in gradients)))
    if norm > max_norm:
        for grad in gradients:
            grad *= grad.dtype.type(max_norm / norm)
    return norm
