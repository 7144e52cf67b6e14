"""`train` trains a network of each neuron on a task."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from spikebench.cases.options import Options, Value, read_value
from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._print import rows_as_json, stdout
from spikebench.cli._tables import stderr_progress, training_report, unless_measured, warn
from spikebench.errors import Problem
from spikebench.host import environment


@dataclass(frozen=True)
class Recipe:
    """What is trained, and for how long."""

    seeds: Annotated[int, typer.Option(help="How many seeds, each in a fresh process."), v.Whole(within=v.TIMES)] = 5
    epochs: Annotated[
        int | None, typer.Option(help="Epochs, instead of the task's own number."), v.Whole(within=v.MANY)
    ] = None
    recipe: Annotated[list[str] | None, typer.Option(help="Change to the task's recipe: lr=0.001."), v.Text()] = None
    equal_time: Annotated[
        float | None,
        typer.Option(help="Train each neuron for this long, 60s or 5m, and test after every epoch."),
        v.Duration(),
    ] = None
    scheme: Annotated[
        str | None,
        typer.Option(help="How to train, as ottt or sltt_k[k=4]; `spikebench list schemes` shows them."),
        v.Text(),
    ] = None
    ceiling: Annotated[
        bool, typer.Option("--ceiling", help="Also train with a single element-wise pass in the neuron's place.")
    ] = False

    @property
    def changes(self) -> Options:
        """The changes to the task's recipe."""
        pairs = [_pair(text) for text in self.recipe or []]
        v.once("--recipe", [name for name, _ in pairs])
        return dict(pairs)


LIMITS = o.Recorded(timeout=3600.0)
NEVER_WITH = {"equal_time": ("epochs",)}


def command(
    *,
    task: Annotated[str, typer.Argument(help="A task; `spikebench list tasks` shows them."), v.Text()],
    neuron: Annotated[list[str], typer.Option("--neuron", help="Subject to train; repeat for several."), v.Text()],
    recipe: Recipe,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on after the last finished epoch; leave out what the file has.")
    ] = False,
    data_root: o.DataRoot = None,
    device: o.Device = "cpu",
    process: o.Recorded = LIMITS,
    out: o.Out = None,
    as_json: o.Json = False,
) -> None:
    """Train a network of each neuron on a task: accuracy, time per epoch, spike rates."""
    from spikebench.experiments.train import train
    from spikebench.run.settings import Settings

    where = out or Path("results") / environment.machine() / "train.jsonl"
    with stderr_progress() as progress:
        records = train(
            task,
            *neuron,
            seeds=recipe.seeds,
            epochs=recipe.epochs,
            recipe=recipe.changes,
            equal_time=recipe.equal_time,
            scheme=recipe.scheme,
            ceiling=recipe.ceiling,
            resume=resume,
            data_root=data_root,
            device=device,
            out=where,
            progress=progress,
            warn=warn,
            settings=process.settings(Settings()),
        )
    if as_json:
        rows_as_json(r.to_json() for r in records)
    else:
        training_report(records)
        kept = sum(r.status != "refused" for r in records)
        stdout().print(f"\n{kept} records in {where}" if kept else "\nno records: nothing was written")
    unless_measured(records)


def _pair(text: str) -> tuple[str, Value]:
    key, equals, value = text.partition("=")
    if not equals:
        raise Problem(f"--recipe {text!r}: write field=value, for example lr=0.001")
    return key, read_value(value)
