"""A LIF with a soft reset whose backward pass is written by hand: one autograd node for the whole sequence.

u_t = 0.9 v_{t-1} + x_t;  s_t = [u_t ≥ 1];  v_t = u_t − s_t; the derivative of a spike is 1 / (1 + (π (u_t − 1))²).
"""

import math

import torch
from torch import nn

DECAY, THRESHOLD = 0.9, 1.0


class Sequence(torch.autograd.Function):
    """All time steps at once; the membrane is kept for the way back."""

    @staticmethod
    def forward(ctx, x):
        u, s = torch.empty_like(x), torch.empty_like(x)
        v = torch.zeros_like(x[0])
        for current, membrane, spikes in zip(x.unbind(0), u.unbind(0), s.unbind(0)):
            torch.add(current, v, alpha=DECAY, out=membrane)
            torch.ge(membrane, THRESHOLD, out=spikes)
            v = membrane - spikes
        ctx.save_for_backward(u)
        return s

    @staticmethod
    def backward(ctx, g):
        (u,) = ctx.saved_tensors
        slope = (u - THRESHOLD).mul_(math.pi).square_().add_(1).reciprocal_()
        through = (1 - slope).mul_(DECAY).unbind(0)
        steps = (gx := g * slope).unbind(0)
        for t in range(len(steps) - 2, -1, -1):
            steps[t].addcmul_(steps[t + 1], through[t])
        return gx


class Leaky(nn.Module):
    """The layer."""

    def forward(self, x):
        return Sequence.apply(x)
