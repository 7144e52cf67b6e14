"""One launch under torch.profiler, in a process of its own: what host and device spent, kernels, and where it went."""

from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from spikebench.metric import Running, warm_up
from spikebench.run.protocol import Trace, TraceRow
from spikebench.workloads.layer import Workload

LAUNCH = ("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch")


def profiled(running: Running) -> dict[str, float]:
    """host and device in seconds, operators, kernels and launches of one warm launch; profiled once per process."""
    found = {k.removeprefix("profiler."): v for k, v in running.medians.items() if k.startswith("profiler.")}
    if found:
        return found
    work, device = running.workload, running.workload.case.device
    warm_up(work.launch, running.clock, running.plan)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device == "cuda" else [])]
    with profile(activities=activities, acc_events=True) as seen:
        work.launch()
        if device == "cuda":
            torch.cuda.synchronize()
    found = _sums(seen.events() or [])
    running.medians |= {f"profiler.{k}": v for k, v in found.items()}
    return found


def trace(work: Workload, path: str) -> Trace:
    """Operators of one warm launch by their own time, and a trace for Chrome or Perfetto in the file `path`."""
    work.launch()
    with profile() as seen:
        work.launch()
    seen.export_chrome_trace(path)
    own = "self_device_time_total" if work.case.device == "cuda" else "self_cpu_time_total"
    found = sorted((e for e in seen.key_averages() if e.count), key=lambda e: -getattr(e, own))
    total = sum(getattr(e, own) for e in found) or 1.0
    rows = [TraceRow(e.key, e.count, getattr(e, own) / total) for e in found[:12]]
    return Trace(rows, sum(e.count for e in found) / work.case.T, path)


def _sums(events: Any) -> dict[str, float]:
    """Sums over the events of a profile; their times are in µs."""
    host = [e for e in events if e.device_type.name == "CPU"]
    device = [e for e in events if e.device_type.name == "CUDA"]
    return {
        "host": 1e-6 * sum(e.self_cpu_time_total for e in host),
        "device": 1e-6 * sum(e.self_device_time_total for e in device),
        "operators": float(sum("::" in e.name for e in host)),
        "kernels": float(len(device)),
        "launches": float(sum(e.name.startswith(LAUNCH) for e in host)),
    }
