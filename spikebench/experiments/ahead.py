"""`python -m spikebench.experiments.ahead FOLDER CAPABILITY JOBS` compiles what triton cases launch, one in JSON on each line of stdin.

It needs no GPU. The folder is triton's own cache, and can be carried to where there is one.
"""

import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spikebench.backend import Refused, module
from spikebench.cases.case import Case
from spikebench.loading.subject import definition
from spikebench.numerics.bits import Packed

Said = tuple[str, int, str | None]  # a subject, how many launches were compiled, and why not all


def launches(case: Case) -> list[Any]:
    """What one launch of a case asks triton for, found on tensors of the meta device."""
    recording = import_module("spikebench.backends.triton._launch").recording
    subject, dtype, learns = case.parsed, getattr(torch, case.dtype), case.mode != "inference"
    neuron = definition(subject, case.N, case.T).rounded(dtype).to("meta")
    x = torch.empty(case.T, case.B, case.N, dtype=dtype, device="meta", requires_grad=learns)
    with recording() as found, torch.set_grad_enabled(learns):
        out, learned = module(subject.backend, subject.name).run(neuron, x, **subject.how), [*neuron.parameters()]
        if isinstance(out, Packed):  # a Linear after the layer, which reads bits
            weights = nn.Linear(case.N, case.N, dtype=dtype, device="meta")
            out, learned = weights(out), [*learned, *weights.parameters()]
        if case.mode == "train":
            wanted = [p for p in learned if p.requires_grad]
            torch.autograd.grad(out, (x, *wanted), torch.empty_like(out), allow_unused=True)
    return found


def compile_case(case: Case, folder: str, capability: int) -> Said:
    """Compile what a case launches into a folder."""
    os.environ["TRITON_CACHE_DIR"] = folder  # triton's own, read when it compiles; this process does nothing else
    kernels = import_module("spikebench.backends.triton._ahead")
    try:
        with kernels.assuming(capability):
            found = launches(case)
        kernels.compile_for(found, capability)
    except (Refused, NotImplementedError, RuntimeError, ValueError) as error:
        return case.subject, 0, str(error).strip().partition("\n")[0]
    return case.subject, len(found), None


def compile_all(cases: Sequence[Case], folder: Path, capability: int, jobs: int) -> list[Said]:
    """Compile what cases launch, side by side."""
    folder.mkdir(parents=True, exist_ok=True)
    where = [str(folder.resolve())] * len(cases)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        return list(pool.map(compile_case, cases, where, [capability] * len(cases)))


if __name__ == "__main__":
    into, sm, many = sys.argv[1:4]
    told = compile_all([Case.from_json(json.loads(line)) for line in sys.stdin], Path(into), int(sm), int(many))
    sys.stdout.write(json.dumps(told))
