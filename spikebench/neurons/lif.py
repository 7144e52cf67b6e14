"""Leaky integrate-and-fire neuron with every convention the field uses as an explicit option."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, logit, nn, zeros_like

from spikebench.neuron import Operations, Reset, State, SteppedNeuron, Words
from spikebench.numerics.surrogate import Surrogate, spike
from spikebench.units import Natural, Positive, Share


class LIF(SteppedNeuron):
    """Leaky integrate-and-fire:

        i_t = synapse_decay·i_{t-1} + x_t          (i_t = x_t without a synapse)
        u_t = decay·v_{t-1} + scale·i_t            scale = 1 or 1 − decay
        s_t = [u_t ≥ threshold]                    (> if strict)
        v_t = u_t − threshold·s_t   (soft)   u_t·(1 − s_t)   (hard)   u_t   (none)

    With `reset_delay` (soft only) the reset follows the decay: u_t = decay·u_{t-1} + x_t − threshold·s_{t-1}.
    Backward: the surrogate for s_t, and the reset differentiated too unless `detach_reset`.

    Without `shared`, decay and threshold start evenly drawn from decay ± spread·(1 − decay) and threshold·(1 ± spread).
    With `bounded`, the decay is the sigmoid of `decay_logit` and the threshold max(0, threshold), as in ParaLIF. No gradient
    goes through the count of a refractory period; ParaLIF's authors count the step of the spike too, their period is one more.
    The baseline of the SPSN authors is lif[decay=0.951229,synapse_decay=0.951229,input_scale=1-decay,reset=hard,detach_reset=true,
    strict=true,surrogate=fast_sigmoid,slope=100].
    State: v [B, N], i [B, N] with a synapse, and the steps left [B, N] with a refractory period. A NaN membrane never spikes and stays NaN.
    Source: Gerstner and Kistler, Spiking Neuron Models, 2002, ch. 4; options as read in the public code of
    SPSN, SpikingJelly, snnTorch, Norse and Sinabs.

    Options:
        decay: what the membrane keeps per step, in [0, 1]
        threshold: the membrane at which a spike is fired
        reset: what a spike does to the membrane: nothing, soft takes off the threshold, hard sets it to 0
        detach_reset: no gradient goes through the reset
        strict: a spike needs u > threshold, and not u ≥ threshold
        input_scale: what the input is multiplied by: 1, or 1 − decay
        synapse_decay: what the synaptic current keeps per step, in [0, 1]; None is no synapse
        reset_delay: the reset comes one step later, after the decay (soft only)
        learn_decay: the decay is a parameter
        learn_threshold: the threshold is a parameter
        shared: one decay and one threshold for the layer, and not one for each neuron
        spread: how far those of the neurons lie apart at the start (shared=false)
        bounded: what learns stays in its range
        refractory: for so many steps after a spike no input arrives and no spike is fired
    """

    reference: ClassVar[str] = (
        "@book{gerstner2002spiking, author={Gerstner, Wulfram and Kistler, Werner M.}, title={Spiking Neuron Models},"
        " publisher={Cambridge University Press}, year={2002}}"
    )
    operations: ClassVar[Operations] = {"mul": 1, "add": 2, "compare": 1, "select": 1}
    state_words: ClassVar[Words] = 1
    reset_kind: ClassVar[Reset] = "soft"
    LATER: ClassVar[tuple[str, ...]] = ("shared", "spread", "bounded", "refractory")
    decay: float | nn.Parameter  # without a value: a parameter of that name could not be registered
    decay_logit: nn.Parameter

    def __init__(
        self,
        *,
        decay: Share = 0.9,
        threshold: Positive = 1.0,
        reset: Literal["none", "soft", "hard"] = "soft",
        detach_reset: bool = False,
        strict: bool = False,
        input_scale: Literal["one", "1-decay"] = "one",
        synapse_decay: Share | None = None,
        surrogate: Surrogate = "atan",
        slope: Positive = 2.0,
        reset_delay: bool = False,
        learn_decay: bool = False,
        learn_threshold: bool = False,
        shared: bool = True,
        spread: Share = 0.0,
        bounded: bool = False,
        refractory: Natural = 0,
        n: int | None = None,
    ) -> None:
        super().__init__()
        if reset_delay and reset != "soft":
            raise ValueError(f"reset_delay goes with reset=soft only, not reset={reset}")
        if shared and spread:
            raise ValueError(f"spread={spread} is of values per neuron: add shared=false")
        if not 0 <= spread <= 1 or refractory < 0:
            raise ValueError(f"spread={spread} must lie in [0, 1] and refractory={refractory} must be 0 or more steps")
        if bounded and learn_decay and not (0 < decay < 1):
            raise ValueError(f"decay={decay} is no sigmoid: bounded=true takes one between 0 and 1")
        self.shared, self.bounded, self.refractory = shared, bounded, refractory
        self._of_logits = bounded and learn_decay
        size = () if shared else (1 if n is None else n,)
        self._hold("decay", decay + spread * (1 - decay) * _even(size), decay, learn_decay)
        self._hold("threshold", threshold * (1 + spread * _even(size)), threshold, learn_threshold)
        if not shared:
            held = tuple(k for k in ("decay", "decay_logit", "threshold") if hasattr(self, k))
            self.per_neuron = held  # pyright: ignore[reportAttributeAccessIssue]  # an option decides, not the class
        self.reset, self.detach_reset, self.reset_delay = reset, detach_reset, reset_delay
        self.strict, self.input_scale, self.synapse_decay = strict, input_scale, synapse_decay
        self.surrogate: Surrogate = surrogate
        self.slope = slope

    def _hold(self, name: str, value: Tensor, alone: float, learns: bool) -> None:
        """Keep a constant as it is used: a float, a parameter, values per neuron, or the logits of a bounded decay."""
        if self._of_logits and name == "decay":
            self.decay_logit = nn.Parameter(logit(value))
        elif learns:
            setattr(self, name, nn.Parameter(value))
        elif self.shared:
            setattr(self, name, alone)
        else:
            self.register_buffer(name, value)

    @property
    def decays(self) -> float | Tensor:
        """What a membrane is multiplied by per step."""
        return torch.sigmoid(self.decay_logit) if self._of_logits else self.decay

    @property
    def thresholds(self) -> float | Tensor:
        """What a membrane is compared with."""
        return self.threshold.clamp_min(0) if self.bounded and isinstance(self.threshold, Tensor) else self.threshold

    def margin(self, membrane: Tensor, uniforms: Tensor | None = None) -> Tensor:
        return (membrane - self.thresholds).abs()

    def initial(self, x: Tensor) -> State:
        return tuple(zeros_like(x) for _ in range(1 + (self.synapse_decay is not None) + (self.refractory > 0)))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        v = state[0]
        rest: State = ()
        if self.synapse_decay is not None:
            x = self.synapse_decay * state[1] + x
            rest = (x,)
        if self.input_scale == "1-decay":
            x = (1 - self.decays) * x
        free = (state[-1] == 0).to(x.dtype) if self.refractory else None
        u = (v if self.reset_delay else self.decays * v) + (x if free is None else x * free)
        s = spike(u - self.thresholds, self.surrogate, self.slope, self.strict)
        if free is not None:
            s = s * free
            rest = (*rest, (state[-1] - 1).clamp_min(0) + self.refractory * s.detach())
        return s, u, (self._after(u, s.detach() if self.detach_reset else s), *rest)

    def _after(self, u: Tensor, s: Tensor) -> Tensor:
        """The membrane after the reset by spikes s; with `reset_delay`, already decayed."""
        if self.reset == "none":
            return u
        if self.reset == "hard":
            return u * (1 - s)
        return (self.decays * u if self.reset_delay else u) - self.thresholds * s


def _even(size: tuple[int, ...]) -> Tensor:
    """Numbers drawn evenly from [−1, 1), one for each neuron; without neurons 0, and nothing is drawn."""
    return 2 * torch.rand(size) - 1 if size else torch.zeros(())
