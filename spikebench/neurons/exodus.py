"""Multi-spike leaky integrate-and-fire neuron whose backward pass is the exact implicit gradient, one recurrence in reverse."""

from typing import Annotated, Any, ClassVar, Literal, cast

import torch
from torch import Tensor, nn, tensor, zeros_like

from spikebench.neuron import Operations, Reset, State, SteppedNeuron, Words
from spikebench.numerics.scan import gated
from spikebench.numerics.surrogate import Surrogate, derivative
from spikebench.units import Count, Positive, Share


class Exodus(SteppedNeuron):
    """Multi-spike leaky integrate-and-fire with the gradient of EXODUS (Bauer et al. 2023; read in sinabs-exodus):

        i_t = synapse_decay·(i_{t-1} + x_t)        (+ x_t undecayed unless decay_early; i_t = x_t without a synapse)
        u_t = max(decay·v_{t-1} + scale·i_t, v_min)              scale = 1, or 1 − decay if norm_input
        s_t = min(⌊u_t/threshold⌋, max_spikes) where u_t ≥ threshold, else 0
        v_t = u_t − subtract·s_t

    Backward, with σ'_t the surrogate at u_t − threshold, n_t = 0 where u_t = v_min (else 1), g the gradients of spikes and u:
        G_t = n_t·(g^s_t·σ'_t + g^u_t + decay·(1 − subtract·σ'_t)·G_{t+1})
        dL/d(scale·i_t) = G_t;  dL/d decay = Σ G_t·v_{t-1} (and through scale);  dL/dv_{-1} = decay·G_0
    This equals backpropagation through time with the reset differentiated. The surrogate "exponential" is k·exp(−k|u − threshold|).

    State: v [B, N], and i [B, N] with a synapse. A NaN membrane never spikes and stays NaN.
    Source: Frontiers in Neuroscience 2023, arXiv 2205.10242. Caveat: the paper's full text was not read, the equations
    come from its public code; Sinabs itself cuts at v_min after the reset, EXODUS before the spikes, as here.

    Options:
        decay: what the membrane keeps per step; 1 is integrate-and-fire
        synapse_decay: what the synaptic current keeps per step; None is no synapse
        subtract: what a spike takes off the membrane; None is the threshold
        v_min: the least value that the membrane can have; None is no limit
        max_spikes: the most spikes in one step; None is no limit
        norm_input: the input is multiplied by 1 − decay
        width: the width of the surrogate, whose slope is k = 1/(width·threshold)
        decay_early: a new input decays once before it counts
        backward: how the gradient is computed: sequential is a loop in reverse, doubling the same as an associative scan
        learn_decay: the decay is a scalar parameter
    """

    reference: ClassVar[str] = (
        "@article{bauer2023exodus, author={Bauer, Felix C. and Lenz, Gregor and Haghighatshoar, Saeid and Sheik, Sadique},"
        " title={{EXODUS}: Stable and efficient training of spiking neural networks}, journal={Frontiers in Neuroscience},"
        " volume={17}, year={2023}, doi={10.3389/fnins.2023.1110444}}"
    )
    operations: ClassVar[Operations] = {"mul": 3, "add": 2, "compare": 2, "select": 1, "special": 1}
    state_words: ClassVar[Words] = 1
    reset_kind: ClassVar[Reset] = "soft"
    # by autograd through the loop; the same spikes with max_spikes=1, the same surrogate with width=0.5 and threshold=1
    gradient_reference: ClassVar[str | None] = "lif[decay={decay},threshold={threshold},surrogate={surrogate}]"
    _through_reset: ClassVar[bool] = True

    def __init__(
        self,
        *,
        decay: Share = 0.9,
        threshold: Positive = 1.0,
        subtract: Positive | None = None,
        v_min: Annotated[float, "(-inf, 0]"] | None = None,
        max_spikes: Count | None = None,
        norm_input: bool = False,
        surrogate: Surrogate = "exponential",
        width: Positive = 0.5,
        synapse_decay: Share | None = None,
        decay_early: bool = True,
        learn_decay: bool = False,
        backward: Literal["sequential", "doubling"] = "sequential",
    ) -> None:
        super().__init__()
        self.decay = nn.Parameter(tensor(decay)) if learn_decay else decay
        self.threshold, self.subtract = threshold, threshold if subtract is None else subtract
        self.v_min, self.max_spikes, self.norm_input = v_min, max_spikes, norm_input
        self.surrogate: Surrogate = surrogate
        self.width, self.synapse_decay, self.decay_early = width, synapse_decay, decay_early
        self.backward: Literal["sequential", "doubling"] = backward

    @property
    def slope(self) -> float:
        """k of the surrogate."""
        return 1 / (self.width * cast(float, self.threshold))

    def margin(self, membrane: Tensor, uniforms: Tensor | None = None) -> Tensor:
        steps = (membrane / self.threshold).round().clamp(1, self.max_spikes)
        return (membrane - self.threshold * steps).abs()

    def jump(self, x: Tensor) -> Tensor | None:
        if self.surrogate != "rectangle":  # its edges lie about the first threshold, however many spikes there are
            return None
        return ((self.membrane(x) - self.threshold).abs() - 0.5 / self.slope).abs()

    def initial(self, x: Tensor) -> State:
        return (zeros_like(x),) if self.synapse_decay is None else (zeros_like(x), zeros_like(x))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        z, rest = self._synapse(x[None], state[1:])
        s, u, v = cast(tuple[Tensor, Tensor, Tensor], _Implicit.apply(z, self._decay(x), state[0], self))
        return s[0], u[0], (v, *rest)

    def forward(
        self, x: Tensor, state: State | None = None, return_state: bool = False
    ) -> Tensor | tuple[Tensor, State]:
        s, _, state = self._run(x, state)
        return (s, state) if return_state else s

    def membrane(self, x: Tensor) -> Tensor:
        return self._run(x, None)[1]

    def _run(self, x: Tensor, state: State | None) -> tuple[Tensor, Tensor, State]:
        state = self.initial(x[0]) if state is None else state
        z, rest = self._synapse(x, state[1:])
        s, u, v = cast(tuple[Tensor, Tensor, Tensor], _Implicit.apply(z, self._decay(x), state[0], self))
        return s, u, (v, *rest)

    def _decay(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.decay, dtype=x.dtype, device=x.device)

    def _synapse(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """What is added to the membrane, scale·i [T, B, N], and the synapse's state after it."""
        if self.synapse_decay is not None:
            (i,), currents = state, []
            for x_t in x.unbind(0):
                i = self.synapse_decay * (i + x_t) if self.decay_early else self.synapse_decay * i + x_t
                currents.append(i)
            x, state = torch.stack(currents), (i,)
        return ((1 - self.decay) * x if self.norm_input else x), state

    def count(self, u: Tensor) -> Tensor:
        """Spikes at membrane u, any shape."""
        return torch.where(u >= self.threshold, (u / self.threshold).floor().clamp(1, self.max_spikes), 0.0)


class _Implicit(torch.autograd.Function):
    """Spikes, membranes u and the last v from input z [T, B, N], decay [] and the first v [B, N]."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, decay: Tensor, v: Tensor, neuron: Exodus) -> tuple[Tensor, Tensor, Tensor]:
        spikes, us, kept = [], [], []
        first = v
        for z_t in z.unbind(0):
            u = decay * v + z_t
            if neuron.v_min is not None:
                kept.append(u > neuron.v_min)  # at equality too, as in the published code
                u = u.clamp(min=neuron.v_min)
            s = neuron.count(u)
            v = u - neuron.subtract * s
            spikes.append(s)
            us.append(u)
        s, u = torch.stack(spikes), torch.stack(us)
        ctx.save_for_backward(decay, first, s, u, torch.stack(kept) if kept else None)
        ctx.neuron = neuron
        return s, u, v

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        decay, first, s, u, kept = ctx.saved_tensors
        neuron: Exodus = ctx.neuron
        grad_s, grad_u, grad_v = grads
        slopes = derivative(u - neuron.threshold, neuron.surrogate, neuron.slope)
        passed = 1 - neuron.subtract * slopes if neuron._through_reset else torch.ones_like(u)  # dv/du
        e = grad_s * slopes + grad_u
        e[-1] += passed[-1] * grad_v
        gates = decay * passed
        if kept is not None:
            e, gates = e * kept, gates * kept
        total = gated(e.flip(0), gates.flip(0), neuron.backward).flip(0)
        before = torch.cat([first[None], (u - neuron.subtract * s)[:-1]])
        return total, (total * before).sum(), decay * total[0], None
