"""The workload of a layer: its module, its input current, and one call that does the work of the mode once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from spikebench import registry
from spikebench.backend import Refused, refusal
from spikebench.cases.case import Case, Layer, NetworkStep, expect, with_changes
from spikebench.errors import Problem
from spikebench.host import clock
from spikebench.loading.detect import FAILURES
from spikebench.loading.subject import definition, definition_of, load
from spikebench.neuron import Neuron, SteppedNeuron, StochasticNeuron

REACH, FAR = 16.0, 1024.0  # means of the input that are tried
FEW = 64  # steps on which the input of a foreign module is found first


Given = tuple[Tensor, tuple[Tensor | None, ...]]  # spikes, gradients of the input and of the parameters


@dataclass(frozen=True)
class Launches:
    """The work of a layer or a network on one input tensor, as calls: `launch` and `forward` are those of a workload.

    `whole` is `launch` that hands over the gradients too. `halves` is the forward pass with its spikes, and the call of its
    backward pass, which gives the gradients.
    """

    launch: Callable[[], Tensor]
    whole: Callable[[], Given]
    halves: Callable[[], tuple[Tensor, Callable[[], tuple[Tensor | None, ...]]]]

    def forward(self) -> Callable[[], object]:
        """The forward pass, which gives the backward pass."""
        return self.halves()[1]


@dataclass
class Workload:
    """A case that can be run. `launch()` does the work of its mode once and returns the spikes [T, B, N], or a network's output.

    `forward()` does the forward pass of a training step and returns its backward pass as a call, without the optimiser.
    x [T, B, N] is the input current, of a network its input [T, B, C]; g [T, B, N] is the gradient that is handed to the
    backward pass, of a network with classes its labels [B]. `on` gives the same work on another input tensor, where the
    mode is not stream. A layer also has the mean of its input. `made` are the seconds that importing the subject
    and making its module took.
    """

    case: Case
    module: nn.Module
    x: Tensor
    g: Tensor
    launch: Callable[[], Tensor]
    forward: Callable[[], Callable[[], object]]
    made: float = 0.0
    mean: float | None = None
    on: Callable[[Tensor], Launches] | None = None

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What learns, in the module's order."""
        return [p for p in self.module.parameters() if p.requires_grad]

    def call_number(self, number: int) -> None:
        """Set the number of the next forward call of every stochastic neuron; others have none."""
        for neuron in self.module.modules():
            if isinstance(neuron, StochasticNeuron):
                neuron.calls = number


def build(case: Case, bias: float | None = None) -> Workload:
    """Module, input and launcher of a case. `bias` is the input's mean, found by `calibrate` when not given.

    Raises Refused with the reason when the backend cannot run the case.
    """
    start = clock.monotonic()
    require(case := expect(case, Layer))
    dtype = cast(torch.dtype, getattr(torch, case.dtype))
    torch.manual_seed(case.seed)
    module = cast_by(case, load(case.parsed, case.N, case.T, dtype, case.device))
    made = clock.monotonic() - start
    mean = calibrate(case) if bias is None else bias
    x, g = current(case, mean), noise(case, case.T, stream=1)

    def on(x: Tensor) -> Launches:
        return _launches(case, module, x, g)

    own = on(x)
    if case.mode == "stream":
        return Workload(case, module, x, g, _streamer(definition_of(module), case, x), own.forward, made)
    return Workload(case, module, x, g, own.launch, own.forward, made, mean, on)


def cast_by(case: Layer | NetworkStep, module: nn.Module) -> nn.Module:
    """The module, with torch.autocast on in its forward pass where the case asks for it."""
    if case.autocast is not None:
        casting = torch.autocast(case.device, dtype=getattr(torch, case.autocast))
        module.forward = casting(module.forward)
    return module


def require(case: Case) -> None:
    """Raises Refused with the reason when this machine or the backend cannot run the case."""
    if case.device == "cuda" and not torch.cuda.is_available():
        raise Refused("no CUDA device: torch.cuda.is_available() is false")
    if (reason := refusal(case)) is not None:
        raise Refused(reason)


def noise(case: Case, steps: int, stream: int) -> Tensor:
    """Standard normal [steps, B, N] in the case's dtype; the seed and the stream name it."""
    generator = torch.Generator(case.device).manual_seed(1_000_003 * case.seed + stream)
    shape = (steps, case.B, case.N)
    return torch.randn(shape, generator=generator, device=case.device).to(getattr(torch, case.dtype))


def current(case: Case, bias: float, spread: float = 0.5) -> Tensor:
    """Input current [T, B, N]: Gaussian, as a sum of many weighted spikes is, with mean `bias`."""
    return noise(case, case.T, stream=0).mul_(spread).add_(bias)


def calibrate(case: Case, longest: int = 2048) -> float:
    """The mean of the input at which the neuron's output rate comes closest to that of the case.

    The rate is counted in the second half of at most `longest` steps, when the neuron's memory has filled. Many means
    are tried at once, as batch items on the same noise, and the bracket is narrowed to the two around the wanted rate.
    It begins at ±16, and much wider where the rate is still too low and rising there. If no mean gives a rate above the
    wanted one, or none below, the mean is the one whose rate is closest by ratio: silence would test nothing. A foreign
    module may take seconds a call. It gets the mean that was found on FEW steps, if its rate at its own length is within
    2 % of the wanted one.
    """
    require(case := expect(case, Layer))
    if case.bias is not None:
        return case.bias
    torch.manual_seed(case.seed)
    neuron, sample, tried = _sample(case, longest)
    spread = current(sample, 0.0)  # [T, B, N], the same noise for every mean that is tried
    if case.parsed.foreign and case.T > FEW:
        bias = _of_few_steps(case, longest)
        if bias is not None and _near(case.rate, neuron, spread + bias):
            return bias
    drawn = {"uniforms": neuron.draw(spread).repeat(1, tried, 1)} if isinstance(neuron, StochasticNeuron) else {}
    spread = spread.repeat(1, tried, 1)
    return mean_for(case.rate, neuron, spread, tried, drawn)


def _of_few_steps(case: Case, longest: int) -> float | None:
    """The mean input of a foreign module at few steps, which takes a fraction of the time; None if it cannot be made so."""
    try:
        return calibrate(with_changes(case, T=FEW), longest)
    except (Problem, *FAILURES):
        return None


def _near(rate: float, neuron: nn.Module, x: Tensor, within: float = 0.02) -> bool:
    """Whether an input [T, B, N] gives this output rate in its second half, but for a share `within` of it."""
    with torch.no_grad():
        spikes = spikes_of(neuron(x))[len(x) // 2 :]
    return abs(float(spikes.float().mean()) - rate) <= within * rate


def mean_for(
    rate: float,
    neuron: Callable[..., Tensor | tuple[Tensor, ...]],
    spread: Tensor,
    tried: int,
    drawn: dict[str, Tensor],
    within: float = 1e-4,
    reach: float = REACH,
) -> float:
    """The mean to add to `spread` [T, tried·B, N], the same noise `tried` times, for this output rate; see `calibrate`."""
    steps, low, high = len(spread), -reach, reach
    while high - low > within:
        means = torch.linspace(low, high, tried + 2)
        shift = means[1:-1].to(spread).repeat_interleave(spread.shape[1] // tried)[:, None]  # [tried·B, 1]
        with torch.no_grad():
            spikes = spikes_of(neuron(spread + shift, **drawn))[steps // 2 :]
        rates = spikes.float().mean((0, 2)).view(tried, -1).mean(1).cpu()
        if tried > 1 and high - low == 2 * reach and not rates[0] < rate <= rates[-1]:
            if reach < FAR and rates[-1] < rate and rates[-1] == rates.max():
                return mean_for(rate, neuron, spread, tried, drawn, within, FAR)
            return float(means[1 + int((rates.clamp_min(1e-4) / rate).log().abs().argmin())])
        below = int((rates < rate).cummin(0).values.sum())
        low, high = float(means[below]), float(means[below + 1])
    if high == reach < FAR:
        return mean_for(rate, neuron, spread, tried, drawn, within, FAR)
    return (low + high) / 2


def _sample(case: Case, longest: int, most: int = 2**21) -> tuple[nn.Module, Case, int]:
    """What is calibrated on: the definition, its sizes, and how many means are tried at once, `most` currents in all.

    A foreign module is taken at its own sizes, one mean at a time; it may depend on any of them.
    """
    sizes: dict[str, int] = {"T": case.T, "B": case.B, "N": case.N}
    if not case.parsed.foreign:
        facts = registry.facts(case.parsed.name).attributes
        sizes["T"] = case.T if facts.fixed_length else min(case.T, longest)
        sizes["B"] = 1
        sizes["N"] = case.N if facts.coupled or facts.per_neuron else min(case.N, 64)
    sample = with_changes(case, **sizes, dtype="float32")
    if case.parsed.foreign:
        return load(case.parsed.plain, case.N, case.T, torch.float32, case.device), sample, 1
    neuron = definition(case.parsed, sample.N, sample.T).to(case.device)
    return neuron, sample, min(15, max(1, most // (sample.T * sample.N)))


def spikes_of(out: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The spikes among a module's outputs: the output, or the first of several."""
    return out[0] if isinstance(out, tuple) else out


def _launches(case: Case, module: nn.Module, x: Tensor, g: Tensor) -> Launches:
    """The mode's work on one input tensor."""
    if case.mode in ("forward", "train"):
        x.requires_grad_()
    wanted = (x, *(p for p in module.parameters() if p.requires_grad))

    def inference() -> Tensor:
        with torch.no_grad():
            return spikes_of(module(x))

    def forward() -> Tensor:
        return spikes_of(module(x))

    def trained() -> Given:
        spikes = spikes_of(module(x))
        gradients = torch.autograd.grad(spikes, wanted, g, allow_unused=True)
        return spikes.detach(), gradients

    def halves() -> tuple[Tensor, Callable[[], tuple[Tensor | None, ...]]]:
        spikes = spikes_of(module(x))
        return spikes, lambda: torch.autograd.grad(spikes, wanted, g, allow_unused=True)

    if case.mode == "inference":
        return Launches(inference, lambda: (inference(), ()), halves)
    if case.mode == "forward":
        return Launches(forward, lambda: (forward(), ()), halves)
    return Launches(lambda: trained()[0], trained, halves)


def _streamer(neuron: Neuron | None, case: Case, x: Tensor) -> Callable[[], Tensor]:
    """One step with B = 1 and a carried state, over and over; the input is x at the step that has come."""
    if not isinstance(neuron, SteppedNeuron) or case.parsed.backend != "eager":
        raise Refused(f"{case.subject} does not stream: mode stream takes a stepped neuron of ours on eager")
    state, t = neuron.initial(x[0]), 0

    def step() -> Tensor:
        nonlocal state, t
        with torch.no_grad():
            spikes, _, state = neuron.step(x[t % case.T], state)
        t += 1
        return spikes[None]

    return step
