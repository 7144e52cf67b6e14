"""What comes before a warm launch: importing the subject, making its module, and the first launch less a warm one."""

from spikebench.metric import Running, Unavailable

unit = "s"
process = "timing"


def sample(running: Running) -> list[float]:
    """Seconds, one sample per process; caches on disk are as the machine has them. `made` in the detail are those of import and
    construction, `first` those of the first launch. PyTorch and numba are there before."""
    if running.first_call is None:
        raise Unavailable("the first launch was not timed in this process")
    warm = running.medians.get("latency") or running.clock.measure(running.workload.launch)
    made = running.workload.made
    running.detail |= {"made": made, "first": running.first_call}
    return [made + max(0.0, running.first_call - warm)]
