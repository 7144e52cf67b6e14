"""Floor: time of an in-place copy of the input into a preallocated tensor, same process, same threads."""

import torch

from spikebench.metric import Plan, Running, warm_up

unit = "s"
process = "timing"


def sample(running: Running) -> list[float]:
    """Seconds per `out.copy_(x)`; twice the input's bytes move."""
    x = running.workload.x.detach()
    out = torch.empty_like(x)

    def copy() -> None:
        out.copy_(x)

    typical = min(warm_up(copy, running.clock, Plan(warmup_seconds=1.0)))
    group = max(1, round(2e-4 / typical)) if typical < 2e-4 else 1

    def copies() -> None:
        for _ in range(group):
            copy()

    running.detail |= {"bytes_moved": 2 * x.numel() * x.element_size(), "group": group}
    return [running.clock.measure(copies) / group for _ in range(running.plan.samples)]
