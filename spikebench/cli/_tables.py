"""Tables and progress on a terminal."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, get_args

import typer

from spikebench import units
from spikebench.analysis import stability, stats
from spikebench.cases.case import Case, NetworkStep
from spikebench.cases.subject import shown
from spikebench.cli._print import notes, rows_as_json, table
from spikebench.errors import Problem, printable
from spikebench.host import clock
from spikebench.records import flags, store
from spikebench.records.record import Record, Status
from spikebench.report.rows import trainings

if TYPE_CHECKING:
    from spikebench.analysis.comparison import Comparison
    from spikebench.analysis.difference import Difference
    from spikebench.run.forecast import Forecast

Report = Callable[[str, Case, int, int], None]
EVERY = 5.0  # seconds between two lines of progress
ENDED = frozenset(get_args(Status))


@contextmanager
def stderr_progress(forecast: "Forecast | None" = None) -> Iterator[Report]:
    """A progress bar on stderr; the report function takes what happens, the case, how many are done, and of how many.

    Where stderr is no terminal, lines stand for the bar: one in EVERY seconds at most, so that a log shows that work goes on.
    A forecast says how long the rest takes; it learns from what is done.
    """
    left = Left(forecast)
    if not sys.stderr.isatty():
        yield _lines(left)
        return
    from spikebench.cli._progress import bar

    with bar(left) as report:
        yield report


class Left:
    """How long the rest takes: as was forecast when a case was done, less what has passed since."""

    def __init__(self, forecast: "Forecast | None") -> None:
        self.forecast, self._since = forecast, clock.monotonic()

    def learn(self, what: str, case: Case) -> None:
        """Learn from a case that has ended."""
        if self.forecast is not None and what in ENDED:
            now = clock.monotonic()
            self.forecast.done(case, now - self._since)
            self._since = now

    def __str__(self) -> str:
        """In words; empty without a forecast, and when nothing is left."""
        if self.forecast is None or not len(self.forecast):
            return ""
        return f"about {units.duration(max(1.0, self.forecast.left_after(clock.monotonic() - self._since)))} left"


def _lines(left: Left) -> Report:
    """A report that prints lines, none in the first EVERY seconds."""
    start = last = clock.monotonic()

    def report(what: str, case: Case, done: int, of: int) -> None:
        nonlocal last
        left.learn(what, case)
        now = clock.monotonic()
        if now - last >= EVERY:
            last = now
            rest = f", {left}" if str(left) else ""
            line = f"{now - start:.0f} s: {done} of {of}: {shown(case.subject)} T={case.T} {what}{rest}"
            print(line, file=sys.stderr, flush=True)

    return report


def warn(text: str) -> None:
    """Print a line on stderr."""
    print(f"spikebench: {printable(text)}", file=sys.stderr)


def exit_if_slower(rows: "Sequence[Comparison | Difference]", by: float | None) -> None:
    """Exit with 1 if a case is slower by more than a share `by` of its time, and its interval excludes equality; None asks for nothing."""
    if by is None:
        return
    worse = [r for r in rows if r.verdict == "slower" and r.ratio is not None and r.ratio.estimate < 1 / (1 + by)]
    if worse:
        warn(f"{len(worse)} of {len(rows)} cases are slower by more than {100 * by:g}%")
        raise typer.Exit(1)


def loaded(files: list[str], notes: list[str] | None = None) -> list[Record]:
    """The records of files; what was noticed while reading is told on stderr, and added to `notes`."""
    noticed = notes if notes is not None else []
    records = store.load(files, noticed)
    for note in noticed:
        warn(note)
    return records


def named(r: Record) -> str:
    """The subject of a record and its T, as a line names them."""
    return f"{shown(str(r.case['subject']))} T={r.case['T']}"


def stability_notes(records: list[Record]) -> None:
    """A line on stderr for every flag: the first case that has it, and how many more do."""
    found: dict[str, list[str]] = {}
    for r in records:
        texts = [(f, t) for f in r.flags if (t := flags.told(f))]
        for name, text in [*texts, *((w.flag, w.text) for w in stability.warnings_of(r))]:
            found.setdefault(name, []).append(f"{named(r)}: {text}")
    for kind, texts in found.items():
        more = f" (and {len(texts) - 1} more cases)" if len(texts) > 1 else ""
        print(printable(f"spikebench: {kind}: {texts[0]}{more}"), file=sys.stderr)


def comparison_table(rows: "list[Comparison]") -> None:
    """One row per comparison: process medians, ratio with its interval, bootstrapped median beside it, verdict."""
    columns = ("subject", "against", "mode", "T", "B", "N", "baseline", "time", "speed-up", "median", "verdict")
    table(columns, map(_compared, rows))
    _means({against(row): row.over_cases for row in rows})


def against(row: "Comparison") -> str:
    """A comparison by its two sides, as a line names them."""
    return f"{shown(row.subject)} against {shown(row.baseline)}"


def _compared(row: "Comparison") -> list[str]:
    r, case = row.ratio, row.case
    return [
        *(shown(row.subject), shown(row.baseline)),
        f"{case.mode} {case.network}" if isinstance(case, NetworkStep) else case.mode,
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
    """Print comparisons, and on stderr why there is none; as `unless_measured` if nothing could be compared."""
    if as_json:
        rows_as_json(r.to_json() for r in rows)
    else:
        comparison_table(rows)
    bad = [r for r in rows if r.status != "ok"]
    for row in bad:
        warn(f"{against(row)}: {row.status}: {row.reason}")
    if bad and all(r.status == "refused" for r in rows):
        raise Problem(f"nothing could be compared: {bad[0].reason}")
    if bad and len(bad) == len(rows):
        raise typer.Exit(1)


def unless_measured(records: Sequence[Record]) -> None:
    """Leave with code 1, and say why, if a run gave no sample; Problem if every subject was refused, which is bad usage."""
    if not records or any(r.status == "ok" and any(m.samples for m in r.measurements) for r in records):
        return
    missing = (m.reason for m in records[0].measurements if m.reason)
    why = f"nothing was measured: {records[0].status}: {records[0].reason or next(missing, 'no samples')}"
    if all(r.status == "refused" for r in records):
        raise Problem(why)
    warn(why)
    raise typer.Exit(1)


def difference_table(rows: "list[Difference]") -> None:
    """One row per case of `diff`."""
    cells: list[list[Any]] = []
    for row in rows:
        text, sizes = f"{_interval(row.ratio.estimate, *row.ratio.interval)}, n={row.ratio.n}", ("mode", "T", "B", "N")
        cells.append([shown(row.subject), *(row.case[k] for k in sizes), text, row.verdict, row.reason])
    table(("subject", "mode", "T", "B", "N", "ratio", "verdict", "reason"), cells)
    _means({"all": rows[0].over_cases})


def training_report(records: list[Record]) -> None:
    """The table of `report.rows.trainings`, and the reason of each that is not ok."""
    rows = trainings(records)
    columns = list(dict.fromkeys(name for row in rows for name in row)) or ["subject"]
    table(columns, [[row.get(name, "—") for name in columns] for row in rows])
    notes(dict.fromkeys(str(r.reason) for r in records if r.status != "ok"))
