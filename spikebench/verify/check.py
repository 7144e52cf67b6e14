"""The checks of the command `check`: what any neuron must hold to, and whether ours are what they declare. A child process runs them."""

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import torch
from torch import Tensor, nn

from spikebench import registry
from spikebench.cases.case import Case, with_changes
from spikebench.cases.subject import Subject, parse_subject
from spikebench.errors import Problem
from spikebench.loading.detect import FAILURES
from spikebench.loading.foreign import Adapted
from spikebench.loading.subject import definition, definition_of, find_way
from spikebench.neuron import Neuron, SteppedNeuron, StochasticNeuron
from spikebench.verify import calls
from spikebench.verify.facts import GROWING, first_leak, measure_facts
from spikebench.verify.gate import ProbeResult, compare, gate, spectral, tolerance
from spikebench.verify.reference import relative_error
from spikebench.verify.specimen import B, Check, CheckFailed, N, Skipped, Specimen, T
from spikebench.workloads.layer import build, calibrate


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
    least = tolerance(s.dtype, 1.0) * float(whole.abs().max()) if spectral(s.subject) else 0.0  # of a transform
    if s.facts["causal"] and bool((part[s.T // 2 :].abs() > least).any()):
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
    if by := "a transform" if spectral(s.subject) else _spreads(s.subject):
        return f"{name} stays in its series, over which {by} spreads it"
    if bool(touched[: s.T // 2].any()) and s.facts["causal"]:
        raise CheckFailed(f"a {name} at t = {s.T // 2} changes earlier spikes")
    return f"{name} stays in its series"


def _spreads(subject: Subject) -> str | None:
    """What a backend declares that takes a NaN to earlier steps, where finite values stay causal."""
    return None if subject.foreign else registry.declared(subject.backend, subject.name, "SPREADS")


def _facts(s: Specimen) -> str:
    measured = measure_facts(s)
    # operations are declared per step, and measured as a power of T
    declared = {k: v for k, v in s.facts.items() if k not in GROWING}
    wrong = [f"{k}: declared {declared[k]}, measured {v}" for k, v in measured.items() if declared.get(k, v) != v]
    if wrong:
        raise CheckFailed("; ".join(wrong))
    return ", ".join(f"{k}={v}" for k, v in measured.items())


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
