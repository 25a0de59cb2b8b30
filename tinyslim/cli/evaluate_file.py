"""``tinyslim evaluate``: how good a model or a Program is."""

from __future__ import annotations

import argparse

from .loading import DATA_HELP, data_sets, model_or_program

_EXAMPLE = """\
example:
  tinyslim evaluate runs/prune_quant/program.npz --data fashion_mnist_mini"""


def add_to(commands) -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = commands.add_parser(
        "evaluate",
        help="top-1 and top-5 of a model or a Program",
        description="Measure a model.npz, a program.npz or an .onnx on a test set.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="a model.npz, a program.npz or an .onnx")
    parser.add_argument("--data", default="fashion_mnist_mini", help=DATA_HELP)
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Print one line."""
    from tinyslim import train

    found = model_or_program(arguments.file)
    _, test_set = data_sets(arguments.data)
    reached = train.evaluate(found, test_set)
    print(
        f"{arguments.file}: top-1 {reached['top1']:.2%}, top-5 {reached['top5']:.2%}, "
        f"loss {reached['loss']:.4f} on {len(test_set):,} images"
    )
