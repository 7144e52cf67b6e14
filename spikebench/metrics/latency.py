"""Wall-clock time of one launch, warm: synchronised at both ends, after the time has stopped falling."""

import gc

import torch

from spikebench.host import environment
from spikebench.metric import Running, group_of, warm_up

unit = "s"
process = "timing"
SETTLE = 0.01  # seconds of launches before a sample, after others had their turn: caches and threads were theirs


def sample(running: Running) -> list[float]:
    """Seconds per launch. On a CPU, launches under 0.2 ms are timed in groups that last at least that long.

    On a GPU each launch, however short, has its own events, an empty queue and a cold L2 cache: the time that its user
    waits, with the host's work in it. `host` in the detail are the seconds until each launch came back, without waiting
    for the device; device_time is the other one.

    Python's cycle collector does not run inside samples: in a loop over T it would cost time as T². It runs before them,
    and between those that are slow; between fast ones it would empty the caches and let the threads fall asleep.
    A first call that takes as long as warming up may take was the warm-up. Where others measure beside this process, each
    sample is a turn of its own.
    """
    clock, plan, work = running.clock, running.plan, running.workload
    gc.collect()
    gc.disable()
    first = running.first_call or 0.0
    warm = warm_up(work.launch, clock, plan) if first < plan.warmup_seconds else [first]
    typical = min(warm)
    slow = typical > plan.slow
    group = group_of(typical, clock)

    def launches() -> None:
        for _ in range(group):
            running.last_output = work.launch()

    count = plan.fewest if slow else plan.samples
    samples: list[float] = []
    hertz, device_hertz = [environment.cpu_hertz()], _device_hertz(running)
    for _ in range(count):
        if running.turn:
            running.turn()
            settled = 0.0
            while not slow and settled < SETTLE:
                settled += clock.measure(work.launch)
        if slow:
            gc.collect()
        samples.append(clock.measure(launches) / group)
    hertz.append(environment.cpu_hertz())
    gc.enable()
    if host := getattr(clock, "host", [])[-count:]:
        running.medians["host"] = sorted(host)[len(host) // 2]
        running.detail |= {"host": host, "l2": "cold", "sm_hertz": [*device_hertz, *_device_hertz(running)]}
    running.medians["latency"] = sorted(samples)[len(samples) // 2]
    beyond = sorted(getattr(clock, "beyond", [])[-count:] or [0.0])
    running.medians["beyond"] = beyond[len(beyond) // 2] / group
    running.detail |= {"warmup": warm[:50], "group": group, "clock": clock.name, "threads": torch.get_num_threads()}
    running.detail |= {"resolution": clock.resolution, "hertz": hertz, "interleaved": running.turn is not None}
    return samples


def _device_hertz(running: Running) -> list[float]:
    """The clock of a GPU's multiprocessors now, as its own cycles tell it; none on a CPU."""
    return [ask()] if (ask := getattr(running.clock, "hertz", None)) else []
