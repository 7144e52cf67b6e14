"""The distance to the bandwidth bound is that of paired processes, with the interval of their logs."""

import math
import statistics

from spikebench.analysis.bound import bound_rows
from spikebench.cases.case import Case
from spikebench.records.record import Measurement, Record

CASE = Case("lif@cpu", T=10, B=2, N=8)
TIMES, COPIES = [4.0, 6.0, 5.0], [1.0, 1.25, 1.0]


def process(time: float, copy: float | None, status: str = "ok") -> Record:
    samples = {"latency": [time] * 3, "copy": [] if copy is None else [copy], "peak_memory": [10 * 2 * 8 * 4 * 3.0]}
    found = [Measurement(metric, "s", samples=s) for metric, s in samples.items()]
    return Record("r", CASE.case_id, CASE.to_json(), measurements=found, status=status)  # pyright: ignore[reportArgumentType]


def test_ratios_are_taken_within_processes() -> None:
    (found,) = bound_rows([process(t, c) for t, c in zip(TIMES, COPIES, strict=True)] + [process(900.0, 1.0, "failed")])
    row = found.cells
    logs = [math.log(t / c) for t, c in zip(TIMES, COPIES, strict=True)]
    half = 4.302653 * statistics.stdev(logs) / math.sqrt(3)
    low, high = (math.exp(statistics.fmean(logs) + s * half) for s in (-1, 1))
    assert row["x copy"] == f"{math.exp(statistics.fmean(logs)):.2f}x [{low:.2f}, {high:.2f}], n=3"
    assert row["memory / input"] == "3.00x [3.00, 3.00], n=3"
    assert row["fraction of bound"] == "—"


def test_a_process_without_a_copy_gives_no_ratio() -> None:
    (row,) = bound_rows([process(4.0, 1.0), process(5.0, None)])
    assert row.times_copy == "—"
