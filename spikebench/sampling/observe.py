"""Observes one launch: its operators from PyTorch's profiler, its autograd graph, and what torch.compile says of it.

`analysis/causes.py` recognises from this why a neuron is slow. Times here are shares of a launch and no measurements.
"""

import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from spikebench.analysis.causes import LOOPED, Count, Observed
from spikebench.cases.case import Case, with_changes
from spikebench.errors import Problem
from spikebench.host.clock import Clock, CpuClock, CudaClock
from spikebench.loading.detect import FAILURES
from spikebench.sampling.tracing import Watched, explained, watched
from spikebench.workloads.layer import Workload, build, spikes_of

NEW = {"new_zeros", "new_ones", "new_full", "new_empty"}
FACTORIES = {"zeros", "ones", "full", "empty", "zeros_like", "ones_like", "full_like", "empty_like", "lift_fresh"} | NEW
COPIES = {"clone", "contiguous", "reshape", "flatten"}
INDEXING = ("SelectBackward0", "SliceBackward0", "IndexBackward0")
SLICES = "CopySlices"  # behind the name of a namespace, in some versions
ENGINE, REGION, BACKWARD = "autograd::engine::evaluate_function: ", "Torch-Compiled Region", "CompiledFunctionBackward"
FEW: dict[str, int] = {"T": 8, "B": 2, "N": 3}  # sizes at which operators are counted
LAUNCHES, ENOUGH = 3, 1.0  # whose shortest is the time, and seconds after which no other is made
LONGEST = 64  # steps, above which a subject of fixed length is not traced by torch.compile: each is unrolled


def observe(case: Case, bias: float, fixed: bool) -> Observed:
    """What a launch of a case does. `bias` is the mean of its input; a subject that is `fixed` has no other sizes."""
    work = build(case, bias)
    clock: Clock = CudaClock(torch) if case.device == "cuda" else CpuClock()
    work.launch()
    recompiled, breaks = compiler()
    seen = Observed(case.T, case.mode, _shortest(clock, work), 0, recompiled=recompiled, breaks=breaks)
    if not (fixed or recompiled or breaks):
        with suppress(Problem, *FAILURES):
            seen = _scaled(seen, case, bias)
    if max(seen.with_N or 1.0, seen.with_B or 1.0) > LOOPED:  # too much to be profiled, and enough is known
        return seen
    seen = _profiled(seen, work)
    if not (breaks or recompiled or seen.graphs):
        small = case if fixed else with_changes(case, **FEW)
        with suppress(Problem, *FAILURES):
            seen = _placed(seen, watched(build(small, bias)))
        if not fixed and seen.overhead is None:
            with suppress(Problem, *FAILURES):
                seen = replace(seen, overhead=_overhead(case, bias, clock, seen.seconds))
        if seen.operators > case.T and (not fixed or case.T <= LONGEST):
            seen = replace(seen, cannot_compile=explained(build(small, bias)))
    return _large(seen, work)


def _events(work: Workload) -> list[Any]:
    """The events of one launch under PyTorch's profiler."""
    cuda = work.case.device == "cuda"
    with profile(activities=[ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * cuda], acc_events=True) as seen:
        work.launch()
        if cuda:
            torch.cuda.synchronize()
    return list(seen.events() or [])


def _profiled(seen: Observed, work: Workload) -> Observed:
    """Operators of one launch by kind, with their shares of its time; on a GPU, how long that waited."""
    events = _events(work)
    host = [e for e in events if e.device_type.name == "CPU"]
    span = max(e.time_range.end for e in host) - min(e.time_range.start for e in host)
    outer = [e for e in host if _outermost(e)]
    forward: dict[str, list[Any]] = defaultdict(list)
    for e in outer:
        if not _backward(e):
            forward[e.name.removeprefix("aten::")].append(e)
    engine = [e for e in host if e.name.startswith(ENGINE)]

    def count(found: Iterable[Any]) -> Count:
        each = list(found)
        return Count(len(each), sum(e.cpu_time_total for e in each) / span)

    busy = sum(e.self_device_time_total for e in events if e.device_type.name == "CUDA") * 1e-6
    return replace(
        seen,
        operators=len(outer),
        graphs=sum(e.name.startswith(REGION) or e.name == BACKWARD for e in host),
        overhead=max(0.0, 1 - busy / seen.seconds) if work.case.device == "cuda" else None,
        indexed=count(e for e in engine if e.name.removeprefix(ENGINE) in INDEXING),
        written=count(e for e in engine if e.name.endswith(SLICES) and e.name.startswith(ENGINE)),
        grown=count(forward["cat"]),
        waits=count(e for e in host if e.name == "aten::_local_scalar_dense" and not _backward(e)),
        allocated=count(e for name in FACTORIES for e in forward[name]),
        copied=count(e for e in host if e.name == "aten::clone" and not _backward(e) and _copies(e)),
    )


def _outermost(e: Any) -> bool:
    """Whether an event is an operator that no other operator called."""
    return e.name.startswith("aten::") and not (e.cpu_parent and e.cpu_parent.name.startswith("aten::"))


def _backward(e: Any) -> bool:
    while e is not None and not e.name.startswith(ENGINE):
        e = e.cpu_parent
    return e is not None


def _copies(e: Any) -> bool:
    """Whether a clone is one that the subject asked for, itself or by contiguous() or reshape()."""
    while not _outermost(e):
        e = e.cpu_parent
    return e.name.removeprefix("aten::") in COPIES


def compiler() -> tuple[list[str], list[str]]:
    """Why the function with the most graphs was compiled again, and where graphs broke, in what this process has compiled."""
    utils = getattr(sys.modules.get("torch._dynamo"), "utils", None)
    if utils is None:
        return [], []
    reasons: dict[Any, list[str]] = defaultdict(list)
    for m in utils.get_compilation_metrics():
        if m.recompile_reason:
            text = str(m.recompile_reason).strip().splitlines()[0]
            reasons[m.co_filename, m.co_firstlineno].append(text.partition("#")[0].strip())
    said = [*utils.counters["graph_break"], *utils.counters["unimplemented"]]
    first = dict.fromkeys(str(b).strip().splitlines()[0] for b in said)
    breaks = [b for b in first if "recompile limit" not in b]  # that is no break: the function runs uncompiled
    return max(reasons.values(), key=len, default=[]), breaks


def _placed(seen: Observed, found: Watched) -> Observed:
    """The counts with the lines of the subject's code, and the share of operators on float64."""

    def at(count: Count, *names: str) -> Count:
        return replace(count, line=found.line(names))

    return replace(
        seen,
        waits=at(seen.waits, "_local_scalar_dense"),
        grown=at(seen.grown, "cat") if found.grows else Count(),
        copied=at(seen.copied, "clone"),
        indexed=at(seen.indexed, "select"),
        allocated=at(seen.allocated, *FACTORIES),
        doubles=found.doubles,
        doubles_line=found.doubles_line,
    )


def _scaled(seen: Observed, case: Case, bias: float) -> Observed:
    """How the number of operators grows with each size; that of the case is forecast from it."""

    def operators(**sizes: int) -> int:
        work = build(with_changes(case, **(FEW | sizes)), bias)
        work.launch()
        return sum(map(_outermost, _events(work)))

    few, twice, b, n = operators(), *(operators(**{k: 2 * v}) for k, v in FEW.items())
    step, later = (twice - few) / FEW["T"], (operators(T=4 * FEW["T"]) - twice) / (2 * FEW["T"])
    many = few * case.T / FEW["T"]
    for k, more, size in (("B", b, case.B), ("N", n, case.N)):
        many *= size / FEW[k] if more / few > LOOPED else 1.0
    with_T = later / step if step >= 1 else 1.0
    return replace(seen, operators=round(many), a_step=step, with_T=with_T, with_B=b / few, with_N=n / few)


def _shortest(clock: Clock, work: Workload) -> float:
    """The shortest of some launches, of fewer where one takes long."""
    times = [clock.measure(work.launch)]
    while len(times) < LAUNCHES and sum(times) < ENOUGH:
        times.append(clock.measure(work.launch))
    return min(times)


def _overhead(case: Case, bias: float, clock: Clock, seconds: float) -> float:
    """The share of a launch's time that it takes for a single neuron of a single sequence, too."""
    work = build(with_changes(case, B=1, N=1), bias)
    work.launch()
    return min(1.0, _shortest(clock, work) / seconds)


def _large(seen: Observed, work: Workload) -> Observed:
    """The counts of those backward passes alone that are as large as the input, by the autograd graph of a forward pass."""
    if work.case.mode != "train" or not (seen.indexed.calls or seen.written.calls):
        return replace(seen, indexed=Count(), written=Count())
    found: Counter[str] = Counter()
    todo, known = [spikes_of(work.module(work.x)).grad_fn], set[Any]()
    while todo:
        node = todo.pop()
        if node is None or node in known:
            continue
        known.add(node)
        todo += [n for n, _ in node.next_functions]
        if node.name() in INDEXING and math.prod(getattr(node, "_saved_self_sym_sizes", ())) >= work.x.numel() / 2:
            found["indexed"] += 1
        if node.name().endswith(SLICES) and (last := node.next_functions[0][0]) and last.name().endswith(SLICES):
            found["written"] += 1
    indexed, written = (
        replace(c, calls=found[k]) if found[k] else Count()
        for k, c in (("indexed", seen.indexed), ("written", seen.written))
    )
    return replace(seen, indexed=indexed, written=written)
