"""A case made concrete: tensors, a module and a launcher."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from spikebench.backend import Refused, refusal
from spikebench.case import Case
from spikebench.neuron import Neuron, SteppedNeuron, StochasticNeuron
from spikebench.subject import definition, definition_of, load


@dataclass
class Workload:
    """What is run: `launch()` does the mode's work once and returns the spikes [T, B, N].

    x [T, B, N] is the input current, g [T, B, N] the gradient that is handed to the backward pass.
    """

    case: Case
    module: nn.Module
    x: Tensor
    g: Tensor
    launch: Callable[[], Tensor]

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What learns, in the module's order."""
        return [p for p in self.module.parameters() if p.requires_grad]

    def call_number(self, number: int) -> None:
        """Set the number of the next forward call of a stochastic neuron; others have none."""
        neuron = definition_of(self.module)
        if isinstance(neuron, StochasticNeuron):
            neuron.calls = number


def build(case: Case, bias: float | None = None) -> Workload:
    """Module, input and launcher of a case. `bias` is the input's mean, found by `calibrate` when not given.

    Raises Refused with the reason when the backend cannot run the case.
    """
    if not case.parsed.foreign and (reason := refusal(case)):
        raise Refused(reason)
    if case.device == "cuda" and not torch.cuda.is_available():
        raise Refused("no CUDA device: torch.cuda.is_available() is false")
    dtype = cast(torch.dtype, getattr(torch, case.dtype))
    torch.manual_seed(case.seed)
    module = load(case.parsed, case.N, case.T, dtype, case.device)
    x = current(case, calibrate(case) if bias is None else bias)
    g = noise(case, case.T, stream=1)
    return Workload(case, module, x, g, _launcher(case, module, x, g))


def noise(case: Case, steps: int, stream: int) -> Tensor:
    """Standard normal [steps, B, N] in the case's dtype; the seed and the stream name it."""
    generator = torch.Generator(case.device).manual_seed(1_000_003 * case.seed + stream)
    shape = (steps, case.B, case.N)
    return torch.randn(shape, generator=generator, device=case.device).to(getattr(torch, case.dtype))


def current(case: Case, bias: float, spread: float = 0.5) -> Tensor:
    """Input current [T, B, N]: Gaussian, as a sum of many weighted spikes is, with mean `bias`."""
    return noise(case, case.T, stream=0).mul_(spread).add_(bias)


def calibrate(case: Case, steps: int = 128, series: int = 256) -> float:
    """The mean input at which the definition's output rate comes nearest to the case's, by bisection on a small sample."""
    torch.manual_seed(case.seed)
    steps = min(case.T, steps)
    neuron: nn.Module
    if case.parsed.foreign:
        neuron = load(case.parsed, case.N, case.T, torch.float32, case.device)
        steps, batch = case.T, case.B
    else:
        neuron = definition(case.parsed, case.N, case.T).to(case.device)
        steps = case.T if "T" in _sized(neuron) else steps
        batch = max(1, min(case.B, series // case.N))
    small = Case(case.subject, steps, batch, case.N, device=case.device, seed=case.seed, rate=case.rate)
    low, high = -16.0, 16.0
    for _ in range(18):
        middle = (low + high) / 2
        rate = output_rate(neuron, current(small, middle))
        low, high = (middle, high) if rate < case.rate else (low, middle)
    return (low + high) / 2


def _sized(neuron: nn.Module) -> set[str]:
    """Which of the case's sizes the parameters of a neuron depend on, as far as it says."""
    return {"T"} if getattr(neuron, "fixed_length", False) else set()


def output_rate(neuron: nn.Module, x: Tensor) -> float:
    """Mean spikes per neuron and step."""
    with torch.no_grad():
        out = neuron(x)
    if isinstance(neuron, StochasticNeuron):
        neuron.calls = 0
    return float((out[0] if isinstance(out, tuple) else out).float().mean())


def spikes_of(out: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The spikes among a module's outputs: the output, or the first of several."""
    return out[0] if isinstance(out, tuple) else out


def _launcher(case: Case, module: nn.Module, x: Tensor, g: Tensor) -> Callable[[], Tensor]:
    """The mode's work as one call."""
    parameters = [p for p in module.parameters() if p.requires_grad]

    def inference() -> Tensor:
        with torch.no_grad():
            return spikes_of(module(x))

    def forward() -> Tensor:
        return spikes_of(module(x))

    def train() -> Tensor:
        spikes = spikes_of(module(x))
        torch.autograd.grad(spikes, (x, *parameters), g, allow_unused=True)
        return spikes.detach()

    if case.mode == "stream":
        return _streamer(definition_of(module), case, x)
    if case.mode != "inference":
        x.requires_grad_()
    return {"inference": inference, "forward": forward, "train": train}[case.mode]


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
