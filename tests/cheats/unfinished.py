"""Returns before the work is done: a thread fills the buffer later, as a kernel on another stream would."""

import time
from threading import Thread
from typing import Any, Literal

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron


def run(
    neuron: Neuron, x: Tensor, seed: int | None = None, *, what: Literal["spikes", "gradient"] = "spikes"
) -> Tensor:
    if what == "gradient":
        return eager.run(neuron, _Gradient.apply(x), seed)  # pyright: ignore[reportArgumentType]
    return _Spikes.apply(eager.run(neuron, x, seed))  # pyright: ignore[reportReturnType]


def _later(full: Tensor) -> Tensor:
    buffer = torch.empty_like(full)

    def fill() -> None:
        time.sleep(0.02)
        buffer.copy_(full)

    Thread(target=fill).start()
    return buffer


class _Spikes(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spikes: Tensor) -> Tensor:
        return _later(spikes)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return grad


class _Gradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _later(grad)
