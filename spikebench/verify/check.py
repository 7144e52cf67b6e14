"""The checks of the command `check`: what any neuron must hold to, and whether ours are what they declare. A child process runs them."""

import copy
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from spikebench import registry
from spikebench.cases.case import Case, with_changes
from spikebench.cases.subject import Subject, parse_subject
from spikebench.errors import Problem
from spikebench.loading.detect import FAILURES
from spikebench.loading.foreign import Adapted
from spikebench.loading.subject import definition, definition_of, find_way, load
from spikebench.neuron import Neuron, SteppedNeuron, StochasticNeuron
from spikebench.verify import calls
from spikebench.verify.gate import ProbeResult, compare, gate
from spikebench.verify.reference import relative_error
from spikebench.workloads.layer import build, calibrate, spikes_of

T, B, N = 24, 3, 8
LENGTHS = (64, 512)  # between which scaling is measured
GROWING = ("operations", "graph")


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


def checks(
    subject: str, like: str | None = None, fixed: dict[str, int] | None = None, device: str = "cpu"
) -> list[Check]:
    """Every check of a subject, in order; a check that has nothing to compare says so and is skipped.

    How a foreign module is to be called is found out, unless its subject says it. `fixed` sizes are kept to.
    Raises Problem if the subject cannot be built, Refused if its backend cannot run.
    """
    specimen = Specimen(parse_subject(subject), like, fixed or {}, device)
    specimen.make()
    if specimen.subject.foreign and not specimen.subject.how and fixed is None:
        with suppress(Problem):  # then it is called as usual, and what comes of that is found below
            specimen.subject = specimen.subject.called(find_way(specimen.subject, N, (T,), device=device)[0].way)
    return [_one(name, check, specimen) for name, check in CHECKS.items()]


def _one(name: str, check: Callable[[Specimen], str], specimen: Specimen) -> Check:
    try:
        return Check(name, True, check(specimen))
    except Skipped as skipped:
        return Check(name, None, str(skipped))
    except CheckFailed as failed:
        return Check(name, False, str(failed))
    except FAILURES as error:
        return Check(name, False, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")


def _shape(s: Specimen) -> str:
    sizes = [(s.T, B, s.N), (s.T, 1, s.N)] if s.fixed else [(T, B, N), (1, 1, 1), (7, 1, 5)]
    for steps, b, n in sizes:
        out = s.spikes(s.make(steps=steps, n=n), s.input(steps, b, n))
        if tuple(out.shape) != (steps, b, n):
            raise CheckFailed(f"spikes {list(out.shape)} for input {[steps, b, n]}")
    called = ", ".join(f"{k}={v}" for k, v in s.subject.how.items()) if s.subject.foreign else ""
    also = f"at T = {s.T} and N = {s.N}" if s.fixed else "also at T = B = N = 1"
    return f"[T, B, N] in, [T, B, N] out, {also}{called and f'; called with {called}'}"


def _dtype(s: Specimen) -> str:
    held: list[str] = []
    for dtype in (torch.float32, torch.float64):
        out = s.spikes(s.make(dtype), s.input(dtype=dtype))
        if out.dtype != dtype:
            raise CheckFailed(f"{out.dtype} spikes for {dtype} input")
        if not bool((out == out.round()).all()) or bool((out < 0).any()):
            raise CheckFailed("the output holds values that are no spike counts")
        held.append(str(dtype).removeprefix("torch."))
    return f"spikes keep the input's dtype: {', '.join(held)}"


def _determinism(s: Specimen) -> str:
    module, x = s.make(), s.input()
    first, again = s.spikes(module, x), s.spikes(module, x)
    if not torch.equal(first, again):
        raise CheckFailed("the same call on the same noise gives other spikes")
    return "same input and noise, same spikes"


def _causality(s: Specimen) -> str:
    leak = first_leak(s)
    if leak is None:
        return "a change of the input at t changes nothing before t"
    if not s.facts["causal"]:
        return f"not causal, as declared: a change at t = {leak[0]} shows at t = {leak[1]}"
    raise CheckFailed(f"a change of the input at t = {leak[0]} changes a spike at t = {leak[1]}")


def first_leak(s: Specimen) -> tuple[int, int] | None:
    """The first (changed step, earlier step whose spikes changed), or None."""
    module, x = s.make().eval(), s.input()
    with torch.no_grad():
        before = s.spikes(module, x)
        for at in (1, s.T // 3, s.T - 1):
            for size in (50.0, -50.0, 3.0):
                other = x.clone()
                other[at] += size
                changed = (s.spikes(module, other) != before).flatten(1).any(1)
                if bool(changed[:at].any()):
                    return at, int(changed.to(torch.int8).argmax())
    return None


def _state(s: Specimen) -> str:
    module, x, y = s.make(), s.input(), s.input(seed=2)
    before = _held(module)
    with torch.no_grad():
        first = s.spikes(module, x)
        s.spikes(module, y)
        if not torch.equal(first, s.spikes(module, x)):
            raise CheckFailed("a call changes what the next one gives: state leaks from one sequence to the next")
    if isinstance(module, Adapted) and (module.way.state, module.way.reset, _held(module)) == ("hidden", None, before):
        raise Skipped("the module keeps nothing between calls, so there is no state that could leak")
    return "no state leaks between calls"


def _carried(s: Specimen) -> str:
    """Pieces with the state carried from call to call, in one backward pass, against the whole."""
    module = s.make()
    found, sizes = _pieces(s, module), ""
    if not found.kept:
        raise Skipped("the module keeps nothing between calls, so there is no state to carry")
    if found.wrong:
        raise CheckFailed(found.wrong)
    neuron = definition_of(module)
    if isinstance(neuron, SteppedNeuron):
        state = cast(tuple[Tensor, Any], neuron(s.input(), None, True))[1]
        sizes = f"; state per item {[list(part.shape[1:]) for part in state]}"
    return f"pieces with carried state equal the whole{found.note}{sizes}"


def _pieces(s: Specimen, module: nn.Module) -> calls.Carried:
    x, neuron = s.input(), definition_of(module)
    g = torch.randn(x.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64).to(x)
    if isinstance(neuron, SteppedNeuron) and not isinstance(neuron, StochasticNeuron):
        return calls.stepped(neuron, x, g)
    if not isinstance(module, Adapted):
        raise Skipped("the neuron takes no state: every call starts from rest")
    if module.way.adapter == "step":
        raise Skipped("it takes one step per call, so that what is checked elsewhere are several calls already")
    if s.fixed.get("T") is not None or s.facts["stochastic"] or not s.facts["causal"]:
        raise Skipped(
            "a sequence of this module cannot be cut into pieces: it draws, looks ahead, or has a fixed length"
        )
    try:
        with torch.no_grad():
            s.spikes(module, x[:1])
    except FAILURES:
        raise Skipped("it takes no sequence of another length, so that none can be cut into pieces") from None
    return calls.adapted(module, x, g)


def _repeats(s: Specimen) -> str:
    """The same call again and again, with another input in between, forward and backward."""
    module, x, other = s.make(), s.input().requires_grad_(), s.input(seed=6)
    g = torch.randn(x.shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64).to(x)
    gradients: list[Tensor] = []

    def call() -> Tensor:
        out = s.spikes(module, x)
        gradients.extend(torch.autograd.grad(out, x, g) if out.requires_grad else ())
        return out

    def between() -> None:
        with torch.no_grad():
            s.spikes(module, other, call=1)

    if wrong := calls.repeated(call, between, seconds=math.inf):
        raise CheckFailed(wrong)
    errors = [float(relative_error(later.double(), gradients[0].double())) for later in gradients[1:]]
    worst = max(errors, default=0.0)
    if worst > calls.CLOSE.get(x.dtype, 1e-2):
        raise CheckFailed(
            f"call {errors.index(worst) + 2} on the same input gives a gradient that is off by {worst:.2g} of the first"
        )
    return f"{calls.TIMES} calls on the same input and noise give the same spikes and gradients"


def _held(module: nn.Module) -> list[tuple[str, str, int, int]]:
    """What a module and its parts have as attributes: which objects, and how often tensors were written to."""
    rows: list[tuple[str, str, int, int]] = []
    for name, part in module.named_modules():
        for key, value in {**vars(part), **part._buffers, **part._parameters}.items():
            versions = [v._version for v in (value,) if isinstance(v, Tensor)]
            size = len(value) if isinstance(value, list | dict | set) else 0
            rows.append((name, key, id(value), sum(versions) + size))
    return rows


def _gradient(s: Specimen) -> str:
    module, x = s.make(), s.input().requires_grad_()
    out = s.spikes(module, x)
    if not out.requires_grad:
        raise CheckFailed("the spikes carry no gradient")
    generator = torch.Generator().manual_seed(3)
    g = torch.randn(out.shape, generator=generator, dtype=out.dtype)
    (whole,) = torch.autograd.grad(out, x, g, retain_graph=True)
    if not bool(whole.isfinite().all()):
        raise CheckFailed("the gradient is not finite")
    if not bool((whole != 0).any()):
        raise CheckFailed("the gradient is zero everywhere")
    early = g.clone()
    early[s.T // 2 :] = 0
    (part,) = torch.autograd.grad(out, x, early)
    if s.facts["causal"] and bool((part[s.T // 2 :] != 0).any()):
        raise CheckFailed("the gradient of early spikes reaches later inputs")
    return f"finite, not zero{_smooth(s)}"


def _smooth(s: Specimen) -> str:
    """The gradient of the membrane is compared with finite differences along a random direction, where no reset makes it jump."""
    neuron = definition_of(s.make())
    if neuron is None or s.facts.get("reset_kind") not in ("none", "mean-field") or not _has_membrane(neuron):
        return "; finite differences do not apply (reset, or no membrane)"
    if neuron.surrogate_membrane:
        return "; finite differences do not apply (a surrogate's derivative is in the membrane)"
    x = s.input()
    generator = torch.Generator().manual_seed(4)
    along, weight = (torch.randn(x.shape, generator=generator, dtype=x.dtype) for _ in range(2))
    value = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((neuron.membrane(value) * weight).sum(), value)
    product = float((gradient * along).sum())
    differences: list[float] = []
    for step in (1e-5, 1e-6, 1e-7):  # a kink, as of a clamp, may lie inside one step but not inside all
        with torch.no_grad():
            ahead, behind = (float((neuron.membrane(x + k * step * along) * weight).sum()) for k in (1, -1))
        differences.append((ahead - behind) / (2 * step))
    nearest = min(differences, key=lambda d: abs(d - product))
    if abs(nearest - product) > 1e-5 * max(1.0, abs(product)):
        raise CheckFailed(f"the membrane's gradient gives {product:.6g} where finite differences give {nearest:.6g}")
    return "; the membrane's equals finite differences"


def _has_membrane(neuron: Neuron) -> bool:
    return type(neuron).membrane is not Neuron.membrane


def _definition(s: Specimen) -> str:
    if s.like is not None:
        probe = against(s.subject, s.like)
        if not probe.passed:
            raise CheckFailed(f"differs from {s.like}: {probe.reason}")
        return f"equals {s.like}: {probe.series} series, gradient error {probe.gradient_error:.2g}"
    if s.subject.foreign:
        raise Skipped("no definition to compare with; name one with --like")
    found = [gate(Case(str(s.subject), T=64, B=4, N=32, dtype=d)) for d in ("float32", "float64")]
    for result in found:
        if result.status != "passed":
            raise CheckFailed(str(result.reason))
    worst = max((p.gradient_error or 0.0) for r in found for p in r.probes)
    return f"equals its definition in float32 and float64; largest gradient error {worst:.2g}"


def against(subject: Subject, like: str) -> ProbeResult:
    """A foreign subject's spikes and gradients compared with the definition of one of our neurons.

    Gradients of parameters are compared if both have as many.
    """
    case = Case(str(parse_subject(like)), T=64, B=4, N=32)
    work = build(with_changes(case, subject=str(subject)), calibrate(case))
    reference = definition(case.parsed, case.N, case.T)
    if len(work.parameters) != len(list(reference.parameters())):
        work.module.requires_grad_(False)  # what only one of the two learns has nothing to be compared with
    return compare(work, reference, like, call=0)


def _edges(s: Specimen) -> str:
    found: list[str] = []
    for name, value in {"silence": 0.0, "saturation": 1e3}.items():
        out = s.spikes(s.make(), torch.full_like(s.input(), value))
        if not bool(out.isfinite().all()):
            raise CheckFailed(f"{name} gives spikes that are not finite")
        found.append(f"rate {float(out.detach().mean()):.3g} in {name}")
    for name, bad in {"NaN": float("nan"), "infinity": float("inf")}.items():
        found.append(_poisoned(s, name, bad))
    return "; ".join(found)


def _poisoned(s: Specimen, name: str, value: float) -> str:
    """One bad input value must not reach other series or earlier steps; a clear error is as good."""
    module, x = s.make().eval(), s.input()
    with torch.no_grad():
        clean = s.spikes(module, x)
        x[s.T // 2, 0, 0] = value
        try:
            out = s.spikes(module, x)
        except (ValueError, Problem) as error:
            return f"{name} is refused: {error}"
    touched = (out != clean).flatten(1)
    others = touched.clone()
    others[:, 0] = False
    if bool(others.any()) and not s.facts.get("coupled", True):
        raise CheckFailed(f"a {name} in one series changes another")
    if bool(touched[: s.T // 2].any()) and s.facts["causal"]:
        raise CheckFailed(f"a {name} at t = {s.T // 2} changes earlier spikes")
    return f"{name} stays in its series"


def _facts(s: Specimen) -> str:
    measured = measure_facts(s)
    # operations are declared per step, and measured as a power of T
    declared = {k: v for k, v in s.facts.items() if k not in GROWING}
    wrong = [f"{k}: declared {declared[k]}, measured {v}" for k, v in measured.items() if declared.get(k, v) != v]
    if wrong:
        raise CheckFailed("; ".join(wrong))
    return ", ".join(f"{k}={v}" for k, v in measured.items())


def measure_facts(s: Specimen) -> dict[str, object]:
    """Facts of a subject, measured: whether it is stochastic, causal and coupled, its parameters, and how it resets if that shows."""
    module, x = s.make().eval(), s.input()
    with torch.no_grad():
        draws = [s.spikes(module, x, call) for call in range(4)]
        other = x.clone()
        other[:, :, 0] += 5.0
        alone = s.spikes(module, other)[:, :, 1:] == draws[0][:, :, 1:]
    found: dict[str, object] = {
        "stochastic": not all(torch.equal(d, draws[0]) for d in draws),
        "causal": first_leak(s) is None,
        "coupled": not bool(alone.all()),
        "parameters": sum(p.numel() for p in module.parameters()),
    }
    alone_neuron = definition_of(s.make(n=1))
    if isinstance(alone_neuron, SteppedNeuron) and (reset := measured_reset(alone_neuron)):
        found["reset_kind"] = reset
    return found | scaling_facts(s)


class _Counting(TorchDispatchMode):
    """Counts the operations that torch dispatches."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def scaling_facts(s: Specimen) -> dict[str, str]:
    """How the operations of a forward pass, and the bytes that its graph keeps, grow from T = 64 to 512.

    What our kernels do inside one operation is not seen, so backends say nothing of this; nor does a module of one length.
    """
    if "T" in s.fixed or s.subject.backend != "eager":
        return {}
    counts, kept = zip(*(_work(s, steps) for steps in LENGTHS), strict=True)
    longer = math.log(LENGTHS[1] / LENGTHS[0])
    powers = {
        name: math.log(b / a) / longer if a else 0.0 for name, (a, b) in zip(GROWING, (counts, kept), strict=True)
    }
    return {name: f"T^{power:.1f}" for name, power in powers.items()}


def _work(s: Specimen, steps: int) -> tuple[int, int]:
    """Operations of one forward pass, and bytes of the distinct tensors that its graph keeps."""
    module, x = s.make(steps=steps), s.input(steps).requires_grad_()
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), _Counting() as counting:
        out = s.spikes(module, x)
    del out
    return counting.count, sum(kept.values())


def measured_reset(neuron: SteppedNeuron) -> str | None:
    """How a spike changes the next membrane, from one pulse below and two above threshold; None if it cannot be told."""
    with torch.no_grad():
        pulses = [_after_pulse(neuron, size) for size in _pulses(neuron)]
    (u0, w0, s0), (u1, w1, s1), (u2, w2, s2) = pulses
    if s0 or not (s1 and s2) or not u0:
        return None
    slope = w0 / u0
    gaps = [slope * u1 - w1, slope * u2 - w2]
    scale = 1e-6 * max(abs(u1), abs(u2))
    if max(map(abs, gaps)) < scale:
        return "none"
    if abs(gaps[0] - gaps[1]) < scale:
        return "soft"
    return "hard" if abs(gaps[0] * u2 - gaps[1] * u1) < scale * abs(u2) else None


def _pulses(neuron: SteppedNeuron) -> list[float]:
    """A pulse below threshold and two above, found by doubling."""
    size = 1e-3
    while size < 1e6 and not _after_pulse(neuron, size)[2]:
        size *= 2
    return [size / 8, size * 1.1, size * 1.6]


def _after_pulse(neuron: SteppedNeuron, size: float) -> tuple[float, float, bool]:
    """Membrane at a pulse, membrane one silent step later, and whether the pulse made a spike."""
    x = torch.zeros(2, 1, 1, dtype=torch.float64)
    x[0] = size
    part = copy.deepcopy(neuron)
    u, s = part.membrane(x), spikes_of(part(x))
    return float(u[0, 0, 0]), float(u[1, 0, 0]), bool(s[0, 0, 0] > 0)


CHECKS: dict[str, Callable[[Specimen], str]] = {
    "shape": _shape,
    "dtype": _dtype,
    "determinism": _determinism,
    "causality": _causality,
    "repeats": _repeats,
    "state": _state,
    "carried": _carried,
    "gradient": _gradient,
    "definition": _definition,
    "edges": _edges,
    "facts": _facts,
}
