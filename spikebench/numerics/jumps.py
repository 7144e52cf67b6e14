"""Spikes of the LIF with hard reset in logarithmic depth: a reset forgets the past, so that each spike names the next.

With w_t = Σ_{j ≤ t} decay^{t−j}·x_j, which has no reset, the membrane after a reset at step t is u_i = w_i − decay^{i−t}·w_t.
So the first step i > t at which it reaches the threshold is a function of t alone, and can be found for all t at once: by
the largest (w_i − threshold)·decay^{−i} of blocks of 1, 2, 4, … steps, and a search that passes over blocks with no such step.
The spikes are those that can be reached from the start, which is found by doubling the jumps.
"""

import torch
from torch import Tensor

from spikebench.numerics.scan import recurrence


def hard_reset_spikes(x: Tensor, decay: float, threshold: float) -> Tensor:
    """Spikes [T, ...] of u_t = decay·(1 − s_{t-1})·u_{t-1} + x_t, s_t = [u_t ≥ threshold], without a gradient.

    Work and memory O(T log T), depth O(log T). u is a difference here, so that where it is within rounding of the
    threshold, w being larger than it, a spike may be another than that of the loop, and with it those that follow.
    """
    with torch.no_grad():
        return _reached(_next_spike(recurrence(x, decay, "doubling"), decay, threshold)).to(x.dtype)


def _next_spike(w: Tensor, decay: float, threshold: float) -> Tensor:
    """For a membrane of 0 before step j = 0 … T: the step of its next spike, or T: [T + 1, ...]."""
    steps = len(w)
    best, scales = [w - threshold], [decay]
    least = 1 / torch.finfo(w.dtype).max  # so that 0 stays 0; what overflows is beyond all that it is compared with
    while len(scales) < steps.bit_length():  # of the 2^k steps from each on
        reach, last = 1 << (len(best) - 1), best[-1]
        later = torch.cat([last[reach:], torch.full_like(last[:reach], -torch.inf)])
        best.append(torch.maximum(last, later * (1 / max(scales[-1], least))))
        scales.append(scales[-1] ** 2)
    none = torch.full_like(w[:1], -torch.inf)
    at = torch.arange(steps + 1, device=w.device).view(-1, *[1] * (w.dim() - 1)).expand(steps + 1, *w.shape[1:])
    owed = decay * torch.cat([torch.zeros_like(w[:1]), w])  # decay^{i−t}·w_t at i = at
    for k in reversed(range(len(best))):
        within = torch.cat([best[k], none]).gather(0, at)
        passed = ~(within >= owed)
        owed = torch.where(passed, scales[k] * owed, owed)
        at = torch.where(passed, (at + (1 << k)).clamp_max(steps), at)
    return at


def _reached(following: Tensor) -> Tensor:
    """Which steps [T, ...] are spikes: those reached from 0, where step j leads to the spike following[j], and that to the next step."""
    steps = len(following) - 1
    end = torch.full_like(following[:1], steps + 1)
    jump = torch.cat([torch.where(following < steps, following + 1, steps + 1), end])  # T + 1: no spike follows
    there = torch.zeros_like(jump, dtype=torch.int8)
    there[0] = 1
    for _ in range((steps + 1).bit_length()):
        there = there.scatter_reduce(0, jump, there, "amax")
        jump = jump.gather(0, jump)
    return there[1 : steps + 1]
