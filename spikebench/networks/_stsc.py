"""A classifier behind a filter and a gate over time (STSC), as the PSU authors train it on SHD."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spikebench.network import MakeNeuron, StepNorm, number_sites, pooling, rate_of


class TemporalGate(nn.Module):
    """Spatio-temporal synaptic connection, x [T, B, C] → [T, B, C]:

        f = depthwise convolution over time, 5 steps, no bias
        d = 1 − σ(W relu(V x)), V a convolution over time and channels of 3 steps, W linear without bias
        y = f·d

    Both convolutions are centred and see 2 and 1 steps ahead, with zeros beyond the ends. Source: STSC in
    Brain-Cog-Lab/PSU at 89fd724 (braincog/model_zoo/fc_snn.py, dimension 2, reduction 1), after Yu et al. 2022.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filter = nn.Conv1d(channels, channels, 5, padding=2, groups=channels, bias=False)
        self.receive = nn.Conv1d(channels, channels, 3, padding=1)
        self.gate = nn.Linear(channels, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        series = x.permute(1, 2, 0)  # [B, C, T]
        filtered = self.filter(series).permute(2, 0, 1)
        gate = self.gate(self.receive(series).relu().permute(2, 0, 1))
        return filtered * (1 - torch.sigmoid(gate))


class FilteredClassifier(nn.Module):
    """TemporalGate, then Linear, dropout, BatchNorm and neuron for every hidden size, then a linear readout.

    `forward(x, mask)` maps x [T, B, C] to logits [B, classes], the mean over time of the readout; steps where mask is
    false are padding: zero for the gate, and counted neither in BatchNorm nor in the mean. dropout: of the currents, as
    the authors have it, 0.4. BatchNorm is over all steps and samples, and the gate sees steps to come: the future leaks.
    """

    def __init__(
        self, channels: int, hidden: Sequence[int], classes: int, make_neuron: MakeNeuron, *, dropout: float = 0.4
    ) -> None:
        super().__init__()
        sizes = [channels, *hidden]
        self.gate = TemporalGate(channels)
        self.linears = nn.ModuleList(nn.Linear(*pair) for pair in zip(sizes, hidden, strict=False))
        self.dropout = nn.Dropout(dropout)
        self.norms = nn.ModuleList(StepNorm(n) for n in hidden)
        self.neurons = nn.ModuleList(make_neuron(n) for n in hidden)
        self.readout = nn.Linear(sizes[-1], classes)
        self.spike_rates: list[float] = []
        number_sites(self)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        rates: list[Tensor] = []
        x = self.gate(x if mask is None else x * mask[..., None])
        for linear, norm, neuron in zip(self.linears, self.norms, self.neurons, strict=True):
            out = neuron(norm(self.dropout(linear(x)), mask))
            x = out[0] if isinstance(out, tuple) else out
            if not self.training:
                rates.append(rate_of(x, mask))
        if not self.training:
            self.spike_rates = [float(rate) for rate in rates]
        weight = pooling(x.shape[0], None, mask, x)  # [T, B]
        return self.readout((weight[..., None] * x).sum(0))
