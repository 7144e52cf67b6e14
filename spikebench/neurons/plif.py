"""Parametric leaky integrate-and-fire neuron: the layer learns its membrane time constant."""

import math
from typing import Annotated, ClassVar, Literal

from torch import Tensor, full, nn, sigmoid, zeros_like

from spikebench.neuron import Operations, Reset, State, SteppedNeuron, Words
from spikebench.numerics.surrogate import Surrogate, spike
from spikebench.units import Positive


class PLIF(SteppedNeuron):
    """Parametric leaky integrate-and-fire (Fang et al. 2021; read in its authors' code):

        u_t = v_{t-1} + σ(w)·(x_t − v_{t-1})        (x_t undecayed, v_{t-1} − σ(w)·v_{t-1} + x_t, unless decay_input)
        s_t = [u_t ≥ threshold]
        v_t = u_t·(1 − s_t)   (hard)   u_t − threshold·s_t   (soft)

    σ(w) is 1/tau, and w, one number for the layer or, without `shared`, one for each neuron, learns; it starts at −ln(tau − 1).
    tau=2, atan and a detached reset are BrainCog's choice; SpikingJelly differentiates the reset by default.
    State: v [B, N]. Source: ICCV 2021, arXiv 2007.05785, code in SpikingJelly and BrainCog (which compares with >).

    Options:
        tau: the time constant in steps at the start
        reset: what a spike does to the membrane: hard sets it to 0, soft takes off the threshold
        detach_reset: no gradient goes through the reset
        decay_input: the input is multiplied by σ(w) too
        shared: one w for the layer, and not one for each neuron
    """

    reference: ClassVar[str] = (
        "@inproceedings{fang2021incorporating, author={Fang, Wei and Yu, Zhaofei and Chen, Yanqi and Masquelier,"
        " Timoth{\\'e}e and Huang, Tiejun and Tian, Yonghong}, title={Incorporating Learnable Membrane Time Constant to"
        " Enhance Learning of Spiking Neural Networks}, booktitle={ICCV}, year={2021}}"
    )
    operations: ClassVar[Operations] = {"mul": 1, "add": 2, "compare": 1, "select": 1}
    state_words: ClassVar[Words] = 1
    reset_kind: ClassVar[Reset] = "hard"
    LATER: ClassVar[tuple[str, ...]] = ("shared",)

    def __init__(
        self,
        *,
        tau: Annotated[float, "(1, inf)"] = 2.0,
        threshold: Positive = 1.0,
        reset: Literal["soft", "hard"] = "hard",
        detach_reset: bool = True,
        decay_input: bool = True,
        surrogate: Surrogate = "atan",
        slope: Positive = 2.0,
        shared: bool = True,
        n: int | None = None,
    ) -> None:
        super().__init__()
        if tau <= 1:
            raise ValueError(f"tau={tau} must exceed 1, for 1/tau is a sigmoid")
        self.shared = shared
        self.w = nn.Parameter(full(() if shared else (1 if n is None else n,), -math.log(tau - 1)))
        if not shared:
            self.per_neuron = ("w",)  # pyright: ignore[reportAttributeAccessIssue]  # an option decides, not the class
        self.threshold, self.reset, self.detach_reset, self.decay_input = threshold, reset, detach_reset, decay_input
        self.surrogate: Surrogate = surrogate
        self.slope = slope

    def initial(self, x: Tensor) -> State:
        return (zeros_like(x),)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        (v,) = state
        rate = sigmoid(self.w)
        u = v + rate * (x - v) if self.decay_input else v - rate * v + x
        s = spike(u - self.threshold, self.surrogate, self.slope)
        after = s.detach() if self.detach_reset else s
        return s, u, (u * (1 - after) if self.reset == "hard" else u - self.threshold * after,)
