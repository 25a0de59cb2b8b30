"""``tinyslim predict``: what a Program sees in photographs."""

from __future__ import annotations

import argparse

_EXAMPLE = """\
example:
  tinyslim predict runs/prune_quant/program.npz shoe.png bag.jpg"""


def add_to(commands) -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = commands.add_parser(
        "predict",
        help="let a Program name what photographs show",
        description="Name the likeliest classes of photographs. They are cut and scaled to the Program's input size.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("program", metavar="PROGRAM", help="a program.npz")
    parser.add_argument("photos", metavar="PHOTO", nargs="+", help="image files")
    parser.add_argument("--top", type=int, default=3, help="how many classes to name (default: %(default)s)")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Print a line a photograph."""
    import numpy as np

    from tinyslim import deploy

    if arguments.top < 1:
        raise ValueError(f"`--top` (={arguments.top}) must be at least 1")
    program = deploy.load(arguments.program)
    images = np.stack([photo(path, program.input_shape) for path in arguments.photos])
    logits = program.run(images).astype(np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    names = program.classes or [f"class {index}" for index in range(logits.shape[1])]
    for path, row in zip(arguments.photos, shares, strict=True):
        best = np.argsort(-row, kind="stable")[: arguments.top]
        print(f"{path}: " + ", ".join(f"{names[index]} {row[index]:.1%}" for index in best))


def photo(path: str, shape: tuple[int, int, int]):
    """An image file as a Program of input `shape` takes it: uint8 (h, w, c), grey or RGB."""
    import numpy as np

    from tinyslim.data.folder import read_image

    height, width, channels = shape
    image = read_image(path, (height, width))
    if channels == 1 and image.shape[2] == 3:
        # Luma of ITU-R BT.601, as Pillow and JPEG weigh the colours.
        return np.rint(image @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)[..., None]
    return np.broadcast_to(image, shape) if image.shape[2] == 1 else image
