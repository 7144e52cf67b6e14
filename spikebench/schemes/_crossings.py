"""Spike times by bisection of the membrane, and their gradients by sums over all pairs of a spike and an event, in float64.

It uses u(t) of `_events.py` as it stands, for any two time constants, and no formula for where it crosses the threshold:

    t^k: the first t > t^{k−1} with u(t) = θ, between two events and by their peak if the membrane has one there
    dt^k = −(Σ ∂u/∂w_j dw_j + Σ ∂u/∂t_j dt_j + Σ_{m<k} ∂u/∂t^m dt^m)/u̇(t^k)
"""

import torch
from torch import Tensor, nn

from spikebench.backend import Refused
from spikebench.numerics import events
from spikebench.numerics.events import LONGEST, Constants

HALVINGS = 56


class Pass:
    """One layer on the lists of a batch before it [B, C, S]: its spikes [B, N, K] once it is made, and its backward pass."""

    def __init__(
        self, weight: Tensor, neuron: Constants, most: int, before: Tensor, end: Tensor, grazing: float
    ) -> None:
        if float(end.max()) > LONGEST * neuron.tau_s:
            raise Refused(f"the definition takes samples of at most {LONGEST:g} time constants of a synapse")
        self._weight, self._neuron, self._before = weight.detach().double(), neuron, before
        self._least = grazing * neuron.threshold / neuron.tau
        at, place = events.in_order(before)
        there = (at < end[:, None])[..., None]
        w = torch.where(there, neuron.gain * self._weight.T[place // before.shape[2]], 0)  # [B, E, N]
        at = torch.minimum(at, end[:, None])
        start = torch.cat([torch.zeros_like(end)[:, None], at], 1)[:, None]  # [B, 1, M], M intervals
        stop = torch.cat([at, end[:, None]], 1)[:, None]
        slow = _summed(w * (at / neuron.tau).exp()[..., None])  # [B, N, M]: so much of e^{−t/τ} in every interval
        fast = _summed(w * (at / neuron.tau_s).exp()[..., None])
        reset, last = torch.zeros_like(slow[..., :1]), torch.zeros_like(slow[..., :1])
        times, rises = [torch.full_like(slow[..., 0], torch.inf)], [torch.full_like(slow[..., 0], torch.inf)]
        for _ in range(most):
            number, hit, bounds = _bracket(neuron, start, stop, slow - reset, fast, last)
            if not bool(hit.any()):
                break
            here = (slow - reset).gather(-1, number)[..., 0], fast.gather(-1, number)[..., 0]
            t, rise = _bisected(neuron, bounds, *here)
            times.insert(-1, torch.where(hit, t, torch.inf))
            rises.insert(-1, torch.where(hit, rise, torch.inf))
            reset = reset + torch.where(hit, neuron.threshold * (t / neuron.tau).exp(), torch.inf)[..., None]
            last = torch.where(hit, t, last[..., 0])[..., None]
        self.times, self.rises = torch.stack(times, -1), torch.stack(rises, -1)

    def back(self, errors: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient of the weight, and the errors of the spikes before [B, C, S], by those of its own spikes."""
        neuron, weight, before = self._neuron, self._weight, self._before
        at, place = events.in_order(before)
        channel = place // before.shape[2]
        w, there = weight.T[channel], at.isfinite()  # [B, E, N]
        times, rises = self.times, self.rises.clamp_min(self._least)
        pulls = torch.zeros_like(times)  # c_k
        for k in range(times.shape[-1] - 1, -1, -1):
            later = (-(times - times[..., k : k + 1]) / neuron.tau).exp() * pulls  # those of earlier spikes are 0 yet
            total = errors[..., k] - neuron.threshold / neuron.tau * later.nan_to_num(0).sum(-1)
            pulls[..., k] = torch.where(times[..., k].isfinite(), -total / rises[..., k], 0)
        by_weight, by_time = torch.zeros_like(weight.T), torch.zeros_like(at)
        for k in range(times.shape[-1]):
            lag = times[:, None, :, k] - at[..., None]  # [B, E, N]
            acts = (lag > 0) & lag.isfinite() & there[..., None]
            slow, fast = (torch.where(acts, (-lag / tau).exp(), 0) for tau in (neuron.tau, neuron.tau_s))
            pull = neuron.gain * pulls[:, None, :, k]
            by_weight.index_add_(0, channel.flatten(), (pull * (slow - fast)).flatten(0, 1))
            by_time += (pull * w * (slow / neuron.tau - fast / neuron.tau_s)).sum(-1)
        return by_weight.T, torch.zeros_like(before.flatten(1)).scatter(1, place, by_time).view_as(before)


def _summed(jumps: Tensor) -> Tensor:
    """Running sums over events [B, E, N], as they stand in each interval: [B, N, M]."""
    return nn.functional.pad(jumps.cumsum(1), (0, 0, 1, 0)).movedim(1, 2)


def _membrane(neuron: Constants, slow: Tensor, fast: Tensor, t: Tensor) -> Tensor:
    return slow * (-t / neuron.tau).exp() - fast * (-t / neuron.tau_s).exp()


def _bracket(
    neuron: Constants, start: Tensor, stop: Tensor, slow: Tensor, fast: Tensor, last: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The interval of the first crossing after `last`, and whether there is one; times around it, below θ and not below θ."""
    low = torch.maximum(start, last)  # [B, N, M]
    # the rise stops where both exponentials fall at the same rate
    ratio = (fast * neuron.tau) / (slow * neuron.tau_s)
    peak = ratio.clamp_min(1e-300).log() / (1 / neuron.tau_s - 1 / neuron.tau)
    peak = torch.where((fast > 0) & (slow > 0), torch.minimum(torch.maximum(peak, low), stop), stop)
    above = (low < peak) & (_membrane(neuron, slow, fast, peak) >= neuron.threshold)
    number = above.to(torch.int8).argmax(-1, keepdim=True)
    bounds = torch.stack([low.gather(-1, number), peak.gather(-1, number)])
    return number, above.any(-1), bounds[..., 0]


def _bisected(neuron: Constants, bounds: Tensor, slow: Tensor, fast: Tensor) -> tuple[Tensor, Tensor]:
    """The crossing between two times, [2, B, N], and how fast the membrane rises there."""
    low, high = bounds
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = _membrane(neuron, slow, fast, middle) >= neuron.threshold
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    t = high
    return t, fast / neuron.tau_s * (-t / neuron.tau_s).exp() - slow / neuron.tau * (-t / neuron.tau).exp()
