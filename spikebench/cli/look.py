"""Commands that look: list, doctor, show, plot, cite."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from spikebench import registry, units
from spikebench.cases import sweeps
from spikebench.cli import options as o
from spikebench.cli.tables import records_table, stdout, table
from spikebench.errors import Problem
from spikebench.records import store

COLUMNS = {
    "neurons": ["reset_kind", "stochastic", "causal", "parallel_in_time", "verified", "backends"],
    "metrics": ["unit", "process"],
    "sweeps": ["cases"],
    "networks": ["T", "B", "SOURCE"],
    "tasks": ["LICENCE"],
    "claims": ["claimed", "device", "read", "known"],
}
KINDS = ("neurons", "backends", "metrics", "sweeps", "networks", "tasks", "claims")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("list")(list_room)
    app.command()(doctor)
    app.command()(show)
    app.command()(plot)
    app.command()(cite)


def list_room(
    kind: Annotated[str, typer.Argument(help=", ".join(KINDS))] = "neurons",
    markdown: Annotated[bool, typer.Option(help="Print a Markdown table.")] = False,
    as_json: o.Json = False,
) -> None:
    """List what there is of a kind, with its facts."""
    if kind not in KINDS:
        raise Problem(f"nothing is listed under {kind!r}; there are {', '.join(KINDS)}")
    rows = _rows(kind)
    if as_json:
        stdout().print_json(json.dumps(rows))
        return
    columns = ["id", *COLUMNS.get(kind, []), "title"]
    shown = [{c: _cell(row.get(c)) for c in columns} for row in rows]
    if markdown:
        lines = [columns, ["---"] * len(columns), *([row[c] for c in columns] for row in shown)]
        for line in lines:
            stdout().print("| " + " | ".join(line) + " |")
    else:
        table(columns, [row.values() for row in shown])


def _rows(kind: str) -> list[dict[str, Any]]:
    if kind == "claims":
        from spikebench import claim

        titles = {row["id"]: row["title"] for row in registry.describe(kind)}
        return [{"id": name, **c.facts(), "title": titles[name]} for name, c in claim.every()]
    return [_sweep_row(name) for name in sweeps.SWEEPS] if kind == "sweeps" else registry.describe(kind)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else "" if value is None else str(value)


def _sweep_row(name: str) -> dict[str, Any]:
    doc = (sweeps.SWEEPS[name].__doc__ or "").split("\n")[0]
    return {"id": name, "cases": len(sweeps.SWEEPS[name]()), "title": doc}


def doctor(as_json: o.Json = False) -> None:
    """What this machine can measure, what it cannot, and what to do about it."""
    from spikebench.host.doctor import examine

    found = examine()
    if as_json:
        stdout().print_json(json.dumps(found))
        return
    counters = {f"energy of {d}": c["reason"] or _counter(c) for d, c in found["energy"].items()}
    table(("what", "found"), (found["environment"] | counters).items())
    for part in ("metrics", "backends"):
        facts = ("available", "reason", "remedy")
        stdout().print()
        table((part[:-1], *facts), [(k, *(_cell(row[f]) for f in facts)) for k, row in found[part].items()])


def _counter(found: dict[str, Any]) -> str:
    period = units.show(found["update_period"], "s")
    return f"{found['counter']}, updated every {period}"


def show(
    files: Annotated[list[str], typer.Argument(help="Result files, folders or glob patterns.")],
    growth: Annotated[bool, typer.Option(help="Fit t = a·T + b·T² per subject instead.")] = False,
    floor: Annotated[bool, typer.Option(help="Time and memory against a copy of the input instead.")] = False,
    as_json: o.Json = False,
) -> None:
    """Show recorded results."""
    records = _load(files)
    if growth or floor:
        from spikebench.analysis.bound import bound_rows
        from spikebench.analysis.scaling import scaling_rows

        rows = scaling_rows(records) if growth else bound_rows(records)
        if not rows:
            needs = "latencies of a subject at 2 or more T" if growth else "cases with the metrics latency and copy"
            raise Problem(f"nothing to show in {', '.join(files)}: it takes {needs}; {len(records)} records are there")
        stdout().print_json(json.dumps(rows)) if as_json else table(list(rows[0]), [row.values() for row in rows])
    elif as_json:
        stdout().print_json(json.dumps([r.to_json() for r in records]))
    else:
        records_table(records)


def plot(
    kind: Annotated[str, typer.Argument(help="The kind of figure; a file in spikebench/plots.")],
    files: Annotated[list[str], typer.Argument(help="Result files, folders or glob patterns.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the figures.")] = Path("out"),
    formats: Annotated[str, typer.Option(help="Of png, svg and pdf, with commas.")] = "png,svg",
) -> None:
    """Draw a figure from recorded results, with its caption beside it."""
    from spikebench.plots import draw

    for path in draw(kind, store.frame(_load(files), details=True), out, tuple(formats.split(","))):
        stdout().print(str(path))


def cite(neurons: Annotated[list[str], typer.Argument(help="Neuron ids.")]) -> None:
    """BibTeX of the papers behind neurons."""
    for name in neurons:
        stdout().print(registry.facts(registry.find("neurons", name)).attributes["reference"])


def _load(files: list[str]) -> list[Any]:
    notes: list[str] = []
    records = store.load(files, notes)
    for note in notes:
        print(f"spikebench: {note}", file=sys.stderr)
    return records
