"""The project's own tables: rows measured with several seeds, kept as JSON, and put together from that alone."""

from .benchmarks import BENCHMARKS, Benchmark, Origin, benchmark
from .catalogue import TABLES, rows_of
from .markdown import page
from .records import read_record, record_path
from .reporting import read_summary, write_report
from .reproduction import measure_rows
from .row_trial import Done, Task
from .rows import Outcome, Row, Scene
from .summary import Estimate, Line, Summary, summarize

__all__ = [
    "BENCHMARKS",
    "TABLES",
    "Benchmark",
    "Done",
    "Estimate",
    "Line",
    "Origin",
    "Outcome",
    "Row",
    "Scene",
    "Summary",
    "Task",
    "benchmark",
    "measure_rows",
    "page",
    "read_record",
    "read_summary",
    "record_path",
    "rows_of",
    "summarize",
    "write_report",
]
