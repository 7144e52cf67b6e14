"""SiLIF as one fused pass over time forward, membrane and adaptation together, and one back."""

from typing import TYPE_CHECKING

from torch import Tensor, zeros_like

from spikebench.backends.cpu._runtime import two_state
from spikebench.backends.cpu._runtime.threads import refuse
from spikebench.neurons.silif import SiLIF

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU."""
    return refuse(case.device, case.dtype)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return two_state.moves(case, states=2)


def run(neuron: SiLIF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ..., N]."""
    alpha, beta, a, b = neuron.rates()
    rest = 1 - alpha
    system = two_state.System(
        a=alpha - rest * a,
        b=-rest * beta,
        c=-alpha * neuron.threshold - rest * b,
        d=rest,
        e=a,
        f=beta,
        g=b,
        h=zeros_like(a),
    )
    return two_state.fused(neuron, x, system)
