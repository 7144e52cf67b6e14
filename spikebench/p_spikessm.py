"""P-SpikeSSM: blocks of a spike sampler on a state-space model, a spike mixer and a fuse, and stacks of them."""

from typing import Literal

import torch
from torch import Tensor, nn

from spikebench.network import MakeNeuron, StepNorm, number_sites, pooling, rate_of
from spikebench.neuron import StochasticNeuron
from spikebench.neurons.spike_sampler import SpikeSampler, sampled
from spikebench.subject import definition_of

Norm = Literal["batch", "layer"]


class ClampSampler(StochasticNeuron):
    """Spikes with the clamped input as probability, s = [uniform < x]; straight through where 0 ≤ x ≤ 1; no memory."""

    def membrane(self, x: Tensor) -> Tensor:
        return x.clamp(0, 1)

    def forward(self, x: Tensor, uniforms: Tensor | None = None) -> Tensor:
        return sampled(x, self.draw(x) if uniforms is None else uniforms)


class GeluSampler(SpikeSampler):
    """The spike sampler as its authors' block has it, with a GELU: q_t = gain·GELU(y_t) + bias.

    y is found by a causal convolution with the kernel of the state-space model, in O(T log T).
    """

    def __init__(self, n: int, *, ssm: Literal["s4d", "dplr"] = "dplr", state: int = 64) -> None:
        super().__init__(n, ssm=ssm, state=state)

    def kernel(self, steps: int) -> Tensor:
        """Response of y to a unit input, without d·x: [T, N]."""
        if self.ssm == "s4d":
            _, weight = self.discrete()  # [S/2, N]
            rate = self._complex("a")[:, None] * self._step()
            powers = torch.exp(rate * torch.arange(steps, device=rate.device)[:, None, None])
            return 2 * (weight * powers).sum(1).real
        matrix, enter, leave = self.dense()
        h = enter[..., None]  # [N, S, steps so far], doubled until all are there
        while h.shape[-1] < steps:
            h = torch.cat([h, matrix @ h], dim=-1)
            matrix = matrix @ matrix
        return torch.einsum("ns,nst->tn", leave, h[..., :steps]).real

    def filtered(self, x: Tensor) -> Tensor:
        size = 1 << (2 * len(x) - 1).bit_length()
        kernel = self.kernel(len(x))
        spectrum = torch.fft.rfft(x.to(kernel.dtype), size, dim=0) * torch.fft.rfft(kernel, size, dim=0)[:, None]
        return torch.fft.irfft(spectrum, size, dim=0)[: len(x)].to(x.dtype) + self.d * x

    def score(self, x: Tensor) -> Tensor:
        return self.gain * nn.functional.gelu(self.filtered(x)) + self.bias

    def onto_jump(self, x: Tensor) -> bool:
        """Never: the transform rounds silence, too."""
        return False


class Driven(nn.Module):
    """Another neuron in the sampler's place: its current is the score q of the state-space model."""

    def __init__(self, drive: GeluSampler, neuron: nn.Module) -> None:
        super().__init__()
        self.drive, self.neuron = drive, neuron

    def forward(self, x: Tensor) -> Tensor:
        out = self.neuron(self.drive.score(x))
        return out[0] if isinstance(out, tuple) else out


class StepLayerNorm(nn.LayerNorm):
    """LayerNorm over the neurons of each step, which needs no mask."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().forward(x)


class Block(nn.Module):
    """One block, x [T, B, N] → [T, B, N], real numbers between blocks and spikes inside:

        q = gain·x + bias, normed if prenorm          S = [uniform < q]             (ClampFuse, SpikeSampler)
        y = SSM(S)      p = gain'·GELU(y) + bias'     S' = [uniform' < p]           (SpikeSampler)
        out = x + Dropout(GELU(W S' + c)), normed if not prenorm                     (SpikeMixer, fuse)

    Gains start at 1, biases at 0. Both samplings are of fresh noise. `neuron` does the second line: `GeluSampler` as
    published, any backend of `spike_sampler` without the GELU, and any other neuron behind the same SSM, GELU, gain'
    and bias'. Differences from the shipped code: there the SSM's kernel is two-sided in all configurations, and with
    `bidirectional` one uniform tensor serves both samplings; here it is causal. BatchNorm over all steps of a batch
    is kept: in training mode (only there) it lets a step know of later ones.
    """

    def __init__(self, n: int, neuron: nn.Module, *, norm: Norm, prenorm: bool, dropout: float = 0.0) -> None:
        super().__init__()
        self.gain, self.bias = nn.Parameter(torch.ones(n)), nn.Parameter(torch.zeros(n))
        self.norm = StepNorm(n) if norm == "batch" else StepLayerNorm(n)
        self.prenorm = prenorm
        self.sample, self.neuron = ClampSampler(), neuron
        self.mix, self.dropout = nn.Linear(n, n), nn.Dropout(dropout)

    def spikes(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """S' [T, B, N]."""
        q = self.gain * x + self.bias
        out = self.neuron(self.sample(self.norm(q, mask) if self.prenorm else q))
        return out[0] if isinstance(out, tuple) else out

    def fuse(self, x: Tensor, spikes: Tensor, mask: Tensor | None = None) -> Tensor:
        """The block's output [T, B, N] from its input and its spikes."""
        out = x + self.dropout(nn.functional.gelu(self.mix(spikes)))
        return out if self.prenorm else self.norm(out, mask)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.fuse(x, self.spikes(x, mask), mask)


class PSpikeSSM(nn.Module):
    """Linear encoder, `layers` blocks of `width`, mean over time, linear readout: x [T, B, C], mask → logits [B, classes].

    `make_neuron(n)` gives what stands in the blocks, see `Block`; `ssm` and `state` are those of the model before a
    neuron that has none. Source: arXiv 2406.02923, the authors' code and configurations; the mean over time and the
    linear encoder are those of the S4 code that it builds on.
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
    ) -> None:
        super().__init__()
        self.encoder, self.readout = nn.Linear(channels, width), nn.Linear(width, classes)

        def place(neuron: nn.Module) -> nn.Module:
            own = isinstance(definition_of(neuron), SpikeSampler)
            return neuron if own else Driven(GeluSampler(width, ssm=ssm, state=state), neuron)

        self.blocks = nn.ModuleList(
            Block(width, place(make_neuron(width)), norm=norm, prenorm=prenorm, dropout=dropout) for _ in range(layers)
        )
        self.spike_rates: list[float] = []
        number_sites(self)

    @property
    def neurons(self) -> list[nn.Module]:
        """What gives the spikes of each block."""
        return [block.neuron for block in self.blocks]  # pyright: ignore[reportReturnType]  # a ModuleList holds Modules

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x, rates = self.encoder(x), []
        for block in self.blocks:
            spikes = block.spikes(x, mask)  # pyright: ignore[reportCallIssue]  # a ModuleList holds Modules
            rates.append(rate_of(spikes, mask))
            x = block.fuse(x, spikes, mask)  # pyright: ignore[reportCallIssue]  # as above
        if not self.training:
            self.spike_rates = [float(rate) for rate in rates]
        return self.readout((pooling(x.shape[0], None, mask, x)[..., None] * x).sum(0))
