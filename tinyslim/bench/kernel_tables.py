"""Kernels beside their peers: those that decide how fast a MobileNet is, or one of a user's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tinyslim import kernels

from .cases import Normal, depthwise_calls
from .comparison import OURS, Comparison, Row
from .kernel_peers import peer_functions, torch_forward_and_backward
from .machine import set_threads
from .peers import Peers, openblas_note
from .timing import by_turns, same_memory
from .trial import check_kernel
from .work import Work, convolution_operations, depthwise_convolutions, typical_work

TITLES = {
    "gemm": "float32 products of MobileNetV1's pointwise convolutions at 224",
    "depthwise_conv2d": "depthwise convolutions of MobileNetV1 at 224",
    "conv2d": "convolutions",
    "gemm_int8": "int8 products of MobileNetV1's pointwise convolutions at 224",
}


def compare_kernels(peers: Peers, repeats: int = 20) -> list[Comparison]:
    """Time the kernels that carry MobileNetV1.

    Parameters
    ----------
    peers : Peers
    repeats : int
        Calls that count.
    """
    memory = start(peers)
    comparisons = [_compare("gemm", peers, repeats, [*memory, *openblas_note()])]
    comparisons += [_compare("depthwise_conv2d", peers, repeats, memory), depthwise_training(peers, repeats, memory)]
    comparisons += [_compare("conv2d", peers, repeats, memory), _compare("gemm_int8", peers, repeats, memory)]
    return comparisons


def compare_kernel(name: str, peers: Peers, repeats: int = 20, own: Callable | None = None) -> Comparison:
    """Time one kernel on typical shapes; a function of a user's own is checked first and then timed beside it.

    Parameters
    ----------
    name : str
        A key of `kernels.table.KERNELS`.
    peers : Peers
    repeats : int
    own : callable, optional
        With the kernel's arguments.

    Raises
    ------
    KernelError
        When `own` is wrong.
    """
    if name not in kernels.table.KERNELS:
        raise ValueError(f"no kernel is named {name!r}; there are {', '.join(sorted(kernels.table.KERNELS))}")
    notes = start(peers)
    if own is None:
        return _compare(name, peers, repeats, notes)
    passed = check_kernel(name, own)
    title = getattr(own, "__name__", "the kernel")
    notes = [f"{title} agrees with kernels.reference.{name} on all {passed} test cases", *notes]
    return _compare(name, peers, repeats, notes, {title if title != OURS else "yours": own})


def start(peers: Peers) -> list[str]:
    """Bring all contenders to the same threads and memory handling; returns what to say about it."""
    set_threads(peers.threads)
    memory = (
        "freed memory is kept by all contenders alike (mallopt)" if same_memory() else "no glibc: memory as it comes"
    )
    return [f"{peers.threads} threads each, one process, by turns; {memory}", *peers.notes]


def _compare(name: str, peers: Peers, repeats: int, notes: list[str], own: dict | None = None) -> Comparison:
    rows = [_row(work, peers, repeats, own or {}) for work in typical_work(name)]
    unit = "GOP/s" if "int8" in name else "GFLOP/s"
    return Comparison(TITLES.get(name, name), rows, unit, notes)


def _row(work: Work, peers: Peers, repeats: int, own: dict[str, Callable]) -> Row:
    functions = {OURS: partial(getattr(kernels, work.kernel), *work.arguments)}
    functions |= {title: partial(function, *work.arguments) for title, function in own.items()}
    functions |= peer_functions(work.kernel, work.arguments, peers)
    return Row(work.label, by_turns(functions, repeats), work.operations)


def depthwise_training(peers: Peers, repeats: int, notes: list[str]) -> Comparison:
    """Depthwise convolutions, forward and both gradients."""
    rows = []
    for label, place in depthwise_convolutions():
        (_, forward), (_, to_input), (_, to_weight) = depthwise_calls(Normal("float32"), place)
        grad, weight = to_input[:2]

        def both(forward=forward, to_input=to_input, to_weight=to_weight):
            kernels.depthwise_conv2d(*forward)
            kernels.depthwise_conv2d_input_gradient(*to_input)
            kernels.depthwise_conv2d_weight_gradient(*to_weight)

        functions = {OURS: both}
        if peers.torch:
            functions |= torch_forward_and_backward(peers.torch, forward[0], weight, grad, place.stride, place.padding)
        rows.append(Row(label, by_turns(functions, repeats), 3 * convolution_operations(place, depthwise=True)))
    return Comparison("depthwise convolutions of MobileNetV1 at 224, forward + backward", rows, notes=notes)
