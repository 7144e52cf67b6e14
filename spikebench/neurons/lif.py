"""Leaky integrate-and-fire neuron with every convention the field uses as an explicit option."""

from typing import ClassVar, Literal

from torch import Tensor, nn, tensor, zeros_like

from spikebench.neuron import Operations, Reset, State, SteppedNeuron, Words
from spikebench.surrogate import Surrogate, spike


class LIF(SteppedNeuron):
    """Leaky integrate-and-fire:

        i_t = synapse_decay·i_{t-1} + x_t          (i_t = x_t without a synapse)
        u_t = decay·v_{t-1} + scale·i_t            scale = 1 or 1 − decay
        s_t = [u_t ≥ threshold]                    (> if strict)
        v_t = u_t − threshold·s_t   (soft)   u_t·(1 − s_t)   (hard)   u_t   (none)

    With `reset_delay` (soft only) the reset follows the decay: u_t = decay·u_{t-1} + x_t − threshold·s_{t-1}.
    Backward: the surrogate for s_t, and the reset differentiated too unless `detach_reset`.

    Options: decay, synapse_decay per step in [0, 1]; surrogate and its slope; learn_decay, learn_threshold make
    them scalar parameters. The baseline of the SPSN authors is lif[decay=0.951229,synapse_decay=0.951229,
    input_scale=1-decay,reset=hard,detach_reset=true,strict=true,surrogate=fast_sigmoid,slope=100].
    State: v [B, N], and i [B, N] with a synapse. A NaN membrane never spikes and stays NaN.
    Source: Gerstner and Kistler, Spiking Neuron Models, 2002, ch. 4; options as read in the public code of
    SPSN, SpikingJelly, snnTorch, Norse and Sinabs.
    """

    reference: ClassVar[str] = (
        "@book{gerstner2002spiking, author={Gerstner, Wulfram and Kistler, Werner M.}, title={Spiking Neuron Models},"
        " publisher={Cambridge University Press}, year={2002}}"
    )
    operations: ClassVar[Operations] = {"mul": 1, "add": 2, "compare": 1, "select": 1}
    state_words: ClassVar[Words] = 1
    reset_kind: ClassVar[Reset] = "soft"

    def __init__(
        self,
        *,
        decay: float = 0.9,
        threshold: float = 1.0,
        reset: Literal["none", "soft", "hard"] = "soft",
        detach_reset: bool = False,
        strict: bool = False,
        input_scale: Literal["one", "1-decay"] = "one",
        synapse_decay: float | None = None,
        surrogate: Surrogate = "atan",
        slope: float = 2.0,
        reset_delay: bool = False,
        learn_decay: bool = False,
        learn_threshold: bool = False,
    ) -> None:
        super().__init__()
        if reset_delay and reset != "soft":
            raise ValueError(f"reset_delay goes with reset=soft only, not reset={reset}")
        self.decay = nn.Parameter(tensor(decay)) if learn_decay else decay
        self.threshold = nn.Parameter(tensor(threshold)) if learn_threshold else threshold
        self.reset, self.detach_reset, self.reset_delay = reset, detach_reset, reset_delay
        self.strict, self.input_scale, self.synapse_decay = strict, input_scale, synapse_decay
        self.surrogate: Surrogate = surrogate
        self.slope = slope

    def initial(self, x: Tensor) -> State:
        return (zeros_like(x),) if self.synapse_decay is None else (zeros_like(x), zeros_like(x))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        v = state[0]
        rest: State = ()
        if self.synapse_decay is not None:
            x = self.synapse_decay * state[1] + x
            rest = (x,)
        if self.input_scale == "1-decay":
            x = (1 - self.decay) * x
        u = (v if self.reset_delay else self.decay * v) + x
        s = spike(u - self.threshold, self.surrogate, self.slope, self.strict)
        return s, u, (self._after(u, s.detach() if self.detach_reset else s), *rest)

    def _after(self, u: Tensor, s: Tensor) -> Tensor:
        """The membrane after the reset by spikes s; with `reset_delay`, already decayed."""
        if self.reset == "none":
            return u
        if self.reset == "hard":
            return u * (1 - s)
        return (self.decay * u if self.reset_delay else u) - self.threshold * s
