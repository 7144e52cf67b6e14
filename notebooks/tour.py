# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # A tour in ten minutes
#
# A **neuron** is a definition, a **backend** a way of computing it, a **case** one point to measure, a **record** what
# came of it. This notebook reads records that are in the repository; nothing here is measured.

# %%
from pathlib import Path

import spikebench as sb
from spikebench import registry

ROOT = next(p for p in (Path.cwd(), *Path.cwd().parents) if (p / "results").is_dir())
RESULTS = ROOT / "results" / "amd-epyc-f25m1-2c"

# %% [markdown]
# ## What there is
#
# Facts are read from the files of the neurons, without importing torch.

# %%
neurons = {name: registry.facts(name).title for name in registry.names("neurons")}
for name, title in neurons.items():
    print(f"{name:14} {title:90.90} {', '.join(registry.backends(name))}")

# %% [markdown]
# ## A neuron is a module
#
# `[T, B, N]` in, spikes of the same shape out, time first.

# %%
import torch

lif = sb.neuron("lif[reset=soft]", N=4, T=6)
x = torch.full((6, 1, 4), 0.4)
spikes = lif(x)
print(spikes[:, 0, 0].tolist())
assert spikes.shape == x.shape

# %% [markdown]
# With decay 0.9 a constant current of 0.4 reaches the threshold 1 in the third step: 0.4, 0.76, 1.084.

# %%
assert spikes[:3, 0, 0].tolist() == [0, 0, 1]

# %% [markdown]
# ## A record is one process
#
# `sb.table` gives a tidy frame: one row per sample, SI units. `python -m spikebench run quick` writes such a file.

# %%
table = sb.table(RESULTS / "quick.jsonl")
print(table[["subject", "mode", "T", "metric", "unit", "value"]].head(3).to_string(index=False))

# %% [markdown]
# The median time of a training step (forward and backward) at T = 1000, B = 4, N = 128, in milliseconds:

# %%
steps = table.query("metric == 'latency' and workload == 'layer' and T == 1000 and B == 4")
times = steps.groupby("subject")["value"].median().sort_values() * 1e3
print(times.round(2).to_string())

# %% [markdown]
# ## A comparison is made of pairs
#
# Sweeps measure each case once and give no verdict. A verdict takes blocks of one fresh process per subject.

# %%
from spikebench import units
from spikebench.analysis import paired
from spikebench.records import store

SIZES = {"T": 1000, "B": 16, "N": 128}
records = [r for r in store.load(RESULTS / "quick.jsonl") if r.case.items() >= SIZES.items()]
eager, fused = ([r for r in records if r.case["subject"] == name] for name in ("lif@eager", "lif@cpu"))
result = paired.compared(eager, fused)
ratio = result.ratio
assert ratio is not None
print("lif@cpu against lif@eager:", units.ratio(ratio.estimate, ratio.low, ratio.high, ratio.n), result.verdict)

# %% [markdown]
# ## A figure, and everything in one page

# %%
from tempfile import TemporaryDirectory

from spikebench.plots import draw
from spikebench.report import html as report

with TemporaryDirectory() as folder:
    for path in draw("speedup", table, Path(folder)):
        print(path.name, path.stat().st_size, "bytes")
        if path.suffix == ".png" and "get_ipython" in globals():  # in a notebook
            from IPython.display import Image, display

            display(Image(path.read_bytes(), width=640))
    page = report.write(store.load(RESULTS / "quick.jsonl"), Path(folder) / "report.html")
    print(page.name, page.stat().st_size, "bytes")

# %% [markdown]
# On the command line: `spikebench plot speedup FILES`, `spikebench report FILES -o report.html`.
