"""Peak memory of one launch above the workload's inputs, in a process of its own with the default allocator."""

import gc
import re
from pathlib import Path
from typing import Any

import torch

from spikebench.cases.case import Layer
from spikebench.host import traces
from spikebench.metric import Running
from spikebench.sampling import high_water

unit = "B"
process = "memory"

# bytes that Python and torch use of what they hold, in any launch and for each step of a loop
PLAIN, STEP = 2**25, 2**14


def available() -> tuple[str, str] | None:
    """Why the peak cannot be read here, and the remedy, or None."""
    mark = high_water.MARK
    return None if mark.exists() else (f"no {mark}: the high-water mark cannot be reset", "run on Linux")


def sample(running: Running) -> list[float]:
    """Bytes. CUDA: the allocator's peak. CPU: the process's own high-water mark above what it held before the launch.

    On a CPU one launch comes first, so that code and caches are loaded; all it held is given back before the mark is
    reset. Memory that is held from the first launch on counts as far as the launch uses it: the processor notes which
    pages were used. PLAIN bytes of them, and STEP for each time step, are anybody's. What is held and not used stands in
    the detail as `left`. What other processes hold that the subject has started counts. On a GPU see `on_gpu`: all that the
    first launch leaves behind counts.
    """
    work = running.workload
    if work.case.device == "cuda":
        return [on_gpu(running, torch.cuda)]
    size = work.x.numel() * work.x.element_size()
    before = high_water.status("VmRSS")
    work.launch()
    held = high_water.reset()
    work.launch()
    used, peak, grown = _used(), high_water.status("VmHWM") - held, high_water.status("VmRSS") - held
    children = traces.memory_of_children()
    inputs = size * (2 if work.case.mode == "train" else 1)
    reused = max(0, used - max(0, grown) - inputs)
    kept = max(0, reused - PLAIN - STEP * work.case.T) if isinstance(work.case, Layer) else 0
    running.detail |= {"input_bytes": size, "children": children, "reused": reused, "left": max(0, held - before)}
    return [float(max(0, peak) + kept + children)]


def _used() -> int:
    """Bytes of pages without a file that were read or written since the marks were reset."""
    used, plain = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8", errors="replace").splitlines():
        if found := _MAPPING.match(line):
            plain = found["inode"] == "0"
        elif plain and line.startswith("Referenced:"):
            used += int(line.split()[1]) * 1024
    return used


_MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ (?P<inode>\d+)")


def on_gpu(running: Running, cuda: Any) -> float:
    """Bytes that the second launch needs at its peak, with all that the first has left behind, such as a recorded graph.

    What was held is read before the first launch, when the workspace of the library of matrix products is already there:
    that is every subject's alike, and apart in the detail. A CUDA graph keeps a pool of its own for its tape. The
    allocator counts none of it as allocated between launches, and nobody else can have it, so all of that pool counts.
    `first` in the detail is the peak of the first launch, with what only setting up takes.
    """
    work = running.workload
    workspace = _workspace(cuda, work.x)
    gc.collect()
    cuda.synchronize()
    held, pooled = cuda.memory_allocated(), _pooled(cuda)
    peaks: list[int] = []
    for _ in range(2):
        cuda.reset_peak_memory_stats()
        work.launch()
        cuda.synchronize()
        peaks.append(cuda.max_memory_allocated() - held)
        gc.collect()
    kept, graphs = cuda.memory_allocated() - held, _pooled(cuda) - pooled
    running.detail |= {"first": peaks[0], "kept": kept, "graph_pools": graphs, "workspace": workspace}
    running.detail["input_bytes"] = work.x.numel() * work.x.element_size()
    return float(peaks[1] + graphs)


def _workspace(cuda: Any, x: torch.Tensor) -> int:
    """Bytes that the library of matrix products takes at its first product, and keeps."""
    before = cuda.memory_allocated()
    some = x.detach().reshape(-1)[:1].reshape(1, 1)
    torch.mm(some, some)
    cuda.synchronize()
    return cuda.memory_allocated() - before


def _pooled(cuda: Any) -> int:
    """Bytes in the pools of CUDA graphs that no tensor has: only a replay writes there."""
    own = [s for s in cuda.memory_snapshot() if tuple(s.get("segment_pool_id", (0, 0))) != (0, 0)]
    return sum(s["total_size"] - s["allocated_size"] for s in own)
