"""Compiling launches before there is a GPU, on the way that a launch takes: the binaries have the names that it looks for.

Triton finds a binary in its cache by a hash of its own source and compiler, of the kernel's source, of the types and hints
of the arguments, and of the GPU's capability. So a folder serves the version of triton that made it, and that alone.
"""

from contextlib import AbstractContextManager

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import MockTensor

from spikebench.backends.triton import _launch, _shapes
from spikebench.backends.triton._direct import Argument, Arguments


class _NoGpu:
    """What triton asks of a driver before it has compiled."""

    def __init__(self, capability: int) -> None:
        self._capability = capability

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", self._capability, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, _: int) -> int:
        return 0


def assuming(capability: int) -> AbstractContextManager[None]:
    """Launches recorded inside have the shapes that were tuned on the usual GPU of a CUDA compute capability."""
    return _shapes.assumed(_shapes.ASSUMED.get(capability))


def compile_for(found: list[_launch.Launch], capability: int) -> None:
    """Compile launches for a CUDA compute capability into triton's cache; this process can launch nothing afterwards."""
    driver.set_active(_NoGpu(capability))
    for launch in found:
        launch.kernel.warmup(grid=launch.grid, num_warps=launch.warps, **without_data(launch.arguments))


def without_data(arguments: Arguments) -> dict[str, Argument | MockTensor]:
    """Arguments with tensors that have a type and an address divisible by 16, as every tensor of PyTorch's allocator."""
    return {k: MockTensor(v.dtype) if isinstance(v, torch.Tensor) else v for k, v in arguments.items()}
