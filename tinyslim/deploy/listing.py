"""A Program as a table to read."""

from __future__ import annotations

COLUMNS = ("", "op", "name", "inputs", "output", "attributes", "bytes")


def listing(program) -> str:
    """One line an op: what it reads, what it gives, how it scales, and how many bytes of arrays it keeps."""
    rows = [COLUMNS]
    for position, op in enumerate(program.ops):
        defaults = program.op_kind(op).attributes
        notes = [f"{name}={brief(value)}" for name, value in op.attributes.items() if value != defaults[name]]
        notes += [f"{name} {span(array)}" for name, array in op.arrays.items() if name in ("multiplier", "scale")]
        size = sum(array.nbytes for array in op.arrays.values())
        output = program.specs[position + 1]
        rows.append((
            str(position + 1), op.kind, op.name, " ".join(map(str, op.inputs)),
            f"{'×'.join(map(str, output.shape))} {output.dtype}", " ".join(notes), f"{size:,}" if size else "",
        ))  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([repr(program), *lines])


def brief(value) -> str:
    """A number in few digits, or a tuple of them without spaces."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def span(array) -> str:
    """The range of an array's numbers."""
    return f"{array.min():.4g}…{array.max():.4g}"
