"""Probes: inputs on which a wrong kernel gives other spikes or gradients, where the timed input may hide its mistake.

On them membranes lie close to the threshold, or equal it exactly, or the gradient has to travel over many steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from spikebench.backend import Refused
from spikebench.cases.case import Case, Layer, expect, with_changes
from spikebench.loading.subject import definition_of
from spikebench.neuron import Neuron
from spikebench.verify.reference import Expected, Selection
from spikebench.workloads.layer import Workload, build, calibrate

RATES = (0.05, 0.3)
STEPS = 512
SERIES = 128  # at least; a case may have a single one
TIES = "exact ties"
JUMP = "jump of the gradient"
LAST = "gradient of the last step"
UNUSUAL = "large, strided and undefined input"
LARGE, ODD = 24.0, 7  # how many times the usual input; every so many series are large, or have a NaN
QUIET, LOUD = 0.1, 8  # how much of the input is left where no neuron shall fire, and how many last steps keep theirs
EXACT_STEPS = 16  # halving a membrane in eighths for longer would need more bits than float32 has
EXACT = {"decay": 0.5, "synapse_decay": 0.5, "threshold": 1.0}


@dataclass(frozen=True)
class Probe:
    """An input chosen so that a wrong kernel gives different spikes or gradients.

    Where `aimed`, the input is changed until membranes lie close to the threshold. Where `exact`, no operation of the
    neuron rounds, so that spikes must agree. With `entries` each entry of the gradient is compared relative to itself,
    and not only to the largest gradient of its series. With `repeats` it is launched again and again.
    """

    name: str
    workload: Workload
    aimed: bool = False
    exact: bool = False
    entries: bool = False
    repeats: bool = False


def probes_of(case: Case, neuron: Neuron) -> Iterator[Probe]:
    """The probes that a neuron allows, one after the other. Each has as many steps and series as it needs, whatever the case has."""
    fixed = neuron.fixed_length
    batch = max(case.B, -(-SERIES // case.N))
    wanted = expect(case, Layer).rate
    rate = max(RATES, key=lambda r: abs(r - wanted))
    steps = case.T if fixed else min(case.T, STEPS)
    short = with_changes(case, T=steps, B=batch, rate=rate, bias=None, seed=case.seed + 1)
    yield Probe(f"rate {rate}", build(short, calibrate(short)), aimed=True, repeats=True)
    tied = None if neuron.stochastic else _ties(with_changes(short, T=steps if fixed else min(steps, EXACT_STEPS)))
    if tied is not None:
        yield Probe(TIES, tied, exact=True)
    if type(neuron).onto_jump is not Neuron.onto_jump and case.mode != "inference":
        stood = build(short, calibrate(short))
        own = definition_of(stood.module)
        if own is not None and own.onto_jump(stood.x):
            yield Probe(JUMP, stood, exact=True)
    sharp = case.dtype in ("float32", "float64")  # else rounding takes most series to the other side of a jump
    if case.mode != "inference" and (sharp or type(neuron).jump is Neuron.jump):
        yield Probe(LAST, _last(short, neuron), entries=True)
    if (odd := _unusual(with_changes(short, mode="inference"))) is not None:
        yield Probe(UNUSUAL, odd)


def _ties(case: Case) -> Workload | None:
    """A workload on which membranes equal the threshold exactly, so that `>` for `>=` shows; None for a neuron without a decay.

    All numbers are halves and eighths, which no operation rounds."""
    options = case.parsed.all_options
    if "decay" not in options:
        return None
    halves = {k: v for k, v in EXACT.items() if options.get(k) is not None}
    subject = replace(case.parsed, options={**case.parsed.options, **halves})
    try:
        tied = build(with_changes(case, subject=str(subject)), 0.0)
    except Refused:
        return None
    with torch.no_grad():
        tied.x.copy_((tied.x * 8 + 3).round() / 8)
    return tied


def _last(case: Case, neuron: Neuron) -> Workload:
    """A workload whose output gradient is zero but for the last step, so that a backward pass that stops early shows.

    That gradient fades from step to step, and a kernel that cuts it off has zeros instead. A reset would end its way
    after few steps. So a neuron that has one gets a tenth of its input until the last eight steps, and hardly fires
    before them.
    """
    work = build(case, 0.0 if neuron.reset_kind in ("soft", "hard") else calibrate(case))
    with torch.no_grad():
        if neuron.reset_kind in ("soft", "hard"):
            work.x[:-LOUD] *= QUIET
        work.g[:-1] = 0
    return work


def _unusual(case: Case) -> Workload | None:
    """A workload whose input is a transposed view in which some series are 24 times as large and others have a NaN.

    After a NaN the membrane stays one, and no comparison with it is true. Products of matrices and transforms over time
    spread it to other steps, so the first step has it, and only of a neuron that spreads it over all of them itself. None
    where the backend has no inference.
    """
    try:
        work = build(case, calibrate(case))
    except Refused:
        return None
    x = work.x.detach().flatten(1).clone()  # [T, B·N]
    x[:, ::ODD] *= LARGE
    undefined = x.clone()
    undefined[0, 1::ODD] = torch.nan
    own = definition_of(work.module)
    if (
        own is not None and not own.fixed_length
    ):  # a matrix over time may have zeros, with which a product makes a NaN or none
        with torch.no_grad():
            membrane = own.membrane(undefined.view(work.x.shape)).flatten(1)
        x = undefined if bool(membrane[:, 1::ODD].isnan().all()) else x
    x = x.view(work.x.shape).transpose(0, 1).contiguous().transpose(0, 1)
    assert work.on is not None
    return replace(work, x=x, launch=work.on(x).launch)


def aim(workload: Workload, reference: Neuron, call: int, seed: int | None = None, within: float = 1.25) -> None:
    """Change the input a little, so that one membrane of every selected series lies close to the threshold.

    The step is the one in the second half whose membrane is closest already. Its distance to the threshold becomes
    `within` times what rounding explains. There the spike tells two membranes apart that differ by little more than
    rounding; at a random distance it hardly ever would. The input of that step is changed, or all input up to it where
    no reset makes the membrane jump.
    """
    chosen = Selection.of(workload.x, reference, workload.case.seed if seed is None else seed)
    x = chosen.take(workload.x)
    uniforms = chosen.uniforms(workload.x, reference, call)
    goal = Expected.of(reference, chosen, x, uniforms, gradient=False).allowed * within
    goal = goal.clamp_min(1e-10)  # in float64 nothing says what rounding explains
    noise = None if uniforms is None else uniforms.double()
    neuron, smooth = chosen.restrict(reference).double(), reference.reset_kind in ("none", "mean-field")
    across = 1 - 2 * (torch.arange(chosen.count, device=x.device) % 2).view(
        chosen.shape
    )  # every other series: beyond it
    wide, at = x.double(), None
    for side in (1, 1, 1, 1, across):  # Newton's method; once is enough where the membrane is linear in the input
        wide.requires_grad_()
        margin = neuron.margin(neuron.membrane(wide), noise)
        at = margin[len(x) // 2 :].argmin(0, keepdim=True) + len(x) // 2 if at is None else at
        here = margin.gather(0, at)
        (slope,) = torch.autograd.grad(here.sum(), wide)
        if not smooth:
            slope = torch.zeros_like(slope).scatter(0, at, slope.gather(0, at))
        move = slope * ((side * goal.gather(0, at) - here.detach()) / slope.square().sum(0))
        wide = wide.detach() + torch.where(move.abs().amax(0) < 1, move, 0.0)
    chosen.put(workload.x, wide)
