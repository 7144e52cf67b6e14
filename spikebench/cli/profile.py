"""`profile` measures a neuron that spikebench has never seen."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._print import notes, say, stdout, table
from spikebench.cli._tables import warn
from spikebench.errors import Problem

if TYPE_CHECKING:
    from spikebench.experiments.profile import Profile
    from spikebench.run.settings import Settings


@dataclass(frozen=True)
class Grid:
    """At which sizes and in which modes."""

    T: o.Lengths = None
    B: Annotated[int, typer.Option("-B", help="Batch items."), v.Whole(within=v.SIZES)] = 16
    N: Annotated[int, typer.Option("-N", help="Neurons."), v.Whole(within=v.SIZES)] = 128
    mode: o.Modes = None


@dataclass(frozen=True)
class Called:
    """How the subject is made and called."""

    layout: Annotated[
        str | None,
        typer.Option(help="TB (time first) or BT; found out when not given."),
        v.Choice(choices=("TB", "BT", "tb", "bt")),
    ] = None
    init: Annotated[str | None, typer.Option(help="Constructor arguments as JSON: '{\"tau\": 2.0}'."), v.Text()] = None
    adapter: Annotated[
        str | None,
        typer.Option(help="sequence or step (one call per step); found out."),
        v.Choice(choices=("sequence", "step")),
    ] = None
    reset: Annotated[
        str | None, typer.Option(help="Method called before each sequence, or none; found out."), v.Text()
    ] = None
    like: Annotated[str | None, typer.Option(help="Gate it against the definition of this neuron."), v.Text()] = None

    def given(self) -> dict[str, Any]:
        """The arguments of `experiments.profile.profile`."""
        return vars(self) | {"layout": self.layout and self.layout.upper(), "init": _object(self.init)}


@dataclass(frozen=True)
class Sampled(o.Sampling):
    """How it is sampled, and for how long."""

    timeout: o.Timeout = 60.0
    samples: Annotated[
        int, typer.Option(help="Samples per process (1 of a launch over 0.5 s)."), v.Whole(within=v.MANY)
    ] = 5
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="Metric beside the latency; repeat for several."), v.Id()
    ] = None
    budget: Annotated[
        float, typer.Option(help="Time of the whole: what does not fit is left out and named."), v.Duration()
    ] = 150.0

    def settings(self, usual: "Settings") -> "Settings":
        metrics = tuple(dict.fromkeys(("latency", *self.metric))) if self.metric else usual.metrics
        return replace(super().settings(usual), budget=self.budget, metrics=metrics)


Against = Annotated[str | None, typer.Option(help="Baselines, with commas (default: lif@fused,lif@eager)."), v.Text()]


def command(
    *,
    subject: Annotated[
        str, typer.Argument(help="path.py:Class, package.module:Class, an installed neuron, or ours."), v.Text()
    ],
    against: Against = None,
    grid: Grid,
    called: Called,
    pairs: Annotated[
        int, typer.Option(help="Most pairs of fresh processes at each length."), v.Whole(within=v.TIMES)
    ] = 5,
    tensors: o.Tensors = o.USUAL,
    sampled: Sampled,
    trace: Annotated[bool, typer.Option(help="Also where the time goes: operators, and trace.json in -o DIR.")] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder for the records and the verdict."), v.OUT_FOLDER
    ] = None,
    as_json: o.Json = False,
) -> None:
    """Measure a new neuron: how it is called, what it computes, time, memory and spikes over T, where it wins.

    THE FILE OR PACKAGE IS EXECUTED, in worker processes of this user, with nothing but time and memory limits: profile
    only code that you would run yourself. What it prints is captured; a crash or a hang becomes a status.
    A subject without a definition to compare with is flagged `ungated` and can win no claim; see --like.
    """
    from spikebench.experiments.profile import SETTINGS, profile

    files = _files(out, trace)
    with _progress() as progress:
        made = profile(
            subject,
            against=v.once("--against", v.subjects(against)) if against else None,
            pairs=pairs,
            settings=sampled.settings(SETTINGS),
            progress=progress,
            warn=warn,
            **(vars(grid) | called.given() | files | vars(tensors)),
        )
    where = made.report(out / "verdict.html") if out is not None else None
    if out is not None:
        made.report(out / "verdict.md")
    if as_json:
        stdout().print_json(json.dumps(made.to_json()))
    else:
        show(made)
        if where is not None:
            stdout().print(f"\nverdict in {where}, {len(made.records)} records in {where.parent / 'records.jsonl'}")
    if made.status != "ok" or any(c.passed is False for c in made.checks):
        print(f"spikebench: {made.status}: {made.reason or 'checks failed'}", file=sys.stderr)
        raise typer.Exit(1)


def _files(out: Path | None, trace: bool) -> dict[str, Any]:
    """The files in the folder that was named, which is made."""
    if trace and out is None:
        raise Problem("--trace writes a file; name a folder for it with -o DIR")
    if out is None:
        return {}
    out.mkdir(parents=True, exist_ok=True)
    return {"out": out / "records.jsonl", "trace": out / "trace.json" if trace else None}


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on stderr that says what is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda what, done, of: bar.update(task, completed=done, total=of or None, description=what)


def _object(text: str | None) -> dict[str, Any] | None:
    """Constructor arguments from JSON."""
    try:
        found = json.loads(text) if text is not None else None
    except ValueError:
        found = text
    if found is not None and not isinstance(found, dict):
        raise Problem(f"--init {text!r} is not a JSON object; write --init '{{\"tau\": 2.0}}'")
    return found


def show(made: "Profile") -> None:
    """The verdict on a terminal: what the page has, in its order."""
    from spikebench.report import profile_page as page
    from spikebench.report import profile_verdict as verdict

    say(verdict.sentence(made), "bold")
    for line in verdict.figure(made, min(80, stdout().width)):
        say(line)
    if rows := verdict.facts(made):
        say()
        table(("what", "found"), rows)
    if said := verdict.reasons(made):
        say()
        say("Why it is slow", "bold")
    for k, r in enumerate(said, 1):
        say(f"{k}. {r.what} {r.evidence}", "bold" if k == 1 else "")
        say(f"   {r.remedy}{f' {r.gain}' if r.gain else ''}")
    if not said and made.why.note:
        notes([f"Why it takes that long was not found out: {made.why.note}."])
    if made.comparisons:
        say()
        table(page.TIME_COLUMNS, [page.time_row(c) for c in made.comparisons])
        if left_out := page.left_out(made):
            say()
            say(left_out.replace("`", ""))
        if rows := page.scaling_rows(made):
            say()
            table(page.SCALING_COLUMNS, rows)
    notes([f"made as {made.way.made}", *made.way.notes] if made.way else [])
    if made.checks:
        marks = {True: "passed", False: "FAILED", None: "skipped"}
        say()
        table(("check", "result", "detail"), [(c.check, marks[c.passed], c.detail) for c in made.checks])
