"""``tinyslim bench``: how fast the engine is on this machine, with its peers beside it."""

from __future__ import annotations

import argparse
import os
import sys

from tinyslim.naming import nearest

_EXAMPLE = """\
examples:
  tinyslim bench kernels --peers            GEMM, depthwise, convolution, int8 GEMM
  tinyslim bench models --peers             float32 and int8 MobileNetV1, images of 224×224
  tinyslim bench pruned                     MobileNetV1 without half of its FLOPs, beside the whole one
  tinyslim bench train --peers              a training step, and its peak memory
  tinyslim bench conv2d --kernel mine.py:my_conv --peers    your kernel: checked, then timed beside ours
  tinyslim bench ladder conv2d              from plain loops to the fastest kernel, rung by rung
  tinyslim bench asm gemm_int8              the instructions of the hot loop"""

_COMPARISONS, _STUDIES = ("kernels", "models", "pruned", "train"), ("ladder", "asm")


def add_to(commands) -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = commands.add_parser(
        "bench",
        help="time the engine, a kernel of your own, and the peers beside them",
        description="Time kernels, models or training. The peers are PyTorch and ONNX Runtime, as far as they are "
        "installed: pip install 'tinyslim[bench]'.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", metavar="WHAT", help="kernels, models, pruned, train, ladder, asm, or a kernel by name")
    parser.add_argument("name", metavar="NAME", nargs="?", help="which ladder, or whose instructions")
    parser.add_argument("--kernel", metavar="FILE.py:FUNCTION", help="a kernel of your own to check and time")
    parser.add_argument("--peers", action="store_true", help="time the peers in the same process, by turns")
    parser.add_argument("--repeats", type=int, default=20, help="calls that count (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="for all contenders alike (default: %(default)s)")
    parser.add_argument("--json", metavar="PATH", help="write all numbers to this file too")
    parser.add_argument("--png", metavar="PATH", help="where `ladder` draws its roofline (default: ladder-NAME.png)")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Time and print."""
    _check(arguments)
    if arguments.what in _STUDIES:
        _study(arguments)
        return
    # OpenBLAS reads it when NumPy is first imported.
    if "numpy" not in sys.modules:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", str(arguments.threads))
    from tinyslim.bench.peers import load_peers

    peers = load_peers(arguments.peers, arguments.threads)
    from tinyslim.bench.comparison import print_comparisons, write_json

    comparisons = _compare(arguments, peers)
    print_comparisons(comparisons, full=arguments.what != "kernels")
    if arguments.json:
        write_json(arguments.json, f"tinyslim bench {arguments.what}", comparisons)


def _check(arguments: argparse.Namespace) -> None:
    """Refuse now what would fail after minutes of measuring."""
    command = f"tinyslim bench {arguments.what}"
    if arguments.name and arguments.what not in _STUDIES:
        raise ValueError(f"`{command}` takes no name (={arguments.name!r})")
    if arguments.what in _STUDIES and not arguments.name:
        raise ValueError(f"`{command}` needs a name: {command} conv2d")
    if arguments.kernel and arguments.what in (*_STUDIES, *_COMPARISONS):
        raise ValueError(
            "`--kernel` needs the name of the kernel whose place it takes: tinyslim bench conv2d --kernel …"
        )
    for option in ("repeats", "threads"):
        if getattr(arguments, option) < 1:
            raise ValueError(f"`--{option}` (={getattr(arguments, option)}) must be at least 1")


def _compare(arguments: argparse.Namespace, peers) -> list:
    """What was timed."""
    from tinyslim import bench
    from tinyslim.kernels.table import KERNELS

    compare = {
        "kernels": bench.compare_kernels,
        "models": bench.compare_models,
        "pruned": bench.compare_pruned,
        "train": bench.compare_training,
    }
    name, repeats = arguments.what, arguments.repeats
    if name in compare:
        return compare[name](peers, repeats)
    if name not in KERNELS:
        known = [*_COMPARISONS, *_STUDIES, *sorted(KERNELS)]
        raise ValueError(f"nothing to time is called {name!r}{nearest(name, known)}")
    if arguments.kernel:
        return [bench.compare_own_kernel(name, bench.load_kernel(arguments.kernel), peers, repeats)]
    return [bench.compare_kernel(name, peers, repeats)]


def _study(arguments: argparse.Namespace) -> None:
    """The rungs of a ladder, or a kernel's instructions: what only machine code has."""
    from tinyslim.bench.comparison import wide_console
    from tinyslim.kernels import jit

    if not jit.COMPILED:
        raise ValueError(f"there is no machine code to look at: {jit.why_plain()}")
    if arguments.what == "asm":
        from tinyslim.bench.assembly_kernels import assembly

        assembly(arguments.name).print(wide_console())
        return
    from tinyslim.bench.ladder import climb
    from tinyslim.files import write_text_atomically

    climbed = climb(arguments.name, arguments.threads)
    climbed.print(wide_console())
    print(f"the roofline: {climbed.draw(arguments.png or f'ladder-{arguments.name}.png')}")
    if arguments.json:
        write_text_atomically(arguments.json, climbed.to_json())
