"""Time that the host spends in operators during one warm launch; near the latency, the host is what is waited for."""

from spikebench.metric import Running
from spikebench.sampling.profiler import profiled

unit = "s"
process = "profile"


def sample(running: Running) -> list[float]:
    """Seconds under torch.profiler, which slows the host: no part of the latency, whose detail has the host's time without it."""
    found = profiled(running)
    running.detail["operators"] = found["operators"]
    return [found["host"]]
