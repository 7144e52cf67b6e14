"""Norse's LIFBoxCell under `lift`, which iterates over the steps; its SNN modules index x[t], quadratic in T backward."""

# the library is installed only where the adapter runs
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from typing import TYPE_CHECKING, Any

import torch
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.functional.lift import lift
from norse.torch.functional.reset import reset_subtract, reset_value
from norse.torch.module.lif_box import LIFBoxCell
from torch import Tensor

from spikebench.backend import beyond, neighbour
from spikebench.neurons.lif import LIF

if TYPE_CHECKING:
    from spikebench.cases.case import Case


CAN = {
    "surrogate": ("fast_sigmoid",),
    "slope": (1.0,),  # its SuperSpike ignores alpha
    "reset": ("soft", "hard"),
    "reset_delay": (False,),
    "synapse_decay": (None,),
    "learn_decay": (False,),
    "learn_threshold": (False,),
    "shared": (True,),
    "refractory": (0,),
}
NEEDS = (({"reset": "soft"}, "strict", (True,), "it compares with >, and its soft reset subtracts the very threshold"),)


def refuses(case: "Case") -> str | None:
    """What LIFBoxCell cannot be set to: see CAN and NEEDS, and a decay of 1."""
    reason = beyond(case, "norse", "1.1")
    if reason is None and case.options["decay"] == 1:
        return "norse scales its input by 1 - decay, which is 0"
    return reason


def run(neuron: LIF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; an input that is not scaled is divided by 1 − decay first, as Norse always scales it."""
    if "_norse" not in vars(neuron):
        object.__setattr__(neuron, "_norse", lift(LIFBoxCell(_parameters(neuron, x), dt=1.0)))
    spikes, _ = vars(neuron)["_norse"](x if neuron.input_scale == "1-decay" else x / (1 - neuron.decay))
    return spikes


def _parameters(neuron: LIF, x: Tensor) -> Any:
    threshold = float(neuron.threshold)
    level = threshold if neuron.strict else neighbour(threshold, x.dtype, up=False)
    after = reset_value if neuron.reset == "hard" else reset_subtract

    def detached(z: Tensor, v: Tensor, reset: Tensor, th: Tensor) -> Tensor:
        return after(z.detach(), v, reset, th)

    def constant(value: float) -> Tensor:
        return torch.tensor(value, dtype=x.dtype, device=x.device)

    return LIFBoxParameters(
        tau_mem_inv=constant(1 - float(neuron.decay)),
        v_leak=constant(0.0),
        v_th=constant(level),
        v_reset=constant(0.0),
        method="super",
        reset_method=detached if neuron.detach_reset else after,
    )
