"""The one autograd node of the fused neurons: forward keeps what backward reads."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from spikebench.backends.triton import _launch
from spikebench.backends.triton._bits import Sent
from spikebench.backends.triton._launch import Spikes
from spikebench.backends.triton._operator import Function, once, operated

Tensors = tuple[Tensor, ...]
Gradients = tuple[Tensor | None, ...]


class Passes(NamedTuple):
    """Both passes of a neuron over contiguous tensors [T, ...]. `call` holds what else they need, the same object for both.

    forward(call, x, further, sent, wanted) puts spikes where they are sent and returns the tensors that backward reads,
    and what else it must know. wanted: which of x and the further differentiable inputs need a gradient; None: keep nothing.
    backward(call, known, g, kept, further, wanted) returns the gradients of x and of the further inputs.
    spec(call, spikes) names the call to torch's tracer: module, literals, numbers and number of the call for `operated`.
    """

    forward: Callable[[Any, Tensor, Tensors, Sent, tuple[bool, ...] | None], tuple[Gradients, Any]]
    backward: Callable[[Any, Any, Tensor, Gradients, Tensors, tuple[bool, ...]], Gradients]
    spec: Callable[[Any, str], tuple[str, tuple[Any, ...], tuple[float, ...], Tensor | None]]


def fused(passes: Passes, call: Any, x: Tensor, *further: Tensor, spikes: Spikes = "same") -> Tensor:
    """Spikes shaped like x [T, ...], in its dtype, as uint8 where no gradient is wanted, or as bits.

    further: other inputs and learned parameters that the kernels read by address and give a gradient of.
    """
    if torch.compiler.is_compiling():
        module, spec, numbers, number = passes.spec(call, spikes)
        return operated(module, spec, x, further, numbers, number)
    return at_once(passes, call, x, *further, spikes=spikes)


def at_once(passes: Passes, call: Any, x: Tensor, *further: Tensor, spikes: Spikes = "same") -> Tensor:
    """`fused`, and no operator."""
    learns = _launch.learns(x, further)
    dtype = _launch.sent_as(x, spikes, learns)
    if learns:
        return _Fused.apply(x, passes, (call, dtype), *further)  # pyright: ignore[reportReturnType]  # untyped in torch
    x = _launch.series(x)
    sent = Sent.of(x, dtype)
    passes.forward(call, x, further, sent, None)
    return sent.given(x)


class _Fused(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, passes: Passes, how: tuple[Any, torch.dtype | None], *further: Tensor) -> Tensor:
        x, (call, dtype) = _launch.series(x), how
        sent, needs = Sent.of(x, dtype), ctx.needs_input_grad
        kept, known = passes.forward(call, x, further, sent, (needs[0], *needs[3:]))
        ctx.save_for_backward(*kept, *further)  # the parameters so that autograd sees them change
        ctx.made = passes.backward, call, known, len(kept)
        return sent.given(x)

    @staticmethod
    @once
    def backward(ctx: Any, grad: Tensor) -> Gradients:
        backward, call, known, count = ctx.made
        needs, saved = ctx.needs_input_grad, ctx.saved_tensors
        wanted = (needs[0], *needs[3:])
        dx, *others = backward(call, known, _launch.whole(grad), saved[:count], saved[count:], wanted)
        return dx, None, None, *others
