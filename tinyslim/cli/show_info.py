"""``tinyslim info``: which path the kernels take on this machine, and the versions of all that matters."""

from __future__ import annotations

import argparse

_EXAMPLE = """\
examples:
  tinyslim info
  tinyslim info --json > machine.json       for a bug report"""


def add_to(commands) -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = commands.add_parser(
        "info",
        help="this machine's path, threads and versions",
        description="Print which instructions the kernels use here, on which threads, and all versions.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Print a line for each fact, or JSON."""
    import json

    from tinyslim.bench.machine import machine_facts

    facts = machine_facts()
    if arguments.json:
        print(json.dumps(facts, indent=1, ensure_ascii=False))
        return
    for name, value in _lines(facts):
        print(f"{name:<16} {value}")


def _lines(facts: dict) -> list[tuple[str, str]]:
    """What to print: a name and a value a line."""
    path = facts["path"] + (f": {facts['why_plain']}" if facts["why_plain"] else "")
    vnni = ", ".join(name for name in facts["features"] if "vnni" in name or name == "dotprod")
    lines = [("tinyslim", facts["tinyslim"]), ("path", path), ("processor", f"{facts['cpu']}, {facts['cores']} cores")]
    lines += [("features", ", ".join(facts["features"]) or "unknown"), ("VNNI", vnni or "no")]
    lines += [("threads", facts["threads"]), ("threading layer", facts["threading_layer"] or "none")]
    lines += [("compile cache", facts["cache"] or "none")]
    versions = ("python", "numpy", "numba", "llvmlite", "llvm")
    lines += [(name, facts[name] or "not installed") for name in versions]
    return lines + [(name, found or "not installed") for name, found in facts["peers"].items()]
