"""The command that trains on real data."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from spikebench import environment, stats, store, units
from spikebench.case import Case, read_value, written
from spikebench.cli import options as o
from spikebench.cli.tables import stderr_progress, stdout, table
from spikebench.record import Record
from spikebench.rooms import Problem

if TYPE_CHECKING:
    from spikebench.runner import Session

_EPOCH = re.compile(r"epoch (\d+)/(\d+) loss (\S+)")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(train)


def train(
    task: Annotated[str, typer.Argument(help="A task; `spikebench list tasks` shows them.")],
    neuron: Annotated[list[str], typer.Option("--neuron", help="Subject to train; repeat for several.")],
    seeds: Annotated[int, typer.Option(help="How many seeds, each in a fresh process.")] = 5,
    epochs: Annotated[int | None, typer.Option(help="Epochs, instead of the task's own number.")] = None,
    recipe: Annotated[list[str] | None, typer.Option(help="Change to the task's recipe: lr=0.001.")] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder that holds the data.")] = None,
    device: o.Device = "cpu",
    timeout: o.Timeout = "1h",
    threads: o.Threads = None,
    out: Annotated[Path | None, typer.Option(help="JSON Lines file to append to.")] = None,
    as_json: o.Json = False,
) -> None:
    """Train a network of each neuron on real data: accuracy, time per epoch, spike rates."""
    from spikebench.runner import Session, Settings

    changes = dict(_pair(text) for text in recipe or [])
    changes |= {} if epochs is None else {"epochs": epochs}
    if seeds < 1:
        raise Problem(f"--seeds {seeds}: give at least 1")
    cases = [
        Case(s, 0, 0, 0, workload="training", task=task, network=written(changes), device=device, seed=k)
        for s in neuron
        for k in range(seeds)
    ]
    where = out or Path("results") / environment.machine() / "train.jsonl"
    settings = Settings(timeout=o.seconds("--timeout", timeout), threads=threads or environment.threads())
    with Session(settings) as session:
        records = train_all(session, cases, data_root, where)
    if as_json:
        stdout().print_json(json.dumps([r.to_json() for r in records]))
    else:
        training_report(records)
        stdout().print(f"{len(records)} records in {where}", markup=False)
    if all(r.status != "ok" for r in records):
        raise Problem(f"nothing could be trained: {records[0].reason}")


def train_all(session: "Session", cases: list[Case], data_root: Path | None, where: Path) -> list[Record]:
    """Train every case in a fresh process, with progress; records are appended to `where` unless refused."""
    records: list[Record] = []
    with stderr_progress(len(cases)) as progress:
        for k, case in enumerate(cases):
            progress("start", case, k, len(cases))

            def watch(log: str, case: Case = case, k: int = k) -> None:
                if found := _EPOCH.findall(log):
                    number, of, loss = found[-1]
                    progress(f"seed {case.seed}, epoch {number} of {of}, loss {loss}", case, k, len(cases))

            records.append(session.train(case, data_root, watch))
            if records[-1].status != "refused":
                store.append(where, records[-1])
    return records


def _pair(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not equals:
        raise Problem(f"--recipe {text!r}: write field=value, for example lr=0.001")
    return key, read_value(value)


def training_report(records: list[Record]) -> None:
    """The table of trainings, and the reason of each that is not ok."""
    stdout().print(training_table(records))
    for reason in dict.fromkeys(str(r.reason) for r in records if r.status != "ok"):
        stdout().print(reason, markup=False)


def training_table(records: list[Record]) -> Table:
    """One row per subject and task: mean accuracy with its 95 % t interval over seeds, time per epoch, spike rates."""
    numbers = ("seeds", "accuracy", "epoch", "rate per layer")
    made = table("subject", "task", *numbers, right=numbers)
    groups: dict[tuple[str, str], list[Record]] = {}
    for r in records:
        if r.status == "ok":
            groups.setdefault((r.case["subject"], f"{r.case['task']}{r.case['network'] or ''}"), []).append(r)
    for (subject, task), group in groups.items():
        accuracy = [m.samples[0] for r in group if (m := r.measurement("accuracy"))]
        epochs = [stats.median(m.samples) for r in group if (m := r.measurement("epoch_time"))]
        rates = [m.samples for r in group if (m := r.measurement("spike_rate"))]
        means = [units.show(sum(layer) / len(layer), "1") for layer in zip(*rates, strict=True)]
        low, high = stats.mean_interval(accuracy)
        mean = sum(accuracy) / len(accuracy)
        text = f"{mean:.1%}" + (f" [{max(0.0, low):.1%}, {min(1.0, high):.1%}]" if len(accuracy) > 1 else "")
        names = [v.replace("[", r"\[") for v in (subject, task)]
        cells = [str(len(group)), text.replace("[", r"\["), units.show(stats.median(epochs), "s"), " ".join(means)]
        made.add_row(*names, *cells)
    return made
