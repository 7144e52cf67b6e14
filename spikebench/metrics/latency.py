"""Wall-clock time of one launch, warm: synchronised at both ends, after the time has stopped falling."""

import gc
import os

import torch

from spikebench.host import environment
from spikebench.metric import Again, Running, group_of, warm_up

unit = "s"
process = "timing"
SETTLE = 0.01  # seconds of launches before a sample, after others had their turn: caches and threads were theirs
BRIEF, FAST = 5e-4, 0.01  # the same after a new input, where launches are faster than the second
REPEATED, FEWEST = 5, 3  # samples after which a launch on a new input is timed once more on the same
MANY = 4  # such launches after one sample, where they are timed in groups
LONGEST = 0.1  # seconds that these may take in all
SHORT = 2e-3  # seconds of a launch to which a new input is cold
ALONE = 2.0  # times as long as one of a group an honest launch takes alone, on a core that has just waited


def sample(running: Running) -> list[float]:
    """Seconds per launch. On a CPU, launches under 0.2 ms are timed in groups that last at least that long.

    On a GPU each launch, however short, has its own events, an empty queue and a cold L2 cache: the time that its user
    waits, with the host's work in it. `host` in the detail are the seconds until each launch came back, without waiting
    for the device; device_time is the other one.

    Python's cycle collector does not run inside samples: in a loop over T it would cost time as T². It runs before them,
    and between those that are slow; between fast ones it would empty the caches and let the threads fall asleep.
    Every sample has an input of its own, which is written before it. After some, which nobody can foresee, single launches
    are timed, on a `new` input and on the same `again`. A first call that takes as long as warming up may take was the
    warm-up. Where others measure beside this process, each sample is a turn of its own.
    """
    clock, plan = running.clock, running.plan
    samples, again = list[float](), list[Again]()
    gc.collect()
    gc.disable()
    warm = _warm(running)
    typical = min(warm)
    slow, group = typical > plan.slow, group_of(typical, clock)
    short, settle = clock.grouped and typical < SHORT, _settle(running, typical, slow, after=running.turn is not None)
    count = plan.fewest if slow else plan.samples
    told: dict[str, list[float]] = {name: [] for name in ("host", "beyond") if hasattr(clock, name)}
    hertz, device_hertz = [environment.cpu_hertz()], _device_hertz(running)
    repeated = _repeated(count, (2 * MANY if group > 1 else 2) * typical) if running.watch else set[int]()
    if running.watch:
        running.watch.expects(count)
    for number in range(count):
        if running.turn:
            running.turn()
        if slow:
            gc.collect()
        samples.append(running.sample(clock.measure, group, settle, short))
        for name, seconds in told.items():
            seconds += getattr(clock, name)[-1:]
        if running.watch and number in repeated:
            again += running.watch.again(clock.measure, _settle(running, typical, slow), MANY if group > 1 else 1)
    gc.enable()
    hertz.append(environment.cpu_hertz())
    running.medians["latency"] = sorted(samples)[len(samples) // 2]
    if running.watch:
        running.watch.rest()
        _kept(running, again, group)
    _beside(running, told, group, device_hertz)
    running.detail |= {"warmup": warm[:50], "group": group, "clock": clock.name, "threads": torch.get_num_threads()}
    running.detail |= {"resolution": clock.resolution, "hertz": hertz, "interleaved": running.turn is not None}
    return samples


def _warm(running: Running) -> list[float]:
    """Seconds of the launches of the warm-up, or of a first call that took as long as it may take."""
    first, plan = running.first_call or 0.0, running.plan
    return warm_up(running.workload.launch, running.clock, plan) if first < plan.warmup_seconds else [first]


def _settle(running: Running, typical: float, slow: bool, after: bool = False) -> float:
    """Seconds of launches before a sample: `after` the turn of others, and where fast launches meet a new input."""
    if after and not slow:
        return SETTLE
    return BRIEF if running.watch and running.clock.grouped and typical < FAST and not slow else 0.0


def _kept(running: Running, again: list[Again], group: int) -> None:
    """How many times as long launches took on a new input as on the same again: more, where results are kept.

    And how many times as long as the samples, before which short launches settle on the input: results could be kept of these.
    """
    new, old = ([one[i] for one in again] for i in range(2))
    running.detail |= {"new": new, "again": old}
    if len(again) < FEWEST:  # on a loaded machine a single pair says nothing
        return
    ratios = sorted(n / o for n, o in zip(new, old, strict=True))
    settled = min(new) / running.medians["latency"] / (ALONE if group > 1 else 1.0)
    running.medians["renewed"] = max(settled, min(min(new) / min(old), ratios[len(ratios) // 4]))


def _beside(running: Running, told: dict[str, list[float]], group: int, before: list[float]) -> None:
    """What a clock tells beside each sample: its time beyond the sample; of a GPU the host's part, and the GPU's own clock."""
    beyond = sorted(told.get("beyond") or [0.0])
    running.medians["beyond"] = beyond[len(beyond) // 2] / group
    if host := told.get("host"):
        running.medians["host"] = sorted(host)[len(host) // 2]
        running.detail |= {"host": host, "l2": "cold", "sm_hertz": [*before, *_device_hertz(running)]}


def _repeated(count: int, seconds: float) -> set[int]:
    """Numbers of the samples that are taken again, drawn from what the system has of chance."""
    many = min(REPEATED, count, int(LONGEST / seconds))
    places = sorted(range(count), key=lambda _: os.urandom(8))
    return set(places[:many]) if many >= FEWEST else set()


def _device_hertz(running: Running) -> list[float]:
    """The clock of a GPU's multiprocessors now, as its own cycles tell it; none on a CPU."""
    return [ask()] if (ask := getattr(running.clock, "hertz", None)) else []
