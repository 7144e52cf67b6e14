"""`show` shows recorded results."""

from typing import Annotated

import typer

from spikebench.analysis.printed import Cells
from spikebench.cli import _options as o
from spikebench.cli._print import rows_as_json, say, table
from spikebench.cli._records import records_table
from spikebench.cli._tables import loaded, training_report, warn
from spikebench.errors import Problem
from spikebench.records import store
from spikebench.records.record import Record

NEVER_WITH = {
    "growth": ("floor", "bottleneck", "agreement", "memory", "depth", "parallel", "schemes", "each"),
    "floor": ("bottleneck", "agreement", "memory", "depth", "parallel", "schemes", "each"),
    "bottleneck": ("agreement", "memory", "depth", "parallel", "schemes", "each"),
    "agreement": ("memory", "depth", "parallel", "schemes", "each"),
    "memory": ("depth", "parallel", "schemes", "each"),
    "depth": ("parallel", "schemes", "each"),
    "parallel": ("schemes", "each"),
    "schemes": ("each",),
    "as_json": ("each",),
}
NEEDS = {
    "growth": "latencies of a subject at 2 or more T",
    "floor": "cases with the metrics latency and copy",
    "bottleneck": "cases with the metric neuron_share",
    "agreement": "cases of approximate neurons with the metric agreement",
    "memory": "the metric tensor_memory or peak_memory of training steps at 2 or more T, in 3 or more processes",
    "schemes": "latencies of training steps by schemes, as `compare bptt ottt` records them",
    "depth": "networks of blocks at 2 or more depths, or with the metric gradient_norms",
    "parallel": "training steps of layers in blocks with lif@fused",
}


def command(
    files: o.Files,
    growth: Annotated[bool, typer.Option(help="Fit t = a·T + b·T² per subject instead.")] = False,
    floor: Annotated[bool, typer.Option(help="Time and memory against a copy of the input instead.")] = False,
    bottleneck: Annotated[bool, typer.Option(help="The neurons' share of a network's time instead.")] = False,
    agreement: Annotated[
        bool, typer.Option(help="Spikes that differ from the LIF's, over decay and rate, instead.")
    ] = False,
    memory: Annotated[bool, typer.Option(help="How a training step's memory grows with T instead.")] = False,
    depth: Annotated[bool, typer.Option(help="What a layer of a network of blocks costs instead.")] = False,
    parallel: Annotated[
        bool, typer.Option(help="Training steps beside the fused LIF's, with accuracy and agreement, instead.")
    ] = False,
    schemes: Annotated[bool, typer.Option(help="Time of a step against BPTT, loop and fused kernel, instead.")] = False,
    each: o.Each = False,
    as_json: o.Json = False,
) -> None:
    """Show recorded results."""
    given = {"growth": growth, "floor": floor, "bottleneck": bottleneck, "agreement": agreement, "memory": memory}
    given |= {"depth": depth, "parallel": parallel, "schemes": schemes}
    asked = next((name for name, wanted in given.items() if wanted), None)
    if as_json and asked is None:
        _stream(files)
        return
    records = loaded(files)
    if asked:
        rows = _rows(asked, records)
        if not rows:
            needs = NEEDS[asked]
            raise Problem(f"nothing to show in {', '.join(files)}: it takes {needs}; {len(records)} records are there")
        rows_as_json(rows) if as_json else table(list(rows[0]), [row.values() for row in rows])
    else:
        trained = [r for r in records if r.case["workload"] == "training"]
        if timed := [r for r in records if r.case["workload"] != "training"]:
            records_table(timed, each)
        if trained:
            if timed:
                say()
            training_report(trained)


def _rows(asked: str, records: list[Record]) -> list[Cells]:
    """The rows of a table that is asked for in place of the records."""
    from spikebench.analysis.agreement import agreement_rows
    from spikebench.analysis.bottleneck import share_rows
    from spikebench.analysis.bound import bound_rows
    from spikebench.analysis.depth import depth_rows
    from spikebench.analysis.parallel import parallel_rows
    from spikebench.analysis.scaling import scaling_rows
    from spikebench.analysis.scheme_times import scheme_times
    from spikebench.analysis.training_memory import growths

    made = {"growth": scaling_rows, "floor": bound_rows, "bottleneck": share_rows, "agreement": agreement_rows}
    made |= {"memory": growths, "depth": depth_rows, "parallel": parallel_rows, "schemes": scheme_times}
    return [row.cells for row in made[asked](records)]


def _stream(files: list[str]) -> None:
    """Print the records one after the other: there may be more than fit into memory."""
    notes: list[str] = []
    rows_as_json(r.to_json() for path in store.expand(files) for r in store.read(path, notes))
    for note in notes:
        warn(note)
