"""Tuning: which shape of a kernel is fastest on this GPU, measured in one process, the result of each shape compared first.

A kernel's file says which shapes there are (KERNELS in backends/triton); the model of latency and bytes leaves out what it
finds twice as slow as its best. What is left runs once and is compared with the model's shape, and is timed in interleaved
rounds; the best are timed against the model's shape in rounds of their own. All are device times: CUDA events,
the queue held up before the first, the cache cold.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spikebench.analysis import stats
from spikebench.backend import Refused
from spikebench.cases.case import Case, with_changes
from spikebench.errors import Problem
from spikebench.experiments.tune_plan import part, worth
from spikebench.experiments.tune_rules import Decision, With, described, write
from spikebench.host.clock import Clock, CpuClock, CudaClock, NotAhead
from spikebench.workloads.layer import Workload, build, calibrate, spikes_of

EARLY, LATE, FINAL = 3, 4, 10  # rounds of all shapes, shapes that are left for the last rounds, and those rounds
FLIPS, OFF = 1e-5, {"float64": 1e-11, "float32": 1e-5}  # spikes, and gradients relative to the largest, that may differ


@dataclass
class Pass:
    """A pass of a neuron whose kernel is tuned: `run()` does it once and gives what it computes."""

    kernel: str
    run: Callable[[], tuple[Tensor, ...]]
    model: Any  # the model's shape
    candidates: tuple[Any, ...]  # without the model's


@dataclass(frozen=True)
class Tried:
    """A shape that was measured or refused: its kernel at a size, whether it is the model's, the status, and seconds if any."""

    kernel: str
    T: int
    M: int
    dtype: str
    subject: str
    shape: dict[str, int]
    model: bool
    status: str
    seconds: list[float] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """The line of a tuning's file, without seconds where nothing was timed."""
        return {k: v for k, v in vars(self).items() if k != "seconds" or v}


def passes(work: Workload) -> Iterator[Pass]:
    """The passes of a subject, each with its kernels that ask for a shape: forward, backward, inference."""
    wanted = (work.x, *work.parameters)

    def inference() -> tuple[Tensor, ...]:
        work.call_number(0)
        with torch.no_grad():
            return (spikes_of(work.module(work.x)),)

    def forward() -> tuple[Tensor, ...]:
        work.call_number(0)
        return (spikes_of(work.module(work.x)),)

    seen: set[str] = set()  # a kernel that several passes launch is tuned where most is at stake: in training
    yield from _asking(forward, seen)
    (spikes,) = forward()

    def backward() -> tuple[Tensor, ...]:
        found = torch.autograd.grad(spikes, wanted, work.g, retain_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    yield from _asking(backward, seen)
    yield from _asking(inference, seen)


def _asking(run: Callable[[], tuple[Tensor, ...]], seen: set[str]) -> Iterator[Pass]:
    shapes = part("_shapes")
    with shapes.watching() as asked:
        run()
    for ask in {a.kernel: a for a in asked if a.kernel not in seen}.values():
        seen.add(ask.kernel)
        best, *others = worth(ask.kernel, ask.dtype, ask.steps, ask.count)
        yield Pass(ask.kernel, run, best, tuple(others))


@dataclass
class Tuner:
    """Measures passes until the time is over. `keep` gets every shape as it was measured."""

    clock: Clock
    left: Callable[[], float]
    keep: Callable[[Tried], None] = lambda _: None
    decisions: list[Decision] = field(default_factory=list)
    order: random.Random = field(default_factory=lambda: random.Random(0))

    def tune(self, case: Case, bias: float) -> Iterator[Decision]:
        """Tune the kernels of one case."""
        work = build(case, bias)
        work.x.requires_grad_()
        for which in passes(work):
            if self.left() <= 0:
                return
            try:
                decision = self._decide(case, which)
            except NotAhead as reason:  # one kernel without a device time leaves the others theirs
                self._say(case, which, which.model, str(reason))
                continue
            if decision is not None:
                self.decisions.append(decision)
                yield decision

    def _decide(self, case: Case, which: Pass) -> Decision | None:
        right = self._right(case, which)
        early: dict[Any, list[float]] = {which.model: [], **{s: [] for s in right}}
        late: dict[Any, list[float]] = {}
        self._rounds(which, early, EARLY)
        if right and self.left() > 0:
            best = sorted(right, key=lambda s: stats.median(early[s]))[:LATE]
            late = {s: [] for s in (which.model, *best)}
            self._rounds(which, late, FINAL)
        for shape, seconds in early.items():
            if measured := [*seconds, *late.get(shape, [])]:
                self._say(case, which, shape, "ok", measured)
        whole = [s for s in late if s != which.model and len(late[s]) >= FINAL]
        gains = {s: stats.paired_ratio(late[which.model], late[s]) for s in whole}
        if not gains:
            return None
        found = max(gains, key=lambda s: gains[s].estimate)
        ratio, medians = gains[found], [stats.median(late[s]) for s in (which.model, found)]
        name = part("_shapes").as_json
        shown = name(which.model), name(found), (medians[0], medians[1]), (ratio.estimate, ratio.low, ratio.high)
        return Decision(which.kernel, case.dtype, case.T, case.B * case.N, *shown)

    def _right(self, case: Case, which: Pass) -> list[Any]:
        """The candidates that run and compute what the model's shape computes."""
        found, shapes = [], part("_shapes")
        with shapes.forced({which.kernel: which.model}):
            expected = which.run()
        for shape in which.candidates:
            if self.left() <= 0:
                break
            with shapes.forced({which.kernel: shape}), shapes.watching() as asked:
                try:
                    wrong = differs(which.run(), expected, case.dtype)
                except Exception as error:  # whatever a shape raises, the others are still to be measured
                    if "CUDA error" in str(error):  # nothing runs in this process any more
                        raise
                    wrong = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            given = {a.shape for a in asked if a.kernel == which.kernel}
            if not wrong and given - {shape}:
                wrong = "the kernel takes another shape"
            if wrong:
                self._say(case, which, shape, wrong)
            else:
                found.append(shape)
        return found

    def _rounds(self, which: Pass, times: dict[Any, list[float]], count: int) -> None:
        """Time the shapes, each once a round, in another order every time; a round is whole or not there."""
        shapes = part("_shapes")
        for _ in range(count):
            if self.left() <= 0:
                return
            for shape in self.order.sample(list(times), len(times)):
                with shapes.forced({which.kernel: shape}):
                    times[shape].append(self.clock.on_device(which.run))

    def _say(self, case: Case, which: Pass, shape: Any, status: str, seconds: Sequence[float] = ()) -> None:
        size, shown = (case.T, case.B * case.N, case.dtype, case.subject), part("_shapes").as_json(shape)
        self.keep(Tried(which.kernel, *size, shown, shape == which.model, status, list(seconds)))


def differs(found: tuple[Tensor, ...], expected: tuple[Tensor, ...], dtype: str) -> str | None:
    """Why tensors are not those expected but for rounding, or None. Of spikes, a share of FLIPS may differ in ties."""
    for a, b in zip(found, expected, strict=True):
        a, b = a.detach(), b.detach()
        if a.dtype == torch.uint8 or bool(((b == 0) | (b == 1)).all()):
            share = float((a != b).double().mean())
            if not share <= FLIPS:
                return f"{share:.2g} of the spikes differ"
        else:
            error = float((a.double() - b.double()).abs().max() / b.double().abs().max().clamp_min(1e-300))
            if not error <= OFF.get(dtype, 3e-2):
                return f"a gradient is off by {error:.2g} of its largest"
    return None


def tune(
    given: Sequence[Case], left: Callable[[], float], keep: Callable[[Tried], None]
) -> Iterator[tuple[Case, Decision | str]]:
    """Tune the kernels of cases in order, until no time is `left`: what was decided, or why a case could not be tuned."""
    device = given[0].device if given else "cuda"
    if device == "cpu" and not part("_launch").interpreted():
        raise Problem("without a GPU only triton's interpreter runs kernels; set TRITON_INTERPRET=1 before the start")
    tuner = Tuner(CudaClock(torch) if device == "cuda" else CpuClock(), left, keep)
    biases: dict[str, float] = {}
    for case in given:
        if left() <= 0:
            yield case, "the budget was spent"
            continue
        try:
            if case.subject not in biases:  # the rate hardly depends on T and B
                biases[case.subject] = calibrate(with_changes(case, T=min(case.T, 128), B=1, dtype="float32"))
            yield from ((case, decision) for decision in tuner.tune(case, biases[case.subject]))
        except (Refused, torch.OutOfMemoryError) as error:
            yield case, str(error).strip().partition("\n")[0]


@dataclass(frozen=True)
class Book:
    """Where tuning is written down: rules in the file of a device, everything that was measured as JSON Lines in `out`.

    What it was measured with stands beside each.
    """

    path: Path
    origin: With
    out: Path | None = None

    def keep(self, tried: Tried) -> None:
        """Append a line about one shape."""
        if self.out is not None:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            with self.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(tried.to_json() | vars(self.origin)) + "\n")

    def fill(self, given: Sequence[Case], left: Callable[[], float], say: Callable[[str], None]) -> list[Decision]:
        """Tune the kernels of cases; rules are written after each decision, so that nothing measured is lost."""
        decisions: list[Decision] = []
        for case, found in tune(given, left, self.keep):
            if isinstance(found, Decision):
                decisions.append(found)
                write(self.path, decisions, self.origin)
                line = described(found)
            else:
                line = f"{case.subject} T={case.T} M={case.B * case.N} {case.dtype}: {found}"
            say(f"{left():4.0f} s left: {line}")
        return decisions
