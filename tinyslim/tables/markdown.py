"""A summary as a page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from .summary import Estimate, Line, Summary

_MINUS = str.maketrans("-", "−")


def page(summary: Summary, picture: str) -> str:
    """The table, what its rows are, what is missing, and on what it was measured.

    Parameters
    ----------
    summary : Summary
    picture : str
        The name of the figure's file beside the page.
    """
    seeds = sorted({seed for line in summary.lines for seed in line.seeds} | set().union(*summary.missing.values()))
    parts = [
        f"# {summary.table} on {summary.data}",
        f"Made from the JSON files in `{summary.data}/{summary.table}/` by `tinyslim reproduce --data {summary.data} "
        f"--table {summary.table} --seeds {max(seeds, default=0) + 1} --report`. "
        "Mean ± standard deviation over the seeds; differences are taken seed by seed. Top-1 is that of the Program "
        "itself, in %, differences in points. The time is that of one image alone; the factor, against the baseline "
        "measured right before it, is surer than the milliseconds.",
        _grid(summary.lines) if summary.lines else "There is no record yet.",
    ]
    if summary.missing:
        told = (f"`{name}` (seed {', '.join(map(str, absent))})" for name, absent in summary.missing.items())
        parts.append(f"**Missing:** {', '.join(told)}.")
    if summary.lines:
        parts += [
            f"![bytes against top-1]({picture})",
            "\n".join(f"- `{line.name}`: {line.description}" for line in summary.lines),
            f"Measured on {'; '.join(summary.cpus)}. Versions: {'; '.join(summary.versions)}.",
        ]
    return "\n\n".join(parts) + "\n"


def _grid(lines: Sequence[Line]) -> str:
    head = (
        "row", "seeds", "Program", "epochs", "bytes", "FLOPs", "top-1 after the cut", "top-1",
        "to the baseline", "to the control", "ms an image", "training, s",
    )  # fmt: skip
    rules = ["---" if name in ("row", "Program") else "---:" for name in head]
    whole = lines[0]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rules, *(_cells(line, whole) for line in lines)))


def _cells(line: Line, whole: Line) -> tuple[str, ...]:
    return (
        f"`{line.name}`",
        str(len(line.seeds)),
        line.kind,
        str(line.epochs),
        _relative(line.bytes, whole.bytes),
        _relative(line.flops, whole.flops),
        percent(line.after_cut),
        percent(line.top1),
        percent(line.to_baseline, "+"),
        percent(line.to_control, "+"),
        f"{line.latency_ms.mean:.3f} ({line.latency_ratio.mean:.2f} ×)",
        f"{line.seconds.mean:,.0f}",
    )


def percent(estimate: Estimate | None, sign: str = "") -> str:
    """An estimate of a share, in %; a dash where there is none.

    >>> percent(Estimate(0.92604, 0.0012)), percent(Estimate(-0.005, None), "+"), percent(None)
    ('92.60 ± 0.12', '−0.50', '–')
    """
    if estimate is None:
        return "–"
    spread = "" if estimate.deviation is None else f" ± {100 * estimate.deviation:.2f}"
    return f"{100 * estimate.mean:{sign}.2f}{spread}".translate(_MINUS)


def _relative(value: Estimate, whole: Estimate) -> str:
    """A count, and by how much it is below that of the baseline."""
    change = value.mean / whole.mean - 1
    return f"{value.mean:,.0f}" + (f" ({change:+.1%})".translate(_MINUS) if change else "")
