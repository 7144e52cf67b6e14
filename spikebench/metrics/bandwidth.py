"""Share of the copy bandwidth at which a launch moves the bytes that its algorithm must move; 1 is the floor."""

from spikebench.backend import module
from spikebench.case import Case
from spikebench.metric import Plan, Running, Unavailable, copying, warm_up

unit = "1"
process = "timing"


def sample(running: Running) -> list[float]:
    """(declared bytes ÷ launch time) ÷ (copied bytes ÷ copy time), each launch beside an in-place copy of its input.

    The copy is `out.copy_(x)` into a preallocated tensor. What a backend moves it declares as `moves(case)`.
    """
    work, clock = running.workload, running.clock
    moved = declared(work.case)
    copies, group = copying(work.x, clock)
    slow = min(warm_up(work.launch, clock, Plan(warmup_seconds=1.0))) > running.plan.slow
    copied = 2 * work.x.numel() * work.x.element_size()
    pairs = [
        (clock.measure(copies) / group, clock.measure(work.launch))
        for _ in range(running.plan.fewest if slow else running.plan.samples)
    ]
    running.detail |= {"bytes_moved": moved, "copy_bandwidth": [copied / c for c, _ in pairs], "group": group}
    return [(moved / t) / (copied / c) for c, t in pairs]


def declared(case: Case) -> int:
    """Bytes that a case's backend says it must move; raises Unavailable where it says nothing."""
    if case.workload != "layer" or case.mode == "stream" or case.parsed.foreign:
        raise Unavailable("bytes are declared for a layer of a backend of ours, not in mode stream")
    backend = module(case.parsed.backend, case.parsed.name)
    if not hasattr(backend, "moves"):
        raise Unavailable(f"backend {case.parsed.backend!r} declares no bytes that {case.parsed.name!r} must move")
    return backend.moves(case)
