"""A measuring engine that measures nothing: what it was asked is kept, and every answer comes at once.

It stands in the place of the processes, so that all that a command or a function does around them is as ever.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from spikebench import declarations, registry
from spikebench.cases.case import Case
from spikebench.cases.subject import Way, parse_subject
from spikebench.experiments import check
from spikebench.host.monitor import Reading
from spikebench.plots import _draw
from spikebench.records.gate import GateResult, NetworkGate
from spikebench.records.record import Measurement
from spikebench.run import session
from spikebench.run.protocol import (
    CheckJob,
    CheckResult,
    FoundWay,
    GateJob,
    Job,
    MeasureJob,
    Outcome,
    Result,
    Trace,
    TraceJob,
    TrainJob,
    WayJob,
)
from spikebench.run.settings import Settings


@dataclass
class Asked:
    """What the engine was asked: settings of its pools, and jobs. Cases of jobs that sample or train are `cases`."""

    settings: list[Settings] = field(default_factory=list)
    jobs: list[tuple[Job, float | None]] = field(default_factory=list)

    @property
    def cases(self) -> list[Case]:
        return [job.case for job, _ in self.jobs if isinstance(job, MeasureJob | TrainJob)]


def result(job: Job) -> Result:
    """An answer that is right in form."""
    if isinstance(job, GateJob):
        network = NetworkGate("passed", None, "float64", 1)
        spikes = 0.3 * job.case.T * job.case.B * job.case.N
        return Result(gate=GateResult("passed", bias=0.1, spikes=spikes, seed=0), network=network)
    if isinstance(job, MeasureJob):
        return Result(measurements=[measurement(m, job) for m in job.metrics])
    if isinstance(job, TrainJob):
        return Result(
            measurements=[Measurement("accuracy", "1", samples=[0.5]), Measurement("epoch_time", "s", samples=[1.0])]
        )
    if isinstance(job, CheckJob):
        return Result(checks=[CheckResult("shape", True, "")])
    if isinstance(job, WayJob):
        return Result(way=FoundWay(str(parse_subject(job.subject)), "Net()", [], Way(), {}))
    if isinstance(job, TraceJob):
        return Result(trace=Trace([], 0.0, job.file))
    return Result("failed", "nothing is observed here")


def measurement(metric: str, job: MeasureJob) -> Measurement:
    """Samples that vary a little, and grow with T."""
    unit = declarations.module_literals(registry.file("metrics", metric))["unit"]
    samples = [1e-6 * job.case.T * (1 + 0.01 * (k % 7)) for k in range(min(job.samples, 50))]
    return Measurement(metric, unit, samples=samples)


class Pool:
    """The pool of a session, and who starts the processes of `check`."""

    asked: Asked

    def __init__(self, settings: Any, *_: object, **__: object) -> None:
        if isinstance(settings, Settings):
            self.asked.settings.append(settings)

    def ask(self, *given: Any, **_: Any) -> Outcome:
        """A pool is asked about a case for a job within seconds; those who start processes for a job within seconds."""
        place = 1 if isinstance(given[0], Case) else 0
        self.asked.jobs.append((given[place], given[place + 1]))
        return (
            Outcome("ok", result=result(given[place]), cpu_seconds=0.0, wall_seconds=0.0)
            if isinstance(given[place], GateJob | MeasureJob | TrainJob | CheckJob | WayJob | TraceJob)
            else Outcome("failed", "nothing is observed here")
        )

    def beside(self, jobs: Sequence[GateJob], seconds: float | None) -> Iterator[tuple[int, Outcome]]:
        yield from enumerate(self.ask(job, seconds) for job in jobs)

    def load(self, cases: Sequence[Case]) -> None: ...

    def begin(self, cases: Sequence[Case]) -> None: ...

    def prepare(self, cases: Sequence[Case]) -> None: ...

    def interleaved(self, jobs: Sequence[MeasureJob], seconds: float | None) -> list[Outcome]:
        return [self.ask(job, seconds) for job in jobs]

    def reading(self, device: str) -> Reading:
        return Reading(0.0, 0.0)

    def close(self) -> None: ...

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None: ...


class Picture:
    """A figure that is not drawn."""

    def savefig(self, path: Path, **_: object) -> None:
        path.write_bytes(b"")


def put(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Asked]:
    """Put the engine in its place; what is returned gives what it was asked, and has it forget that."""
    asked = Asked()
    monkeypatch.setattr(Pool, "asked", asked, raising=False)
    monkeypatch.setattr(session, "Fresh", Pool)
    monkeypatch.setattr(check, "Workers", Pool)
    monkeypatch.setattr(_draw, "sized", lambda *_: [(3.25, Picture())])
    monkeypatch.setattr(_draw, "close", lambda figure: None)

    def taken() -> Asked:
        found = Asked(list(asked.settings), list(asked.jobs))
        asked.settings.clear()
        asked.jobs.clear()
        return found

    return taken
