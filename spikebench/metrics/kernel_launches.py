"""Kernels and copies that one warm launch runs on the device: many short ones are bound by their launches."""

from spikebench.metric import Running, Unavailable
from spikebench.sampling.profiler import profiled

unit = "1"
DEVICES = ("cuda",)
process = "profile"


def sample(running: Running) -> list[float]:
    """One count, under torch.profiler. The detail has how many calls launched them, a CUDA graph being one, and their time.

    `kernel_seconds` is the time of all kernels and copies, without the gaps between them.
    """
    if running.workload.case.device != "cuda":
        raise Unavailable("a CPU runs operators, not kernels: host_time counts them")
    found = profiled(running)
    running.detail |= {"launches": found["launches"], "kernel_seconds": found["device"]}
    return [found["kernels"]]
