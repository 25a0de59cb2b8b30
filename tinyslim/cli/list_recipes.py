"""``tinyslim recipes``: what `tinyslim compress` can be asked for."""

from __future__ import annotations

import argparse

_EXAMPLE = """\
examples:
  tinyslim recipes
  tinyslim recipes quant > mine.toml        a copy to change; then: tinyslim compress mine.toml
  tinyslim recipes --record runs/*          for whoever ships recipes: what they achieved, from finished runs"""


def add_to(commands) -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = commands.add_parser(
        "recipes",
        help="list the recipes and what each achieved, or print one",
        description="List the recipes that ship, or print one of them.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", metavar="RECIPE", nargs="?", help="print the TOML file of this recipe")
    parser.add_argument(
        "--record",
        metavar="RUN",
        nargs="+",
        help="folders of finished runs of recipes, one for each seed: their means are what the list shows from now on",
    )
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Print."""
    from tinyslim.compress import achieved, recipes, record
    from tinyslim.naming import nearest

    names = recipes.names()
    if arguments.record:
        print(f"recorded: {', '.join(record(arguments.record))}")
    elif arguments.recipe is None:
        width = max(map(len, names))
        for name in names:
            print(f"{name:<{width}}  {recipes.purpose(name)}\n{'':<{width}}  {achieved(name)}")
    elif arguments.recipe in names:
        print(recipes.path(arguments.recipe).read_text(encoding="utf-8"), end="")
    else:
        raise ValueError(f"no recipe is called {arguments.recipe!r}{nearest(arguments.recipe, names)}")
