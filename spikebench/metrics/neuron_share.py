"""Share of a network's time that its neurons take: one less the time of the same network with nothing in their places, over its own."""

import gc

from spikebench.analysis.stats import median
from spikebench.cases.case import NetworkStep
from spikebench.metric import Running, Unavailable, group_of, launches, warm_up
from spikebench.workloads.network import without_neurons

unit = "1"
process = "timing"


def sample(running: Running) -> list[float]:
    """1 − (time without the neurons ÷ time with them). Launches of the two are interleaved, and the order alternates from pair to pair.

    A value of 0.5 means that the neurons take half of the time. The detail holds the seconds `without` them and of the
    `whole` network. Its `over_linear` is the time that the neurons add, divided by the time of everything else, which in a
    projection is its Linear. On a GPU both times are those that a user waits for, the host's work included.
    """
    work, clock, plan = running.workload, running.clock, running.plan
    if not isinstance(work.case, NetworkStep):
        raise Unavailable("a share of a network's time: take workload projection or network")
    gc.collect()
    gc.disable()
    sides = (without_neurons(work).launch, work.launch)
    typical = [min(warm_up(launch, clock, plan)) for launch in sides]
    groups = [group_of(seconds, clock) for seconds in typical]
    slow = max(typical) > plan.slow
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(plan.fewest if slow else plan.samples):
        if slow:
            gc.collect()
        for side in (0, 1) if number % 2 else (1, 0):
            seconds[side].append(clock.measure(launches(sides[side], groups[side])) / groups[side])
    gc.enable()
    without, whole = seconds
    shares = [1 - a / b for a, b in zip(without, whole, strict=True)]
    over = median(shares) / (1 - median(shares))
    running.detail |= {"without": without, "whole": whole, "over_linear": over, "groups": groups, "clock": clock.name}
    return shares
