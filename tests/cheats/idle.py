"""Does nothing while it is timed, which it tells by the stack, the garbage collector or the number of calls; or has no backward pass."""

import gc
import sys
from typing import Any, Literal

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

Kind = Literal["stack", "gc", "calls", "every-other", "backward"]
HONEST = 40  # calls
calls = 0


def run(neuron: Neuron, x: Tensor, seed: int | None = None, *, kind: Kind = "stack") -> Tensor:
    global calls
    calls += 1
    if kind == "backward":
        return _Backward.apply(eager.run(neuron, _Through.apply(x), seed))  # pyright: ignore[reportReturnType]
    if _timed(kind):
        return torch.zeros_like(x) + 0 * x
    return eager.run(neuron, x, seed)


def _timed(kind: str) -> bool:
    if kind == "stack":
        frame: Any = sys._getframe()
        while frame is not None:
            if frame.f_code.co_name in ("measure", "launches"):
                return True
            frame = frame.f_back
        return False
    if kind == "gc":
        return not gc.isenabled()
    return calls > HONEST and (kind == "calls" or calls % 2 == 0)


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return grad


class _Backward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spikes: Tensor) -> Tensor:
        return spikes.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return torch.zeros_like(grad) if calls > HONEST else grad
