# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Reading results with pandas
#
# Records are JSON Lines: a line is one process. `sb.table` makes one row per sample of them. Torch is not needed.

# %%
from pathlib import Path

import spikebench as sb
from spikebench import units
from spikebench.analysis import paired
from spikebench.records import store

ROOT = next(p for p in (Path.cwd(), *Path.cwd().parents) if (p / "results").is_dir())
RESULTS = ROOT / "results" / "amd-epyc-f25m1-2c"
table = sb.table(RESULTS / "*.jsonl")
print(f"{len(table)} rows, {table['case_id'].nunique()} cases, {table['run'].nunique()} runs")
print(table.columns.tolist())

# %% [markdown]
# ## First the statuses
#
# What is not `ok` has a reason and no number. A figure that leaves it out without a word is wrong.

# %%
processes = table.drop_duplicates(["run", "case_id", "repeat"])
print(processes.groupby(["workload", "status"]).size().to_string())
print(processes["flags"].value_counts().to_string())

# %% [markdown]
# ## The process is the unit
#
# Samples of one process share its luck: 20 samples are not 20 observations. Take the median of each process first.

# %%
latency = table[(table["metric"] == "latency") & (table["status"] == "ok")]
medians = latency.groupby(["subject", "T", "B", "N", "run", "repeat"])["value"].median()
print((medians.groupby(["subject", "T", "B", "N"]).agg(["median", "count"]).tail(6)).to_string())

# %% [markdown]
# ## Wide tables
#
# Memory in MiB at its peak, by subject and T:

# %%
quick = sb.table(RESULTS / "quick.jsonl")
memory = quick[quick["metric"] == "peak_memory"].pivot_table(index="subject", columns="T", values="value")
print((memory / 2**20).round(2).to_string())
assert (memory.loc["lif@cpu"] < memory.loc["lif@eager"]).all()

# %% [markdown]
# ## Ratios in pairs
#
# Records of one block (the same `run` and `repeat`) are a pair, and within it the samples that were interleaved. One
# function makes the ratio with its interval and the verdict, for tables, pages and figures alike.

# %%
records = [r for r in store.load(RESULTS / "quick.jsonl") if (r.case["T"], r.case["B"]) == (1000, 16)]
eager, fused = ([r for r in records if r.case["subject"] == name] for name in ("lif@eager", "lif@cpu"))
result = paired.compared(eager, fused)
ratio = result.ratio
assert ratio is not None and ratio.n == 5
print(units.ratio(ratio.estimate, ratio.low, ratio.high, ratio.n), result.verdict)

# %% [markdown]
# ## What a number was measured on
#
# The environment is on the record, not in the table.

# %%
environment = store.load(RESULTS / "quick.jsonl")[0].environment
for key in ("machine", "cpu", "os", "python", "versions", "commit", "threads", "placement"):
    print(f"{key:10} {environment[key]}")

# %% [markdown]
# ## Elsewhere
#
# `spikebench export FILES --to csv` (or parquet) writes this table, `--to bencher` and `--to github` what those services read.
