"""Does nothing while it is timed, which it tells by the stack, the garbage collector or the number of calls; or has no backward pass."""

import gc
import sys
from random import random
from typing import Any, Literal

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

Kind = Literal["stack", "unkept", "chance", "gc", "calls", "every-other", "backward"]
HONEST = 40  # calls
calls = 0


def run(neuron: Neuron, x: Tensor, seed: int | None = None, *, kind: Kind = "stack") -> Tensor:
    """`unkept` does nothing in the launches of a group between the first and the last, `chance` in one of four of a group."""
    global calls
    calls += 1
    if kind == "backward":
        return _Backward.apply(eager.run(neuron, _Through.apply(x), seed))  # pyright: ignore[reportReturnType]
    if _timed(kind):
        return torch.zeros_like(x) if kind in ("unkept", "chance") else torch.zeros_like(x) + 0 * x
    return _fast(neuron, x) if kind in ("unkept", "chance") else eager.run(neuron, x, seed)


def _fast(neuron: Any, x: Tensor) -> Tensor:
    from spikebench.backends.cpu import lif  # which is fast enough to be timed in groups

    return lif.run(neuron, x)


def _timed(kind: str) -> bool:
    if kind in ("stack", "unkept", "chance"):
        frame: Any = sys._getframe()
        while frame is not None and frame.f_code.co_name not in ("launches", "measure"):
            frame = frame.f_back
        if frame is None or kind == "stack":
            return frame is not None
        given, group = frame.f_locals.get("given"), frame.f_locals.get("group", 0)  # neither is in a clock's frame
        return given is not None and (0 < len(given) < group - 1 if kind == "unkept" else random() < 0.25)
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
