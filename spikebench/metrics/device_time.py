"""Time that the device spends in kernels and copies during one warm launch; far below host_time, it waits to be fed."""

from spikebench.metric import Running, Unavailable
from spikebench.profiler import profiled

unit = "s"
process = "profile"


def sample(running: Running) -> list[float]:
    """Seconds under torch.profiler, summed over kernels."""
    if running.workload.case.device != "cuda":
        raise Unavailable("on a CPU host and device are the same: take host_time")
    return [profiled(running)["device"]]
