"""Compiles what `spikebench tune` will measure before there is a GPU: every shape of every kernel, into triton's cache."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from spikebench.backend import Refused, module
from spikebench.cases.case import Case
from spikebench.experiments.tune_plan import worth
from spikebench.loading.subject import definition

Said = tuple[str, int, str | None]  # a subject, how many launches were compiled, and why not all


def launches(case: Case) -> list[Any]:
    """What the tuner launches for a case: its passes with every shape of each of its kernels, on the meta device."""
    shapes = import_module("spikebench.backends.triton._shapes")
    recording = import_module("spikebench.backends.triton._launch").recording
    dtype, found = getattr(torch, case.dtype), []
    neuron = definition(case.parsed, case.N, case.T).rounded(dtype).to("meta")
    x = torch.empty(case.T, case.B, case.N, dtype=dtype, device="meta", requires_grad=True)
    run = module(case.parsed.backend, case.parsed.name).run

    def once() -> list[Any]:
        with recording() as launched:
            spikes = run(neuron, x, **case.parsed.how)
            learned = [p for p in neuron.parameters() if p.requires_grad]
            torch.autograd.grad(spikes, (x, *learned), torch.empty_like(spikes), allow_unused=True)
            with torch.no_grad():
                run(neuron, x, **case.parsed.how)
        return launched

    with shapes.watching() as asked:
        found += once()
    for ask in {a.kernel: a for a in asked}.values():
        for shape in worth(ask.kernel, ask.dtype, ask.steps, ask.count):
            with shapes.forced({ask.kernel: shape}):
                found += once()
    return found


def compile_cases(cases: Sequence[Case], folder: str, capability: int) -> Said:
    """Compile what the tuner launches for cases of one subject and dtype into a folder, in a process of their own."""
    os.environ["TRITON_CACHE_DIR"] = folder  # triton's own, read when it compiles; this process does nothing else
    count, why = 0, None
    compile_for = import_module("spikebench.backends.triton._ahead").compile_for
    for case in cases:
        try:
            found = launches(case)
            compile_for(found, capability)
            count += len(found)
        except (Refused, NotImplementedError, RuntimeError, ValueError) as error:
            why = str(error).strip().partition("\n")[0]
    return f"{cases[0].subject} {cases[0].dtype}", count, why


def compile_all(cases: Sequence[Case], folder: Path, capability: int, jobs: int) -> list[Said]:
    """Compile side by side, a process for each subject and dtype: what their sizes share is compiled once."""
    folder.mkdir(parents=True, exist_ok=True)
    groups: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.subject, case.dtype), []).append(case)
    where = [str(folder.resolve())] * len(groups)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        return list(pool.map(compile_cases, groups.values(), where, [capability] * len(groups)))
