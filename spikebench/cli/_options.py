"""Options that several commands share, in groups."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from spikebench import registry
from spikebench.cases.point import AUTOCASTS, DEVICES, DTYPES, Mode
from spikebench.cli import _values as v
from spikebench.errors import Problem

if TYPE_CHECKING:
    from spikebench.experiments.sweep import Grid
    from spikebench.run.settings import Settings

MODES = get_args(Mode)

Limit = Annotated[float | None, typer.Option(help="Exit 1 if a case is slower by more: 5%, or 0%."), v.Percent()]
Device = Annotated[str, typer.Option(help="cpu or cuda."), v.Choice(choices=DEVICES)]
Metrics = Annotated[list[str] | None, typer.Option("--metric", help="Metric to sample; repeat for several."), v.Id()]
Metric = Annotated[str, typer.Option(help="Metric to compare; less is better."), v.Id()]
Budget = Annotated[float | None, typer.Option(help="Longest time of the whole command: 60s, 10m."), v.Duration()]
Isolation = Annotated[
    str,
    typer.Option(help="fork (from a warm server) or spawn (start each process anew)."),
    v.Choice(choices=("fork", "spawn")),
]
Strict = Annotated[bool, typer.Option("--strict", help="Measure unsteady cases again, at most twice; mark what stays.")]
Pairs = Annotated[
    str, typer.Option(help="Blocks of one fresh process per subject: 10, or 5-20, as many as it takes."), v.Pairs()
]
Subjects = Annotated[list[str] | None, typer.Option("--subject", help="Subject; repeat for several."), v.Text()]
DataRoot = Annotated[Path | None, typer.Option(help="Folder that holds the data of tasks."), v.IN_FOLDER]
Out = Annotated[Path | None, typer.Option(help="JSON Lines file to append the records to."), v.OUT_FILE]
Files = Annotated[list[str], typer.Argument(help="Result files, folders or glob patterns."), v.Text()]
Each = Annotated[bool, typer.Option("--each", help="A row for every process, instead of one for all of a case.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")]
Dt = Annotated[float, typer.Option(help="Length of a time step in seconds."), v.Number()]
Euler = Annotated[bool, typer.Option("--euler", help="decay = 1 − dt/τ instead of exp(−dt/τ).")]
Lengths = Annotated[list[int] | None, typer.Option("-T", help="Time steps; several with commas."), v.Wholes()]
Modes = Annotated[
    list[str] | None,
    typer.Option("--mode", help="inference, forward, train or stream; with commas."),
    v.Words(choices=MODES),
]
Samples = Annotated[
    int, typer.Option(help="Samples per process (5 when one takes over 0.2 s)."), v.Whole(within=v.MANY)
]
Commit = Annotated[str | None, typer.Option(help="Commit of this source tree, where it has no history."), v.Text()]
Timeout = Annotated[float, typer.Option(help="Longest time of one process: 60s, 5m."), v.Duration()]


@dataclass(frozen=True)
class Sizes:
    """The axes of a grid of cases, each with commas where there are several."""

    T: Lengths = None
    B: Annotated[list[int] | None, typer.Option("-B", help="Batch items; several with commas."), v.Wholes()] = None
    N: Annotated[list[int] | None, typer.Option("-N", help="Neurons; several with commas."), v.Wholes()] = None
    mode: Modes = None


@dataclass(frozen=True)
class Tensors:
    """What the tensors of a case are."""

    device: Annotated[str | None, typer.Option(help="cpu or cuda."), v.Choice(choices=DEVICES)] = None
    dtype: Annotated[
        str | None, typer.Option(help="float32, float64, bfloat16 or float16."), v.Choice(choices=DTYPES)
    ] = None
    rate: Annotated[
        float | None, typer.Option(help="Output spike rate that the input aims at."), v.Number(within="(0, 1)")
    ] = None
    autocast: Annotated[
        str | None,
        typer.Option(help="bfloat16 or float16: torch.autocast in forward passes."),
        v.Choice(choices=tuple(filter(None, AUTOCASTS))),
    ] = None


@dataclass(frozen=True)
class What:
    """What of a case is measured: a layer, or a network of it."""

    workload: Annotated[
        str | None,
        typer.Option(help="layer, projection, events or network (implied by --network)."),
        v.Choice(choices=("layer", "projection", "events", "network")),
    ] = None
    network: Annotated[
        str | None, typer.Option(help="A named network, also with other sizes: shd[layers=2]."), v.Text()
    ] = None


USUAL = Tensors("cpu", "float32", 0.3)


def grid(sizes: Sizes, tensors: Tensors, what: What) -> "Grid":
    """What the options say of cases."""
    from spikebench.experiments.sweep import Grid

    return Grid(**vars(sizes), **vars(tensors), **vars(what))


@dataclass(frozen=True)
class Process:
    """What every process may take."""

    timeout: Timeout = 300.0
    threads: Annotated[
        int | None,
        typer.Option(help="CPU threads of every worker (default: the cores there are)."),
        v.Whole(within=v.CORES),
    ] = None
    unpickle: Annotated[bool, typer.Option("--unpickle", help="Read file.pickle:X, which executes what is in it.")] = (
        False
    )

    def settings(self, usual: "Settings") -> "Settings":
        """The settings of a session: what the options say, else the usual ones."""
        threads = usual.threads if self.threads is None else self.threads
        return replace(usual, timeout=self.timeout, threads=threads, unpickle=self.unpickle)


@dataclass(frozen=True)
class Recorded(Process):
    """What every process may take, and what every record says of the machine."""

    shared: Annotated[
        bool, typer.Option("--shared", help="Flag the records: others use this machine, too, as on a hosted notebook.")
    ] = False

    def settings(self, usual: "Settings") -> "Settings":
        return replace(super().settings(usual), shared=self.shared)


@dataclass(frozen=True)
class Sampling(Recorded):
    """How a process samples, and what it may take."""

    samples: Samples = 20
    memory_limit: Annotated[int | None, typer.Option(help="Memory a subject may take: 4GB."), v.Bytes()] = None
    python: Annotated[
        list[str] | None,
        typer.Option(help="BACKEND=/path/to/python: the interpreter that has this library; repeat for several."),
        v.Text(),
    ] = None

    def settings(self, usual: "Settings") -> "Settings":
        made, python = super().settings(usual), interpreters(self.python)
        limits = {"samples": self.samples, "memory_limit": self.memory_limit}
        return replace(made, python=python, **limits)


@dataclass(frozen=True)
class Compared(Sampling):
    """How processes that are compared sample, and how they start."""

    isolation: Isolation = "fork"

    def settings(self, usual: "Settings") -> "Settings":
        return replace(super().settings(usual), fork=self.isolation == "fork")


def interpreters(given: list[str] | None) -> dict[str, str]:
    """Interpreters by backend, or by the file or package of a foreign subject, from "snntorch=/path/to/python"."""
    pairs = [text.partition("=") for text in given or []]
    for name, equals, path in pairs:
        if not (name and equals and path):
            raise Problem(f"--python {name!r} is not BACKEND=/path/to/python")
    backends = registry.names("backends")  # another name is that of a foreign file or package
    v.once("--python", [name for name, _, _ in pairs])
    return {c if (c := registry.canonical(name)) in backends else name: path for name, _, path in pairs}
