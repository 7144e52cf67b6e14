"""Which processes a case's metrics need, and what each process is asked for."""

from typing import TypeVar

from spikebench import declarations, registry
from spikebench.cases.case import Case
from spikebench.records.gate import GateResult
from spikebench.run.protocol import MeasureJob
from spikebench.run.settings import Settings

Literal = TypeVar("Literal", str, int)
INTERLEAVED = {"latency", "backward"}  # metrics whose samples are interleaved among the processes of a block


def processes(metrics: tuple[str, ...], case: Case) -> list[tuple[str, list[str]]]:
    """The metrics of each process, that of time first and in it the latency.

    On a GPU the latency never comes alone: the device's own time stands beside it.
    """
    found: dict[str, list[str]] = {"timing": []}
    wanted = list(metrics)
    if case.device == "cuda" and "latency" in wanted and "device_time" not in wanted:
        wanted.insert(wanted.index("latency") + 1, "device_time")
    for m in sorted(wanted, key=lambda m: m != "latency"):
        found.setdefault(_declared(m, "process", "timing"), []).append(m)
    return [(p, names) for p, names in found.items() if names]


def count(metrics: list[str], settings: Settings) -> int:
    """How many processes in turn sample these metrics."""
    wanted = max(_declared(m, "processes", 1) for m in metrics)
    return min(wanted, settings.processes or wanted)


def numba(case: Case) -> bool:
    """Whether the backend of a case has kernels that numba compiles."""
    return "numba" in registry.declared(case.parsed.backend, None, "REQUIRES", ())


def job(case: Case, process: str, metrics: list[str], settings: Settings, gate: GateResult | None) -> MeasureJob:
    """What a process is asked for: these metrics of a case, whose gate found so much of its input."""
    spikes = gate.spikes if gate and gate.status == "passed" else None
    s, bias = settings, gate.bias if gate else None
    return MeasureJob(case, process, metrics, s.samples, min(s.fewest, s.samples), s.slow, s.warmup, bias, spikes)


def _declared(metric: str, what: str, usual: Literal) -> Literal:
    """A literal in a metric's file."""
    return declarations.module_literals(registry.file("metrics", metric)).get(what, usual)
