"""``tinyslim summary``: layers, parameters and FLOPs of a model, or the ops of a Program."""

from __future__ import annotations

import argparse

from .loading import FILES, model_or_program
from .settings import add_set

_EXAMPLE = """\
examples:
  tinyslim summary mobilenet_v1 --set width=0.5
  tinyslim summary runs/prune_quant/program.npz
  tinyslim summary elsewhere.onnx"""


def add_to(commands) -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = commands.add_parser(
        "summary",
        help="layers, parameters, FLOPs",
        description="Print the layers of a model, or the ops of a Program, with what each costs.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model", metavar="FILE|MODEL", help="a model.npz, a program.npz, an .onnx, or a network by name"
    )
    add_set(parser, "a setting of a network by name: width=0.5")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Print a table."""
    import numpy as np

    from tinyslim import deploy, graph
    from tinyslim.models.naming import network

    if arguments.model.endswith(FILES):
        if arguments.settings:
            raise ValueError("`--set` is for networks by name; a file holds its own settings")
        found = model_or_program(arguments.model)
    else:
        found = network(arguments.model, dict(arguments.settings))
    if isinstance(found, deploy.Program):
        print(found.summary())
        return
    counts = graph.summary(found, np.zeros((1, *found.input_shape), np.float32))
    print(f"{counts}\n{counts.flops:,} FLOPs an image")
