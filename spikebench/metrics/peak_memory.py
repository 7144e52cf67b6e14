"""Peak memory of one launch above the workload's inputs, in a process of its own with the default allocator."""

import ctypes
import gc
import re
from pathlib import Path

import torch

from spikebench.metric import Running, Unavailable

unit = "B"
process = "memory"


def sample(running: Running) -> list[float]:
    """Bytes. CUDA: the allocator's peak. CPU: the process's own high-water mark above what it held before the launch.

    One launch comes first, so that code and caches are loaded; all it held is given back before the mark is reset.
    """
    work = running.workload
    work.launch()
    gc.collect()
    if work.case.device == "cuda":
        torch.cuda.synchronize()
        held = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        work.launch()
        torch.cuda.synchronize()
        return [float(torch.cuda.max_memory_allocated() - held)]
    ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError as error:
        raise Unavailable(f"the high-water mark cannot be reset here ({error.strerror})") from error
    held = _status("VmRSS")
    work.launch()
    running.detail |= {"input_bytes": work.x.numel() * work.x.element_size()}
    return [float(max(0, _status("VmHWM") - held))]


def _status(key: str) -> int:
    """Bytes of a line in /proc/self/status."""
    found = re.search(rf"{key}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise Unavailable(f"/proc/self/status has no {key}")
    return int(found.group(1)) * 1024
