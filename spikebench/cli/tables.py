"""Tables and progress on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from spikebench import stability, stats, units
from spikebench.case import Case
from spikebench.record import Record

if TYPE_CHECKING:
    from spikebench.compare import Comparison

Report = Callable[[str, Case, int, int], None]


@lru_cache(maxsize=1)
def stdout() -> Console:
    """The console for results; wide enough not to cut tables that go into a file."""
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False, soft_wrap=not sys.stdout.isatty())


@contextmanager
def stderr_progress(total: int) -> Iterator[Report]:
    """A progress bar on stderr; the report function takes what happens, the case, how many are done, and of how many."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=total)

        def report(what: str, case: Case, done: int, of: int) -> None:
            note = "" if what in ("start", "ok") else f" {what}"
            bar.update(task, completed=done, total=of, description=f"{case.subject} T={case.T}{note}")

        yield report


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table with our look. Where there is little room, the names of subjects fold and no number is cut."""
    made = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        long = name in ("subject", "against")
        made.add_column(name, justify="right" if name in right else "left", no_wrap=not long, overflow="fold")
    return made


def printable(text: str) -> str:
    """The text without control characters, which a name from elsewhere could use to speak to the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def records_table(records: list[Record]) -> None:
    """One row per record: medians with their spread, the distance to the copy floor, spikes, memory, status."""
    floor = ("fraction of floor",) if any(_samples(r, "bandwidth") for r in records) else ()
    numbers = ("T", "B", "N", "time", "spread", "x copy", *floor, "memory", "rate", "compile")
    made = table("subject", "mode", *numbers, "status", right=numbers)
    for r in records:
        made.add_row(*map(printable, _cells(r, bool(floor))))
    stdout().print(made)
    reasons = {f"{r.case['subject']} T={r.case['T']}: {r.status}: {r.reason}" for r in records if r.status != "ok"}
    for reason in sorted(reasons):
        stdout().print(printable(reason), markup=False)


def _cells(r: Record, floor: bool) -> list[str]:
    samples = _samples(r, "latency")
    time, copy = stats.median(samples), stats.median(_samples(r, "copy"))
    spread = (max(samples) - min(samples)) / time if samples else float("nan")
    case = r.case
    return [
        str(case["subject"]).replace("[", r"\["),
        " ".join(str(case[k]) for k in ("mode", "network") if case.get(k)).replace("[", r"\["),
        *(str(case[k]) for k in "TBN"),
        units.show(time, "s"),
        f"{spread:.0%}" if samples else "—",
        units.show(time / copy, "1"),
        *([units.show(stats.median(_samples(r, "bandwidth")), "1")] if floor else []),
        units.show(stats.median(_samples(r, "peak_memory")), "B"),
        units.show(stats.median(_samples(r, "spike_rate")), "1"),
        units.show(stats.median(_samples(r, "compile_time")), "s"),
        " ".join([r.status, *r.flags]),
    ]


def _samples(r: Record, metric: str) -> list[float]:
    found = r.measurement(metric)
    return found.samples if found else []


def stability_notes(records: list[Record]) -> None:
    """A line on stderr for every kind of instability: the first case that has it, and how many more do."""
    found: dict[str, list[str]] = {}
    for r in records:
        for w in stability.doubts(r):
            found.setdefault(w.kind, []).append(f"{r.case['subject']} T={r.case['T']}: {w.text}")
    for kind, texts in found.items():
        more = f" (and {len(texts) - 1} more cases)" if len(texts) > 1 else ""
        print(printable(f"spikebench: {kind}: {texts[0]}{more}"), file=sys.stderr)


def comparison_table(rows: "list[Comparison]") -> None:
    """One row per comparison: process medians, ratio with its interval, bootstrapped median beside it, verdict."""
    numbers = ("T", "B", "N", "baseline", "time", "speed-up", "median")
    made = table("subject", "against", "mode", *numbers, "verdict", right=numbers)
    for row in rows:
        r, case = row.ratio, row.case
        text = units.ratio(r.estimate, r.low, r.high, r.n) if r else "—"
        names = [s.replace("[", r"\[") for s in (row.subject, row.baseline)]
        sizes = [str(case.T), str(case.B), str(case.N)]
        times = [units.show(v, "s") for v in row.medians]
        mode = f"{case.mode} {case.network or ''}".rstrip().replace("[", r"\[")
        cells = [text, _interval(*r.median) if r and r.median else "—"]
        made.add_row(*names, mode, *sizes, *times, *(c.replace("[", r"\[") for c in cells), row.verdict or row.status)
    stdout().print(made)
    _means({f"{row.subject} against {row.baseline}": row.over_cases for row in rows})


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    """A ratio with its interval."""
    ends = f"[{units.digits(low)}, {units.digits(high)}]" if low and high else "[no interval]"
    return f"{units.digits(value)}x {ends}" if value else "—"


def _means(found: "dict[str, dict[str, Any] | None]") -> None:
    """A line per geometric mean over cases, with the count of the cases that it leaves out."""
    for name, mean in found.items():
        if mean:
            text = f"{_interval(mean['ratio'], mean['low'], mean['high'])} over {mean['cases']} cases"
            stdout().print(
                f"{name}: geometric mean {text}, {mean['left_out']} not completed on both sides", markup=False
            )


def difference_table(rows: list[dict[str, Any]]) -> None:
    """One row per case of `diff`."""
    numbers = ("T", "B", "N", "ratio")
    made = table("subject", "mode", *numbers, "verdict", "", right=numbers)
    for row in rows:
        text = f"{_interval(row['ratio'], row['low'], row['high'])}, n={row['n']}"
        cells = [str(row["subject"]), str(row["case"]["mode"]), *(str(row["case"][k]) for k in "TBN"), text]
        made.add_row(*(printable(c).replace("[", r"\[") for c in cells), row["verdict"], printable(row["reason"] or ""))
    stdout().print(made)
    _means({"all": rows[0]["over_cases"]})


def plain_table(rows: list[dict[str, Any]], columns: list[str]) -> None:
    """Rows of text under the named columns; the last column takes what room is left and wraps."""
    made = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns[:-1]:
        widest = max([len(name), *(len(str(row.get(name, ""))) for row in rows)])
        made.add_column(name, no_wrap=True, min_width=min(widest, 60))
    made.add_column(columns[-1], overflow="fold")
    for row in rows:
        made.add_row(*(printable(str(row.get(c, ""))).replace("[", r"\[") for c in columns))
    stdout().print(made)
