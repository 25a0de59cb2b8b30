"""Records of several seeds become one line each: mean, standard deviation, and differences seed by seed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tinyslim.train import differences

CONTROL = "control"
#: Settings that another seed changes.
SEEDED = ("compressor.seed", "seed", "model")


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, and their standard deviation: None where one seed can't have one."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Iterable[float]) -> Estimate:
        """From one number a seed; the deviation divides by n − 1.

        >>> Estimate.of([1.0, 2.0, 6.0])
        Estimate(mean=3.0, deviation=2.6457513110645907)
        """
        values = np.array(list(values), np.float64)
        return cls(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else None)


@dataclass(frozen=True)
class Line:
    """A row of a table.

    Attributes
    ----------
    name, description : str
    seeds : tuple of int
        Those that were measured.
    kind : str
        Of the Program that was measured: "float32" or "int8".
    epochs : int
        Of training.
    top1, bytes, flops, latency_ms, seconds : Estimate
    latency_ratio : Estimate
        The time for an image over the baseline's, each pair measured one right after the other.
    after_cut : Estimate or None
        top-1 before training mends the last cut.
    to_baseline, to_control : Estimate or None
        Differences of top-1, each seed's from its own baseline and from the control of the same seed.
    """

    name: str
    description: str
    seeds: tuple[int, ...]
    kind: str
    epochs: int
    top1: Estimate
    bytes: Estimate
    flops: Estimate
    latency_ms: Estimate
    latency_ratio: Estimate
    seconds: Estimate
    after_cut: Estimate | None = None
    to_baseline: Estimate | None = None
    to_control: Estimate | None = None


@dataclass(frozen=True)
class Summary:
    """A table.

    Attributes
    ----------
    data, table : str
    lines : tuple of Line
        The baseline first, then the rows in their order.
    missing : dict
        Seeds that have no record, by row.
    cpus, versions : tuple of str
        All that the records name.
    """

    data: str
    table: str
    lines: tuple[Line, ...]
    missing: dict[str, tuple[int, ...]]
    cpus: tuple[str, ...]
    versions: tuple[str, ...]


def summarize(
    data: str, table: str, rows: Sequence[str], seeds: Sequence[int], records: Sequence[dict], starts: Sequence[dict]
) -> Summary:
    """Put the records of a table together.

    Parameters
    ----------
    data, table : str
    rows : sequence of str
        The names of the table's rows, in their order. Records of others come behind them.
    seeds : sequence of int
        Those that are asked for: a row without a record of one of them is named as missing.
    records, starts : sequence of dict
        Of the table, and of the baseline and the teacher.

    Raises
    ------
    ValueError
        When records can't stand in one table: other images, another baseline, or other settings for another seed.
    """
    wanted = [record for record in records if record["seed"] in seeds]
    baselines = [record for record in starts if record["row"] == "baseline"]
    check_comparable(wanted, baselines)
    names = dict.fromkeys([*rows, *(record["row"] for record in wanted)])
    by_row = {name: {record["seed"]: record for record in wanted if record["row"] == name} for name in names}
    control = by_row.get(CONTROL, {})
    used = {record["settings"]["model"] for record in wanted}
    lines = [_line([record for record in baselines if record["model"] in used])] if used else []
    lines += [_row_line(list(found.values()), control) for found in by_row.values() if found]
    missing = {name: tuple(seed for seed in seeds if seed not in found) for name, found in by_row.items()}
    return Summary(
        data,
        table,
        tuple(lines),
        {name: absent for name, absent in missing.items() if absent},
        tuple(sorted({record["cpu"] for record in wanted})),
        tuple(sorted({", ".join(f"{k} {v}" for k, v in record["versions"].items()) for record in wanted})),
    )


def check_comparable(records: Sequence[dict], baselines: Sequence[dict]) -> None:
    """Refuse records that were measured on different images or baselines, or a row whose seeds differ in more."""
    known = {record["model"] for record in baselines}
    first: dict[str, dict] = {}
    for record in records:
        place = f"{record['row']}, seed {record['seed']}"
        other = first.setdefault(record["row"], record)
        told = differences(_unseeded(other), _unseeded(record))
        if told:
            raise ValueError(f"{place} was measured otherwise than seed {other['seed']}: {told}")
        for name in ("train_data", "test_data"):
            whole = records[0]["settings"][name]
            if record["settings"][name] != whole:
                raise ValueError(f"{place}: {name} is {record['settings'][name]}, in {records[0]['row']} {whole}")
        if record["settings"]["model"] not in known:
            raise ValueError(f"{place} started from weights that no baseline's record tells of")


def _unseeded(record: dict) -> dict:
    return {name: value for name, value in record["settings"].items() if name not in SEEDED}


def _line(records: Sequence[dict], **more) -> Line:
    before, after = ([record["metrics"][when] for record in records] for when in ("before", "after"))
    return Line(
        records[0]["row"],
        records[0]["description"],
        tuple(record["seed"] for record in records),
        records[0]["metrics"]["kind"],
        len(records[0]["history"]),
        *(Estimate.of(column[key] for column in after) for key in ("top1", "bytes", "flops", "latency_ms")),
        Estimate.of(b["latency_ms"] / a["latency_ms"] for a, b in zip(before, after, strict=True)),
        Estimate.of(record["seconds"] for record in records),
        **more,
    )


def _row_line(records: Sequence[dict], control: dict[int, dict]) -> Line:
    def top1(record: dict, when: str = "after") -> float:
        return record["metrics"][when]["top1"]

    cuts = [record["metrics"]["top1_after_cut"] for record in records if record["metrics"].get("top1_after_cut")]
    beside = [(record, control[record["seed"]]) for record in records if record["seed"] in control]
    is_control = records[0]["row"] == CONTROL
    return _line(
        records,
        after_cut=Estimate.of(cuts) if cuts else None,
        to_baseline=Estimate.of(top1(record) - top1(record, "before") for record in records),
        to_control=Estimate.of(top1(a) - top1(b) for a, b in beside) if beside and not is_control else None,
    )
