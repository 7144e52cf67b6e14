"""Right values in another form: half or double precision, integers, sparse, one buffer for every output, or the input's own memory."""

from typing import Any, Literal

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

BUFFERS: dict[tuple[int, ...], Tensor] = {}
Kind = Literal["half", "double", "bytes", "sparse", "buffer", "in-place"]


def run(neuron: Neuron, x: Tensor, seed: int | None = None, *, kind: Kind = "half") -> Tensor:
    out = eager.run(neuron, x, seed)
    if kind in ("half", "double", "bytes"):
        return out.to({"half": torch.float16, "double": torch.float64, "bytes": torch.uint8}[kind])
    if kind == "sparse":
        return out.to_sparse()
    if kind == "in-place":
        return x.detach().copy_(out.detach())
    return _Buffered.apply(out)  # pyright: ignore[reportReturnType]  # untyped in torch


class _Buffered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, out: Tensor) -> Tensor:
        buffer = BUFFERS.setdefault(tuple(out.shape), torch.empty_like(out))
        return buffer.detach().copy_(out)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return grad
