"""What a metric is: a way of sampling a running workload. A file in `metrics/` declares `unit` and `process`, and has `sample`.

`DEVICES` names the kinds of device that it measures, where these are not all; `available() -> (reason, remedy) or None`
says why this machine cannot give it.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from spikebench.backend import module
from spikebench.cases.case import Case
from spikebench.host.clock import Clock, NotAhead
from spikebench.records.flags import Flag
from spikebench.records.record import Measurement
from spikebench.workloads.layer import Workload

Measure = Callable[[Callable[[], object]], float]
Again = tuple[float, float]  # seconds of a launch on a new input, and on the same written once more
SHARE = Flag.HOST_BOUND.threshold  # of the latency, from which on the host decides


class Unavailable(RuntimeError):
    """This machine or subject cannot give a metric; the message says why."""


@dataclass
class Plan:
    """How to sample: 20 samples, at least 5 when one takes over 0.2 s."""

    samples: int = 20
    fewest: int = 5
    slow: float = 0.2
    warmup_least: float = 0.2
    warmup_seconds: float = 10.0


class Watch(Protocol):
    """Sees to it that what is timed is computed: see `sampling/timed.py`. `measure` is a clock's, and gives seconds."""

    def expects(self, count: int) -> None:
        """So many samples follow."""
        ...

    def sample(self, measure: Measure, group: int, settle: float, short: bool = False) -> float:
        """Seconds of a launch, the mean of `group`, on an input of its own; `settle` seconds of launches come first."""
        ...

    def again(self, measure: Measure, settle: float, count: int) -> list[Again]:
        """Seconds of single launches, so many times."""
        ...

    def backward(self, measure: Measure, settle: float) -> float:
        """Seconds of a backward pass."""
        ...

    def rest(self) -> None:
        """Give the workload its own input back."""
        ...


@dataclass
class Running:
    """A workload in its process, with what its metrics share. `first_call` is the duration of the first launch in seconds.

    Where processes are interleaved, `turn()` lets the others take their samples and returns when this one may go on.
    """

    workload: Workload
    clock: Clock
    plan: Plan
    turn: Callable[[], None] | None = None
    watch: Watch | None = None
    first_call: float | None = None
    last_output: Tensor | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    medians: dict[str, float] = field(default_factory=dict)

    @property
    def host_bound(self) -> bool:
        """Whether the host decides how long a launch on a GPU takes: it works on it for 0.9 of the latency or longer.

        Not where the device takes as long: then the host only waits for room in a full queue.
        """
        latency, host = self.medians.get("latency", 0.0), self.medians.get("host", 0.0)
        return latency > 0 and host >= SHARE * latency and self.medians.get("device", 0.0) < SHARE * latency

    def sample(self, measure: Measure, group: int, settle: float, short: bool = False) -> float:
        """Seconds of a launch, the mean of `group`; `settle` seconds of launches come first. See `Timed.sample` for `short`."""
        if self.watch:
            return self.watch.sample(measure, group, settle, short)
        spent, launch = 0.0, self.workload.launch
        while spent < settle:
            spent += self.clock.measure(launch)

        def launches() -> None:
            for _ in range(group):
                self.last_output = launch()

        return measure(launches) / group

    def backward(self, settle: float) -> float:
        """Seconds of a backward pass; `settle` seconds of training steps come first."""
        if self.watch:
            return self.watch.backward(self.clock.measure, settle)
        spent, forward = 0.0, self.workload.forward
        while spent < settle:
            spent += self.clock.measure(lambda: forward()())
        return self.clock.measure(forward())


class Metric(Protocol):
    """The module of a metric. Metrics of one `process` share a fresh process: "timing" is that of the latency, "memory" has
    the default allocator, any other name is one of its own.

    A metric that a process can give one sample of only, as the time of the first call, declares `processes`: so many
    fresh processes sample it, and their samples are one measurement. With `layer_only = True` a metric speaks of a neuron
    alone, and is unavailable for a network.
    """

    unit: str
    process: str

    def sample(self, running: Running) -> list[float]:
        """Samples in `unit`; raises Unavailable with the reason."""
        ...


def load(name: str) -> Metric:
    """The metric with an id."""
    return cast(Metric, importlib.import_module(f"spikebench.metrics.{name}"))


def measure(name: str, running: Running) -> Measurement:
    """One metric as a Measurement; what it cannot give is `unavailable` with the reason."""
    metric = load(name)
    running.detail = {}
    if getattr(metric, "layer_only", False) and running.workload.case.workload != "layer":
        return Measurement(name, metric.unit, "unavailable", "a metric of a neuron alone: take workload layer")
    try:
        samples = metric.sample(running)
    except (Unavailable, NotAhead) as error:
        return Measurement(name, metric.unit, "unavailable", str(error), detail=dict(running.detail))
    return Measurement(name, metric.unit, samples=samples, detail=dict(running.detail))


SHORTEST = 2e-4  # seconds; what takes less is timed in groups, on a CPU


def group_of(typical: float, clock: Clock) -> int:
    """How many calls of this duration are timed as one sample. On a GPU it is one, because each has a cold cache of its own."""
    return max(1, round(SHORTEST / typical)) if clock.grouped else 1


def launches(launch: Callable[[], object], count: int) -> Callable[[], None]:
    """A call that launches `count` times in a row, to be timed as one sample."""

    def repeated() -> None:
        for _ in range(count):
            launch()

    return repeated


def copying(x: Tensor, clock: Clock) -> tuple[Callable[[], None], int]:
    """A call that copies x into a preallocated tensor some times in a row, and how many times that is."""
    x = x.detach()
    out = torch.empty_like(x)
    group = group_of(min(warm_up(lambda: out.copy_(x), clock, Plan(warmup_least=0.05, warmup_seconds=1.0))), clock)

    def copies() -> None:
        for _ in range(group):
            out.copy_(x)

    return copies, group


def beside(running: Running, yardstick: Callable[[], None], group: int) -> list[tuple[float, float]]:
    """Seconds of a reference kernel, and of the launch after it, as often as the plan says.

    `yardstick()` runs the kernel `group` times; its time is divided by that. Both times are those of the device, because
    a bound is one of the device. Raises NotAhead where the device's time cannot be told.
    """
    work, clock, plan = running.workload, running.clock, running.plan
    slow = min(warm_up(work.launch, clock, Plan(warmup_seconds=1.0))) > plan.slow
    count = plan.fewest if slow else plan.samples
    return [(clock.on_device(yardstick) / group, clock.on_device(work.launch)) for _ in range(count)]


def declared_by_backend(case: Case, function: str, noun: str) -> int:
    """What a case's backend declares by a function of its file; raises Unavailable where it says nothing."""
    if case.workload != "layer" or case.mode == "stream" or case.parsed.foreign:
        raise Unavailable(f"{noun} are declared for a layer of a backend of ours, not in mode stream")
    found = getattr(module(case.parsed.backend, case.parsed.name), function, lambda _: None)(case)
    if found is None:
        raise Unavailable(f"backend {case.parsed.backend!r} declares no {noun} for {case.parsed.name!r}")
    return found


def warm_up(call: Callable[[], Any], clock: Clock, plan: Plan) -> list[float]:
    """Call until the time stops falling, which is after two calls in a row that beat the best so far by less than 2 %.

    It lasts `plan.warmup_least` seconds at least, because the clock of a core and sleeping threads wake more slowly than
    two fast calls take.
    """
    times: list[float] = []
    best, stale, start = float("inf"), 0, clock.now()
    while (passed := clock.now() - start) < plan.warmup_seconds and (stale < 2 or passed < plan.warmup_least):
        times.append(clock.measure(call))
        stale = stale + 1 if times[-1] > best * 0.98 else 0
        best = min(best, times[-1])
    return times
