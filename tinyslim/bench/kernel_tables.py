"""Kernels beside their peers: those that decide how fast a MobileNet is, or one of a user's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain

from tinyslim import kernels

from .comparison import OURS, Comparison, Row
from .kernel_peers import peer_functions, torch_forward_and_backward
from .machine import set_threads
from .peers import Peers, openblas_notes
from .timing import by_turns, same_memory
from .trial import check_kernel, title_of
from .work import Work, small_work, typical_work

#: Seconds that a call of a user's own kernel may take, or it is not timed on that work.
PATIENCE = 1.0

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
    comparisons = [_compare("gemm", peers, repeats, [*memory, *openblas_notes(peers.threads)])]
    for name in ("depthwise_conv2d", "conv2d"):
        comparisons += [_compare(name, peers, repeats, memory), compare_with_gradients(name, peers, repeats, memory)]
    return [*comparisons, _compare("gemm_int8", peers, repeats, memory)]


def compare_kernel(name: str, peers: Peers, repeats: int = 20) -> Comparison:
    """Time one kernel, a key of `kernels.table.KERNELS`, on typical shapes."""
    return _compare(name, peers, repeats, start(peers))


def compare_own_kernel(name: str, own: Callable, peers: Peers, repeats: int = 20) -> Comparison:
    """Check a function of a user's own on all test cases, and time it beside the kernel whose place it takes.

    Parameters
    ----------
    name : str
        A key of `kernels.table.KERNELS`.
    own : callable
        With that kernel's arguments.
    peers : Peers
    repeats : int

    Raises
    ------
    KernelError
        When `own` is wrong. It is not timed then.
    """
    notes = start(peers)
    passed = check_kernel(name, own)
    title = title_of(own)
    told = [f"{title} agrees with kernels.reference.{name} on all {passed.cases} test cases"]
    rows = []
    for work in chain(small_work(name), typical_work(name)):
        if passed.seconds(work) > PATIENCE:
            told.append(f"{work.label} is left out: {title} would take about {passed.seconds(work):,.0f} s a call")
        else:
            rows.append(_row(work, peers, repeats, {title: own}))
    told.append(f"to run it under the whole engine: with kernels.use({name}=…): …")
    return Comparison(f"{title} beside {name}", rows, _unit(name), [*told, *notes])


def start(peers: Peers) -> list[str]:
    """Bring all contenders to the same threads and memory handling; returns what to say about it."""
    set_threads(peers.threads)
    memory = (
        "freed memory is kept by all contenders alike (mallopt)" if same_memory() else "no glibc: memory as it comes"
    )
    return [f"{peers.threads} threads each, one process, by turns; {memory}", *peers.notes]


def _compare(name: str, peers: Peers, repeats: int, notes: list[str]) -> Comparison:
    rows = [_row(work, peers, repeats) for work in typical_work(name)]
    return Comparison(TITLES.get(name, name), rows, _unit(name), notes)


def _unit(name: str) -> str:
    return "GOP/s" if "int8" in name else "GFLOP/s"


def _row(work: Work, peers: Peers, repeats: int, own: dict[str, Callable] | None = None) -> Row:
    functions = {OURS: partial(getattr(kernels, work.kernel), *work.arguments)}
    functions |= {title: partial(function, *work.arguments) for title, function in (own or {}).items()}
    functions |= peer_functions(work.kernel, work.arguments, peers)
    return Row(work.label, by_turns(functions, repeats), work.operations)


def compare_with_gradients(name: str, peers: Peers, repeats: int, notes: list[str]) -> Comparison:
    """A convolution, forward and both gradients; `name` is "conv2d" or "depthwise_conv2d"."""
    rows = []
    for works in zip(typical_work(name), typical_work(f"{name}_gradients"), strict=True):
        forward, backward = works
        calls = [partial(getattr(kernels, work.kernel), *work.arguments) for work in works]
        functions = {OURS: lambda calls=calls: [call() for call in calls]}
        if peers.torch:
            x, weight, _, *place = forward.arguments
            functions |= torch_forward_and_backward(peers.torch, x, weight, backward.arguments[1], *place)
        rows.append(Row(forward.label, by_turns(functions, repeats), sum(work.operations for work in works)))
    return Comparison(f"{TITLES[name]}, forward + backward", rows, notes=notes)
