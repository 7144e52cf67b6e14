"""Records as runs of TensorBoard and of Weights & Biases, in files: nothing is sent anywhere.

A run is a subject on one origin. What was measured at several T is a curve over T, and a training is one over its epochs.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from spikebench.analysis import stats
from spikebench.analysis.select import middle
from spikebench.cases.subject import shown
from spikebench.errors import Problem
from spikebench.records.origin import by_origin, origin
from spikebench.records.record import Record
from spikebench.report.cite import plain
from spikebench.report.export import unusual

REPORTS = "WANDB_ERROR_REPORTING"  # of the environment, read by wandb when a run begins
EPOCHS = ("accuracy_curve", "epoch_time")  # metrics of a training with a sample for each epoch


@dataclass(frozen=True)
class Point:
    """A point of a curve: the curve's name, T or the number of the epoch, the value in an SI unit, and when it was measured."""

    curve: str
    step: int
    value: float
    time: float


@dataclass(frozen=True)
class Run:
    """The curves of a subject on one origin; `about` says which."""

    name: str
    about: dict[str, str]
    points: list[Point]


def runs(records: Iterable[Record]) -> list[Run]:
    """The runs of records that are ok. A point over T is the median of the medians of its processes."""
    kept = [r for r in records if r.status == "ok"]
    several = len(by_origin(kept)) > 1
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for r in kept:
        seed = f" seed={r.case['seed']}" if r.case["workload"] == "training" else ""
        groups[shown(str(r.case["subject"])) + seed, str(origin(r))].append(r)
    made: list[Run] = []
    for (subject, where), group in groups.items():
        about = {"subject": subject, "origin": origin(group[0]).told}
        points = sorted(_points(group), key=lambda p: (p.step, p.curve))
        made += [Run(f"{subject} on {where}" if several else subject, about, points)] if points else []
    return made


def _points(group: Sequence[Record]) -> Iterator[Point]:
    found: dict[tuple[str, int], list[Record]] = defaultdict(list)
    names: dict[str, str] = {}
    for r in group:
        for m in r.measurements:
            if r.case["workload"] == "training" and m.metric in EPOCHS:
                yield from (Point(_curve(r, m.metric, m.unit), k, v, _time(r)) for k, v in enumerate(m.samples, 1))
            elif m.samples:
                curve = _curve(r, m.metric, m.unit)
                found[curve, r.case["T"]].append(r)
                names[curve] = m.metric
    for (curve, T), alike in found.items():
        value = stats.median([middle(r, names[curve]) for r in alike])
        yield Point(curve, T, value, max(map(_time, alike)))


def _curve(record: Record, metric: str, unit: str) -> str:
    """The metric and its unit, then what is the same along the curve."""
    case = record.case
    sizes = [f"{k}={case[k]}" for k in "BN"]
    return f"{metric} ({unit})/{' '.join([case['mode'], *sizes, *unusual(case, 'seed')])}"


def _time(record: Record) -> float:
    time = record.environment.get("time")
    return float(time) if isinstance(time, int | float) else 0.0


def tensorboard(records: Sequence[Record], folder: Path) -> int:
    """Write event files, a folder for each run; how many points. Problem without tensorboard."""
    if find_spec("tensorboard") is None:
        raise Problem("event files need tensorboard: pip install 'spikebench[tensorboard]'")
    from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportMissingImports]  # the extra tensorboard
    from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportMissingImports]
    from tensorboard.summary.writer.event_file_writer import EventFileWriter  # pyright: ignore[reportMissingImports]

    count = 0
    for run in runs(records):
        writer = EventFileWriter(str(folder / plain(run.name)))
        for p in run.points:
            summary = Summary(value=[Summary.Value(tag=p.curve, simple_value=p.value)])
            writer.add_event(Event(wall_time=p.time, step=p.step, summary=summary))
        writer.close()
        count += len(run.points)
    return count


def wandb(records: Sequence[Record], folder: Path) -> int:
    """Write offline runs, which `wandb sync` sends if somebody asks it to; how many points. Problem without wandb."""
    if find_spec("wandb") is None:
        raise Problem("runs of Weights & Biases need wandb: pip install 'spikebench[wandb]'")
    import wandb as theirs  # pyright: ignore[reportMissingImports]  # the extra wandb

    folder.mkdir(parents=True, exist_ok=True)
    quiet = theirs.Settings(
        console="off", silent=True, disable_git=True, disable_code=True, x_disable_stats=True, x_disable_meta=True
    )
    found, given = runs(records), {"project": "spikebench", "dir": folder, "mode": "offline", "settings": quiet}
    with _unreported():
        for run in found:
            with theirs.init(name=run.name, config=run.about, reinit="create_new", **given) as made:
                by_step: dict[int, dict[str, float]] = defaultdict(dict)
                for p in run.points:
                    by_step[p.step][p.curve] = p.value
                for step, values in by_step.items():
                    made.log(values, step=step)
    return sum(len(r.points) for r in found)


@contextmanager
def _unreported() -> Iterator[None]:
    """Keeps wandb from reporting its own errors to its maker, which it may do beside an offline run, too."""
    before = os.environ.get(REPORTS)
    os.environ[REPORTS] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[REPORTS]
        else:
            os.environ[REPORTS] = before
