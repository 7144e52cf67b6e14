"""Compares what was kept of the timed launches with the neuron's definition in float64."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from spikebench.cases.case import Case
from spikebench.loading.subject import definition
from spikebench.neuron import Neuron, StochasticNeuron
from spikebench.numerics import philox
from spikebench.records.flags import Flag
from spikebench.verify.evidence import Event, Evidence, Kept
from spikebench.verify.gate import DIFFERING, casting, computed_in, tolerance
from spikebench.verify.reference import SERIES, Expected, Selection, relative_error
from spikebench.workloads.layer import spikes_of

SKEW = 1e-3  # seconds by which two processes may read one clock apart


def outside(events: Sequence[Event], marks: Sequence[Sequence[float]]) -> str | None:
    """Why a process's clock cannot be believed: what it read lies outside what its parent read; None if nothing does.

    A mark is when a sample was announced and when the process was told to go on, on the same clock of the system. A
    sample lies between the latter and the announcement after it. Without marks there is nothing to compare with.
    """
    if not marks:
        return None
    if len(marks) != len(events) + 1:
        return f"{len(events)} samples, and the parent was told of {len(marks) - 1}"
    for number, (event, (mark, after)) in enumerate(zip(events, pairwise(marks), strict=True)):
        start, stop = event.start * 1e-9, event.end * 1e-9
        if not mark[1] - SKEW <= start <= stop <= after[0] + SKEW:
            read = f"{start:.6f} to {stop:.6f} s, that of the parent from {mark[1]:.6f} to {after[0]:.6f}"
            return f"the clock of sample {number} ran from {read}"
    return None


def asleep(events: Sequence[Event], marks: Sequence[Sequence[float]]) -> bool:
    """Whether a process worked, or waited for a core, for less than a share of the time of its samples: others worked for it."""
    if len(marks) != len(events) + 1 or len(events) < 2 or not marks[-1][2]:
        return False
    timed = sum(e.end - e.start for e in events[:-1]) * 1e-9  # after the last sample comes other work
    return marks[-2][2] - marks[0][2] < Flag.ASLEEP.threshold * timed


@dataclass(frozen=True)
class Judged:
    """What the comparison of timed launches gave: why they are wrong, if they are, and how much of how many was compared."""

    wrong: str | None
    launches: int = 0
    series: int = 0
    differing: int = 0
    gradient_error: float | None = None


def judged(case: Case, evidence: Evidence) -> Judged:
    """Compare every launch that was kept, all of them in one run of the definition. Where nothing was timed, nothing is."""
    if evidence.wrong or not evidence.compared or not evidence.seeds:
        return Judged(evidence.wrong)
    if len(evidence.kept) < min(2, len(evidence.seeds)):
        return Judged("nothing was kept of two timed launches")
    torch.manual_seed(case.seed)
    neuron = definition(case.parsed, case.N, case.T).rounded(getattr(torch, case.dtype))
    return Comparison(case, neuron, evidence).made()


class Comparison:
    """All kept series side by side, and the definition that they are compared with."""

    def __init__(self, case: Case, neuron: Neuron, evidence: Evidence) -> None:
        self.case, self.neuron, self.evidence = case, neuron, evidence
        kept = evidence.kept
        self.x, self.spikes = _beside([k.x for k in kept]), _beside([k.spikes for k in kept])
        self.uniforms = _beside([_uniforms(neuron, k, evidence) for k in kept]) if neuron.stochastic else None
        learns = case.mode == "train"
        self.gradient = _beside([k.gradient for k in kept]) if learns else None
        self.g = _beside([k.g for k in kept]) if learns else None
        index = torch.cat([k.index.cpu() for k in kept])
        width = evidence.width
        shape = (len(index) // width, width) if neuron.coupled else (1, len(index))
        self.chosen = Selection(index, shape, torch.arange(width) if neuron.coupled else index % width, neuron.coupled)
        self.launches = [number for number, k in enumerate(kept) for _ in range(len(k.index))]

    def _shaped(self, series: Tensor) -> Tensor:
        """[T, k] as the definition sees it."""
        return series.reshape(len(series), *self.chosen.shape)

    def made(self) -> Judged:
        """The comparison. Series that differ are looked at again, with what rounding explains."""
        count = self.chosen.count
        part = self.chosen.restrict(self.neuron).double()
        noise = {} if self.uniforms is None else {"uniforms": self._shaped(self.uniforms).double()}
        wide = self._shaped(self.x).double().requires_grad_(self.gradient is not None)
        with torch.set_grad_enabled(self.gradient is not None):
            spikes = spikes_of(part(wide, **noise))
        differs = (spikes.detach().flatten(1) != self.spikes.double()).any(0)  # [k]
        error, far = None, torch.zeros_like(differs)
        if self.gradient is not None and self.g is not None:
            (want,) = torch.autograd.grad(spikes, wide, self._shaped(self.g).double(), retain_graph=True)
            errors = relative_error(self.gradient.double(), want.flatten(1), axis=0)  # [k]
            error = float(errors[~differs].max()) if not bool(differs.all()) else None
            far = (errors > self._limit()) & ~differs
        wrong = self._explained(differs | far) if bool((differs | far).any()) else None
        if wrong is None and self.g is not None and not bool(differs.any()):
            wrong = self._parameters(part, spikes)
        return Judged(wrong, len(self.evidence.kept), count, int(differs.sum()), error)

    def _limit(self) -> float:
        return tolerance(computed_in(self.case), float(getattr(self.neuron, "slope", 1.0)))

    def _explained(self, odd: Tensor) -> str | None:
        """Why these series [k] are wrong, or None where rounding explains every one of them."""
        places = odd.nonzero()[:, 0]
        places = places[torch.randperm(len(places))[:SERIES]]
        if self.neuron.coupled:
            places = torch.arange(self.chosen.count)  # an item is computed as a whole
        some, x, noise = self._part(places)
        shape, learns = some.shape, self.gradient is not None
        with casting(self.case):
            expected = Expected.of(self.neuron, some, x, noise, gradient=learns)
        differs, worst = expected.judge(self.spikes[:, places].reshape(-1, *shape).double())
        if not worst <= 1:
            which = self._which(places, differs)
            return f"{which} a spike differs where the margin is {worst:.3g} times what rounding explains"
        if int(differs.sum()) > max(DIFFERING * self.chosen.count, 2 * expected.flipped, 1):
            return f"of {self.chosen.count} series of timed launches {int(differs.sum())} differ from the definition"
        if self.gradient is None or self.g is None:
            return None
        # others were compared. In a network silence is exact: samplers stand at the jump at 0 until the first spike comes
        others = not self.neuron.coupled and int(odd.sum()) < self.chosen.count
        if expected.everywhere and (others or any(k.place for k in self.evidence.kept)):
            return None
        kept = ~(differs | expected.at_jump)
        g = self.g[:, places].reshape(-1, *shape) * kept
        with casting(self.case):
            want, limit = expected.gradients(g)[0], max(self._limit(), 8 * expected.own_errors(g)[0])
        assert want is not None
        errors = relative_error((self.gradient[:, places].reshape(-1, *shape) * kept).double(), want, axis=0)
        if bool((errors > limit).any()):
            which = self._which(places, errors > limit)
            return (
                f"{which} the input's gradient is off by {float(errors.max()):.2g} of its largest (limit {limit:.2g})"
            )
        return None

    def _part(self, places: Tensor) -> tuple[Selection, Tensor, Tensor | None]:
        """Some of the kept series (whole items, if coupled) as a selection, their input and their noise [T, b, n]."""
        width = self.evidence.width
        shape = (len(places) // width, width) if self.chosen.coupled else (1, len(places))
        neurons = self.chosen.neurons if self.chosen.coupled else self.chosen.neurons[places]
        noise = None if self.uniforms is None else self.uniforms[:, places].reshape(-1, *shape)
        some = Selection(places, shape, neurons, self.chosen.coupled)
        return some, self.x[:, places].reshape(-1, *shape), noise

    def _which(self, places: Tensor, wrong: Tensor) -> str:
        """Says how many of the launches that were compared are wrong, or which layers of a network."""
        numbers = {self.launches[int(i)] for i in places[wrong.flatten()]}
        if layers := sorted({self.evidence.kept[n].place for n in numbers} - {""}):
            return f"in the network, {' and '.join(layers)}:"
        return f"{len(numbers)} of {len(self.evidence.kept)} timed launches that were compared are wrong:"

    def _parameters(self, part: Neuron, spikes: Tensor) -> str | None:
        """Why the gradients of the parameters of the launch that was kept as a whole, or in part, are wrong, or None.

        They are sums over all series, so they are compared only where rounding changes no series by a jump. Where only
        some series were kept, they are what two launches differ by, in which rounding is that of the sums over all.
        """
        whole = next((k for k in self.evidence.kept if k.parameters), None)
        if whole is None or self.g is None:
            return None
        if type(self.neuron).jump is not Neuron.jump or getattr(self.neuron, "surrogate", None) == "rectangle":
            return None
        before = sum(len(k.index) for k in self.evidence.kept[: self.evidence.kept.index(whole)])
        here = torch.arange(before, before + len(whole.index))
        only = torch.zeros_like(self.g)
        only[:, here] = self.g[:, here]
        got, many = whole.parameters, 1.0
        if whole.less_g is not None:
            only[:, here] -= whole.less_g.cpu()
            pairs = zip(got, whole.less, strict=True)
            got = [None if a is None or b is None else a.double() - b.double() for a, b in pairs]
            many = (self.evidence.batch * self.evidence.width / len(here)) ** 0.5
        there = [p for p in part.parameters() if p.requires_grad]
        want = torch.autograd.grad(spikes, there, self._shaped(only).double(), allow_unused=True)
        error = max(self._error(mine, right) for mine, right in zip(got, want, strict=True))
        growth = many * max(
            1.0, (whole.spikes.numel() / 1e4) ** 0.5
        )  # rounding grows with the square root of what is summed
        limit = self._limit() * growth
        if error > limit:
            some, x, noise = self._part(here)
            with casting(self.case):
                expected = Expected.of(self.neuron, some, x, noise, gradient=True)
                own = expected.own_errors(only[:, here].reshape(x.shape))[1]
            limit = max(limit, 8 * own * growth)
        if error > limit:
            return f"a parameter's gradient of a timed launch is off by {error:.2g} of its largest (limit {limit:.2g})"
        return None

    def _error(self, got: Tensor | None, right: Tensor | None) -> float:
        """Of a parameter's gradient; that of the definition is summed where it has a neuron several times."""
        if right is None:
            right = torch.zeros(1 if got is None else got.shape, dtype=torch.float64)
        if got is None:
            got = torch.zeros_like(right)
        if right.shape != got.shape:
            summed = torch.zeros_like(got, dtype=torch.float64, device="cpu")
            right = summed.index_add_(-1, self.chosen.neurons, right)
        return float(relative_error(got.cpu().double(), right))


def _beside(parts: list[Tensor | None]) -> Tensor:
    """[T, k] of every launch, side by side, on the CPU."""
    return torch.cat([p.cpu() for p in parts if p is not None], dim=1)


def _uniforms(neuron: Neuron, kept: Kept, evidence: Evidence) -> Tensor | None:
    """The uniforms [T, k] that a launch must have drawn."""
    if not isinstance(neuron, StochasticNeuron):
        return None
    series, x = evidence.batch * evidence.width, kept.spikes
    if kept.whole:
        neuron.calls = kept.call
        return neuron.draw(x.new_empty(evidence.steps, evidence.batch, evidence.width, device="cpu")).flatten(1)
    found = philox.some(neuron.seed, kept.call, neuron.site, evidence.steps, series, kept.index.cpu())
    return philox.narrowed(found, x.dtype)
