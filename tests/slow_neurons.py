"""Eight neurons, each slow for one known reason, and two that are fast. They are written as people write them."""

# ruff: noqa: ANN001, ANN201, ANN204, ANN205
# pyright: reportIncompatibleMethodOverride=false
# without annotations, as people write them

import torch
from torch import nn


class Spike(torch.autograd.Function):
    """Heaviside, with a surrogate gradient."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return (z >= 0).to(z.dtype)

    @staticmethod
    def backward(ctx, g):
        (z,) = ctx.saved_tensors
        return g / (1 + 5 * z.abs()) ** 2


class Indexed(nn.Module):
    """Takes x[t]: each step of the backward pass fills a tensor of the size of x."""

    def forward(self, x):
        v, spikes = torch.zeros_like(x[0]), []
        for t in range(x.shape[0]):
            v = 0.9 * v + x[t]
            spikes.append(Spike.apply(v - 1))
            v = v - spikes[-1]
        return torch.stack(spikes)


class Double(nn.Module):
    """Computes in float64."""

    def forward(self, x):
        given, x = x.dtype, x.double()
        v, spikes = torch.zeros_like(x[0]), []
        for x_t in x.unbind(0):
            v = 0.9 * v + x_t
            s = Spike.apply(v - 1)
            v = v - s
            spikes.append(s)
        return torch.stack(spikes).to(given)


class Waits(nn.Module):
    """Asks in each step whether anything fired, which brings a number to Python."""

    def forward(self, x):
        v, spikes = torch.zeros_like(x[0]), []
        for x_t in x.unbind(0):
            v = 0.9 * v + x_t
            s = Spike.apply(v - 1)
            if s.sum().item() > 0:
                v = v - s
            spikes.append(s)
        return torch.stack(spikes)


class Allocates(nn.Module):
    """Makes new tensors of constants in each step."""

    def forward(self, x):
        v, spikes = torch.zeros_like(x[0]), []
        for x_t in x.unbind(0):
            decay = torch.full((x.shape[1], x.shape[2]), 0.9)
            threshold = torch.ones(x.shape[1], x.shape[2])
            v = decay * v + x_t
            s = Spike.apply(v - threshold)
            v = v - s * threshold
            spikes.append(s)
        return torch.stack(spikes)


class Breaks(nn.Module):
    """Is compiled, but for a call in each step that no graph can hold."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    @torch.compile
    def cell(self, v, x_t):
        v = 0.9 * v + x_t
        torch._dynamo.graph_break()
        s = Spike.apply(v - 1)
        return v - s, s

    def forward(self, x):
        v, spikes = torch.zeros_like(x[0]), []
        for x_t in x.unbind(0):
            v, s = self.cell(v, x_t)
            spikes.append(s)
        return torch.stack(spikes)


class Clones(nn.Module):
    """Keeps copies of what nobody changes."""

    def forward(self, x):
        v, spikes, membranes = torch.zeros_like(x[0]), [], []
        for x_t in x.unbind(0):
            v = 0.9 * v + x_t
            s = Spike.apply(v - 1)
            v = v - s
            spikes.append(s.clone())
            membranes.append(v.clone())
        return torch.stack(spikes)


class Recompiles(nn.Module):
    """Hands the number of the step to a compiled function, which is compiled anew for each until that is given up."""

    @staticmethod
    @torch.compile(dynamic=False)
    def cell(v, x_t, t):
        v = 0.9 * v + x_t * (1.0 if t >= 0 else 0.0)
        s = Spike.apply(v - 1)
        return v - s, s

    def forward(self, x):
        v, spikes = torch.zeros_like(x[0]), []
        for t, x_t in enumerate(x.unbind(0)):
            v, s = self.cell(v, x_t, t)
            spikes.append(s)
        return torch.stack(spikes)


class ByNeuron(nn.Module):
    """Computes one neuron after the other."""

    def forward(self, x):
        columns = []
        for x_n in x.unbind(2):
            v, spikes = torch.zeros_like(x_n[0]), []
            for x_t in x_n.unbind(0):
                v = 0.9 * v + x_t
                s = Spike.apply(v - 1)
                v = v - s
                spikes.append(s)
            columns.append(torch.stack(spikes))
        return torch.stack(columns, 2)


class Window(nn.Module):
    """Fast: the last 8 steps are summed by one operator, without a loop."""

    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter((0.9 ** torch.arange(8.0)).flip(0).repeat(n, 1, 1))

    def forward(self, x):
        series = nn.functional.pad(x.permute(1, 2, 0), (7, 0))
        v = nn.functional.conv1d(series, self.weight, groups=x.shape[2])
        return Spike.apply(v.permute(2, 0, 1) - 1)


class Compiled(nn.Module):
    """Fast: eight steps without a reset, compiled as a whole."""

    @staticmethod
    @torch.compile
    def whole(x):
        v = 0
        for back in range(8):
            v = v + 0.9**back * nn.functional.pad(x, (0, 0, 0, 0, back, 0))[: x.shape[0]]
        return v

    def forward(self, x):
        return Spike.apply(self.whole(x) - 1)
