"""``tinyslim bench``: how fast the engine is on this machine, with its peers beside it."""

from __future__ import annotations

import argparse

_EXAMPLE = """\
example:
  tinyslim bench train --peers              PyTorch beside it, if it is installed: pip install 'tinyslim[bench]'"""


def add_to(commands) -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = commands.add_parser(
        "bench",
        help="time the engine, and PyTorch beside it",
        description="Time a training step of MobileNetV1, width 1.0, stem stride 1, on 64 images of 32×32×3.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", metavar="WHAT", choices=["train"], help="train")
    parser.add_argument("--peers", action="store_true", help="time PyTorch in the same process, by turns")
    parser.add_argument("--repeats", type=int, default=20, help="calls that count (default: %(default)s)")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Time and print."""
    from importlib.util import find_spec

    from tinyslim.bench import compare_training

    peers = arguments.peers and find_spec("torch") is not None
    if arguments.peers and not peers:
        print("PyTorch is not installed: it is left out")
    timings = compare_training(peers, arguments.repeats)
    ours = timings["tinyslim"].median
    for name, timing in timings.items():
        ratio = "" if name == "tinyslim" else f"   tinyslim takes {ours / timing.median:.2f} of it"
        print(f"{name:24} {timing}{ratio}")
