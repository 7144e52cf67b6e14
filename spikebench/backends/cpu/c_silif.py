"""C-SiLIF as one fused rotation with reset over time forward, and one back."""

from typing import TYPE_CHECKING

from torch import Tensor, zeros_like

from spikebench.backends.cpu._runtime import two_state
from spikebench.backends.cpu._runtime.threads import refuse
from spikebench.neurons.c_silif import CSiLIF

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU."""
    return refuse(case.device, case.dtype)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return two_state.moves(case, states=2)


def run(neuron: CSiLIF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ..., N]; the states are twice those of the definition."""
    cos, sin = neuron.turn()
    system = two_state.System(
        a=cos,
        b=-sin,
        c=-neuron.threshold * cos,
        d=2 * neuron.b,
        e=sin,
        f=cos,
        g=-neuron.threshold * sin,
        h=zeros_like(cos),
    )
    return two_state.fused(neuron, x, system)
