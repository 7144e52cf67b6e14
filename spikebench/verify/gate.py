"""The gate compares a backend's spikes and gradients with the neuron's definition in float64, before anything is timed."""

import copy
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace

import torch
from torch import Tensor

from spikebench import registry
from spikebench.cases.case import Case, with_changes
from spikebench.cases.subject import Subject
from spikebench.loading.subject import definition_of, mistaken
from spikebench.neuron import Neuron, SteppedNeuron, StochasticNeuron
from spikebench.records.gate import GateResult, ProbeResult
from spikebench.verify.calls import repeated, stepped
from spikebench.verify.form import misformed
from spikebench.verify.probes import TIES, UNUSUAL, Probe, aim, probes_of
from spikebench.verify.reference import Expected, Selection, entry_errors, relative_error
from spikebench.workloads.layer import Workload, build, calibrate, spikes_of

DIFFERING = 0.1
STREAMED = 64  # steps of a stream that are compared
ENTRY, ENTRY_HALF = (
    0.01,
    0.5,
)  # largest error of one entry relative to itself, in half precision; what is cut off is off by 1
ROUNDED = 1e-3  # by which a gradient may differ from that of the same module computed in another way
SEED, SITE = 0x2545F4914F6CDD1D, 5  # of the noise on which a backend is probed: both words of the seed count


def gate(case: Case, bias: float | None = None, seed: int | None = None) -> GateResult:
    """Compare a case's backend with the definition, on the case's own input and on the probes of `verify/probes.py`.

    `bias` is the mean of the case's input, if it is known already. The `seed` says which series are compared; nobody can
    foresee it unless it is given, and the result has it. Raises Refused when the backend cannot run the case.
    """
    seed = int.from_bytes(os.urandom(6), "little") if seed is None else seed
    bias = calibrate(case) if bias is None else bias
    timed = build(case, bias)
    neuron = definition_of(timed.module)
    if neuron is None:
        return _without_definition(timed, bias)
    if case.mode == "stream":
        return _stream(timed, neuron, bias)
    probes = [compare(timed, pristine(timed), "timed input", seed=seed)]
    for probe in probes_of(case, neuron):
        if not all(p.passed for p in probes):
            break
        probes.append(_probed(probe, seed))
    failed = next((p for p in probes if not p.passed), None)
    reason = failed and f"{failed.name}: {failed.reason}"
    if not failed and not any(p.spikes for p in probes if p.name not in (TIES, UNUSUAL)):
        reason = f"vacuous: no input made {case.parsed.name} spike, so nothing was compared; change its options"
    return GateResult("failed" if reason else "passed", reason, bias, probes[0].spikes, probes, seed=seed)


def _stream(workload: Workload, neuron: Neuron, bias: float) -> GateResult:
    """A stream runs the definition itself, step by step: pieces with the state carried over must equal the whole."""
    assert isinstance(neuron, SteppedNeuron)
    x, g = workload.x[:STREAMED].double(), workload.g[:STREAMED].double()
    found = stepped(copy.deepcopy(neuron).double(), x, g)
    said = found.wrong or "a stream runs the definition itself; pieces with carried state equal the whole"
    return GateResult("failed" if found.wrong else "passed", said, bias, _count(workload))


def _without_definition(workload: Workload, bias: float) -> GateResult:
    """What can be said of a foreign subject: whether it gives spikes of its input's shape."""
    spikes = workload.launch()
    if wrong := misformed(spikes, workload.x, cast=getattr(workload.case, "autocast", None)):
        return GateResult("failed", wrong, bias, 0.0)
    subject, count = workload.case.parsed, float(spikes.double().sum())
    if subject != subject.plain:
        return _as_it_is(workload, spikes, bias, count)
    if wrong := mistaken(subject, workload.case.device):
        return GateResult("failed", wrong, bias, 0.0)
    return GateResult("none", "a foreign subject has no definition", bias, count)


def _as_it_is(workload: Workload, spikes: Tensor, bias: float, count: float) -> GateResult:
    """Whether a foreign subject on a backend, or with a remedy, gives the spikes and gradients that it gives as it is."""
    case = workload.case
    plain = build(with_changes(case, subject=str(case.parsed.plain)), bias)
    differs = (plain.launch() != spikes).any(0)  # [B, N]
    if (share := float(differs.double().mean())) > DIFFERING:
        return GateResult(
            "failed", f"{share:.0%} of the series spike at other steps than {plain.case.subject}", bias, 0.0
        )
    if case.mode == "train":
        g = workload.g * ~differs
        mine, theirs = (
            torch.autograd.grad(spikes_of(w.module(w.x)), w.x, g.to(w.x.dtype))[0] for w in (workload, plain)
        )
        error, limit = float(relative_error(mine, theirs, axis=0).max()), max(ROUNDED, tolerance(workload.x.dtype, 1.0))
        if not error <= limit:
            why = f"the input's gradient is off by {error:.2g} of that of {plain.case.subject} (limit {limit:g})"
            return GateResult("failed", why, bias, 0.0)
    return GateResult("none", f"spikes as {plain.case.subject} gives them", bias, count)


def pristine(workload: Workload) -> Neuron:
    """A copy of the workload's definition, as it is before anything ran."""
    neuron = definition_of(workload.module)
    if neuron is None:
        raise ValueError(f"{workload.case.subject} has no definition")
    return copy.deepcopy(neuron)


def _count(workload: Workload) -> float:
    workload.call_number(0)
    return float(workload.launch().double().sum())


def _probed(probe: Probe, seed: int | None = None) -> ProbeResult:
    """Compare on one probe, after the backend has run on other values in the same memory; `seed` chooses the series.

    A kernel that keeps results, or reads a buffer of an earlier call, is caught so. A stochastic neuron gets a seed and a
    site that the timed input does not have."""
    work = probe.workload
    neuron = definition_of(work.module)
    if isinstance(neuron, StochasticNeuron):
        neuron.seed, neuron.site = SEED, SITE
    reference = pristine(work)
    if probe.aimed:
        aim(work, reference, 3, seed)
    true = work.x.detach().clone()
    with _unwritten_is_nan():
        with torch.no_grad():
            work.x.copy_(true.flip(0) + 0.125)
        work.call_number(2)
        work.launch()
        with torch.no_grad():
            work.x.copy_(true)
        found = compare(work, reference, probe.name, 3, probe.exact, probe.entries, seed)
        wrong = (
            repeated(lambda: _numbered(work, 3), lambda: _poison(work.x)) if found.passed and probe.repeats else None
        )
        return replace(found, passed=False, reason=wrong) if wrong else found


def _numbered(work: Workload, call: int) -> Tensor:
    """A launch with the noise of a call number."""
    work.call_number(call)
    return work.launch()


@contextmanager
def _unwritten_is_nan() -> Iterator[None]:
    """While this lasts, torch.empty gives tensors of NaN, so that what a backend leaves unwritten shows."""
    before = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("warn")  # this fills torch.empty; use_deterministic_algorithms would load dynamo
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)


def compare(
    workload: Workload,
    reference: Neuron,
    name: str,
    call: int = 0,
    exact: bool = False,
    entries: bool = False,
    seed: int | None = None,
) -> ProbeResult:
    """Run the backend on one input, run the definition in float64 on some of its series, and compare spikes and gradients.

    `call` is the number that the backend's next forward call must have, which names its noise. `exact`: no operation
    rounds on this input. With `entries` each entry of the input's gradient is compared relative to itself. The `seed`
    chooses the series; the case's own does where none is given.
    """
    case, x = workload.case, workload.x
    chosen = Selection.of(x, reference, case.seed if seed is None else seed)
    given, uniforms = chosen.take(x), chosen.uniforms(x, reference, call)
    _poison(x)
    with torch.set_grad_enabled(case.mode != "inference"):
        out = spikes_of(workload.module(x))
    if wrong := misformed(out, x, cast=getattr(case, "autocast", None), sent=case.parsed.all_how.get("spikes")):
        return ProbeResult(name, False, wrong, 0, 0, 0.0, 0.0)
    spikes = out.detach().clone()
    with casting(case):
        expected = Expected.of(reference, chosen, given, uniforms, case.mode != "inference", exact)
    differs, worst = expected.judge(chosen.take(spikes).double())
    differing = int(differs.sum())
    seen = {"series": chosen.count, "differing": differing, "spikes": float(spikes.double().sum())}
    probe = {"name": name, "worst_margin": worst, **seen}
    if not torch.equal(chosen.take(x).nan_to_num(), given.nan_to_num()):
        return ProbeResult(passed=False, reason="the backend changed its input", **probe)
    if not worst <= 1:
        why = f"a spike differs where the margin is {worst:.3g} times what rounding explains"
        return ProbeResult(passed=False, reason=why, **probe)
    if differing > max(DIFFERING * chosen.count, 2 * expected.flipped, 1):
        return ProbeResult(passed=False, reason=f"{differing} of {chosen.count} series differ", **probe)
    if case.mode == "inference":
        return ProbeResult(passed=True, reason=None, **probe)
    kept = ~(differs | expected.at_jump)
    errors, reason = gradient_errors(workload, out, expected, chosen, kept, entries)
    named = dict(zip(("gradient_error", "parameter_error", "entry_error"), errors, strict=True))
    return ProbeResult(passed=reason is None, reason=reason, **named, **probe)


def casting(case: Case) -> AbstractContextManager[object]:
    """torch.autocast as the case has it: what it rounds in the definition explains spikes as any rounding does; float64 it leaves."""
    cast = getattr(case, "autocast", None)
    return torch.autocast(case.device, dtype=getattr(torch, cast)) if cast else nullcontext()


def computed_in(case: Case) -> torch.dtype:
    """The precision that a case's results can have: that of its tensors, or of torch.autocast."""
    return getattr(torch, getattr(case, "autocast", None) or case.dtype)


def _poison(like: Tensor, most: int = 2**28) -> None:
    """Fill memory with NaN and free it, so that what a backend leaves unwritten shows; `most` bytes, at most 8 buffers."""
    count = max(1, min(8, most // (like.numel() * like.element_size())))
    held = [torch.full_like(like.detach(), float("nan")) for _ in range(count)]
    del held


def tolerance(dtype: torch.dtype, slope: float) -> float:
    """Largest relative gradient error that passes."""
    if dtype == torch.float64:
        return 1e-11
    if dtype == torch.float32:
        return 2e-4 if slope > 10 else 1e-5
    return 3e-2


Errors = tuple[float, float | None, float | None]  # of the input's gradient, the parameters', single entries


def gradient_errors(
    workload: Workload, out: Tensor, expected: Expected, chosen: Selection, kept: Tensor, entries: bool = False
) -> tuple[Errors, str | None]:
    """Errors of the input's and the parameters' gradients where the spikes agree, and why they fail if they do."""
    g = chosen.mask(workload.g, kept)
    given = chosen.take(g)
    nothing: Errors = (float("inf"), None, None)
    if not out.requires_grad:
        return nothing, "the spikes carry no gradient"
    _poison(g)
    got = torch.autograd.grad(out, (workload.x, *workload.parameters), g, allow_unused=True)
    if got[0] is None:
        return nothing, "the input gets no gradient"
    mine, others = chosen.take(got[0]), [None if v is None else v.clone() for v in got[1:]]  # now, not when it is done
    if not torch.equal(chosen.take(g), given):
        return nothing, "the backward pass changed the gradient that it was given"
    want = expected.gradients(given)
    if want[0] is None:
        return nothing, "the definition's input gets no gradient"
    error = float(relative_error(mine.double(), want[0], axis=0).max())
    pairs = [_matched(a, b, chosen) for a, b in zip(others, want[1:], strict=True)]
    worst = max((float(relative_error(a, b)) for a, b in pairs), default=None)
    limit = others_limit = tolerance(computed_in(workload.case), float(getattr(expected.neuron, "slope", 1.0)))
    if limit < max(error, worst or 0.0) < 1000 * limit:  # rounding may explain it, as it may for spikes
        with casting(workload.case):
            own = expected.own_errors(given)
        limit, others_limit = max(limit, 8 * own[0]), max(limit, 8 * own[1])
    single = _single(workload, mine, want[0], expected, given) if entries else None
    errors: Errors = (error, worst, single)
    if not error <= limit:
        return errors, f"the input's gradient is off by {error:.2g} of its largest (limit {limit:.2g})"
    # a parameter's gradient sums over all steps and series; its rounding grows with the square root of their number
    others_limit *= max(1.0, (expected.x.numel() / 1e4) ** 0.5)
    if worst is not None and not worst <= others_limit:
        return errors, f"a parameter's gradient is off by {worst:.2g} of its largest (limit {others_limit:.2g})"
    most = ENTRY_HALF if workload.x.element_size() < 4 else ENTRY
    if single is not None and not single <= most:
        return errors, f"the input's gradient far from the last step is off by {single:.2g} of itself (limit {most:g})"
    return errors, None


def _single(workload: Workload, mine: Tensor, want: Tensor, expected: Expected, given: Tensor) -> float:
    """The largest error of an entry of the input's gradient relative to itself, less what rounding explains.

    The error of an FFT is relative to the largest entry of a series, so that of a backend whose file declares
    SPECTRAL = True nothing smaller than its usual tolerance can be compared.
    """
    dtype = workload.x.dtype
    least = tolerance(dtype, 1.0) if spectral(workload.case.parsed) else 0.0
    with casting(workload.case):
        entries = expected.own_entries(given)
    allowed = 8 * entries + least * want.abs().amax(0)
    return float(entry_errors(mine.double(), want, allowed, torch.finfo(dtype).tiny).max())


def spectral(subject: Subject) -> bool:
    """Whether a subject's backend says that its errors are relative to the largest entry of a series, as an FFT's are."""
    return not subject.foreign and bool(registry.declared(subject.backend, subject.name, "SPECTRAL"))


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
