"""What was kept of timed launches is held against what the parent drew and was told while they were timed."""

import copy
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256

import pytest

from spikebench.cases.case import Layer
from spikebench.host import clock
from spikebench.host.clock import CpuClock
from spikebench.metric import Plan, Running, measure
from spikebench.metrics import latency
from spikebench.run.protocol import Drawn, JudgeJob
from spikebench.sampling.timed import Timed, queued
from spikebench.verify.as_drawn import NOTHING, OTHER, READINGS, forged, late, slowed
from spikebench.verify.evidence import Choice, Evidence, Kept
from spikebench.workloads.layer import build

SAMPLES = 6


class Parent:
    """Draws seeds, and notes what it drew and was told."""

    def __init__(self) -> None:
        self.draws: list[Drawn] = []

    def draw(self, what: str, event: list[str | int] | None = None) -> str:
        self.draws.append(Drawn(what, f"{len(self.draws):032x}", event, at=time.monotonic()))
        return self.draws[-1].seed

    def tell(self, digest: str) -> None:
        self.draws.append(Drawn("kept", digest=digest))


def timed(subject: str, mode: str, N: int = 8) -> tuple[Evidence, list[Drawn], Choice]:
    evidence, draws, choice = _timed(subject, mode, N)
    return copy.deepcopy(evidence), draws, choice


@lru_cache
def _timed(subject: str, mode: str, N: int) -> tuple[Evidence, list[Drawn], Choice]:
    work = build(Layer(subject, T=12, B=2, N=N, mode=mode), 0.2)  # pyright: ignore[reportArgumentType]
    parent, running = Parent(), Running(work, CpuClock(), Plan(samples=SAMPLES, warmup_least=0.01))
    running.watch = watch = Timed(work, running, parent.draw, parent.tell)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "LONGEST", 1e9)  # launches are repeated on a busy machine, too
        for metric in ("latency", "backward") if mode == "train" else ("latency",):
            measure(metric, running)
    coupled = subject.startswith("recurrent_lif")
    return watch.finished(), parent.draws, Choice(12, 2, N, coupled, SAMPLES)


@pytest.mark.parametrize("subject", ["lif@cpu", "spsn@eager", "recurrent_lif@eager"])
@pytest.mark.parametrize("mode", ["inference", "train"])
def test_what_was_kept_is_what_was_drawn(subject: str, mode: str) -> None:
    evidence, draws, choice = timed(subject, mode, N=200 if subject.startswith("recurrent") else 8)
    assert forged(evidence, draws, choice) is None
    assert len(evidence.kept) > SAMPLES and {k.whole for k in evidence.kept} == ({False, True})
    job = JudgeJob(Layer(subject), "", 0.0, [], SAMPLES, draws)
    assert JudgeJob.from_json(job.to_json()) == job


def _other_spikes(kept: list[Kept]) -> None:
    kept[2].spikes[0] = 1 - kept[2].spikes[0]


def _other_series(kept: list[Kept]) -> None:
    small = next(k for k in kept if not k.whole)
    small.index = small.index + 1


def _other_input(kept: list[Kept]) -> None:
    next(k for k in kept if k.seed != kept[0].seed).seed = kept[0].seed


CHANGES: dict[str, tuple[Callable[[list[Kept]], object], str]] = {
    "spikes": (_other_spikes, OTHER),
    "series": (_other_series, OTHER),
    "input": (_other_input, OTHER),
    "fewer": (lambda kept: kept.pop(), OTHER),
    "order": (lambda kept: kept.reverse(), OTHER),
    "more": (lambda kept: kept.append(kept[-1]), OTHER),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_after_it_was_told_is_found(name: str) -> None:
    evidence, draws, choice = timed("lif@cpu", "inference")
    change, said = CHANGES[name]
    change(evidence.kept)
    assert forged(evidence, draws, choice) == said


def test_who_keeps_nothing_or_asks_too_early_is_found() -> None:
    evidence, draws, choice = timed("lif@cpu", "inference")
    last = next(i for i, d in enumerate(draws) if d.what == "kept" != draws[i + 1].what)  # of the first sample
    assert forged(evidence, [*draws[:last], *draws[last + 1 :]], choice) == NOTHING
    asked = next(i for i, d in enumerate(draws) if d.what == "launch")
    assert forged(evidence, [*draws[: asked + 1], *draws[asked:]], choice) == NOTHING
    evidence.kept.clear()
    assert forged(evidence, [d for d in draws if d.what != "kept"], choice) == NOTHING


def test_who_keeps_another_launch_of_a_group_than_was_drawn_is_found() -> None:
    evidence, draws, choice = timed("lif@cpu", "inference")
    first = next(i for i, d in enumerate(draws) if d.what == "kept")
    evidence.kept[0].call += 1
    told = replace(draws[first], digest=evidence.kept[0].digest)
    assert forged(evidence, [*draws[:first], told, *draws[first + 1 :]], choice) == OTHER


def test_readings_of_the_clock_are_those_that_were_told() -> None:
    evidence, draws, choice = timed("lif@cpu", "inference")
    event = evidence.events[3]
    evidence.events[3] = type(event)(event.metric, event.group, event.start, event.end - 1)
    assert forged(evidence, draws, choice) == READINGS


def test_a_clock_that_runs_too_slowly_is_found_where_launches_are_long() -> None:
    def draws(own: float, parent: float) -> list[Drawn]:
        return [Drawn("launch", "", ["latency", 1, 0, int(own * 1e9)], at=10 * i + parent) for i in range(5)]

    marks = [[10.0 * i, 10.0 * i, 0.0] for i in range(6)]
    assert slowed(draws(1.0, 1.1), marks) is None and slowed(draws(0.001, 0.2), marks) is None
    assert "0.1 s by the clock of its process, and 1 s" in (slowed(draws(0.1, 1.0), marks) or "")
    mixed = copy.copy(draws(0.1, 1.0))
    mixed[:3] = draws(1.0, 1.05)[:3]
    assert slowed(mixed, marks) is None, "the machine was busy in the others"


def test_who_works_on_when_the_clock_has_stopped_is_found_where_that_is_long() -> None:
    def draws(own: float, after: float, held_up: float = 0.0) -> list[Drawn]:
        made, queued = list[Drawn](), 0.0
        for end in [10.0 * i + own for i in range(8)]:
            event = ["latency", 1, int((end - own) * 1e9), int(end * 1e9)]
            made += [
                Drawn("sample", held_up=queued),
                Drawn("launch", "", event, at=end + after, held_up=queued + held_up),
            ]
            queued += held_up + 1.0  # between two samples nothing counts
        return made

    assert late(draws(1e-4, 1e-3)) is None and late(draws(1.0, 0.9)) is None and late([]) is None
    assert "worked on for 0.05 s" in (late(draws(1e-4, 0.05)) or "")
    assert late([*draws(1e-4, 0.05)[:12], *draws(1e-4, 1e-3)[12:]]) is not None
    assert late([*draws(1e-4, 0.05)[:10], *draws(1e-4, 1e-3)[10:]]) is None, "the machine was busy in the others"
    assert late(draws(1e-4, 0.05, held_up=0.04)) is None, "process and parent had no core"
    assert late(draws(1e-4, 0.05, held_up=-0.04)) is not None, "its other threads worked meanwhile"


def _spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_what_waits_for_a_core_is_told_from_what_works() -> None:
    core, before, alone = {min(os.sched_getaffinity(0))}, clock.held_up(os.getpid()), queued()
    spin = "import os, time; os.sched_setaffinity(0, {%d}); end = time.monotonic() + 0.4\nwhile time.monotonic() < end: pass"
    usual = os.sched_getaffinity(0)
    with subprocess.Popen([sys.executable, "-S", "-c", spin % min(core)]) as other:
        os.sched_setaffinity(0, core)
        while other.poll() is None:
            pass
        os.sched_setaffinity(0, usual)
    assert clock.held_up(os.getpid()) - before > 0.05, "half of the time the core was the other's"
    assert queued() - alone > 0.05
    for _ in range(20):
        time.sleep(2e-3)
        _spin(1e-3)
        start, before = time.perf_counter(), queued()
        _spin(1e-4)
        assert queued() - before <= time.perf_counter() - start, "what was before does not count"
    data = bytes(10**8)  # whose digest needs no interpreter: nobody waits for that meanwhile
    before, working = clock.held_up(os.getpid()), threading.Thread(target=lambda: sha256(data))
    working.start()
    working.join()
    assert clock.held_up(os.getpid()) < before, "what other threads work is no reason for a delay"
