"""Bandwidth bound: time of an in-place copy of the input into a preallocated tensor, same process, same threads."""

from spikebench.metric import Running, copying

unit = "s"
process = "timing"


def sample(running: Running) -> list[float]:
    """Seconds per `out.copy_(x)`; twice the input's bytes move. On a GPU the device's time, from a cold cache."""
    x = running.workload.x
    copies, group = copying(x, running.clock)
    running.detail |= {"bytes_moved": 2 * x.numel() * x.element_size(), "group": group}
    return [running.clock.on_device(copies) / group for _ in range(running.plan.samples)]
