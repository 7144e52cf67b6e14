"""A subject that is checked: it makes fresh modules, inputs, and calls whose noise is known. What a check says has a form here, too."""

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from spikebench import registry
from spikebench.cases.subject import Subject
from spikebench.loading.foreign import Adapted
from spikebench.loading.subject import definition_of, load
from spikebench.neuron import StochasticNeuron
from spikebench.workloads.layer import spikes_of

T, B, N = 24, 3, 8


@dataclass(frozen=True)
class Check:
    """One check: its id, whether it passed (None: skipped, there was nothing to compare), and what was found."""

    check: str
    passed: bool | None
    detail: str


class CheckFailed(AssertionError):
    """A check failed; the message says what was found."""


class Skipped(Exception):
    """A check had nothing to compare; the message says why."""


@dataclass
class Specimen:
    """A subject that is checked. It makes fresh modules, inputs, and calls whose noise is known."""

    subject: Subject
    like: str | None = None
    fixed: dict[str, int] = field(default_factory=dict)  # sizes that an instance holds to
    device: str = "cpu"

    @property
    def T(self) -> int:
        return self.fixed.get("T", T)

    @property
    def N(self) -> int:
        return self.fixed.get("n", N)

    @property
    def dtype(self) -> torch.dtype:
        """What is checked in: somebody's module was perhaps never meant for float64."""
        return torch.float32 if self.subject.foreign else torch.float64

    def make(self, dtype: torch.dtype | None = None, steps: int | None = None, n: int | None = None) -> nn.Module:
        torch.manual_seed(0)
        return load(self.subject, n or self.N, steps or self.T, dtype or self.dtype, self.device)

    def input(
        self,
        steps: int | None = None,
        b: int = B,
        n: int | None = None,
        dtype: torch.dtype | None = None,
        seed: int = 1,
    ) -> Tensor:
        """Currents that make most neurons fire now and then."""
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randn(steps or self.T, b, n or self.N, generator=generator, dtype=torch.float64)
        return (0.7 * drawn + 0.4).to(self.device, dtype or self.dtype)

    def spikes(self, module: nn.Module, x: Tensor, call: int = 0) -> Tensor:
        """Spikes on the noise of a call number; foreign modules get torch's generator at a fixed seed."""
        neuron = definition_of(module)
        if isinstance(neuron, StochasticNeuron):
            neuron.calls = call
        torch.manual_seed(call)
        return spikes_of(module(x))

    @cached_property
    def facts(self) -> dict[str, object]:
        """What is declared; a foreign module that declares nothing is held to causal and deterministic."""
        held: dict[str, object] = {"causal": True, "stochastic": False}
        if not self.subject.foreign:
            return held | {"coupled": False} | vars(registry.facts(self.subject.name).attributes)
        made = self.make()
        module = made.module if isinstance(made, Adapted) else made
        declared = {k: getattr(module, k, None) for k in ("causal", "stochastic", "coupled")}
        return held | {k: v for k, v in declared.items() if isinstance(v, bool)}
