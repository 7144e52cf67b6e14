"""Tables and progress on a terminal."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from spikebench import units
from spikebench.analysis import stability, stats
from spikebench.cases.case import Case, NetworkStep
from spikebench.cli._layout import printable
from spikebench.cli._print import notes, stdout, table
from spikebench.errors import Problem
from spikebench.host import clock
from spikebench.records import flags, store
from spikebench.records.record import Record
from spikebench.report.rows import trainings

if TYPE_CHECKING:
    from spikebench.analysis.comparison import Comparison
    from spikebench.analysis.difference import Difference

Report = Callable[[str, Case, int, int], None]
EVERY = 5.0  # seconds between two lines of progress


@contextmanager
def stderr_progress(total: int | None = None) -> Iterator[Report]:
    """A progress bar on stderr; the report function takes what happens, the case, how many are done, and of how many.

    Where stderr is no terminal, lines stand for the bar: one in EVERY seconds at most, so that a log shows that work goes on.
    """
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=total)

        def report(what: str, case: Case, done: int, of: int) -> None:
            note = "" if what in ("start", "ok") else f" {what}"
            bar.update(task, completed=done, total=of, description=f"{case.subject} T={case.T}{note}")

        yield report


def _lines() -> Report:
    """A report that prints lines, none in the first EVERY seconds."""
    start = last = clock.monotonic()

    def report(what: str, case: Case, done: int, of: int) -> None:
        nonlocal last
        now = clock.monotonic()
        if now - last >= EVERY:
            last = now
            print(f"{now - start:.0f} s: {done} of {of}: {case.subject} T={case.T} {what}", file=sys.stderr, flush=True)

    return report


def warn(text: str) -> None:
    """Print a line on stderr."""
    print(f"spikebench: {text}", file=sys.stderr)


def loaded(files: list[str], notes: list[str] | None = None) -> list[Record]:
    """The records of files; what was noticed while reading is told on stderr, and added to `notes`."""
    noticed = notes if notes is not None else []
    records = store.load(files, noticed)
    for note in noticed:
        warn(note)
    return records


def records_table(records: list[Record]) -> None:
    """One row per record: medians with their spread, the distance to the bandwidth bound, spikes, memory, status."""
    bound = ("fraction of bound",) if any(_samples(r, "bandwidth") for r in records) else ()
    columns = ("subject", "mode", "T", "B", "N", "time", "spread", "x copy", *bound, "memory", "rate", "compile")
    table((*columns, "status"), [_cells(r, bool(bound)) for r in records])
    reasons = {f"{r.case['subject']} T={r.case['T']}: {r.status}: {r.reason}" for r in records if r.status != "ok"}
    notes(sorted(reasons))


def _cells(r: Record, bound: bool) -> list[str]:
    samples = _samples(r, "latency")
    time, copy = stats.median(samples), stats.median(_samples(r, "copy"))
    spread = (max(samples) - min(samples)) / time if samples else float("nan")
    case = r.case
    return [
        str(case["subject"]),
        " ".join(str(case[k]) for k in ("mode", "network") if case.get(k)),
        *(str(case[k]) for k in "TBN"),
        units.show(time, "s"),
        f"{spread:.0%}" if samples else "—",
        units.show((stats.median(_samples(r, "device_time")) if _samples(r, "device_time") else time) / copy, "1"),
        *([units.show(stats.median(_samples(r, "bandwidth")), "1")] if bound else []),
        units.show(stats.median(_samples(r, "peak_memory")), "B"),
        units.show(stats.median(_samples(r, "spike_rate")), "1"),
        units.show(stats.median(_samples(r, "compile_time")), "s"),
        " ".join([r.status, *r.flags]),
    ]


def _samples(r: Record, metric: str) -> list[float]:
    found = r.measurement(metric)
    return found.samples if found else []


def stability_notes(records: list[Record]) -> None:
    """A line on stderr for every flag: the first case that has it, and how many more do."""
    found: dict[str, list[str]] = {}
    for r in records:
        texts = [(f, t) for f in r.flags if (t := flags.told(f))]
        for name, text in [*texts, *((w.flag, w.text) for w in stability.warnings_of(r))]:
            found.setdefault(name, []).append(f"{r.case['subject']} T={r.case['T']}: {text}")
    for kind, texts in found.items():
        more = f" (and {len(texts) - 1} more cases)" if len(texts) > 1 else ""
        print(printable(f"spikebench: {kind}: {texts[0]}{more}"), file=sys.stderr)


def comparison_table(rows: "list[Comparison]") -> None:
    """One row per comparison: process medians, ratio with its interval, bootstrapped median beside it, verdict."""
    columns = ("subject", "against", "mode", "T", "B", "N", "baseline", "time", "speed-up", "median", "verdict")
    table(columns, map(_compared, rows))
    _means({f"{row.subject} against {row.baseline}": row.over_cases for row in rows})


def _compared(row: "Comparison") -> list[str]:
    r, case = row.ratio, row.case
    return [
        *(row.subject, row.baseline, f"{case.mode} {case.network}" if isinstance(case, NetworkStep) else case.mode),
        *(str(size) for size in (case.T, case.B, case.N)),
        *(units.show(median, "s") for median in row.medians),
        units.ratio(r.estimate, r.low, r.high, r.n) if r else "—",
        _interval(*r.median) if r and r.median else "—",
        row.verdict or row.status,
    ]


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    """A ratio with its interval."""
    ends = f"[{units.digits(low)}, {units.digits(high)}]" if low and high else "[no interval]"
    return f"{units.digits(value)}x {ends}" if value else "—"


def _means(found: "dict[str, stats.OverCases | None]") -> None:
    """A line per geometric mean over cases, with the count of the cases that it leaves out."""
    notes(
        f"{name}: geometric mean {_interval(mean.ratio, mean.low, mean.high)} over {mean.cases} cases, "
        f"{mean.left_out} not completed on both sides"
        for name, mean in found.items()
        if mean
    )


def compared(rows: "list[Comparison]", as_json: bool) -> None:
    """Print comparisons, and on stderr why there is none; Problem if nothing could be compared."""
    if as_json:
        stdout().print_json(json.dumps([r.to_json() for r in rows]))
    else:
        comparison_table(rows)
    bad = [r for r in rows if r.status != "ok"]
    for row in bad:
        print(f"spikebench: {row.subject} against {row.baseline}: {row.status}: {row.reason}", file=sys.stderr)
    if bad and all(r.status == "refused" for r in rows):
        raise Problem(f"nothing could be compared: {bad[0].reason}")


def difference_table(rows: "list[Difference]") -> None:
    """One row per case of `diff`."""
    shown: list[list[Any]] = []
    for row in rows:
        text = f"{_interval(row.ratio.estimate, *row.ratio.interval)}, n={row.ratio.n}"
        shown.append([row.subject, *(row.case[k] for k in ("mode", "T", "B", "N")), text, row.verdict, row.reason])
    table(("subject", "mode", "T", "B", "N", "ratio", "verdict", "reason"), shown)
    _means({"all": rows[0].over_cases})


def training_report(records: list[Record]) -> None:
    """The table of `report.rows.trainings`, and the reason of each that is not ok."""
    rows = trainings(records)
    columns = list(dict.fromkeys(name for row in rows for name in row)) or ["subject"]
    table(columns, [[row.get(name, "—") for name in columns] for row in rows])
    notes(dict.fromkeys(str(r.reason) for r in records if r.status != "ok"))
