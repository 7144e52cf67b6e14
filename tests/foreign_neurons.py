"""Ten neurons of others, in ten styles, as `spikebench profile` meets them. Nothing here imports spikebench."""

# ruff: noqa: ANN001, ANN201, ANN204, ANN205, T201
# pyright: reportIncompatibleMethodOverride=false
# written as people write them: without annotations, and not quiet

import time

import torch
from torch import Tensor, nn


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


def loop(x: Tensor, decay: float | Tensor) -> Tensor:
    """A soft-reset LIF over axis 0."""
    v, spikes = torch.zeros_like(x[0]), []
    for x_t in x.unbind(0):
        u = decay * v + x_t
        s = Spike.apply(u - 1)
        v = u - s
        spikes.append(s)
    return torch.stack(spikes)


class TimeFirst(nn.Module):
    """1: a sequence [T, B, n], one learned decay per neuron; talks, and switches global things."""

    def __init__(self, n, tau=10.0):
        super().__init__()
        print("I am made")
        torch.manual_seed(1)
        torch.set_num_threads(1)
        self.decay = nn.Parameter(torch.full((n,), 1 - 1 / tau))
        torch.set_grad_enabled(False)

    def forward(self, x):
        return loop(x, self.decay)


class BatchFirst(nn.Module):
    """2: a sequence [B, T, n]."""

    def __init__(self, decay=0.8):
        super().__init__()
        self.decay = decay

    def forward(self, x):
        return loop(x.transpose(0, 1), self.decay).transpose(0, 1)


class StepReset(nn.Module):
    """3: one step per call, state inside, cleared by `reset`."""

    def __init__(self, hidden: int):
        super().__init__()
        self.decay, self.v = nn.Parameter(torch.full((hidden,), 0.9)), None

    def reset(self):
        self.v = None

    def forward(self, x):
        u = x if self.v is None else self.decay * self.v + x
        s = Spike.apply(u - 1)
        self.v = u - s
        return s


class StepCarried(nn.Module):
    """4: one step per call, the state goes in and comes out: (x, v) → (s, v)."""

    def forward(self, x, v=None):
        u = x if v is None else 0.9 * v + x
        s = Spike.apply(u - 1)
        return s, u - s


class Cell(nn.Module):
    """A part with a state of its own."""

    def __init__(self):
        super().__init__()
        self.reset_state()

    def reset_state(self):
        self.v = None

    def forward(self, x):
        u = x if self.v is None else 0.9 * self.v + x
        s = Spike.apply(u - 1)
        self.v = u - s
        return s


class ResetState(nn.Module):
    """5: a sequence that goes on where the last one ended, until `reset_state` of a part of it."""

    def __init__(self):
        super().__init__()
        self.cell = Cell()

    def forward(self, x):
        return torch.stack([self.cell(x_t) for x_t in x.unbind(0)])


class InitState(nn.Module):
    """6: one step per call, and no first step before `init_state(batch_size)`."""

    def __init__(self, n):
        super().__init__()
        self.n = n

    def init_state(self, batch_size):
        self.v = torch.zeros(batch_size, self.n)

    def forward(self, x):
        u = 0.9 * self.v + x
        s = Spike.apply(u - 1)
        self.v = u - s
        return s


class Tuple(nn.Module):
    """7: gives (membrane, spikes), in this order."""

    def forward(self, x):
        s = loop(x, 0.9)
        return x.cumsum(0), s


class FixedLength(nn.Module):
    """8: wants T: a matrix over time, causal, batch first."""

    def __init__(self, seq_len, decay=0.9):
        super().__init__()
        t = torch.arange(seq_len)
        self.weight = nn.Parameter(torch.tril(decay ** (t[:, None] - t).clamp_min(0).float()))

    def forward(self, x):  # [B, T, n]
        return Spike.apply(torch.tril(self.weight) @ x - 1)


class LooksAhead(nn.Module):
    """9: wrong: the last step decides the first one."""

    def forward(self, x):
        return Spike.apply(loop(x, 0.9) - x.flip(0).cumsum(0).flip(0) * 0.2)


class Leaks(nn.Module):
    """10a: wrong: state from one call to the next, and nothing to clear it."""

    def __init__(self):
        super().__init__()
        self.v = None

    def forward(self, x):
        spikes = []
        for x_t in x.unbind(0):
            u = x_t if self.v is None else 0.9 * self.v + x_t
            s = Spike.apply(u - 1)
            self.v = u - s
            spikes.append(s)
        return torch.stack(spikes)


class Hangs(nn.Module):
    """10b: wrong: never comes back."""

    def forward(self, x):
        time.sleep(1000)
        return x


class Noisy(nn.Module):
    """Declares nothing, and draws."""

    def forward(self, x):
        return Spike.apply(loop(x, 0.9) + torch.rand_like(x) - 1.2)


class DeclaredNoisy(Noisy):
    """The same, declared."""

    stochastic = True


def factory(n):
    """A function that makes one."""
    return TimeFirst(n, tau=5.0)


ready = BatchFirst(0.7)
