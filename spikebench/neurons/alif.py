"""Adaptive leaky integrate-and-fire neuron: every spike raises the threshold for a while."""

from typing import Annotated, ClassVar, Literal

from torch import Tensor, zeros_like

from spikebench.neuron import Operations, Reset, State, SteppedNeuron, Words
from spikebench.numerics.surrogate import Surrogate, spike
from spikebench.units import Positive, Share


class ALIF(SteppedNeuron):
    """Adaptive leaky integrate-and-fire (Bellec et al. 2020; read in the authors' e-prop code):

        b_t = adaptation_decay·b_{t-1} + gain·s_{t-1}               gain = 1 − adaptation_decay, or 1
        u_t = decay·u_{t-1} + scale·x_t − threshold·s_{t-1}         scale = 1 − decay, or 1
        a_t = threshold + beta·b_t
        s_t = [u_t ≥ a_t]

    The reset takes off the constant threshold, not the raised one. `membrane` is u_t − beta·b_t, which is compared with
    the threshold. Backward: surrogate_scale·(the surrogate's derivative at (u_t − a_t)/a_t)/a_t, through a_t too; with
    the defaults 0.3·max(0, 1 − |u_t − a_t|/a_t)/a_t. The reset is differentiated unless detach_reset.

    State: u, s, b, each [B, N]. Left out: refractory period, delays, recurrent weights.
    Source: Nature Communications 11, 3625. The authors compare with >; their earlier LSNN code resets by the raised
    threshold and compares the membrane of the step before.

    Options:
        decay: what the membrane keeps per step; the default is 20 ms at steps of 1 ms
        adaptation_decay: what the adaptation b keeps per step; the default is 200 ms at steps of 1 ms
        beta: by how much one unit of adaptation raises the threshold
        input_scale: what the input is multiplied by: 1-decay as in the authors' LightALIF, one as in their EligALIF
        adaptation_scale: what a spike adds to b: 1-decay (1 − adaptation_decay) as in LightALIF, one as in EligALIF
        surrogate_scale: a factor of the surrogate's derivative
    """

    reference: ClassVar[str] = (
        "@article{bellec2020solution, author={Bellec, Guillaume and Scherr, Franz and Subramoney, Anand and Hajek, Elias"
        " and Salaj, Darjan and Legenstein, Robert and Maass, Wolfgang}, title={A solution to the learning dilemma for"
        " recurrent networks of spiking neurons}, journal={Nature Communications}, volume={11}, year={2020}}"
    )
    LONGEST_T: ClassVar[int | None] = 4096
    operations: ClassVar[Operations] = {"mul": 4, "add": 4, "compare": 1, "select": 2}
    state_words: ClassVar[Words] = 3
    reset_kind: ClassVar[Reset] = "soft"

    def __init__(
        self,
        *,
        decay: Share = 0.951229424500714,
        adaptation_decay: Share = 0.9950124791926823,
        beta: Annotated[float, "[0, inf)"] = 1.6,
        threshold: Positive = 0.03,
        input_scale: Literal["one", "1-decay"] = "1-decay",
        adaptation_scale: Literal["one", "1-decay"] = "1-decay",
        detach_reset: bool = False,
        surrogate: Surrogate = "triangle",
        slope: Positive = 1.0,
        surrogate_scale: Positive = 0.3,
    ) -> None:
        super().__init__()
        self.decay, self.adaptation_decay, self.beta, self.threshold = decay, adaptation_decay, beta, threshold
        self.input_scale, self.adaptation_scale, self.detach_reset = input_scale, adaptation_scale, detach_reset
        self.surrogate: Surrogate = surrogate
        self.slope, self.surrogate_scale = slope, surrogate_scale

    def initial(self, x: Tensor) -> State:
        return zeros_like(x), zeros_like(x), zeros_like(x)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        u, s, b = state
        scale = 1 - self.decay if self.input_scale == "1-decay" else 1
        gain = 1 - self.adaptation_decay if self.adaptation_scale == "1-decay" else 1
        b = self.adaptation_decay * b + gain * s
        u = self.decay * u + scale * x - self.threshold * (s.detach() if self.detach_reset else s)
        raised = self.threshold + self.beta * b
        z = (u - raised) / raised
        damped = z.detach() + self.surrogate_scale * (z - z.detach())  # z itself, with a damped gradient
        s = spike(damped, self.surrogate, self.slope)
        return s, u - self.beta * b, (u, s, b)
