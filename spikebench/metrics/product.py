"""Share of the rate of a matrix product at which a launch does the operations of its own products; 1 is the bound."""

import torch

from spikebench.cases.case import Case
from spikebench.metric import Plan, Running, beside, declared_by_backend, group_of, warm_up

unit = "1"
process = "timing"


def sample(running: Running) -> list[float]:
    """(declared operations ÷ launch time) ÷ (operations ÷ time of one product), each launch beside such a product; on a GPU
    both times are the device's.

    The product is that of a dense matrix over time, [T, T] by [T, B·N] into a preallocated tensor. What a backend
    multiplies and adds it declares by `operations(case)` in its file.
    """
    work, clock = running.workload, running.clock
    asked = declared(work.case)
    x = work.x.detach().flatten(1)
    matrix, out = x.new_full((len(x), len(x)), 1 / len(x)), torch.empty_like(x)
    alone = min(warm_up(lambda: torch.mm(matrix, x, out=out), clock, Plan(warmup_seconds=1.0)))
    group = group_of(alone, clock)

    def products() -> None:
        for _ in range(group):
            torch.mm(matrix, x, out=out)

    pairs = beside(running, products, group)
    whole = 2 * len(x) * x.numel()
    running.detail |= {"operations": asked, "product_rate": [whole / p for p, _ in pairs], "group": group}
    return [(asked / t) / (whole / p) for p, t in pairs]


def declared(case: Case) -> int:
    """Operations that a case's backend says its products take; raises Unavailable where it says nothing."""
    return declared_by_backend(case, "operations", "operations")
