"""What the gate compares with: the definition's values in float64 for some of the series, and how much rounding explains."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spikebench.neuron import Neuron, StochasticNeuron
from spikebench.workloads.layer import spikes_of

SERIES = 512
NEAR = 4.0  # times the rounding that explains a spike: so far from a jump its side is not known, as kernels round in another order


@dataclass
class Selection:
    """Which series are compared: all of them, or 512 random ones with the first and the last; whole items if coupled."""

    index: Tensor  # flat positions in B·N
    shape: tuple[int, int]  # [B, N] of the selection as the definition sees it
    neurons: Tensor  # neuron number of each position in the last axis of the selection
    coupled: bool

    @staticmethod
    def of(x: Tensor, neuron: Neuron, seed: int) -> "Selection":
        _, b, n = x.shape
        generator = torch.Generator().manual_seed(seed)
        if neuron.coupled:
            picks = torch.randperm(b, generator=generator)[: max(1, SERIES // n)].tolist()
            items = sorted({0, b - 1, *picks})
            index = torch.cat([torch.arange(n) + i * n for i in items])
            return Selection(index.to(x.device), (len(items), n), torch.arange(n), True)
        flat = torch.arange(b * n)
        if b * n > SERIES + 2:
            picks = torch.randperm(b * n, generator=generator)[:SERIES]
            flat = torch.unique(torch.cat([picks, torch.tensor([0, b * n - 1])]))
        return Selection(flat.to(x.device), (1, len(flat)), flat % n, False)

    @property
    def count(self) -> int:
        return len(self.index)

    def take(self, tensor: Tensor) -> Tensor:
        """A copy of the selected series of [T, B, N] as [T, b, n]."""
        steps = tensor.shape[0]
        return tensor.detach().reshape(steps, -1)[:, self.index].reshape(steps, *self.shape)

    def put(self, tensor: Tensor, series: Tensor) -> None:
        """Write the selected series [T, b, n] into [T, B, N], which is contiguous."""
        steps = tensor.shape[0]
        tensor.detach().view(steps, -1)[:, self.index] = series.reshape(steps, -1).to(tensor.dtype)

    def mask(self, like: Tensor, kept: Tensor) -> Tensor:
        """[T, B, N] of `like` with every series zero but the selected ones where `kept` [b, n] is true."""
        flat = torch.zeros(like.shape[1] * like.shape[2], dtype=like.dtype, device=like.device)
        flat[self.index] = kept.reshape(-1).to(like.dtype)
        return like * flat.view(like.shape[1:])

    def uniforms(self, x: Tensor, neuron: Neuron, call: int) -> Tensor | None:
        """The uniforms of the selected series at a call number, as the backend must have drawn them."""
        if not isinstance(neuron, StochasticNeuron):
            return None
        neuron.calls = call
        return self.take(neuron.draw(x))

    def restrict(self, neuron: Neuron) -> Neuron:
        """A copy of the neuron for the selected series: parameters per neuron are picked."""
        part = copy.deepcopy(neuron)
        if self.coupled:
            return part
        for name in part.per_neuron:
            value = getattr(part, name)
            if isinstance(value, nn.Parameter):
                setattr(part, name, nn.Parameter(value.detach()[..., self.neurons.to(value.device)]))
            elif isinstance(value, Tensor):
                setattr(part, name, value[..., self.neurons.to(value.device)])
        return part


@dataclass
class Expected:
    """What the definition says of the selected series: spikes, margins, and what rounding in the dtype explains."""

    neuron: Neuron  # in float64
    x: Tensor
    spikes: Tensor
    margin: Tensor
    allowed: Tensor
    flipped: int  # series in which the definition itself differs in the backend's dtype
    at_jump: Tensor  # [b, n], series that rounding may take to the other side of a jump in the rule of the gradient
    low: Neuron  # in the backend's dtype
    noise: dict[str, Tensor]  # the uniforms, if it is stochastic
    everywhere: bool = False  # every series may be taken to the other side of a jump; at_jump has none of them then

    @staticmethod
    def of(
        reference: Neuron, chosen: Selection, x: Tensor, uniforms: Tensor | None, gradient: bool, exact: bool = False
    ) -> "Expected":
        """From selected inputs x [T, b, n]. `exact`: where the definition makes no rounding error, none explains a spike."""
        part = chosen.restrict(reference)
        noise = {} if uniforms is None else {"uniforms": uniforms}
        wide_noise = {k: v.double() for k, v in noise.items()}
        neuron = copy.deepcopy(part).double()
        wide = x.double().requires_grad_(gradient)
        with torch.set_grad_enabled(gradient):
            spikes, membrane = neuron.both(wide, **wide_noise)
        with torch.no_grad():
            margin = neuron.margin(membrane, wide_noise.get("uniforms"))
            low_spikes, low_membrane = part.both(x, **noise)
            flips = low_spikes.double() != spikes
            jump = neuron.jump(wide)
            error = _until_flip((low_membrane.double() - membrane).abs(), flips).cummax(0).values
        allowed = 8 * error.clamp_min(torch.finfo(x.dtype).eps / 2)
        if exact:
            allowed[error == 0] = 0
        near = None if jump is None else jump <= NEAR * allowed
        if near is not None and jump is not None and exact:
            near &= (jump > 0) | (error > 0)  # where nothing is rounded, the side of the jump is known
        at_jump = torch.zeros_like(flips[0]) if near is None else near.any(0)
        if everywhere := bool(at_jump.all()):
            at_jump = torch.zeros_like(at_jump)  # something has to be compared
        return Expected(
            neuron, wide, spikes, margin, allowed, int(flips.any(0).sum()), at_jump, part, noise, everywhere
        )

    def gradients(self, g: Tensor) -> list[Tensor | None]:
        """In float64, for the input and for every parameter."""
        there = [p for p in self.neuron.parameters() if p.requires_grad]
        wanted = (self.x, *there)
        return list(torch.autograd.grad(self.spikes, wanted, g.double(), allow_unused=True, retain_graph=True))

    def own_errors(self, g: Tensor) -> tuple[float, float]:
        """The definition's own largest gradient errors in the backend's dtype, of input and parameters, where spikes agree."""
        x = self.x.detach().to(g.dtype).requires_grad_()
        spikes = spikes_of(self.low(x, **self.noise))
        g = g * (spikes.double() == self.spikes.detach()).all(0)
        there = [p for p in self.low.parameters() if p.requires_grad]
        got = torch.autograd.grad(spikes, (x, *there), g, allow_unused=True)
        pairs = [
            (a.double(), b) for a, b in zip(got, self.gradients(g), strict=True) if a is not None and b is not None
        ]
        others = [float(relative_error(a, b)) for a, b in pairs[1:]]
        return float(relative_error(*pairs[0], axis=0).max()), max(others, default=0.0)

    def own_entries(self, g: Tensor) -> Tensor:
        """The definition's own error in the backend's dtype of each entry of the input's gradient, 0 where spikes differ."""
        x = self.x.detach().to(g.dtype).requires_grad_()
        spikes = spikes_of(self.low(x, **self.noise))
        g = g * (spikes.double() == self.spikes.detach()).all(0)
        (got,) = torch.autograd.grad(spikes, x, g)
        want = self.gradients(g)[0]
        return torch.zeros_like(self.x) if want is None else (got.double() - want).abs()

    def judge(self, spikes: Tensor) -> tuple[Tensor, float]:
        """Which series [b, n] differ, and the worst margin at a first difference in units of what is allowed."""
        wrong = spikes != self.spikes.detach()
        differs = wrong.any(0)
        if not bool(differs.any()):
            return differs, 0.0
        first = wrong.to(torch.int8).argmax(0, keepdim=True)
        ratio = (self.margin / self.allowed).gather(0, first)[0][differs]
        return differs, float(ratio.nan_to_num(torch.inf).max())


def _until_flip(error: Tensor, flips: Tensor) -> Tensor:
    """The error up to and including the first step at which the definition itself flips in the lower precision."""
    before = flips.cumsum(0) - flips.to(torch.int64)
    return error.masked_fill(before > 0, 0.0)


BEFORE = 16  # steps


def entry_errors(got: Tensor, want: Tensor, allowed: Tensor, tiny: float) -> Tensor:
    """Error of every entry [T, b, n], beyond what is `allowed`, ÷ the largest |wanted| of it and the 16 steps before it.

    The steps before, because a gradient that oscillates passes through zero; one that decays is smaller there. Entries
    below a thousand times the smallest normal number, `tiny`, are not compared: kernels may flush such to zero.
    """
    scale = _and_before(want.abs())
    error = ((got - want).abs() - _and_before(allowed)).clamp_min(0.0)
    ratio = error / scale.clamp_min(1e-300)
    return torch.where(scale > 1000 * tiny, ratio, 0.0).nan_to_num(torch.inf)


def _and_before(values: Tensor) -> Tensor:
    """The largest of each entry and the steps before it, along the first axis of [T, b, n]."""
    series = nn.functional.pad(values.movedim(0, -1), (BEFORE, 0))
    return nn.functional.max_pool1d(series, BEFORE + 1, stride=1).movedim(-1, 0)


def relative_error(got: Tensor, want: Tensor, axis: int | None = None) -> Tensor:
    """Largest error ÷ largest |wanted|, along `axis` or over all; infinite where anything is not finite."""
    error = (got - want).abs()
    if axis is None:
        scale, error = want.abs().max(), error.max()
    else:
        scale, error = want.abs().amax(axis), error.amax(axis)
    ratio = torch.where(scale > 0, error / scale.clamp_min(1e-300), torch.where(error > 0, torch.inf, 0.0))
    return ratio.nan_to_num(torch.inf)
