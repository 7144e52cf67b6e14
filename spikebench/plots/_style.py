"""The look of subjects: a colour, a marker and dashes, readable in print and for colour-blind eyes; and captions of figures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

from spikebench import registry

Frame = Any  # a pandas frame or column; its stubs give every selection a union that nothing accepts

# Okabe and Ito's palette without its yellow, which is lost on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#999999"
NOT_MEASURED, MOST_GAPS = "not measured", 6
# neurons that have figures, in the order of their colours; a later one has that of its name, and shifts no other
ORDER = (
    *"lif spsn psu ipsu rpsu spike_sampler exodus alif glif masked_psn newton_lif para_lif plif ppsu prf prf_lif psn recurrent_lif slayer sliding_psn".split(),
)


def colour(neuron: str) -> str:
    """The colour of a neuron, the same in every figure."""
    return COLOURS[_place(neuron) % len(COLOURS)]


def colours(subjects: Sequence[str]) -> dict[str, str]:
    """A colour for each of a few subjects: that of its neuron for the first that has it, else the next that is free."""
    found: dict[str, str] = {}
    for subject in dict.fromkeys(subjects):
        own = colour(subject.partition("@")[0].partition("[")[0])
        free = [c for c in COLOURS if c not in found.values()]
        found[subject] = own if own in free or not free else free[0]
    return found


def _place(neuron: str) -> int:
    """Its number among all neurons; there are more of them than colours."""
    return ORDER.index(neuron) if neuron in ORDER else sum(map(ord, neuron))


@dataclass(frozen=True)
class Look:
    """How the line of a subject is drawn: matplotlib's letter for its marker, and the dashes and gaps in line widths."""

    marker: str
    dashes: tuple[float, ...]
    plain: bool


@lru_cache(maxsize=1000)
def look(subject: str) -> Look:
    """Marker and dashes of a subject `neuron[options]@backend`, which are its backend's; with options it is drawn finer."""
    said = partial(registry.declared, subject.rpartition("@")[2].partition("[")[0], None)
    return Look(said("MARKER", "."), tuple(said("DASHES", ())), "[" not in subject)


USUAL = {"workload": "layer", "network": "", "task": "", "device": "cpu", "dtype": "float32", "rate": 0.3, "seed": 0}


def alike(frame: Frame, *but: str) -> Iterator[tuple[str, Frame]]:
    """The rows that differ in subject and sizes alone (and in `but`), with what is unusual about them as part of a name."""
    keys = [k for k in USUAL if k not in but]
    filled = frame.assign(**{k: frame[k].fillna(USUAL[k]) for k in keys})
    for values, part in filled.groupby(keys, sort=False):
        unusual = [(k, v) for k, v in zip(keys, values, strict=True) if v != USUAL[k]]
        yield "".join(f"-{k}{v:g}" if k in ("rate", "seed") else f"-{v}" for k, v in unusual), frame.loc[part.index]


def caption(frame: Frame, what: str) -> str:
    """What is shown, of which origin, with which sizes and how many processes and samples.

    Raises ValueError for a figure that would join several origins.
    """
    where = frame.drop_duplicates("origin")
    if len(where) > 1:
        raise ValueError(f"a figure shows one origin, not {len(where)}")
    commit, dirty = (str(where[k].iloc[0]) for k in ("commit", "dirty"))
    place = f"Machine: {where['machine'].iloc[0]}" + (f", commit {commit[:7]}" if commit else "")
    place += " with uncommitted changes" if dirty else ""
    sized = frame[frame["workload"] != "training"]
    sizes = (
        "; ".join(f"{k} = {_range(sized[k].dropna().unique())}" for k in "TBN")
        if len(sized)
        else "Sizes are those of the data"
    )
    modes = ", ".join(sorted(map(str, frame["mode"].dropna().unique())))
    alike = frame[["case_id"]] if len(sized) else frame[["subject", "task", "network"]].fillna("")
    each = frame.groupby([*(alike[k] for k in alike)])["record"].nunique()
    of = "of each case" if len(sized) else "of each subject"
    about = f"{place}. {sizes}. Mode: {modes}. {each.sum()} processes, n = {_range(each)} {of}, {len(frame)} samples."
    return f"{what} {about}{_days(frame)}"


def _days(frame: Frame) -> str:
    """When it was measured, not when it was drawn: the same data give the same caption."""
    times = frame["time"].dropna() if "time" in frame else []
    if not len(times):
        return ""
    first, last = (f"{datetime.fromtimestamp(float(t), UTC):%Y-%m-%d}" for t in (min(times), max(times)))
    return f" Measured {first}." if first == last else f" Measured {first} to {last}."


def _range(values: Any) -> str:
    numbers = sorted({int(v) for v in values})
    return f"{numbers[0]:,}" if len(numbers) == 1 else f"{numbers[0]:,} to {numbers[-1]:,}"


def missing(everything: Frame, metric: str) -> dict[tuple[str, str], list[int]]:
    """The lengths at which a subject has no value of a metric, by subject and reason."""
    drawn = everything[(everything["metric"] == metric) & everything["value"].notna()]
    have = set(zip(drawn["subject"], drawn["T"], strict=True))
    found: dict[tuple[str, str], list[int]] = {}
    for subject, part in everything.groupby("subject", sort=False):
        for T in sorted(everything["T"].unique()):
            if (subject, T) not in have:
                found.setdefault((str(subject), _why(part[part["T"] == T], metric)), []).append(int(T))
    return found


def told_missing(found: dict[tuple[str, str], list[int]], of: Callable[[str], str]) -> tuple[str, ...]:
    """What is not drawn, with its reason, a text each; `of` gives a subject its name."""
    lines = [f"{of(s)} at T = {', '.join(f'{t:,}' for t in lengths)}: {why}" for (s, why), lengths in found.items()]
    more = [f"and {len(lines) - MOST_GAPS} more"] if len(lines) > MOST_GAPS else []
    return (*lines[:MOST_GAPS], *more)


def _why(rows: Frame, metric: str) -> str:
    """Why a case has no value: its status, or that of the metric, with what the reason begins with."""
    failed = rows[(rows["status"] != "ok") | ((rows["metric"] == metric) & (rows["metric_status"] != "ok"))]
    if not len(failed):
        return NOT_MEASURED
    row = failed.iloc[0]
    status = row["status"] if row["status"] != "ok" else row["metric_status"]
    reason = str(row["reason"] or "").split("\n")[0]
    return f"{status}" + (f" ({reason[:60]}{'…' if len(reason) > 60 else ''})" if reason else "")
