"""Joules per launch from an energy counter, over windows of at least 5 s; idle power is measured apart."""

import math
import time
from collections.abc import Callable

from spikebench import energy_counter
from spikebench.energy_counter import Counter
from spikebench.metric import Running, Unavailable, warm_up

unit = "J"
process = "energy"

WINDOW, WINDOWS = 5.0, 3


def sample(running: Running) -> list[float]:
    """One sample per window, the idle power not taken off. The detail has the counter, J per neuron and step, idle W.

    The clock synchronises the device at both ends of a window.
    """
    try:
        counter = energy_counter.find(running.workload.case.device)
    except energy_counter.NoCounter as error:
        raise Unavailable(f"{error.reason}; {error.remedy}") from error
    return windows(running, counter)


def windows(running: Running, counter: Counter) -> list[float]:
    """Joules per launch in each window."""
    work, clock = running.workload, running.clock
    idle = _joules(counter, lambda: clock.measure(_rest))
    count = max(1, math.ceil(WINDOW / min(warm_up(work.launch, clock, running.plan))))
    samples: list[float] = []
    seconds: list[float] = []
    while len(samples) < WINDOWS:

        def launches(count: int = count) -> None:
            for _ in range(count):
                work.launch()

        joules, taken = _joules(counter, lambda call=launches: clock.measure(call))
        if taken > counter.longest:
            raise Unavailable(f"a window of {taken:.0f} s is longer than the counter takes to wrap around")
        if taken < WINDOW:
            count = math.ceil(count * max(1.1, 1.1 * WINDOW / taken))
            continue
        if joules <= 0:
            raise Unavailable(f"{counter.name} stood still for {taken:.0f} s")
        samples.append(joules / count)
        seconds.append(taken)
    case = work.case
    per = case.T * case.B * case.N
    running.detail |= {"counter": counter.name, "method": counter.method, "scope": counter.scope}
    running.detail |= {"launches": count, "windows": seconds, "joules_per_neuron_step": [j / per for j in samples]}
    running.detail |= {"idle_watts": idle[0] / idle[1]}
    return samples


def _joules(counter: Counter, call: Callable[[], float]) -> tuple[float, float]:
    """What a call that gives its duration took: joules and seconds."""
    before = counter.joules()
    taken = call()
    return counter.joules() - before, taken


def _rest() -> None:
    time.sleep(WINDOW)
