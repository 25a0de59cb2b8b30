"""``tinyslim compress``: a trained model in, a small and fast Program out."""

from __future__ import annotations

import argparse

from .loading import DATA_HELP, data_sets, model_file, shipped_model
from .settings import add_set

_EXAMPLE = """\
examples:
  tinyslim compress                                       the shipped MobileNet: half of its FLOPs, then int8
  tinyslim compress quant --model runs/mine/model.npz --data cifar10
  tinyslim compress prune_quant --set strategies.prune.target_ratio=0.6 --set compressor.epochs=12"""


def add_to(commands) -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = commands.add_parser(
        "compress",
        help="prune, distil, quantise a model as a recipe says",
        description="Compress a trained model and measure it before and after. Ctrl-C stops; --resume goes on.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "recipe",
        nargs="?",
        default="prune_quant",
        metavar="RECIPE",
        help="a recipe (see `tinyslim recipes`) or a path to a TOML file (default: %(default)s)",
    )
    parser.add_argument("--model", metavar="FILE", help="a model.npz or an .onnx (default: the MobileNet that ships)")
    parser.add_argument(
        "--teacher", metavar="FILE", help="a model.npz or an .onnx to distil from, instead of the recipe's teacher"
    )
    parser.add_argument("--data", default="fashion_mnist_mini", help=DATA_HELP)
    add_set(parser, "change a value of the recipe: strategies.prune.target_ratio=0.6")
    parser.add_argument("--seed", type=int, help="the same as --set compressor.seed=…")
    parser.add_argument("--out", help="a folder for what is made (default: runs/RECIPE)")
    parser.add_argument("--resume", action="store_true", help="go on with the run that was stopped")
    parser.add_argument(
        "--strategies",
        metavar="FILE",
        help="a Python file that registers strategies of your own; or let the TOML name it, as compressor.plugins",
    )
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Check the recipe, then compress."""
    from tinyslim import compress

    if arguments.strategies:
        compress.load_plugin(arguments.strategies)
    overrides = list(arguments.settings)
    if arguments.seed is not None:
        overrides.append(("compressor.seed", arguments.seed))
    config = compress.read_config(arguments.recipe, overrides)
    model = model_file(arguments.model) if arguments.model else shipped_model()
    teacher = model_file(arguments.teacher) if arguments.teacher else None
    train_set, test_set = data_sets(arguments.data)
    compress.Compressor(
        model, train_set, test_set, config, out=arguments.out, teacher=teacher, resume=arguments.resume
    ).run()
