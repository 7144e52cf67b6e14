"""Joules per launch from an energy counter, over windows of at least 5 s, each in a process of its own; with and without idle power."""

import math
import random
import time
from collections.abc import Callable

from spikebench.host import energy as energy_counter
from spikebench.host import environment
from spikebench.host.energy import Counter
from spikebench.metric import Running, Unavailable, launches, warm_up

unit = "J"
process = "energy"
processes = 3  # a process shares its luck: it, not the window, is what is replicated

WINDOW, LATEST = 5.0, 0.5  # seconds: of a window, and by which its start is put off at random


def available() -> tuple[str, str] | None:
    """Why there is no counter here, and the remedy, or None."""
    try:
        energy_counter.find("cuda" if environment.gpu() else "cpu")
    except energy_counter.NoCounter as error:
        return error.reason, error.remedy
    return None


def sample(running: Running) -> list[float]:
    """One sample per process, the idle power not taken off. `net_joules` in the detail is without what rest would take.

    The clock synchronises the device at both ends of a window. Launches follow one another: the queue is full and the
    cache as the launch before left it, where a latency is taken from an empty queue and a cold cache. A window starts at
    a random time, so that it keeps no step with a counter that is updated every so often. Of a GPU the detail has the
    CPU's joules in the same window too, where they are counted: a loop that is fed by the host works there.
    """
    device = running.workload.case.device
    try:
        counter = energy_counter.find(device)
    except energy_counter.NoCounter as error:
        raise Unavailable(f"{error.reason}; {error.remedy}") from error
    return window(running, counter, *_beside(device))


def window(running: Running, counter: Counter, beside: Counter | None = None, why: str | None = None) -> list[float]:
    """Joules per launch in one window; `beside` counts the CPU's share, or `why` says what does not."""
    work, clock = running.workload, running.clock
    counters = [counter, *([beside] if beside else [])]
    idle, rest = _joules(counters, lambda: clock.measure(_rest))
    count = max(1, math.ceil(WINDOW / min(warm_up(work.launch, clock, running.plan))))
    while True:
        waited = random.uniform(0, LATEST)
        time.sleep(waited)
        joules, taken = _joules(counters, lambda n=count: clock.measure(launches(work.launch, n)))
        if taken > min(c.longest for c in counters):
            raise Unavailable(f"a window of {taken:.0f} s is longer than the counter takes to wrap around")
        if taken >= WINDOW:
            break
        count = math.ceil(count * max(1.1, 1.1 * WINDOW / taken))
    if joules[0] <= 0:
        raise Unavailable(f"{counter.name} stood still for {taken:.0f} s")
    per = work.case.T * work.case.B * work.case.N
    running.detail |= {"counter": counter.name, "method": counter.method, "scope": counter.scope}
    running.detail |= {"sampling": counter.sampling, "state": "launches in a row: full queue, warm cache"}
    running.detail |= {"launches": count, "windows": [taken], "delays": [waited]}
    running.detail |= {"joules_per_neuron_step": [joules[0] / count / per]} | _net(
        joules[0], taken, count, idle[0] / rest
    )
    if beside:
        running.detail["cpu"] = {"counter": beside.name, "scope": beside.scope, "joules": [joules[1] / count]}
        running.detail["cpu"] |= _net(joules[1], taken, count, idle[1] / rest)
    elif why:
        running.detail["cpu"] = {"unavailable": why}
    return [joules[0] / count]


def _beside(device: str) -> tuple[Counter | None, str | None]:
    """What counts the CPU's joules while a GPU works, or why nothing does."""
    if device == "cpu":
        return None, None
    try:
        return energy_counter.find("cpu"), None
    except energy_counter.NoCounter as error:
        return None, f"{error.reason}; {error.remedy}"


def _net(joules: float, taken: float, count: int, idle: float) -> dict[str, object]:
    """Idle W, and J per launch without what so much power would have taken in the window."""
    return {"idle_watts": idle, "net_joules": [(joules - idle * taken) / count]}


def _joules(counters: list[Counter], call: Callable[[], float]) -> tuple[list[float], float]:
    """What a call that gives its duration took: joules of each counter, and seconds."""
    before = [c.joules() for c in counters]
    taken = call()
    return [c.joules() - b for c, b in zip(counters, before, strict=True)], taken


def _rest() -> None:
    time.sleep(WINDOW)
