"""Compiling what cases launch, before there is a GPU: the folder of binaries is triton's own cache, and can be carried.

Triton finds a binary by a hash of its own source and compiler, of the kernel's source, of the types and hints of the
arguments, and of the GPU's capability. So a folder serves the version of triton that made it, and that alone.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from spikebench.backend import Refused, module
from spikebench.case import Case
from spikebench.subject import definition


def launches(case: Case) -> list[Any]:
    """What one launch of a case asks triton for, found on tensors of the meta device."""
    from spikebench.backends.triton import _launch

    subject, dtype = case.parsed, getattr(torch, case.dtype)
    neuron = definition(subject, case.N, case.T).rounded(dtype).to("meta")
    x = torch.empty(case.T, case.B, case.N, dtype=dtype, device="meta", requires_grad=case.mode != "inference")
    with _launch.recording() as found, torch.set_grad_enabled(case.mode != "inference"):
        spikes = module(subject.backend, subject.name).run(neuron, x, **subject.how)
        if case.mode == "train":
            learned = [p for p in neuron.parameters() if p.requires_grad]
            torch.autograd.grad(spikes, (x, *learned), torch.empty_like(spikes), allow_unused=True)
    return found


class _NoGpu:
    """What triton asks of a driver before it has compiled. The way to a binary is that of a launch, and so is its name."""

    def __init__(self, capability: int) -> None:
        self._capability = capability

    def get_current_target(self) -> Any:
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", self._capability, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, _: int) -> int:
        return 0


def _without_data(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments with tensors that have a type and an address divisible by 16, as every tensor of PyTorch's allocator."""
    from triton.runtime.jit import MockTensor

    return {k: MockTensor(v.dtype) if isinstance(v, torch.Tensor) else v for k, v in arguments.items()}


def compile_case(case: dict[str, Any], folder: str, capability: int) -> tuple[str, int, str | None]:
    """Compile what a case launches into a folder: its subject, how many kernels, and why not all."""
    os.environ["TRITON_CACHE_DIR"] = folder  # triton's own, read when it first compiles; this process does only this
    from triton.runtime import driver

    driver.set_active(_NoGpu(capability))
    made = Case.from_json(case)
    try:
        found = launches(made)
        for launch in found:
            launch.kernel.warmup(grid=launch.grid, num_warps=launch.warps, **_without_data(launch.arguments))
    except (Refused, NotImplementedError, RuntimeError, ValueError) as error:
        return made.subject, 0, str(error).strip().partition("\n")[0]
    return made.subject, len(found), None


def compile_all(
    cases: list[dict[str, Any]], folder: Path, capability: int, jobs: int
) -> list[tuple[str, int, str | None]]:
    """Compile what cases launch, side by side."""
    folder.mkdir(parents=True, exist_ok=True)
    where = [str(folder.resolve())] * len(cases)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        return list(pool.map(compile_case, cases, where, [capability] * len(cases)))
