"""SpikingJelly's LIFNode in multi-step mode: on the CPU a loop with a backward pass written by hand.

On CUDA it has three providers of the same operator: a CUDA extension, which is there if it was built from source, Triton
kernels, and the loop. `provider` chooses one; "auto" leaves it to the library, which takes the first that there is.
"""

# the library is installed only where the adapter runs
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from typing import TYPE_CHECKING, Any, Literal

import torch
from spikingjelly._ops import lif as operator
from spikingjelly.activation_based import neuron as theirs
from torch import Tensor

from spikebench.backend import Refused, beyond, neighbour
from spikebench.backends.spikingjelly._common import SURROGATES
from spikebench.neurons.lif import LIF

if TYPE_CHECKING:
    from spikebench.cases.case import Case

LATER = ("provider",)
Provider = Literal["auto", "cuda", "triton", "torch"]


CAN = {
    "dtype": ("float32",),  # its CPU operator computes in float32
    "surrogate": ("atan", "sigmoid", "triangle", "fast_sigmoid"),
    "reset": ("soft", "hard"),
    "reset_delay": (False,),
    "synapse_decay": (None,),
    "learn_decay": (False,),
    "learn_threshold": (False,),
    "shared": (True,),
    "refractory": (0,),
}
NEEDS = (
    ({"surrogate": "fast_sigmoid"}, "slope", (1.0,), "its SuperSpike is the fast sigmoid of slope 1"),
    ({"reset": "soft"}, "strict", (False,), "it compares with >=, and its soft reset subtracts the very threshold"),
)


def refuses(case: "Case") -> str | None:
    """What LIFNode cannot be set to: see CAN and NEEDS, the provider, and a decay of 0 or 1."""
    decay = case.options["decay"]
    if case.device == "cpu" and (provider := case.parsed.all_how["provider"]) not in ("auto", "torch"):
        return f"spikingjelly has provider={provider} on CUDA; on the CPU there is torch"
    reason = beyond(case, "spikingjelly", "2.0")
    if reason is None and not 0 < decay < 1:
        return f"spikingjelly's tau = 1/(1 - decay) must be finite and above 1, which decay={decay} does not give"
    return reason


def run(neuron: LIF, x: Tensor, seed: int | None = None, *, provider: Provider = "auto") -> Tensor:
    """Spikes [T, B, N]."""
    if "_spikingjelly" not in vars(neuron):
        _choose(provider, x.device)
        threshold = float(neuron.threshold)
        made = theirs.LIFNode(
            tau=1 / (1 - float(neuron.decay)),
            decay_input=neuron.input_scale == "1-decay",
            v_threshold=neighbour(threshold, torch.float32, up=True) if neuron.strict else threshold,
            v_reset=None if neuron.reset == "soft" else 0.0,
            surrogate_function=SURROGATES[neuron.surrogate](alpha=neuron.slope),
            detach_reset=neuron.detach_reset,
            step_mode="m",
        )
        object.__setattr__(neuron, "_spikingjelly", made)
    layer = vars(neuron)["_spikingjelly"]
    layer.reset()
    return layer(x)


def ran(device: str) -> dict[str, str]:
    """Which provider computed, and for a loop in place of kernels the library's reason."""
    if device != "cuda":
        return {"provider": "torch"}
    fallbacks = [key[1] for key in operator._selection._selections if isinstance(key, tuple)]
    if fallbacks:
        return {"provider": "torch", "provider_reason": fallbacks[0]}
    return {
        "provider": operator._selection.diagnostics(torch.device("cuda", torch.cuda.current_device()))["implementation"]
    }


def _choose(provider: Provider, device: torch.device) -> None:
    """Ask the library for a provider. It reads its environment variable for this once, when it is imported."""
    selection: Any = operator._selection
    if selection._requested != provider:
        selection._requested = provider
        selection._selections.clear()
        selection._compiled_selections.clear()
    if device.type == "cuda":
        try:
            selection.diagnostics(torch.device("cuda", torch.cuda.current_device()))
        except RuntimeError as error:
            raise Refused(f"spikingjelly: {str(error).splitlines()[0]}") from error
