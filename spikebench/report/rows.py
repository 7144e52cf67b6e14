"""The tables of a report, from records: what was recorded, reasons, environments, commands, and a row per record."""

import math
import shlex
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from spikebench import units
from spikebench.analysis import stats
from spikebench.analysis.select import medians
from spikebench.cases.subject import CEILING, present
from spikebench.records.origin import apart, by_origin
from spikebench.records.record import Record


def facts(records: Sequence[Record]) -> dict[str, Any]:
    """What was recorded, where and when."""
    days = sorted({_day(r) for r in records} - {""})
    return {
        "records": len(records),
        "cases": len({r.case_id for r in records}),
        "subjects": len({str(r.case.get("subject")) for r in records}),
        "machines": ", ".join(sorted({str(r.environment.get("machine", "unknown")) for r in records})),
        "days": days[0] + (f" to {days[-1]}" if len(days) > 1 else "") if days else "unknown",
        "statuses": Counter(str(r.status) for r in records).most_common(),
    }


def _day(r: Record) -> str:
    seconds = r.environment.get("time")
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}" if isinstance(seconds, int | float) else ""


def trainings(records: Sequence[Record]) -> list[dict[str, str]]:
    """One row per subject, task and origin: mean accuracy over seeds, geometric mean of the seeds' median time per epoch, spike rates.

    Both with their 95 % t interval. Beside a ceiling (`train --ceiling`), also the speed-up of an epoch over that of the
    first subject, and the share of the ceiling's that it is.
    """
    parts = by_origin(r for r in records if r.status == "ok")
    several = len(parts) > 1
    rows = ((where, row) for where, part in parts.items() for row in _trainings(part))
    return [row | ({"origin": str(where)} if several else {}) for where, row in rows]


def _trainings(records: Sequence[Record]) -> list[dict[str, str]]:
    """The rows of one origin."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for r in records:
        if r.status == "ok" and r.case.get("workload") == "training" and _trained(r):
            task = f"{r.case.get('task')}{r.case.get('network') or ''}"
            groups.setdefault((present(str(r.case["subject"])), task), []).append(r)
    epochs = {key: statistics.geometric_mean(medians(group, "epoch_time")) for key, group in groups.items()}
    ceilings = {task: seconds for (subject, task), seconds in epochs.items() if subject == f"{CEILING}@eager"}
    rows: list[dict[str, str]] = []
    for key, group in groups.items():
        subject, task = key
        accuracy = [m.samples[0] for r in group if (m := r.measurement("accuracy"))]
        counts = [len(m.samples) for r in group if (m := r.measurement("epoch_time"))]
        rates = [m.samples for r in group if (m := r.measurement("spike_rate"))]
        low, high = stats.mean_interval(accuracy)
        fast, slow = map(math.exp, stats.mean_interval([math.log(seconds) for seconds in medians(group, "epoch_time")]))
        many = len(group) > 1
        row = {"subject": subject, "seeds": str(len(group))}
        row["epochs"] = f"{min(counts)}-{max(counts)}" if min(counts) < max(counts) else str(counts[0])
        row["accuracy"] = f"{statistics.fmean(accuracy):.1%}" + many * f" [{max(0.0, low):.1%}, {min(1.0, high):.1%}]"
        row["epoch"] = units.show(epochs[key], "s") + many * f" [{units.show(fast, 's')}, {units.show(slow, 's')}]"
        if ceilings:
            first = next(seconds for (_, t), seconds in epochs.items() if t == task)
            share = f"{ceilings[task] / epochs[key]:.0%}" if task in ceilings else "—"
            row |= {"speed-up": f"{first / epochs[key]:.2f}x", "of ceiling": share}
        row["rate per layer"] = " ".join(
            units.show(statistics.fmean(layer), "1") for layer in zip(*rates, strict=False)
        )
        rows.append(row | {"task": task})
    return rows


def _trained(r: Record) -> bool:
    """Whether a record has what a row is made of."""
    accuracy, seconds = r.measurement("accuracy"), r.measurement("epoch_time")
    return bool(accuracy and accuracy.samples and seconds and seconds.samples and min(seconds.samples) > 0)


def mixed(records: Sequence[Record]) -> Iterator[str]:
    """What differs between records that a reader may want to compare, and what no commit holds."""
    if how := apart(by_origin(records)):
        yield f"the records are of {how}: each has its own tables and figures, and nothing is compared or averaged across them"
    if dirty := sum(r.environment.get("dirty") is not None for r in records):
        yield f"{dirty} records were measured with changes that are in no commit"


def reasons(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Every reason that a record or a measurement gives, with what it was given for."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for r in records:
        name = f"{r.case.get('subject')} T={r.case.get('T')}"
        if r.status != "ok":
            found["record", str(r.status), str(r.reason or "no reason was given")].append(name)
        for m in r.measurements:
            if m.status != "ok":
                found[m.metric, str(m.status), str(m.reason or "no reason was given")].append(name)
    rows = [(*key, len(names), ", ".join(dict.fromkeys(names))) for key, names in found.items()]
    return [dict(zip(("what", "status", "reason", "count", "names"), row, strict=True)) for row in rows]


LIVE = (
    "time",
    "load_1min",
    "steal_share",
    "other_cpu",
    "aa_floor",
    "stolen_cpu",
    "tries",
    "lowest_clock_share",
    "throttle_reasons",
)


def environments(records: Sequence[Record]) -> tuple[list[dict[str, Any]], list[int]]:
    """Each environment once, without what changes from record to record, and which one every record has."""
    seen: dict[str, int] = {}
    found: list[dict[str, Any]] = []
    index: list[int] = []
    for r in records:
        facts = [(k, _text(v)) for k, v in r.environment.items() if k not in LIVE]
        place = seen.setdefault(repr(facts), len(found))
        if place == len(found):
            found.append({"facts": facts, "count": 0})
        found[place]["count"] += 1
        index.append(place)
    return found, index


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {_text(v)}" for k, v in value.items())
    return ", ".join(map(_text, value)) if isinstance(value, list) else "none" if value is None else str(value)


def commands(records: Sequence[Record]) -> list[str]:
    """Commands that measure the same cases again: one per grid of subjects and lengths."""
    trained: Counter[tuple[str, str]] = Counter()
    lengths: dict[tuple[Any, ...], dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for r in records:
        c = r.case
        if c["workload"] == "training":
            trained[str(c.get("task")), c["subject"]] = max(
                trained[str(c.get("task")), c["subject"]], c.get("seed", 0) + 1
            )
        else:
            metrics = tuple(m.metric for m in r.measurements if m.metric not in ("latency", "spike_rate"))
            keys = (c["B"], c["N"], c["mode"], c["device"], c["dtype"], c.get("rate"), c["workload"], c.get("network"))
            lengths[(*keys, "energy" in metrics)][c["subject"]].add(c["T"])
    grids: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for key, subjects in lengths.items():
        for subject, T in subjects.items():
            grids[(*key, ",".join(map(str, sorted(T))))].append(subject)
    return [*(_run(key, subjects) for key, subjects in grids.items()), *(_train(k, n) for k, n in trained.items())]


def _run(key: tuple[Any, ...], subjects: list[str]) -> str:
    b, n, mode, device, dtype, rate, workload, network, energy, T = key
    named = [word for s in subjects for word in ("--subject", s)]
    what = ["--network", network] if network else [] if workload == "layer" else ["--workload", workload]
    usual = {"cpu": device, "float32": dtype, "0.3": f"{rate:g}" if isinstance(rate, int | float) else "0.3"}
    more = [
        w for (d, v), o in zip(usual.items(), ("--device", "--dtype", "--rate"), strict=True) if v != d for w in (o, v)
    ]
    more += ["--metric", "latency", "--metric", "energy"] if energy else []
    return shlex.join(["spikebench", "run", *named, "-T", T, "-B", str(b), "-N", str(n), "--mode", mode, *what, *more])


def _train(key: tuple[str, str], seeds: int) -> str:
    return shlex.join(["spikebench", "train", key[0], "--neuron", key[1], "--seeds", str(seeds)])


TEXTS = ("subject", "mode", "workload", "network", "task", "T", "B", "N", "dtype", "device", "machine")
CHOICES = ("neuron", "backend", "mode", "workload", "status", "machine")


def table(records: Sequence[Record], index: list[int]) -> dict[str, Any]:
    """The records as rows for the page's own script: every cell as [what it sorts by, its text]."""
    metrics = list(dict.fromkeys(m.metric for r in records for m in r.measurements))
    shown = [k for k in TEXTS if k in ("subject", *"TBN") or len({str(_of(r, k)) for r in records}) > 1]
    columns = [*shown, *metrics, "status", "flags", "gate", "repeat"]
    numeric = [*"TBN", *metrics, "repeat"]
    rows = [
        {"c": [_cell(r, k) for k in columns], "d": _details(r, i), "f": [str(_of(r, k) or "—") for k in CHOICES]}
        for r, i in zip(records, index, strict=True)
    ]
    return {"columns": columns, "numeric": [c in numeric for c in columns], "choices": CHOICES, "rows": rows}


def _of(r: Record, key: str) -> Any:
    own = {
        "machine": r.environment.get("machine"),
        "status": r.status,
        "flags": " ".join(map(str, r.flags)),
        "repeat": r.repeat,
    }
    return own[key] if key in own else (r.gate.status if r.gate else "") if key == "gate" else r.case.get(key)


def _cell(r: Record, key: str) -> list[Any]:
    found = r.measurement(key)
    if found is None:
        value = _of(r, key)
        return [value if isinstance(value, int) else None, "" if value is None else str(value)]
    numbers = [v for v in found.samples if isinstance(v, int | float) and math.isfinite(v)]
    if not numbers:
        return [None, found.status]
    middle = stats.median(numbers)
    return [float(f"{middle:.5g}"), units.show(middle, found.unit)]


def _details(r: Record, environment: int) -> list[list[Any]]:
    """Label and text of all else there is to say of a record; a list of numbers is drawn as a strip."""
    told: list[list[Any]] = [
        ["case", f"{r.case_id}, run {r.run}, repeat {r.repeat}, measured {_day(r) or 'at an unknown time'}"]
    ]
    told.append(["options", _text(r.case.get("options") or "none")])
    told += [["reason", str(r.reason)]] if r.reason else []
    told += [["gate", ", ".join(filter(None, [r.gate.status, r.gate.reason]))]] if r.gate else []
    for m in r.measurements:
        if m.reason or m.status != "ok":
            told.append([m.metric, f"{m.status}: {m.reason}"])
        numbers = [float(f"{v:.4g}") for v in m.samples if isinstance(v, int | float) and math.isfinite(v)]
        if len(numbers) > 1:
            low, high = (units.show(end, m.unit) for end in (min(numbers), max(numbers)))
            told.append([m.metric, f"{len(numbers)} samples from {low} to {high}", numbers])
    return [*told, ["environment", f"number {environment + 1}"]]
