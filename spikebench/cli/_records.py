"""The table of records: a row for every case, or one for every process."""

from collections import Counter
from collections.abc import Sequence

from spikebench import units
from spikebench.analysis import stats
from spikebench.analysis.select import by_case, medians
from spikebench.cases.subject import shown
from spikebench.cli._tables import named, notes, table
from spikebench.records.origin import origin
from spikebench.records.record import Record


def records_table(records: Sequence[Record], each: bool = False) -> None:
    """One row per case of an origin, or per process: times, the distance to the bandwidth bound, spikes, memory, status.

    The time of a case is the geometric mean of the medians of its processes with its 95 % t interval, as in figures.
    """
    rows = [[r] for r in records] if each else by_case(records)
    bound = ("fraction of bound",) if any(r.measurement("bandwidth") for r in records) else ()
    several = ("origin",) if len({origin(r) for r in records}) > 1 else ()
    over = ("time", "spread") if each else ("n", "time")
    columns = ("subject", "mode", "T", "B", "N", *over, "x copy", *bound, "memory", "rate", "compile", "status")
    table((*columns, *several), [_cells(row, each, bool(bound), bool(several)) for row in rows])
    notes(sorted({f"{named(r)}: {r.status}: {r.reason}" for r in records if r.status != "ok"}))


def _cells(row: Sequence[Record], each: bool, bound: bool, several: bool) -> list[str]:
    case, time = row[0].case, stats.geometric(medians(row))
    numerator = medians(row, "device_time") or medians(row)
    over_copy = stats.geometric(numerator).value / stats.geometric(medians(row, "copy")).value
    timed = units.show(time.value, "s") if each else units.between(time.value, time.low, time.high, "s")
    return [
        shown(str(case["subject"])),
        " ".join(str(case[k]) for k in ("mode", "network") if case.get(k)),
        *(str(case[k]) for k in "TBN"),
        *([timed, _spread(row[0])] if each else [str(time.n or len(row)), timed]),
        units.show(over_copy, "1"),
        *([units.show(stats.median(medians(row, "bandwidth")), "1")] if bound else []),
        units.show(stats.median(medians(row, "peak_memory")), "B"),
        units.show(stats.median(medians(row, "spike_rate")), "1"),
        units.show(stats.median(medians(row, "compile_time")), "s"),
        " ".join([_statuses(row), *sorted({f for r in row for f in r.flags})]),
        *([str(origin(row[0]))] if several else []),
    ]


def _statuses(row: Sequence[Record]) -> str:
    """The status of all processes: "ok"; where they differ how many have each: "4 ok, 1 timeout"."""
    counts = Counter(r.status for r in row)
    return row[0].status if len(counts) == 1 else ", ".join(f"{n} {status}" for status, n in counts.items())


def _spread(r: Record) -> str:
    """The range of the samples of a process over their median."""
    found = r.measurement("latency")
    samples = found.samples if found else []
    return f"{(max(samples) - min(samples)) / stats.median(samples):.0%}" if samples else "—"
