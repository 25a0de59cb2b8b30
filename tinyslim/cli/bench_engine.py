"""``tinyslim bench``: how fast the engine is on this machine, with its peers beside it."""

from __future__ import annotations

import argparse
import os
import sys

from .settings import nearest

_EXAMPLE = """\
examples:
  tinyslim bench kernels --peers            GEMM, depthwise, convolution, int8 GEMM
  tinyslim bench models --peers             float32 and int8 MobileNetV1, images of 224×224
  tinyslim bench train --peers              a training step, and its peak memory
  tinyslim bench conv2d --kernel mine.py:my_conv --peers    your kernel: checked, then timed beside ours
  tinyslim bench ladder conv2d              from plain loops to the fastest kernel, rung by rung
  tinyslim bench asm gemm_int8              the instructions of the hot loop"""

_COMPARISONS = ("kernels", "models", "train")


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
    parser.add_argument("what", metavar="WHAT", help="kernels, models, train, ladder, asm, or a kernel by name")
    parser.add_argument("name", metavar="NAME", nargs="?", help="which ladder, or whose instructions")
    parser.add_argument("--kernel", metavar="FILE.py:FUNCTION", help="a kernel of your own to check and time")
    parser.add_argument("--peers", action="store_true", help="time the peers in the same process, by turns")
    parser.add_argument("--repeats", type=int, default=20, help="calls that count (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="for all contenders alike (default: %(default)s)")
    parser.add_argument("--json", metavar="PATH", help="write all numbers to this file too")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Time and print."""
    if arguments.what in ("ladder", "asm"):
        _ladder(arguments)
        return
    if arguments.name:
        raise ValueError(f"`tinyslim bench {arguments.what}` takes no name (={arguments.name!r})")
    if arguments.kernel and arguments.what in _COMPARISONS:
        raise ValueError(
            "`--kernel` needs the name of the kernel whose place it takes: tinyslim bench conv2d --kernel …"
        )
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


def _compare(arguments: argparse.Namespace, peers) -> list:
    from tinyslim import bench
    from tinyslim.kernels.table import KERNELS

    known = [*_COMPARISONS, "ladder", "asm", *sorted(KERNELS)]
    if arguments.what == "kernels":
        return bench.compare_kernels(peers, arguments.repeats)
    if arguments.what == "models":
        return bench.compare_models(peers, arguments.repeats)
    if arguments.what == "train":
        return bench.compare_training(peers, arguments.repeats)
    if arguments.what not in KERNELS:
        raise ValueError(f"nothing to time is called {arguments.what!r}{nearest(arguments.what, known)}")
    if arguments.kernel:
        own = bench.load_kernel(arguments.kernel)
        return [bench.compare_own_kernel(arguments.what, own, peers, arguments.repeats)]
    return [bench.compare_kernel(arguments.what, peers, arguments.repeats)]


def _ladder(arguments: argparse.Namespace) -> None:
    """The rungs of a ladder, or a kernel's instructions."""
    if not arguments.name:
        raise ValueError(f"`tinyslim bench {arguments.what}` needs a name: tinyslim bench {arguments.what} conv2d")
    from tinyslim import bench

    (bench.climb if arguments.what == "ladder" else bench.assembly)(arguments.name)
