"""Right as a layer alone, whose input is no other module's output, and wrong inside a network or a training."""

import sys
from typing import Any, Literal

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

Kind = Literal["weights", "second", "kept", "graph", "sizes", "half", "calls", "hooks", "learns", "evaluates"]
HONEST, STEPS = 60, 8  # calls in networks, and steps of a training
calls = 0
backwards = 0
first: list[Neuron] = []
kept: dict[tuple[int, ...], Tensor] = {}


def run(neuron: Neuron, x: Tensor, seed: int | None = None, *, kind: Kind = "weights") -> Tensor:
    """`weights` gives no gradient to the weights before it, `second` computes one layer of two, `kept` the first call of a size,
    `graph` a wrong current where there is a graph, `sizes` no more than 4 items in float32, `half` half of the batch, `calls`
    the first HONEST calls, `hooks` where a module has hooks; `learns` has the gradient of STEPS steps, `evaluates` none."""
    global calls
    if x.grad_fn is None:  # alone, or evaluated
        return eager.run(neuron, x, seed)
    calls += 1
    if kind in ("weights", "learns"):
        return _Gradient.apply(eager.run(neuron, _Through.apply(x, kind), seed))  # pyright: ignore[reportReturnType]
    if kind == "evaluates":
        with torch.no_grad():
            return eager.run(neuron, x, seed).requires_grad_()
    if kind == "graph":
        return eager.run(neuron, x * 1.01, seed)
    if kind == "half":
        some = max(1, x.shape[1] // 2)
        return torch.cat([eager.run(neuron, x[:, :some], seed), _cheap(x[:, some:])], 1)
    if kind == "kept":
        out = kept.setdefault(tuple(x.shape), eager.run(neuron, x, seed).detach())
        return out + (x - x.detach()) * 0.1
    return _cheap(x) if _skips(neuron, x, kind) else eager.run(neuron, x, seed)


def _skips(neuron: Neuron, x: Tensor, kind: Kind) -> bool:
    if kind == "second":
        if not any(neuron is other for other in first):
            first.append(neuron)
        return next(i for i, other in enumerate(first) if neuron is other) % 2 == 1
    if kind == "sizes":
        return x.dtype == torch.float32 and x.shape[1] > 4
    if kind == "calls":
        return calls > HONEST
    frame: Any = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "inner" and frame.f_code.co_filename.endswith("nn/modules/module.py"):
            return False
        frame = frame.f_back
    return True


def _cheap(x: Tensor) -> Tensor:
    return (x.detach() > 1).to(x.dtype) + (x - x.detach()) * 0.1


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kind: str) -> Tensor:
        ctx.kind = kind
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        global backwards
        backwards += 1
        return (torch.zeros_like(grad) if ctx.kind == "weights" or backwards > STEPS else grad), None


class _Gradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spikes: Tensor) -> Tensor:
        return spikes.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return grad
