"""Options that several commands share, and how their text is read."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from spikebench import units
from spikebench.cases.case import Case, grid
from spikebench.cases.named import parse_network
from spikebench.errors import Problem

Sizes = Annotated[str | None, typer.Option(help="Sizes, with commas: 128,1024.")]
T = Annotated[str | None, typer.Option("-T", help="Time steps; several with commas.")]
B = Annotated[str | None, typer.Option("-B", help="Batch items; several with commas.")]
N = Annotated[str | None, typer.Option("-N", help="Neurons; several with commas.")]
ModeOption = Annotated[str | None, typer.Option("--mode", help="inference, forward, train or stream; with commas.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Dtype = Annotated[str, typer.Option(help="float32, float64, bfloat16 or float16.")]
Rate = Annotated[float, typer.Option(help="Output spike rate that the input aims at.")]
Workload = Annotated[str | None, typer.Option(help="layer, projection or network (implied by --network).")]
Network = Annotated[str | None, typer.Option(help="A named network, also with other sizes: shd[layers=2].")]
Samples = Annotated[int, typer.Option(help="Samples per process (5 when one takes over 0.2 s).")]
MetricOption = Annotated[list[str] | None, typer.Option("--metric", help="Metric to sample; repeat for several.")]
Timeout = Annotated[str, typer.Option(help="Longest time of one process: 60s, 5m.")]
Budget = Annotated[str | None, typer.Option(help="Longest time of the whole command: 60s, 10m.")]
MemoryLimit = Annotated[str | None, typer.Option("--memory-limit", help="Memory a subject may take: 4GB.")]
Threads = Annotated[int | None, typer.Option(help="CPU threads of every worker (default: the cores there are).")]
Isolation = Annotated[str, typer.Option(help="fork (from a warm server) or spawn (start each process anew).")]
Python = Annotated[
    list[str] | None,
    typer.Option(help="BACKEND=/path/to/python: the interpreter that has this library; repeat for several."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Measure unsteady cases again, at most twice; mark what stays.")]
Pairs = Annotated[str, typer.Option(help="Blocks of one fresh process per subject: 10, or 5-20, as many as it takes.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")]


def sizes(name: str, text: str | None, default: Sequence[int]) -> list[int]:
    """Whole numbers from "128,1024"; Problem names what cannot be read."""
    if text is None:
        return list(default)
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise Problem(f"-{name} {text!r} is not a list of whole numbers; write -{name} 128,1024") from None


def interpreters(given: list[str] | None) -> dict[str, str]:
    """Interpreters by backend, or by the file or package of a foreign subject, from "snntorch=/path/to/python"."""
    pairs = [text.partition("=") for text in given or []]
    for name, equals, path in pairs:
        if not (name and equals and path):
            raise Problem(f"--python {name!r} is not BACKEND=/path/to/python")
    return {name: path for name, _, path in pairs}


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


def points(
    subjects: Sequence[str], t: str | None, b: str | None, n: str | None, mode: str | None, **fixed: Any
) -> list[Case]:
    """The grid of cases that the options name; a network is published with a T and a B of its own."""
    named = fixed.get("network") or ("projection" if fixed.get("workload") == "projection" else None)
    published = parse_network(named).facts if named else {"T": 128, "B": 32}
    return grid(
        subjects,
        T=sizes("T", t, (published["T"],)),
        B=sizes("B", b, (published["B"],)),
        N=sizes("N", n, (512,)),
        mode=(mode or "train").split(","),
        **fixed,
    )


def what(workload: str | None, network: str | None) -> dict[str, Any]:
    """The fields of a case that say what is measured, as far as they were given."""
    if network is not None and workload is None:
        workload = "projection" if parse_network(network).name == "projection" else "network"
    return {k: v for k, v in (("workload", workload), ("network", network)) if v is not None}


def settings(
    metric: list[str] | None,
    samples: int,
    timeout: str,
    budget: str | None,
    memory_limit: str | None,
    threads: int | None,
    isolation: str,
    **more: Any,
) -> Any:
    """Runner settings from the options."""
    from spikebench.run.session import DEFAULT_METRICS, Settings

    if isolation not in ("fork", "spawn"):
        raise Problem(f"no isolation {isolation!r}; there are fork, spawn")
    if threads is not None:
        more["threads"] = threads
    return Settings(
        metrics=tuple(metric or DEFAULT_METRICS),
        samples=samples,
        timeout=seconds("--timeout", timeout),
        budget=seconds("--budget", budget),
        memory_limit=size(memory_limit),
        fork=isolation == "fork",
        **more,
    )
