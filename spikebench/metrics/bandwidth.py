"""Share of the copy bandwidth at which a launch moves the bytes that its algorithm must move.

A copy with ordinary stores also reads what it overwrites, a third of its traffic that is not counted: a kernel whose
stores go past the caches can come to 1.5.
"""

from spikebench.cases.case import Case
from spikebench.metric import Running, beside, copying, declared_by_backend

unit = "1"
process = "timing"


def sample(running: Running) -> list[float]:
    """(declared bytes ÷ launch time) ÷ (copied bytes ÷ copy time), each launch beside an in-place copy of its input.

    On a GPU both times are the device's, with a full queue and a cold cache. The copy is `out.copy_(x)` into a preallocated
    tensor. A backend declares by `moves(case)` in its file how many bytes it must move.
    """
    work, clock = running.workload, running.clock
    moved = declared(work.case)
    copies, group = copying(work.x, clock)
    copied = 2 * work.x.numel() * work.x.element_size()
    pairs = beside(running, copies, group)
    running.detail |= {"bytes_moved": moved, "copy_bandwidth": [copied / c for c, _ in pairs], "group": group}
    return [(moved / t) / (copied / c) for c, t in pairs]


def declared(case: Case) -> int:
    """Bytes that a case's backend says it must move; raises Unavailable where it says nothing."""
    return declared_by_backend(case, "moves", "bytes")
