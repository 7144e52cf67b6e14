# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Your own neuron
#
# Any `torch.nn.Module` that maps `x [T, B, N]` to spikes of that shape can be measured. This notebook writes one, looks at
# what it computes, and shows how to read what `spikebench profile` says. Nothing is measured here.

# %%
from typing import Any

import torch
from torch import Tensor, nn

import spikebench as sb


class Surrogate(torch.autograd.Function):
    """1 where u ≥ 0; backward the derivative of a scaled arctangent."""

    @staticmethod
    def forward(ctx: Any, u: Tensor) -> Tensor:
        ctx.save_for_backward(u)
        return (u >= 0).to(u)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (u,) = ctx.saved_tensors
        return g / (1 + (torch.pi * u) ** 2)


class Adaptive(nn.Module):
    """A leaky neuron whose threshold rises by `step` with every spike and falls back with `recovery`."""

    def __init__(self, decay: float = 0.9, step: float = 0.5, recovery: float = 0.95) -> None:
        super().__init__()
        self.decay, self.step, self.recovery = decay, step, recovery

    def forward(self, x: Tensor) -> Tensor:  # [T, B, N]
        v, extra = torch.zeros_like(x[0]), torch.zeros_like(x[0])
        spikes = []
        for current in x.unbind(0):  # not x[t]: its backward pass is quadratic in T
            u = self.decay * v + current
            s = Surrogate.apply(u - 1 - extra)
            v = u - (1 + extra) * s
            extra = self.recovery * extra + self.step * s
            spikes.append(s)
        return torch.stack(spikes)


# %% [markdown]
# ## What it computes
#
# The first spike comes when a LIF's comes; after that it fires less, since its threshold has risen.

# %%
generator = torch.Generator().manual_seed(0)
x = torch.rand(200, 4, 32, generator=generator)
mine, lif = Adaptive()(x), sb.neuron("lif")(x)
first = [spikes.argmax(dim=0) for spikes in (mine, lif)]
print(f"rate {mine.mean():.3f}, of LIF {lif.mean():.3f}")
assert torch.equal(*first)
assert mine.mean() < lif.mean()

# %% [markdown]
# It looks at no future: a change of the input at step 100 changes no spike before it.

# %%
other = x.clone()
other[100:] = 0
assert torch.equal(Adaptive()(other)[:100], mine[:100])

# %% [markdown]
# And a gradient reaches the input:

# %%
x.requires_grad_()
(gradient,) = torch.autograd.grad(Adaptive()(x), x, torch.ones_like(x))
assert gradient.isfinite().all() and gradient.abs().sum() > 0

# %% [markdown]
# ## Measuring it
#
# With the class in `paper.py`, one command finds out how it is called, checks shape, determinism, causality, state and
# gradient, measures it against named baselines in pairs of fresh processes, and writes a one-page verdict:
#
#     spikebench profile paper.py:Adaptive -o adaptive/
#
# From Python, `sb.profile(Adaptive)` gives the same. `spikebench check paper.py:Adaptive` only checks it, and
# `spikebench report adaptive/records.jsonl -o report.html` makes a page of the records.
#
# A module without a definition to compare with is flagged `ungated`: its times are right, but they support no claim. To
# have it gated, say whose equations it has (`--like lif`), or give it a definition: see CONTRIBUTING.md.

# %% [markdown]
# ## Reading the verdict
#
# A ratio stands with its interval, and the verdict follows from both:

# %%
from spikebench import units
from spikebench.analysis import stats

for estimate, low, high in ((3.4, 3.3, 3.5), (1.01, 0.99, 1.015), (1.3, 0.9, 1.9), (0.5, 0.45, 0.55)):
    r = stats.Ratio(estimate, low, high, n=10)
    print(f"{units.ratio(estimate, low, high, 10):28} {stats.verdict(r)}")
assert stats.verdict(stats.Ratio(1.3, 0.9, 1.9, 10)) == "inconclusive"
