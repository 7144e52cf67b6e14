"""The gate: before anything is timed, a backend's spikes and gradients are compared with the definition in float64."""

import copy
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from spikebench.backend import Refused
from spikebench.case import Case, with_changes
from spikebench.neuron import Neuron, StochasticNeuron
from spikebench.subject import definition_of
from spikebench.workload import Workload, build, calibrate, spikes_of

SERIES = 512
DIFFERING = 0.1
RATES = (0.05, 0.3)
PROBE_STEPS = 1024


@dataclass(frozen=True)
class Probe:
    """What one input showed. `worst_margin`: largest margin at a first difference ÷ what rounding explains (≤ 1 passes).

    `spikes` counts the backend's whole output; `gradient_error` and `parameter_error` are relative to the largest |gradient| (of the series, of the parameter).
    """

    name: str
    passed: bool
    reason: str | None
    series: int
    differing: int
    worst_margin: float
    spikes: float
    gradient_error: float | None = None
    parameter_error: float | None = None


@dataclass(frozen=True)
class GateResult:
    """passed, failed, or none where there is no definition; the timed input's bias and its number of spikes."""

    status: str
    reason: str | None
    bias: float
    spikes: float
    probes: list[Probe] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """JSON for the record."""
        return asdict(self)


def gate(case: Case) -> GateResult:
    """Compare a case's backend with its definition on the case's own input, another rate and exact ties.

    Raises Refused when the backend cannot run the case.
    """
    bias = calibrate(case)
    timed = build(case, bias)
    if definition_of(timed.module) is None:
        return GateResult("none", "a foreign subject has no definition", bias, _count(timed))
    if case.mode == "stream":
        return GateResult("passed", "a stream runs the definition itself", bias, _count(timed))
    probes = [compare(timed, pristine(timed), "timed input", call=0)]
    for name, other in _other_inputs(case, bias):
        if not all(p.passed for p in probes):
            break
        probes.append(_second_look(name, other))
    failed = next((p for p in probes if not p.passed), None)
    reason = failed and f"{failed.name}: {failed.reason}"
    return GateResult("failed" if failed else "passed", reason, bias, probes[0].spikes, probes)


def pristine(workload: Workload) -> Neuron:
    """A copy of the workload's definition, as it is before anything ran."""
    neuron = definition_of(workload.module)
    if neuron is None:
        raise ValueError(f"{workload.case.subject} has no definition")
    return copy.deepcopy(neuron)


def _count(workload: Workload) -> float:
    workload.call_number(0)
    return float(workload.launch().double().sum())


def _other_inputs(case: Case, bias: float) -> list[tuple[str, Workload]]:
    """The other rate, and exact ties where the neuron has a decay: decay ½ and inputs in eighths meet the threshold."""
    steps = case.T if _fixed(case) else min(case.T, PROBE_STEPS)
    rate = max(RATES, key=lambda r: abs(r - case.rate))
    short = with_changes(case, T=steps, rate=rate, seed=case.seed + 1)
    looks = [(f"rate {rate}", build(short, calibrate(short)))]
    options = case.parsed.all_options
    if "decay" in options and "stochastic" not in _facts(case):
        ties = _with_option(with_changes(case, T=min(steps, 256) if not _fixed(case) else steps), "decay", 0.5)
        try:
            tied = build(ties, bias)
        except Refused:
            return looks
        with torch.no_grad():
            tied.x.copy_(((tied.x - tied.x.mean()) * 8 + 3).round() / 8)
        looks.append(("exact ties", tied))
    return looks


def _facts(case: Case) -> set[str]:
    from spikebench.rooms import facts

    return {k for k, v in facts(case.parsed.name).attributes.items() if v is True}


def _fixed(case: Case) -> bool:
    return "fixed_length" in _facts(case)


def _with_option(case: Case, key: str, value: float) -> Case:
    from dataclasses import replace

    subject = replace(case.parsed, options={**case.parsed.options, key: value})
    return with_changes(case, subject=str(subject))


def _second_look(name: str, workload: Workload) -> Probe:
    """Compare after a run on other values in the same storage, on later noise, with freed memory poisoned."""
    reference = pristine(workload)
    true = workload.x.detach().clone()
    with torch.no_grad():
        workload.x.copy_(true.flip(0) + 0.125)
    workload.call_number(2)
    workload.launch()
    with torch.no_grad():
        workload.x.copy_(true)
    poison = [torch.full_like(workload.g, float("nan")) for _ in range(4)]
    del poison
    return compare(workload, reference, name, call=3)


def compare(workload: Workload, reference: Neuron, name: str, call: int) -> Probe:
    """One input through the backend, and a selection of its series through the definition in float64."""
    case = workload.case
    workload.call_number(call)
    with torch.enable_grad() if case.mode != "inference" else torch.no_grad():
        out = spikes_of(workload.module(workload.x))
        spikes = out.detach().clone()
    if spikes.shape != workload.x.shape:
        return Probe(name, False, f"spikes {list(spikes.shape)} for input {list(workload.x.shape)}", 0, 0, 0.0, 0.0)
    chosen = Selection.of(workload.x, reference, case.seed)
    uniforms = chosen.uniforms(workload.x, reference, call)
    expected = Expected.of(reference, chosen, workload.x, uniforms, gradient=case.mode != "inference")
    differs, worst = expected.judge(chosen.take(spikes).double())
    differing = int(differs.sum())
    seen = {"series": chosen.count, "differing": differing, "spikes": float(spikes.double().sum())}
    probe = {"name": name, "worst_margin": worst, **seen}
    if not worst <= 1:
        why = f"a spike differs where the margin is {worst:.3g} times what rounding explains"
        return Probe(passed=False, reason=why, **probe)
    if differing > max(DIFFERING * chosen.count, 1):
        return Probe(passed=False, reason=f"{differing} of {chosen.count} series differ", **probe)
    if case.mode == "inference":
        return Probe(passed=True, reason=None, **probe)
    errors, reason = gradient_errors(workload, out, expected, chosen, ~differs)
    return Probe(passed=reason is None, reason=reason, gradient_error=errors[0], parameter_error=errors[1], **probe)


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
        """The selected series of [T, B, N] as [T, b, n]."""
        steps = tensor.shape[0]
        return tensor.detach().reshape(steps, -1)[:, self.index].reshape(steps, *self.shape)

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
    low: Neuron  # in the backend's dtype
    noise: dict[str, Tensor]  # the uniforms, if it is stochastic

    @staticmethod
    def of(reference: Neuron, chosen: Selection, x: Tensor, uniforms: Tensor | None, gradient: bool) -> "Expected":
        part = chosen.restrict(reference)
        low_x = chosen.take(x)
        noise = {} if uniforms is None else {"uniforms": uniforms}
        wide_noise = {k: v.double() for k, v in noise.items()}
        exact = copy.deepcopy(part).double()
        wide = low_x.double().requires_grad_(gradient)
        with torch.set_grad_enabled(gradient):
            spikes = spikes_of(exact(wide, **wide_noise))
        with torch.no_grad():
            membrane = exact.membrane(wide)
            margin = exact.margin(membrane, wide_noise.get("uniforms"))
            error = torch.zeros_like(membrane)
            if x.dtype != torch.float64:
                error = (part.membrane(low_x).double() - membrane).abs()
                error = _until_flip(error, spikes_of(part(low_x, **noise)).double() != spikes)
        eps = torch.finfo(x.dtype).eps
        allowed = 8 * error.cummax(0).values.clamp_min(eps / 2)
        return Expected(exact, wide, spikes, margin, allowed, part, noise)

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
        return _relative(*pairs[0], axis=0), max((_relative(a, b, axis=None) for a, b in pairs[1:]), default=0.0)

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


def tolerance(dtype: torch.dtype, slope: float) -> float:
    """Largest relative gradient error that passes."""
    if dtype == torch.float64:
        return 1e-11
    if dtype == torch.float32:
        return 2e-4 if slope > 10 else 1e-5
    return 3e-2


def gradient_errors(
    workload: Workload, out: Tensor, expected: Expected, chosen: Selection, kept: Tensor
) -> tuple[tuple[float, float | None], str | None]:
    """Errors of the input's and the parameters' gradients where the spikes agree, and why they fail if they do."""
    g = chosen.mask(workload.g, kept)
    parameters = workload.parameters
    if not out.requires_grad:
        return (float("inf"), None), "the spikes carry no gradient"
    got = torch.autograd.grad(out, (workload.x, *parameters), g, allow_unused=True)
    want = expected.gradients(chosen.take(g))
    if got[0] is None or want[0] is None:
        return (float("inf"), None), "the input gets no gradient"
    limit = others_limit = tolerance(workload.x.dtype, float(getattr(expected.neuron, "slope", 1.0)))
    error = _relative(chosen.take(got[0]).double(), want[0], axis=0)
    pairs = [_matched(a, b, chosen) for a, b in zip(got[1:], want[1:], strict=True)]
    worst = max((_relative(a, b, axis=None) for a, b in pairs), default=None)
    if limit < max(error, worst or 0.0) < 1000 * limit:  # rounding in the definition may explain it, as for spikes
        own = expected.own_errors(chosen.take(g))
        limit, others_limit = max(limit, 8 * own[0]), max(limit, 8 * own[1])
    if not error <= limit:
        return (error, worst), f"the input's gradient is off by {error:.2g} of its largest (limit {limit:.2g})"
    # a parameter's gradient sums over all steps and series; its rounding grows with the square root of their number
    others_limit *= max(1.0, (expected.x.numel() / 1e4) ** 0.5)
    if worst is not None and not worst <= others_limit:
        return (error, worst), f"a parameter's gradient is off by {worst:.2g} of its largest (limit {others_limit:.2g})"
    return (error, worst), None


def _matched(got: Tensor | None, want: Tensor | None, chosen: Selection) -> tuple[Tensor, Tensor]:
    """A parameter's gradients as float64 of one shape; a missing one is zero."""
    if want is None:
        want = torch.zeros_like(got) if got is not None else torch.zeros(1)
    if got is None:
        return torch.zeros_like(want, dtype=torch.float64), want.double()
    if got.shape != want.shape:  # per neuron: the selection may hold a neuron several times
        summed = torch.zeros_like(got, dtype=torch.float64)
        summed.index_add_(-1, chosen.neurons.to(got.device), want.double())
        want = summed
    return got.double(), want.double()


def _relative(got: Tensor, want: Tensor, axis: int | None) -> float:
    """Largest error ÷ largest |wanted|, per series along `axis` or over all; infinite if anything is not finite."""
    error = (got - want).abs()
    if axis is None:
        scale, error = want.abs().max(), error.max()
    else:
        scale, error = want.abs().amax(axis), error.amax(axis)
    ratio = torch.where(scale > 0, error / scale.clamp_min(1e-300), torch.where(error > 0, torch.inf, 0.0))
    return float(ratio.nan_to_num(torch.inf).max())
