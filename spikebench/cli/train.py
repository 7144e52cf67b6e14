"""The command that trains."""

import json
import re
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikebench.cases.case import Case
from spikebench.cases.options import Options, Value, read_value, written
from spikebench.cli import options as o
from spikebench.cli.tables import notes, stderr_progress, stdout, table
from spikebench.errors import Problem
from spikebench.host import environment
from spikebench.records import store
from spikebench.records.record import Record
from spikebench.report.rows import CEILING, trainings

if TYPE_CHECKING:
    from spikebench.run.session import Session

_EPOCH = re.compile(r"epoch (\d+)/(\S+) loss (\S+)")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(train)


def train(
    task: Annotated[str, typer.Argument(help="A task; `spikebench list tasks` shows them.")],
    neuron: Annotated[list[str], typer.Option("--neuron", help="Subject to train; repeat for several.")],
    seeds: Annotated[int, typer.Option(help="How many seeds, each in a fresh process.")] = 5,
    epochs: Annotated[int | None, typer.Option(help="Epochs, instead of the task's own number.")] = None,
    recipe: Annotated[list[str] | None, typer.Option(help="Change to the task's recipe: lr=0.001.")] = None,
    equal_time: Annotated[
        str | None, typer.Option(help="Train each neuron for this long, 60s or 5m, and test after every epoch.")
    ] = None,
    ceiling: Annotated[
        bool, typer.Option("--ceiling", help="Also train with a single element-wise pass in the neuron's place.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on after the last finished epoch; leave out what the file has.")
    ] = False,
    data_root: Annotated[Path | None, typer.Option(help="Folder that holds the data.")] = None,
    device: o.Device = "cpu",
    timeout: o.Timeout = "1h",
    threads: o.Threads = None,
    out: Annotated[Path | None, typer.Option(help="JSON Lines file to append to.")] = None,
    as_json: o.Json = False,
) -> None:
    """Train a network of each neuron on a task: accuracy, time per epoch, spike rates."""
    from spikebench.run.session import Session, Settings

    changes: Options = dict(_pair(text) for text in recipe or [])
    changes |= {} if epochs is None else {"epochs": epochs}
    if (budget := o.seconds("--equal-time", equal_time)) is not None:
        changes |= {"seconds": budget, "schedule": "constant", "curve": True}
    if seeds < 1:
        raise Problem(f"--seeds {seeds}: give at least 1")
    cases = [
        Case(s, 0, 0, 0, workload="training", task=task, network=written(changes) or None, device=device, seed=k)
        for s in [*neuron, *([CEILING] if ceiling else [])]
        for k in range(seeds)
    ]
    where = out or Path("results") / environment.machine() / "train.jsonl"
    settings = Settings(timeout=o.seconds("--timeout", timeout), threads=threads or environment.threads())
    with Session(settings) as session:
        records = train_all(session, cases, data_root, where, resume)
    if as_json:
        stdout().print_json(json.dumps([r.to_json() for r in records]))
    else:
        training_report(records)
        stdout().print(f"\n{len(records)} records in {where}")
    if all(r.status != "ok" for r in records):
        raise Problem(f"nothing could be trained: {records[0].reason}")


def train_all(
    session: "Session", cases: list[Case], data_root: Path | None, where: Path, resume: bool = False
) -> list[Record]:
    """Train every case in a fresh process, with progress; records are appended to `where` unless refused.

    The state after each epoch is kept in a folder beside `where` until the record is written. `resume` takes it up, and
    gives the records that `where` has from this machine, these versions and this commit; else both start anew.
    """
    records: list[Record] = []
    here = environment.fingerprint(session.environment)
    done = _finished(where, here) if resume else {}
    with stderr_progress(len(cases)) as progress:
        for k, case in enumerate(cases):
            progress("start", case, k, len(cases))
            kept = where.with_suffix(".checkpoints") / f"{case.case_id}-{here}"
            if case.case_id in done:
                records.append(done[case.case_id])
                continue
            if not resume:
                shutil.rmtree(kept, ignore_errors=True)
            elif not kept.exists() and list(kept.parent.glob(f"{case.case_id}-*")):
                text = (
                    f"{case.subject}, seed {case.seed}: begun with another commit, machine or version; it starts anew"
                )
                print(f"spikebench: {text}", file=sys.stderr)

            def watch(log: str, case: Case = case, k: int = k) -> None:
                if found := _EPOCH.findall(log):
                    number, of, loss = found[-1]
                    progress(f"seed {case.seed}, epoch {number} of {of}, loss {loss}", case, k, len(cases))

            records.append(session.train(case, data_root, watch, kept))
            if records[-1].status != "refused":
                store.append(where, records[-1])
            if records[-1].status == "ok":
                shutil.rmtree(kept, ignore_errors=True)
    with suppress(OSError):
        where.with_suffix(".checkpoints").rmdir()
    return records


def _finished(where: Path, here: str) -> dict[str, Record]:
    """The records in a file that are ok and from here, by case."""
    with suppress(Problem):
        same = (r for r in store.read(where) if r.status == "ok" and environment.fingerprint(r.environment) == here)
        return {r.case_id: r for r in same}
    return {}


def _pair(text: str) -> tuple[str, Value]:
    key, equals, value = text.partition("=")
    if not equals:
        raise Problem(f"--recipe {text!r}: write field=value, for example lr=0.001")
    return key, read_value(value)


def training_report(records: list[Record]) -> None:
    """The table of `report_rows.trainings`, and the reason of each that is not ok."""
    rows = trainings(records)
    columns = list(dict.fromkeys(name for row in rows for name in row)) or ["subject"]
    table(columns, [[row.get(name, "—") for name in columns] for row in rows])
    notes(dict.fromkeys(str(r.reason) for r in records if r.status != "ok"))
