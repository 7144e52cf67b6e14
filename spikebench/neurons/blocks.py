"""LIF with a refractory period, computed in blocks of steps in which it can fire once: exact, and parallel inside of them."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from spikebench.neuron import Neuron, Operations, Reset, Words
from spikebench.numerics.scan import recurrence
from spikebench.numerics.surrogate import Surrogate, spike
from spikebench.units import Count, Positive, Share


class Blocks(Neuron):
    """LIF with hard reset and an absolute refractory period, in blocks (Taylor, King and Harper 2023; read in its authors' code):

        u_t = β·v_{t-1} + x_t   (x_t = 0 for `refractory` steps after a spike)     s_t = [u_t ≥ 1]     v_t = u_t·(1 − s_t)

    β, of every neuron, learns and is kept in [0.001, 0.999]. In a block of refractory + 1 steps a neuron fires once at most:

        ũ_t = βᵗ·v + Σ_{i ≤ t} βᵗ⁻ⁱ·x_i (no reset)     s̃_t = [ũ_t ≥ 1]     z_t = Σ_{i ≤ t} (t − i + 1)·s̃_i     s_t = [z_t = 1]

    so the first s̃ is the spike. Between blocks v is carried, 0 where a spike was, and the input of what is left of the
    refractory period is taken out. So the spikes are exactly those of the loop, and ⌈T/(refractory + 1)⌉ blocks follow
    each other. `membrane` is u, 0 after a block's spike.

    gradient: "authors", as published, is that of z: dL/ds̃_i = Σ_{t ≥ i} (t − i + 1)·g_t in a block, and the surrogate's
    at every ũ. "lif" is that of the loop with a detached reset, the surrogate's at every u that may fire.
    Source: NeurIPS 2023, arXiv 2311.11390, code webstorms/Blocks at 9a93bfe (src/snn/block; its loop is src/snn/snn.py: SNN;
    the block there is one step longer than its refractory period, too). There the comparison is >, and a default β is 1,
    so 0.999. Left out: adaptive threshold, recurrent weights.

    Options:
        decay: what the membrane keeps per step, at the start
        refractory: for so many steps after a spike no input arrives and no spike is fired
        gradient: that which the authors' form gives, or that of the loop
    """

    reference: ClassVar[str] = (
        "@inproceedings{taylor2023addressing, author={Taylor, Luke and King, Andrew and Harper, Nicol S.}, title={Addressing"
        " the speed-accuracy simulation trade-off for adaptive spiking neurons}, booktitle={NeurIPS}, year={2023},"
        " note={arXiv:2311.11390}}"
    )
    operations: ClassVar[Operations] = {"mul": 1, "add": 1, "compare": 1, "select": 2}
    state_words: ClassVar[Words] = 2
    reset_kind: ClassVar[Reset] = "hard"
    per_neuron: ClassVar[tuple[str, ...]] = ("beta",)
    approximates: ClassVar[str | None] = "lif[decay={decay},reset=hard,refractory={refractory}]"

    def __init__(
        self,
        n: int,
        *,
        decay: Share = 0.9,
        refractory: Count = 10,
        gradient: Literal["authors", "lif"] = "authors",
        surrogate: Surrogate = "fast_sigmoid",
        slope: Positive = 10.0,
    ) -> None:
        super().__init__()
        self.threshold, self.decay, self.refractory, self.gradient = 1.0, decay, refractory, gradient
        self.surrogate: Surrogate = surrogate
        self.slope = slope
        self.beta = nn.Parameter(torch.full((n,), decay))

    def forward(self, x: Tensor) -> Tensor:
        return self.both(x)[0]

    def membrane(self, x: Tensor) -> Tensor:
        return self.both(x)[1]

    def both(self, x: Tensor, **noise: Tensor) -> tuple[Tensor, Tensor]:
        beta = self.beta.clamp(0.001, 0.999)
        v, after, spikes, membranes = torch.zeros_like(x[0]), None, [], []
        for part in x.split(self.refractory + 1):
            free = part if after is None else part * after[: len(part)]
            u = recurrence(torch.cat([(free[0] + beta * v)[None], free[1:]]), beta, "doubling")
            s, first, may = self._fired(u)
            spikes.append(s)
            membranes.append(u * may)
            spiked = first.any(0)
            v = u[-1].masked_fill(spiked, 0)
            after = ~spiked | (first.cumsum(0) > 0)  # of the next block: free from the spike's place on
        return torch.cat(spikes), torch.cat(membranes)

    def _fired(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of a block's u: its spikes, and where they are and may be as masks."""
        over = u.detach() >= self.threshold
        count = over.cumsum(0)
        may = count - over.to(count.dtype) == 0  # no step before is over the threshold
        first = over & may
        fired = spike(u - self.threshold, self.surrogate, self.slope)
        if self.gradient == "lif":
            return fired * may, first, may
        z = fired.cumsum(0).cumsum(0)
        return z + (first.to(z.dtype) - z).detach(), first, may
