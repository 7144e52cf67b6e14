"""Bytes of tensors that a launch holds at most, counted by torch's own allocator: no page, cache or thread blurs them."""

import gc
from collections.abc import Callable, Sequence

import torch
from torch._C._profiler import _ExtraFields_Allocation
from torch.autograd.profiler import profile


def peak(launch: Callable[[], object], device: str = "cpu") -> int:
    """Bytes that a launch holds at most beyond what was there before it; a first one makes what stays.

    On a CPU every allocation and every release is summed in its order. What is no tensor is not counted: objects of
    Python, and arrays that are not torch's.
    """
    launch()
    gc.collect()
    if device != "cpu":
        torch.cuda.synchronize()
        held = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        launch()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - held
    with (seen := profile(profile_memory=True)):
        launch()
    return highest(changes(seen))


def changes(seen: profile) -> list[tuple[int, int]]:
    """Where something was allocated (bytes above 0) or given back (below), one after the other."""
    found = seen.kineto_results
    assert found is not None
    events, left = list[tuple[int, int, int]](), list(found.experimental_event_tree())
    while left:
        event = left.pop()
        left += event.children
        how = event.extra_fields
        if isinstance(how, _ExtraFields_Allocation):
            events.append((event.start_time_ns, how.ptr, how.alloc_size))
    return [(place, size) for _, place, size in sorted(events, key=lambda e: e[0])]


def highest(steps: Sequence[tuple[int, int]]) -> int:
    """The largest sum of what is held after each change. What is given back counts only if it was taken here.

    Torch knows the size of other blocks from an earlier profile, if at all, when something else may have lain there.
    """
    most = held = 0
    taken: dict[int, int] = {}
    for place, size in steps:
        if size > 0:
            held, taken[place] = held + size, size
        else:
            held -= taken.pop(place, 0)
        most = max(most, held)
    return most
