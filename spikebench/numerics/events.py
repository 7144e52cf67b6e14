"""Spike times as padded lists, and what turns lists into counts per step and back.

A list has the times of one channel, in steps of a grid, in any order; what is no spike is infinite. Lists of a batch are one
tensor [B, C, S]. Step t of the grid begins at time t, so that a spike at time 3.7 belongs to step 3.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

LONGEST = 600.0  # time constants of a synapse in a sample, where e^{t/τ_s} must be a number of float64


@dataclass(frozen=True)
class Constants:
    """A neuron in continuous time: τ and τ_s in steps, θ, and the gain g of a synapse. `schemes/_events.py` has its equation."""

    tau: float
    tau_s: float
    threshold: float
    gain: float

    @property
    def decays(self) -> tuple[float, float]:
        """What membrane and current keep per step."""
        return math.exp(-1 / self.tau), math.exp(-1 / self.tau_s)

    @property
    def rise_by_current(self) -> float:
        """By how much more the membrane rises a step, at the end of a step, for each unit of the current of `lif`."""
        return (1 / self.tau_s - 1 / self.tau) * self.gain * self.decays[1]


def counts(times: Tensor, steps: int) -> Tensor:
    """How many spikes each channel has in each step: [T, B, C]. A spike at or after `steps` is in none."""
    batch, channels, _ = times.shape
    there = (times >= 0) & (times < steps)
    series = torch.arange(batch * channels, device=times.device).view(batch, channels, 1)
    place = torch.where(there, times, 0).long() * (batch * channels) + series
    made = times.new_zeros(steps * batch * channels)
    made.index_add_(0, place.flatten(), there.flatten().to(times.dtype))
    return made.view(steps, batch, channels)


def lists(counted: Tensor) -> Tensor:
    """The times of counted spikes [T, B, C], each at the beginning of its step: [B, C, S]. ValueError for what is no count."""
    number = counted.long()
    if not torch.equal(number.to(counted.dtype), counted) or bool((number < 0).any()):
        raise ValueError("spikes are counted by whole numbers, and this input has others")
    steps, batch, channels = counted.shape
    each = number.movedim(0, -1).reshape(batch * channels, steps)  # [B·C, T]
    total = each.sum(1)
    made = counted.new_full((batch * channels, max(1, int(total.max()))), torch.inf)
    series, step = each.nonzero(as_tuple=True)
    often = each[series, step]
    series, step = series.repeat_interleave(often), step.repeat_interleave(often)
    first = total.cumsum(0) - total
    made[series, torch.arange(len(series), device=series.device) - first[series]] = step.to(made.dtype)
    return made.view(batch, channels, -1)


def in_order(times: Tensor) -> tuple[Tensor, Tensor]:
    """All spikes of each item in the order of time, and their places among the C·S of its lists: both [B, E].

    Items with fewer spikes are padded with infinite times, at places where no spike is.
    """
    flat = times.reshape(len(times), -1)
    many = max(1, int(flat.detach().isfinite().sum(1).max()))
    found, place = flat.sort(1)
    return found[:, :many].contiguous(), place[:, :many].contiguous()
