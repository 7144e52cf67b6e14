"""Options that several commands share, in groups, and how their text is read."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from spikebench import registry, units
from spikebench.errors import Problem

if TYPE_CHECKING:
    from spikebench.experiments.sweep import Grid
    from spikebench.run.settings import Settings

Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Metrics = Annotated[list[str] | None, typer.Option("--metric", help="Metric to sample; repeat for several.")]
Budget = Annotated[str | None, typer.Option(help="Longest time of the whole command: 60s, 10m.")]
Isolation = Annotated[str, typer.Option(help="fork (from a warm server) or spawn (start each process anew).")]
Strict = Annotated[bool, typer.Option("--strict", help="Measure unsteady cases again, at most twice; mark what stays.")]
Pairs = Annotated[str, typer.Option(help="Blocks of one fresh process per subject: 10, or 5-20, as many as it takes.")]
DataRoot = Annotated[Path | None, typer.Option(help="Folder that holds the data of tasks.")]
Out = Annotated[Path | None, typer.Option(help="JSON Lines file to append the records to.")]
Files = Annotated[list[str], typer.Argument(help="Result files, folders or glob patterns.")]
Each = Annotated[bool, typer.Option("--each", help="A row for every process, instead of one for all of a case.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")]
Dt = Annotated[float, typer.Option(help="Length of a time step in seconds.")]
Euler = Annotated[bool, typer.Option("--euler", help="decay = 1 − dt/τ instead of exp(−dt/τ).")]


@dataclass(frozen=True)
class Sizes:
    """The axes of a grid of cases, each with commas where there are several."""

    T: Annotated[str | None, typer.Option("-T", help="Time steps; several with commas.")] = None
    B: Annotated[str | None, typer.Option("-B", help="Batch items; several with commas.")] = None
    N: Annotated[str | None, typer.Option("-N", help="Neurons; several with commas.")] = None
    mode: Annotated[str | None, typer.Option("--mode", help="inference, forward, train or stream; with commas.")] = None


@dataclass(frozen=True)
class Tensors:
    """What the tensors of a case are."""

    device: Annotated[str | None, typer.Option(help="cpu or cuda.")] = None
    dtype: Annotated[str | None, typer.Option(help="float32, float64, bfloat16 or float16.")] = None
    rate: Annotated[float | None, typer.Option(help="Output spike rate that the input aims at.")] = None
    autocast: Annotated[str | None, typer.Option(help="bfloat16 or float16: torch.autocast in forward passes.")] = None


@dataclass(frozen=True)
class What:
    """What of a case is measured: a layer, or a network of it."""

    workload: Annotated[str | None, typer.Option(help="layer, projection or network (implied by --network).")] = None
    network: Annotated[str | None, typer.Option(help="A named network, also with other sizes: shd[layers=2].")] = None


USUAL = Tensors("cpu", "float32", 0.3)


def grid(sizes: Sizes, tensors: Tensors, what: What) -> "Grid":
    """What the options say of cases."""
    from spikebench.experiments.sweep import Grid

    return Grid(
        T=numbers("T", sizes.T),
        B=numbers("B", sizes.B),
        N=numbers("N", sizes.N),
        mode=None if sizes.mode is None else sizes.mode.split(","),
        **vars(tensors),
        **vars(what),
    )


@dataclass(frozen=True)
class Process:
    """What every process may take."""

    timeout: Annotated[str, typer.Option(help="Longest time of one process: 60s, 5m.")] = "300s"
    threads: Annotated[int | None, typer.Option(help="CPU threads of every worker (default: the cores there are).")] = (
        None
    )

    @property
    def limit(self) -> float | None:
        """The longest time of one process in seconds."""
        return seconds("--timeout", self.timeout)

    def settings(self, usual: "Settings") -> "Settings":
        """The settings of a session: what the options say, else the usual ones."""
        return replace(usual, timeout=self.limit, threads=usual.threads if self.threads is None else self.threads)


@dataclass(frozen=True)
class Sampling(Process):
    """How a process samples, and what it may take."""

    samples: Annotated[int, typer.Option(help="Samples per process (5 when one takes over 0.2 s).")] = 20
    memory_limit: Annotated[str | None, typer.Option(help="Memory a subject may take: 4GB.")] = None
    python: Annotated[
        list[str] | None,
        typer.Option(help="BACKEND=/path/to/python: the interpreter that has this library; repeat for several."),
    ] = None

    def settings(self, usual: "Settings") -> "Settings":
        limit, python = size(self.memory_limit), interpreters(self.python)
        return replace(super().settings(usual), samples=self.samples, memory_limit=limit, python=python)


@dataclass(frozen=True)
class Compared(Sampling):
    """How processes that are compared sample, and how they start."""

    isolation: Isolation = "fork"

    def settings(self, usual: "Settings") -> "Settings":
        return replace(super().settings(usual), fork=forks(self.isolation))


def flat(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each field of its parameters that are dataclasses, as typer takes it.

    A parameter's default is an instance whose values are the defaults of the options; without one they are the fields' own.
    """
    hints, groups = get_type_hints(command, include_extras=True), dict[str, type[Any]]()
    parameters: list[inspect.Parameter] = []
    for p in inspect.signature(command).parameters.values():
        kind: Any = hints[p.name]
        if not (isinstance(kind, type) and is_dataclass(kind)):
            parameters.append(p.replace(annotation=kind, kind=p.KEYWORD_ONLY))
            continue
        groups[p.name] = kind
        usual = groups[p.name]() if p.default is p.empty else p.default
        own = get_type_hints(kind, include_extras=True)
        parameters += [
            inspect.Parameter(f.name, p.KEYWORD_ONLY, default=getattr(usual, f.name), annotation=own[f.name])
            for f in fields(kind)
        ]

    @wraps(command)
    def called(**given: Any) -> None:
        made = {name: kind(**{f.name: given.pop(f.name) for f in fields(kind)}) for name, kind in groups.items()}
        command(**given, **made)

    called.__annotations__ = {p.name: p.annotation for p in parameters}
    called.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]  # inspect reads it
    return called


def numbers(name: str, text: str | None) -> list[int] | None:
    """Whole numbers from "128,1024", or None; Problem names what cannot be read."""
    try:
        return None if text is None else [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise Problem(f"-{name} {text!r} is not a list of whole numbers; write -{name} 128,1024") from None


def interpreters(given: list[str] | None) -> dict[str, str]:
    """Interpreters by backend, or by the file or package of a foreign subject, from "snntorch=/path/to/python"."""
    pairs = [text.partition("=") for text in given or []]
    for name, equals, path in pairs:
        if not (name and equals and path):
            raise Problem(f"--python {name!r} is not BACKEND=/path/to/python")
    backends = registry.names("backends")  # another name is that of a foreign file or package
    return {c if (c := registry.canonical(name)) in backends else name: path for name, _, path in pairs}


def seconds(option: str, text: str | None) -> float | None:
    """A duration from text, or None."""
    if text is None:
        return None
    try:
        return units.seconds(text)
    except ValueError:
        raise Problem(f"{option} {text!r} is not a duration; write 60s, 5m or 1h") from None


def percent(option: str, text: str | None) -> float | None:
    """A share from "5%", or None."""
    try:
        return None if text is None else float(text.removesuffix("%")) / 100
    except ValueError:
        raise Problem(f"{option} {text!r} is not a percentage; write 5%") from None


def size(text: str | None) -> int | None:
    """Bytes from text, or None."""
    try:
        return None if text is None else units.size(text)
    except ValueError:
        raise Problem(f"--memory-limit {text!r} is not a size; write 4GB or 512MiB") from None


def forks(isolation: str) -> bool:
    """Whether processes are forked, by --isolation."""
    if isolation not in ("fork", "spawn"):
        raise Problem(f"no isolation {isolation!r}; there are fork, spawn")
    return isolation == "fork"
