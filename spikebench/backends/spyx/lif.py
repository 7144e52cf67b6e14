"""spyx's LIF in JAX: compiled once for each shape, its tensors handed over by DLPack, every call waited for.

spyx fires at the membrane of the step before, V_t = β·V_{t-1} + x_t − θ·s_t with s_t = [V_{t-1} > θ]. So its spikes are
those of a LIF whose soft reset comes one step later (`reset_delay=true`), each one step late: it gets one step more, and
its first spikes, which are none, are left out.
"""

# the library is installed only where the adapter runs
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportAttributeAccessIssue=false

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import torch
from flax import nnx
from spyx import axn, nn
from torch import Tensor

from spikebench.backend import beyond
from spikebench.neurons.lif import LIF

if TYPE_CHECKING:
    from spikebench.cases.case import Case

CAN = {
    "dtype": ("float32",),  # JAX has no float64 unless the whole process is told so
    "reset": ("soft",),
    "reset_delay": (True,),
    "detach_reset": (False,),
    "surrogate": ("fast_sigmoid",),
    "synapse_decay": (None,),
    "learn_decay": (False,),
    "learn_threshold": (False,),
    "shared": (True,),
    "refractory": (0,),
}
NEEDS = (({"reset": "soft"}, "strict", (True,), "it compares with >, and its soft reset subtracts the very threshold"),)


def refuses(case: "Case") -> str | None:
    """What spyx's LIF cannot be set to: see CAN and NEEDS."""
    return beyond(case, "spyx", "1.0")


def run(neuron: LIF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; an input scale is a multiplication before the scan, as spyx has none."""
    scaled = x if neuron.input_scale == "one" else (1 - neuron.decay) * x
    return _Scan.apply(scaled, _made(neuron, x.shape[2]))  # pyright: ignore[reportReturnType]  # apply is untyped


@dataclass(frozen=True)
class _Calls:
    """Compiled calls: the spikes; the spikes with what the backward pass needs; the input's gradient from that."""

    forward: Callable[[Any], Any]
    both: Callable[[Any], tuple[Any, Any]]
    backward: Callable[[Any, Any], Any]


def _made(neuron: LIF, n: int) -> _Calls:
    """Their neuron with our constants, made once."""
    if "_spyx" not in vars(neuron):
        spike = axn.superspike(k=float(neuron.slope))
        made = nn.LIF(
            (n,), beta=float(neuron.decay), threshold=float(neuron.threshold), activation=spike, rngs=nnx.Rngs(0)
        )
        graph, parameters = nnx.split(made)

        def spikes(x: Any) -> Any:
            longer = jnp.concatenate([x, jnp.zeros_like(x[:1])])
            return nn.run(nnx.merge(graph, parameters), longer)[0][1:]

        both = jax.jit(lambda x: jax.vjp(spikes, x))
        calls = _Calls(jax.jit(spikes), both, jax.jit(lambda back, g: back(g)[0]))
        object.__setattr__(neuron, "_spyx", calls)
    return vars(neuron)["_spyx"]


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, calls: _Calls) -> Tensor:
        given = jnp.from_dlpack(x.detach().contiguous())
        ctx.calls = calls
        if not ctx.needs_input_grad[0]:
            return torch.from_dlpack(calls.forward(given).block_until_ready())
        spikes, ctx.back = calls.both(given)
        jax.block_until_ready((spikes, ctx.back))
        return torch.from_dlpack(spikes)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        got = ctx.calls.backward(ctx.back, jnp.from_dlpack(grad.contiguous()))
        return torch.from_dlpack(got.block_until_ready()), None
