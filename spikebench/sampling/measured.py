"""A process that measures: it makes the workload of a case, takes the samples of its metrics, and keeps what launches gave."""

import math

import torch

from spikebench import metric as metrics
from spikebench import scheme as schemes
from spikebench.backend import module
from spikebench.cases.case import Case, Layer
from spikebench.host.clock import Clock, CpuClock, CudaClock
from spikebench.host.memory import keep_memory, return_memory
from spikebench.host.traces import Traces
from spikebench.metric import Plan, Running
from spikebench.records.flags import Flag
from spikebench.run.channel import Channel
from spikebench.run.protocol import MeasureJob, Request, Result
from spikebench.sampling.timed import Timed
from spikebench.sampling.timed_network import TimedNetwork
from spikebench.verify.judge import copied, hand_over
from spikebench.verify.snapshot import at_start
from spikebench.workloads import network as network_workload
from spikebench.workloads.layer import Workload, build

BEYOND = 5e-4  # seconds that a synchronisation may take to come back


def measured(job: MeasureJob, asked: Request, channel: Channel | None) -> Result:
    """Samples of the metrics that a process is asked for, with what its subject did meanwhile; "wrong" without any."""
    case, process = job.case, job.process
    at_start()
    turn = channel.turn if channel and asked.turns else None
    if turn:
        turn()
    if process == "memory":
        return_memory()
    elif case.allocator == "kept":
        keep_memory()
    torch.set_num_threads(asked.threads)
    before = Traces.now()
    work = build(case, job.bias) if isinstance(case, Layer) else network_workload.build(case)
    clock: Clock = CudaClock(torch) if case.device == "cuda" else CpuClock()
    plan = Plan(samples=job.samples, fewest=job.fewest, slow=job.slow, warmup_seconds=job.warmup)
    running = Running(work, clock, plan, turn=turn)
    running.watch = timed = _watch(work, running, channel) if work.on and process == "timing" else None
    work.call_number(1)
    if process == "timing":
        running.first_call = clock.measure(work.launch)
    measurements = [metrics.measure(name, running) for name in job.metrics]
    if measurements and (said := _ran(case)):
        measurements[0].detail.update(said)
    if measurements and (maps := getattr(work.module, "maps", None)):  # neurons got [T, B, C, H, W] as [T, B, C·H·W]
        measurements[0].detail.update(maps=maps)
    flags = _flags(running, asked.threads, before)
    if timed and measurements:
        measurements[0].detail.update(seeds=timed.evidence.seeds)
        if isinstance(case, Layer):
            measurements[0].detail.update(copied=copied(work.x, clock))
    problem = _check_output(running, job.spikes) if process == "timing" else None
    if timed and not problem:
        anew = asked.evidence is not None and case.device == "cpu" and job.bias is not None  # as the judge does
        problem = hand_over(timed.finished(inputs=not anew), case, asked.evidence, measurements)
    return Result("wrong", problem, flags=flags) if problem else Result(measurements=measurements, flags=flags)


def _watch(work: Workload, running: Running, channel: Channel | None) -> Timed:
    """The watch over the timed launches, which asks the parent where there is one."""
    watch = Timed if isinstance(work.case, Layer) else TimedNetwork
    if channel is None:
        return watch(work, running, snapshot=at_start())
    return watch(work, running, channel.draw, lambda digest: channel.tell(kept=digest), at_start())


def _flags(running: Running, threads: int, before: Traces) -> list[str]:
    """What the subject did to its process, and what decides how long it takes."""
    after, renewed, work = Traces.now(), running.medians.get("renewed", 1.0), running.workload
    raised = {
        Flag.CHANGED_THREADS: torch.get_num_threads() != threads,
        Flag.HOST_BOUND: running.host_bound,
        Flag.COMPANY: before.company(after),
        Flag.MOVED: before.moved(after),
        Flag.REPLAYED: renewed > Flag.REPLAYED.threshold,
        Flag.SILENCED: schemes.silenced(work.case.parsed, work.module, work.x) > 0,
    }
    return [flag for flag, there in raised.items() if there]


def _ran(case: Case) -> dict[str, object]:
    """What a backend says of the way that it computed, where it chooses one: its `ran(device)`."""
    subject = case.parsed
    say = None if subject.foreign else getattr(module(subject.backend, subject.name), "ran", None)
    return say(case.device) if say else {}


def _check_output(running: Running, expected: float | None) -> str | None:
    """What is wrong with one more launch, on the noise that the gate counted spikes with; None if nothing is.

    Where the gate counted none, the last launch tells as much.
    """
    work = running.workload
    if running.medians.get("beyond", 0.0) > running.medians.get("latency", 0.0) / 2 + BEYOND:
        return "the work outlasts the events that time it: it runs on another stream"
    if work.case.mode == "stream":
        return None
    out = running.last_output if expected is None else None
    if out is None:
        work.call_number(0)
        out = work.launch()
    count = float(out.detach().double().sum())
    if not math.isfinite(count):
        return "the timed output is not finite"
    if expected is not None and count != expected:
        return f"the timed output has {count:.0f} spikes, the gate counted {expected:.0f}"
    return None
