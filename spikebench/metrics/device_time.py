"""Time that a GPU takes for one launch when all its work is in the queue already, from a cold cache: the host's time is not in it."""

from spikebench.backend import module
from spikebench.metric import Running, Unavailable, warm_up

unit = "s"
DEVICES = ("cuda",)
process = "timing"


def sample(running: Running) -> list[float]:
    """Seconds between two events, with the queue held up before the first; the latency is what the user waits for.

    Unavailable where the host cannot get ahead: a launch that waits for the device inside, or that asks for more kernels
    than the queue holds, as a loop over time does. There the sum of kernels (kernel_launches) says what the device did.
    `graph_replay` in the detail is the same for what a backend calls its replay: its graph without copies around it.
    """
    work, clock, plan = running.workload, running.clock, running.plan
    if work.case.device != "cuda":
        raise Unavailable("on a CPU host and device are the same: take latency")
    if "latency" not in running.medians:
        running.medians["latency"] = min(warm_up(work.launch, clock, plan))
    count = plan.fewest if running.medians["latency"] > plan.slow else plan.samples
    samples = [clock.on_device(work.launch) for _ in range(count)]
    running.medians["device"] = sorted(samples)[len(samples) // 2]
    running.detail |= {"l2": "cold"}
    subject = work.case.parsed
    if not subject.foreign and (find := getattr(module(subject.backend, subject.name), "replay", None)):
        if replay := find(work.module, work.case.mode):
            running.detail["graph_replay"] = [clock.on_device(replay) for _ in range(count)]
    return samples
