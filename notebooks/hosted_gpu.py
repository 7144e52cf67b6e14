# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Your neuron on a hosted GPU
#
# This notebook measures a neuron where it runs: on a GPU that Colab or Kaggle lends, or on a CPU where there is none. Others use that
# machine, too, and nothing in it can see how much. Every record therefore carries the flag `shared`: it has no rank on a board and is in no
# submission. The ratios are worth more than the times, since both sides were measured in the same minutes.
#
# It takes some two minutes. On Colab, choose a GPU under Runtime, Change runtime type.

# %%
import subprocess
import sys
from pathlib import Path

import torch

import spikebench as sb

device = "cuda" if torch.cuda.is_available() else "cpu"
print(torch.cuda.get_device_name() if device == "cuda" else "no GPU here: a CPU is measured, at small sizes")

# %% [markdown]
# ## The neuron
#
# Put your own class into the text. It maps a current `x [T, B, N]` to spikes of the same shape. It lies in a file, because it is measured in
# fresh processes.

# %%
NEURON = '''
import torch
from torch import nn


class Surrogate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return (u >= 0).to(u)

    @staticmethod
    def backward(ctx, g):
        (u,) = ctx.saved_tensors
        return g / (1 + (torch.pi * u) ** 2)


class Mine(nn.Module):
    """A LIF with a soft reset."""

    def forward(self, x):  # [T, B, N]
        v, spikes = torch.zeros_like(x[0]), []
        for current in x.unbind(0):
            u = 0.9 * v + current
            s = Surrogate.apply(u - 1.0)
            v = u - s
            spikes.append(s)
        return torch.stack(spikes)
'''
Path("mine.py").write_text(NEURON, encoding="utf-8")

# %% [markdown]
# ## Measuring it
#
# `--like lif` compares its spikes and gradients with our LIF; leave it out if yours computes something else. `--shared` is what marks the
# records.

# %%
sizes = ["-T", "128,1024", "-B", "32", "-N", "512"] if device == "cuda" else ["-T", "64", "-B", "4", "-N", "32"]
line = ["profile", "mine.py:Mine", *sizes, "--mode", "train", "--against", "lif@fused", "--like", "lif"]
line += ["--device", device, "--budget", "90s", "--shared", "-o", "measured"]
done = subprocess.run([sys.executable, "-m", "spikebench", *line], capture_output=True, text=True, check=False)
print(done.stdout, done.stderr if done.returncode else "")
assert done.returncode == 0

# %% [markdown]
# ## What was kept
#
# One line for each process. Each says on which machine it was made, and that others use it.

# %%
records = sb.load("measured/records.jsonl")
assert records and all("shared" in r.flags for r in records)
print(f"{len(records)} records of {records[0].environment['machine']}, all flagged shared")
print(sb.table(records).groupby(["subject", "T", "metric"])["value"].median().to_string())

# %% [markdown]
# `measured/verdict.html` has the whole verdict. Download `measured/` to keep it. On a machine of your own, the same line without
# `--shared` gives records that a submission may have (docs/rules.md).
