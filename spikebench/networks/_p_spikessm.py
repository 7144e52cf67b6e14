"""P-SpikeSSM: blocks of a spike sampler on a state-space model, a spike mixer and a fuse, and stacks of them."""

from typing import Literal, cast

import torch
from torch import Tensor, nn

from spikebench.backends.fft.gelu_sampler import score
from spikebench.loading.subject import definition_of
from spikebench.network import MakeNeuron, StepNorm, Unchanged, number_sites, pooling, rate_of
from spikebench.neuron import StochasticNeuron
from spikebench.neurons.gelu_sampler import GeluSampler, dropped
from spikebench.neurons.spike_sampler import SpikeSampler, sampled

Norm = Literal["batch", "layer"]


class ClampSampler(StochasticNeuron):
    """Spikes with the clamped input as probability, s = [uniform < x]; straight through where 0 ≤ x ≤ 1; no memory."""

    def membrane(self, x: Tensor) -> Tensor:
        return x.clamp(0, 1)

    def forward(self, x: Tensor, uniforms: Tensor | None = None) -> Tensor:
        return sampled(x, self.draw(x) if uniforms is None else uniforms)


class Driven(nn.Module):
    """Another neuron in the sampler's place: its current is the score q of the state-space model."""

    def __init__(self, drive: GeluSampler, neuron: nn.Module) -> None:
        super().__init__()
        self.drive, self.neuron = drive, neuron

    def forward(self, x: Tensor) -> Tensor:
        out = self.neuron(score(self.drive, x))
        return out[0] if isinstance(out, tuple) else out


class StepLayerNorm(nn.LayerNorm):
    """LayerNorm over the neurons of each step, which needs no mask."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().forward(x)


class Block(nn.Module):
    """One block, x [T, B, N] → [T, B, N], real numbers between blocks and spikes inside:

        q = gain·x + bias, normed if prenorm          S = [uniform < q]             (ClampFuse, SpikeSampler)
        y = SSM(S)      p = gain'·GELU(y) + bias'     S' = [uniform' < p]           (SpikeSampler)
        out = x + GELU(W S' + c), normed if not prenorm                             (SpikeMixer, fuse)

    Without `residual`, x is left out of the last line. With `other`, a second neuron and its SSM, the block is that of
    the bidirectional models: S₂ = [uniform < gain₂·x + bias₂], not normed, goes through it in the same order of steps,
    its p has no gain' and bias', and W maps both S' [2N] to N. `dropout` is of y, of GELU(y), and of GELU(W S' + c) where
    there is a residual; one mask for all steps. Gains start at 1, biases at 0.

    `neuron` does the second line: `gelu_sampler` as published, any backend of `spike_sampler` without the GELU and its
    dropout, and any other neuron behind the same SSM, GELU, gain' and bias'. Differences from the shipped code
    (NeuroCompLab-psu/PSpikeSSMs at 8f7a954, backbones/block.py): there the SSM's kernel is two-sided in all
    configurations, here it is causal; there the bidirectional block samples S and both S' with the same uniforms, here
    all noise is fresh. BatchNorm over all steps of a batch is kept: in training mode (only there) it lets a step know
    of later ones.
    """

    def __init__(
        self,
        n: int,
        neuron: nn.Module,
        *,
        norm: Norm,
        prenorm: bool,
        dropout: float = 0.0,
        residual: bool = True,
        other: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.gain, self.bias = nn.Parameter(torch.ones(n)), nn.Parameter(torch.zeros(n))
        self.norm, self.prenorm, self.residual, self.dropout = normed_by(norm, n), prenorm, residual, dropout
        self.samples, self.neurons = nn.ModuleList([ClampSampler()]), nn.ModuleList([neuron])
        if other is not None:
            self.samples.append(ClampSampler())
            self.neurons.append(other)
            self.gain2, self.bias2 = nn.Parameter(torch.ones(n)), nn.Parameter(torch.zeros(n))
        self.mix = nn.Linear(n * len(self.neurons), n)

    def spikes(self, x: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """S' [T, B, N] of each neuron."""
        q = self.gain * x + self.bias
        scores = [self.norm(q, mask) if self.prenorm else q]
        if len(self.neurons) > 1:
            scores.append(self.gain2 * x + self.bias2)
        outs = [n(sample(q)) for n, sample, q in zip(self.neurons, self.samples, scores, strict=True)]
        return [out[0] if isinstance(out, tuple) else out for out in outs]

    def fuse(self, x: Tensor, spikes: list[Tensor], mask: Tensor | None = None) -> Tensor:
        """The block's output [T, B, N] from its input and its spikes."""
        out = nn.functional.gelu(self.mix(torch.cat(spikes, -1)))
        if self.residual:
            out = x + dropped(out, self.dropout, self.training)
        return out if self.prenorm else self.norm(out, mask)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.fuse(x, self.spikes(x, mask), mask)


def normed_by(norm: Norm, n: int) -> nn.Module:
    """The norm of that name for n neurons: x [T, B, N], mask → [T, B, N]."""
    return StepNorm(n) if norm == "batch" else StepLayerNorm(n)


class PSpikeSSM(nn.Module):
    """Linear encoder, `layers` blocks of `width`, mean over time, linear readout: x [T, B, C], mask → logits [B, classes].

    With `prenorm` a norm stands behind the last block, too. `make_neuron(n)` gives what stands in the blocks, see `Block`,
    two in each with `bidirectional`; `ssm` and `state` are those of the model before a neuron that has none.
    Source: arXiv 2406.02923, NeuroCompLab-psu/PSpikeSSMs at 8f7a954 (backbones/model.py, block.py); the mean over time
    and the linear encoder are those of the S4 code that it builds on.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        layers: int,
        classes: int,
        make_neuron: MakeNeuron,
        *,
        ssm: Literal["s4d", "dplr"] = "dplr",
        state: int = 64,
        norm: Norm = "batch",
        prenorm: bool = True,
        dropout: float = 0.0,
        residual: bool = True,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        self.encoder, self.readout = nn.Linear(channels, width), nn.Linear(width, classes)

        def placed(scaled: bool = True) -> nn.Module:
            neuron = make_neuron(width)
            own = definition_of(neuron)
            if not isinstance(own, SpikeSampler):
                own = GeluSampler(width, ssm=ssm, state=state)
                neuron = Driven(own, neuron)
            if isinstance(own, GeluSampler):
                own.dropout = dropout
            own.gain.requires_grad_(scaled)
            own.bias.requires_grad_(scaled)
            return neuron

        def block() -> Block:
            own, other = placed(), placed(scaled=False) if bidirectional else None
            return Block(width, own, norm=norm, prenorm=prenorm, dropout=dropout, residual=residual, other=other)

        self.blocks = nn.ModuleList(block() for _ in range(layers))
        self.norm = normed_by(norm, width) if prenorm else Unchanged()
        self.spike_rates: list[float] = []
        number_sites(self)

    @property
    def neurons(self) -> list[nn.Module]:
        """What gives the spikes, block by block."""
        return [neuron for block in self.blocks for neuron in cast(Block, block).neurons]

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x, rates = self.encoder(x), []
        for block in (cast(Block, b) for b in self.blocks):
            spikes = block.spikes(x, mask)
            rates += [rate_of(s, mask) for s in spikes]
            x = block.fuse(x, spikes, mask)
        if not self.training:
            self.spike_rates = [float(rate) for rate in rates]
        x = self.norm(x, mask)
        return self.readout((pooling(x.shape[0], None, mask, x)[..., None] * x).sum(0))
