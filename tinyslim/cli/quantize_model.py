"""``tinyslim quantize``: from a trained network to an int8 Program without training."""

from __future__ import annotations

import argparse

from .loading import DATA_HELP, data_sets, shipped_model

_EXAMPLE = """\
examples:
  tinyslim quantize                                            the shipped MobileNet, some seconds
  tinyslim quantize runs/mine/model.npz --data cifar10 --method mse --out int8.npz
  tinyslim quantize model.npz --weight-quantize-type abs_max --equalize --bias-correction
  tinyslim quantize model.npz --table bits.toml                other bits for some layers, or float32"""

#: Images that go through the network together.
TOGETHER = 64


def add_to(commands) -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = commands.add_parser(
        "quantize",
        help="an int8 Program from a trained model, without training",
        description="Find the ranges of all activations on some training images, freeze, and compare with float32.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="FILE", nargs="?", help="a model.npz (default: the model that ships)")
    parser.add_argument("--data", default="fashion_mnist_mini", help=DATA_HELP)
    parser.add_argument("--images", type=int, default=512, help="of the training set (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the images (default: %(default)s)")
    parser.add_argument(
        "--method", default="abs_max", help="abs_max, percentile, mse or kl: what to cut off (default: %(default)s)"
    )
    parser.add_argument(
        "--percentile", type=float, default=99.99, help="for the method of that name (default: %(default)s)"
    )
    parser.add_argument(
        "--weight-quantize-type", default="channel_wise_abs_max", metavar="TYPE",
        help="channel_wise_abs_max or abs_max (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--weight-bits", type=int, default=8, help="2 to 8 (default: %(default)s)")
    parser.add_argument("--activation-bits", type=int, default=8, help="2 to 8 (default: %(default)s)")
    parser.add_argument("--table", metavar="TOML", help="other bits for some layers, or float = true")
    parser.add_argument("--equalize", action="store_true", help="equalise weights across layers before")
    parser.add_argument("--bias-correction", action="store_true", help="take off what rounding adds to the means")
    parser.add_argument("--out", default="program.npz", help="the Program's file (default: %(default)s)")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Calibrate, freeze, save, measure; print one line a Program."""
    import tinyslim
    from tinyslim import quant, train

    train_set, test_set = data_sets(arguments.data)
    if not 1 <= arguments.images <= len(train_set):
        raise ValueError(f"`--images` (={arguments.images}) must be from 1 to {len(train_set):,}, the training set's")
    model = train.load(arguments.model) if arguments.model else shipped_model()
    chosen = train_set.subset(arguments.images, arguments.seed)
    model.preprocessing = model.preprocessing or (train_set.mean, train_set.std)
    batches = [
        chosen.normalized(slice(start, start + TOGETHER), model.preprocessing)
        for start in range(0, len(chosen), TOGETHER)
    ]
    example = batches[0][:1]
    calibrated = quant.calibrate(
        quant.equalize(model, example) if arguments.equalize else model,
        batches,
        arguments.method,
        arguments.weight_quantize_type,
        arguments.weight_bits,
        arguments.activation_bits,
        arguments.percentile,
        arguments.bias_correction,
        arguments.table,
    )
    before, after = (tinyslim.freeze(net, example, train_set.classes) for net in (model, calibrated))
    after.save(arguments.out)
    for name, program in (("float32", before), (arguments.out, after)):
        reached = train.evaluate(program, test_set)
        print(f"{name}: {program.kind}, {program.nbytes:,} bytes, top-1 {reached['top1']:.2%}")
