"""What a network is: alternating linear layers and neurons with a readout over time, and a place for any neuron.

A named network is a file in `networks/` with module constants, literals, because they are also read without importing
torch: SOURCE, NEURON (the published subject), the published T, B, LAYERS, and of WIDTH, CHANNELS, CLASSES those that it
has (without WIDTH and CHANNELS they are the N of the case), OPTIMIZER (without one nothing is learned), LOSS (of LOSSES,
cross-entropy without one); and `build(make_neuron, channels, width, layers, classes)` and
`data(steps, batch, channels, generator)`. The network has its neurons in `neurons`, and gives logits [B, classes], or
spikes where it has no classes.

A network of residual blocks has BLOCKS in place of LAYERS, and one of images also SIDE: its images are side · side pixels,
and come as [T, B, channels · side²]. Keywords of `build` with literal defaults are options of the network, as
`stack[residual=ms]`; it gets T where it asks for it. Such a network has `currents`, the modules that give the current of
each layer, and `settled()`, its layers of neurons with the bias in front of each.
"""

import importlib
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal, Protocol, cast

import torch
from torch import Tensor, nn

from spikebench.neuron import StochasticNeuron
from spikebench.numerics import events as events_in
from spikebench.numerics.scan import causal_convolution

MakeNeuron = Callable[[int], nn.Module]
Readout = Literal["mean", "leaky", "max"]
Weights = Literal["torch", "kaiming", "positive"]


def _squared(logits: Tensor, labels: Tensor) -> Tensor:
    return nn.functional.mse_loss(logits, nn.functional.one_hot(labels, logits.shape[-1]).to(logits.dtype))


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {  # of logits [B, classes] and labels [B]; mse: against one-hot
    "cross_entropy": nn.functional.cross_entropy,
    "mse": _squared,
}


class Named(Protocol):
    """The module of a named network."""

    build: Callable[..., nn.Module]  # the untrained network

    def data(self, steps: int, batch: int, channels: int, generator: torch.Generator) -> Tensor:
        """An input [T, B, channels] with the statistics of the data that the network is published with."""
        ...


def load(name: str) -> Named:
    """The named network with this id."""
    return cast(Named, importlib.import_module(f"spikebench.networks.{name}"))


class Classifier(nn.Module):
    """Linear (+ BatchNorm) + neuron for every hidden size, then a linear readout over time that does not fire.

    `make_neuron(n)` gives any module that maps [T, B, n] to spikes of the same shape; further outputs are ignored.
    `forward(x, mask)` maps x [T, B, C] to logits [B, classes]; steps where mask [T, B] is false are padding, which
    counts neither in the readout nor in BatchNorm nor in `spike_rates`.

    batch_norm: over all steps and samples of a batch, so that in training mode (only there) the current at a step
    depends on later steps of the batch: the future leaks, even through causal neurons. `make_norm(n)` gives another norm.
    readout: "mean" is the mean of the spikes over time; "leaky" is the readout of the SPSN authors, the mean over time
    of a membrane with synapse that leaks by `readout_decay` per step and is never reset; "max" is that of the EXODUS
    authors, for each class the largest over time of a linear map of the spikes.
    weights: "torch" is PyTorch's initialisation; "kaiming" the SPSN authors', uniform within √(3/fan-in), no bias; "positive"
    is uniform from 0 to 2/√fan-in, no bias, so that every neuron fires before it learns.
    """

    def __init__(
        self,
        channels: int,
        hidden: Sequence[int],
        classes: int,
        make_neuron: MakeNeuron,
        *,
        batch_norm: bool = True,
        readout: Readout = "mean",
        readout_decay: float = 0.951229424500714,
        weights: Weights = "torch",
        make_norm: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        sizes = [channels, *hidden]
        self.linears = nn.ModuleList(nn.Linear(*pair) for pair in zip(sizes, hidden, strict=False))
        self.norms = nn.ModuleList((make_norm or StepNorm)(n) if batch_norm else Unchanged() for n in hidden)
        self.neurons = nn.ModuleList(make_neuron(n) for n in hidden)
        self.readout = nn.Linear(sizes[-1], classes)
        self.leak = readout_decay if readout == "leaky" else None
        self.largest = readout == "max"
        self.spike_rates: list[float] = []
        if weights != "torch":
            self.apply(_kaiming if weights == "kaiming" else _positive)
        number_sites(self)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.read(self.spikes(x, mask), mask)

    def spikes(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The spikes of the last layer: [T, B, N]."""
        rates: list[Tensor] = []
        for linear, norm, neuron in zip(self.linears, self.norms, self.neurons, strict=True):
            out = neuron(norm(linear(x), mask))
            x = out[0] if isinstance(out, tuple) else out
            if not self.training:
                rates.append(rate_of(x, mask))
        if not self.training:
            self.spike_rates = [float(rate) for rate in rates]
        return x

    def read(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Logits [B, classes] from the spikes of the last layer."""
        if self.largest:
            score = self.readout(x)  # [T, B, classes]
            return (score if mask is None else score.masked_fill(~mask[..., None], -torch.inf)).amax(0)
        weight = pooling(x.shape[0], self.leak, mask, x)
        pooled = (weight[..., None] * x).sum(0)  # [B, N]
        return nn.functional.linear(pooled, self.readout.weight) + weight.sum(0)[:, None] * self.readout.bias


class EventClassifier(Classifier):
    """A Classifier whose input are spike times, as lists [B, C, S] in steps. It counts them in `steps` steps first.

    Its biases are 0, because a neuron in continuous time has none. A scheme that takes spike times gets the lists as they are.
    """

    steps: int = 1

    def __init__(self, channels: int, hidden: Sequence[int], classes: int, make_neuron: MakeNeuron) -> None:
        super().__init__(channels, hidden, classes, make_neuron, batch_norm=False)
        for layer in (*self.linears, self.readout):
            nn.init.zeros_(cast(nn.Linear, layer).bias)

    def counted(self, x: Tensor) -> Tensor:
        """The spikes of each channel in each step: [T, B, C]."""
        return events_in.counts(x, self.steps)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return super().forward(self.counted(x), mask)


Form = Literal["indexed", "loop", "fft", "closed"]


class OutputLayer(Classifier):
    """A Classifier whose readout is computed as the SPSN authors do: a neuron more, that does not fire.

        i_t = leak·i_{t-1} + W·s_t      v_t = leak·v_{t-1} + (1 − leak)·i_t      logits = the mean of v_t over time

    The logits are those of readout="leaky". form: "indexed" is a loop over x[t], "loop" one over x.unbind(0), "fft" a causal
    convolution, "closed" weights that are known beforehand. It is that of the hidden neurons' backend, so that a loop
    has a fourth loop and an FFT a fourth FFT.
    """

    FORMS: ClassVar[dict[str, Form]] = {"indexed": "indexed", "eager": "loop", "fft": "fft"}

    @property
    def form(self) -> Form:
        """How the output is computed; kernels, which fuse what they can, have the closed form."""
        backend = getattr(self.neurons[0], "backend", "eager")
        return self.FORMS.get(backend, "closed")

    def read(self, x: Tensor, mask: Tensor | None) -> Tensor:
        if self.form == "closed" or mask is not None:
            return super().read(x, mask)
        leak, current = self.leak or 0.0, self.readout(x)
        if self.form == "fft":
            n = torch.arange(len(x), dtype=torch.float64)
            return causal_convolution(current, (1 - leak) * (n + 1) * leak**n).mean(0)
        steps = (current[t] for t in range(len(x))) if self.form == "indexed" else current.unbind(0)
        i = v = torch.zeros_like(current[0])
        membranes: list[Tensor] = []
        for x_t in steps:
            i = leak * i + x_t
            v = leak * v + (1 - leak) * i
            membranes.append(v)
        return torch.stack(membranes).mean(0)


class Layers(nn.Module):
    """Linear + neuron, `hidden` one after the other, and nothing behind them: [T, B, channels] → spikes [T, B, N].

    `make_linear(before, after)` gives what stands in the place of a Linear; it has a `bias`.
    """

    def __init__(
        self,
        channels: int,
        hidden: Sequence[int],
        make_neuron: MakeNeuron,
        make_linear: Callable[[int, int], nn.Module] = nn.Linear,
    ) -> None:
        super().__init__()
        sizes = [channels, *hidden]
        self.linears = nn.ModuleList(make_linear(*pair) for pair in zip(sizes, hidden, strict=False))
        self.neurons = nn.ModuleList(make_neuron(n) for n in hidden)
        number_sites(self)

    def forward(self, x: Tensor) -> Tensor:
        for linear, neuron in zip(self.linears, self.neurons, strict=True):
            out = neuron(linear(x))
            x = out[0] if isinstance(out, tuple) else out
        return x


class OnePass(nn.Module):
    """In a neuron's place, the least that one could cost: a single element-wise pass (a ReLU). It has no spikes."""

    def forward(self, x: Tensor) -> Tensor:
        return x.relu()


class StepNorm(nn.BatchNorm1d):
    """BatchNorm of x [T, B, N] over all steps of all samples that are not padding; padding becomes zero.

    Of maps [T, B, C, H, W] it is over all pixels, too.
    """

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        if mask is None:
            rows = x.flatten(0, 1)  # [T·B, N], or of maps [T·B, C, H·W]
            return super().forward(rows if x.ndim == 3 else rows.flatten(2)).view_as(x)
        out = torch.zeros_like(x)
        out[mask] = super().forward(x[mask])
        return out


class Unchanged(nn.Module):
    """No norm: x as it is."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return x


def pooling(steps: int, leak: float | None, mask: Tensor | None, like: Tensor) -> Tensor:
    """Weight of each step in the readout: [T, B], or [T, 1] without mask.

    The mean over time of a linear filter is a weighted sum of its input, x_t counting Σ_{n ≤ T-1-t} h_n / T, with
    h_n = (1 − leak)(n + 1)·leakⁿ the response of synapse and membrane; hence no loop over time.
    """
    valid = like.new_ones(steps, 1) if mask is None else mask.to(like.dtype)
    length = valid.sum(0)  # [B]
    if leak is None:
        return valid / length
    n = torch.arange(steps, dtype=torch.float64, device=like.device)
    step_response = ((1 - leak) * (n + 1) * leak**n).cumsum(0).to(like.dtype)  # [T]
    left = (valid.flip(0).cumsum(0).flip(0) - 1).clamp_min(0).long()  # valid steps still to come
    return step_response[left] * valid / length


def rate_of(spikes: Tensor, mask: Tensor | None) -> Tensor:
    """Mean spikes per neuron and step of what is not padding."""
    return (spikes if mask is None else spikes[mask]).detach().mean()


def number_sites(model: nn.Module) -> None:
    """Gives every stochastic neuron of a model its own sampling site, so that no two draw the same noise."""
    neurons = (module for module in model.modules() if isinstance(module, StochasticNeuron))
    for site, neuron in enumerate(neurons):
        neuron.site = site


def events(density: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Counts of independent events, `density` on average."""
    return torch.poisson(torch.full(shape, density, device=generator.device), generator)


def normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Standard normal."""
    return torch.randn(shape, generator=generator, device=generator.device)


def pixels(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Grey values of a handwritten digit, standardised: 19 % even between 0.37 and 1, the others 0."""
    value, ink = (torch.rand(shape, generator=generator, device=generator.device) for _ in range(2))
    return ((0.37 + 0.63 * value) * (ink < 0.19) - 0.1307) / 0.3081


def tokens(shape: tuple[int, ...], kinds: int, generator: torch.Generator) -> Tensor:
    """One-hot tokens drawn evenly: [*shape, kinds]."""
    drawn = torch.randint(kinds, shape, generator=generator, device=generator.device)
    return nn.functional.one_hot(drawn, kinds).float()


def _kaiming(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight, nonlinearity="linear")
        nn.init.zeros_(module.bias)


def _positive(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.uniform_(module.weight, 0.0, 2 / module.in_features**0.5)
        nn.init.zeros_(module.bias)
