"""Why a neuron is slow: known habits, each recognised from what was observed of one launch, with its evidence and its remedy.

`sampling/observe.py` observes. Nothing here measures, so that the page of a profile can be made again from what was seen.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from spikebench.analysis import stats
from spikebench.analysis.comparison import Comparison
from spikebench.cases.case import Case
from spikebench.records.record import Record

OFTEN = 0.5  # of the time steps: what happens more often belongs to the loop over time
GRAPHS = 4  # of one function; the first call, calls without gradients and the first step may have one of their own
DOUBLES = 0.1  # share of the operators that compute in float64, from which on it is no constant
LOOPED = 1.5  # times as many operators with twice as many neurons: they are computed one after the other
LOOP = 2.0  # operators that a time step adds, from which on Python steps through time


@dataclass(frozen=True)
class Count:
    """Operators of one kind in a launch: calls, their share of its time, and where the subject's own code calls them."""

    calls: int = 0
    share: float = 0.0
    line: str | None = None


@dataclass(frozen=True)
class Observed:
    """What one launch of a subject does.

    `operators` are PyTorch's, as Python or autograd call them, and `graphs` calls of compiled graphs. `a_step` is how many operators
    one more time step adds, `with_N`, `with_B` and `with_T` by which factor their number grows if there are twice as many neurons,
    sequences or (beyond proportion) time steps. These are None where the subject cannot be called at other sizes. `overhead` is
    the share of the time that does not depend on the number of neurons. `doubles` is the share of operators on float64.
    """

    steps: int
    mode: str
    seconds: float
    operators: int
    graphs: int = 0
    a_step: float | None = None
    with_N: float | None = None
    with_B: float | None = None
    with_T: float | None = None
    overhead: float | None = None
    doubles: float = 0.0
    doubles_line: str | None = None
    indexed: Count = Count()
    written: Count = Count()
    grown: Count = Count()
    waits: Count = Count()
    allocated: Count = Count()
    copied: Count = Count()
    recompiled: list[str] = field(default_factory=list)
    breaks: list[str] = field(default_factory=list)
    cannot_compile: str | None = None

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Observed":
        """What was observed, as it was sent."""
        counts = {k: Count(**v) for k, v in data.items() if isinstance(v, Mapping)}
        plain = Observed(**{k: v for k, v in data.items() if k not in counts})
        return replace(plain, **counts)


@dataclass(frozen=True)
class Cause:
    """A reason to be slow: its id, what the subject does as the rest of "because it …", the evidence, and the remedy.

    `tried` is the remedy or backend with which its gain can be measured, if there is one. A `general` cause is true of
    every loop over time in Python.
    """

    id: str
    what: str
    evidence: str
    remedy: str
    tried: str | None = None
    general: bool = False


def causes(seen: Observed) -> list[Cause]:
    """Every cause that was recognised, those that cost most by their nature first, and what is true of any loop last.

    Where a loop was recognised that should not be there at all, what it holds does not matter yet.
    """
    loops = list(_loops(seen))
    return (
        [*loops, *_compiler(seen)]
        if loops
        else [*_compiler(seen), *_quadratic(seen), *_operators(seen), *_general(seen)]
    )


def _loops(seen: Observed) -> Iterator[Cause]:
    """Loops in Python over what PyTorch computes at once."""
    for id_, grows, what in (("neurons", seen.with_N, "neurons"), ("sequences", seen.with_B, "sequences of a batch")):
        if grows is not None and grows > LOOPED:
            yield Cause(
                id_,
                f"loops over the {what} in Python",
                f"with twice as many {what} it calls {grows:.1f} times as many operators: some {seen.operators:,} a launch",
                f"compute all {what} at once: one operator on [B, N] in place of one for each",
            )
    if seen.with_T is not None and seen.with_T > 1.4:
        yield Cause(
            "history",
            "goes through all earlier steps again in each step",
            f"with twice as many steps it calls {2 * seen.with_T:.1f} times as many operators",
            "carry what is needed of earlier steps in a state",
        )


def _compiler(seen: Observed) -> Iterator[Cause]:
    """What hinders torch.compile where the subject uses it."""
    if seen.breaks and max(seen.graphs, seen.operators) > OFTEN * seen.steps:
        yield Cause(
            "break",
            "is compiled in pieces: a graph break",
            f"{seen.breaks[0]}; {seen.graphs} calls of compiled graphs a launch",
            "take that call out of the compiled function; fullgraph=True shows each of them",
        )
    if len(seen.recompiled) >= GRAPHS:
        yield Cause(
            "recompiled",
            "is compiled again and again",
            f"{len(seen.recompiled)} graphs of one function; the last because {seen.recompiled[-1]}",
            "give the compiled function tensors in place of numbers and lists that change from call to call",
        )


def _quadratic(seen: Observed) -> Iterator[Cause]:
    """What makes each step touch all steps."""
    often = OFTEN * seen.steps
    if seen.indexed.calls > often:
        yield Cause(
            "indexed",
            "indexes x[t]",
            f"{_of(seen.indexed, 'backward passes of an index')}, each of which fills a tensor as large as x: quadratic in T",
            "write `for x_t in x.unbind(0)` in place of `x[t]`",
            tried="unbind",
        )
    if seen.written.calls > often:
        yield Cause(
            "written",
            "writes each step into one large tensor",
            f"{_of(seen.written, 'backward passes of a write')}, each of which copies a gradient as large as all steps: quadratic in T",
            "append the steps to a list, and `torch.stack` it at the end",
        )
    if seen.grown.calls > often:
        yield Cause(
            "grown",
            "joins a growing tensor in each step",
            f"{_of(seen.grown, 'calls of torch.cat')}, each of which copies all steps before: quadratic in T",
            "append the steps to a list, and `torch.stack` it at the end",
        )


def _operators(seen: Observed) -> Iterator[Cause]:
    """Single operators in each step that the result does not need."""
    often = OFTEN * seen.steps
    if seen.doubles > DOUBLES:
        yield Cause(
            "float64",
            "computes in float64",
            f"{seen.doubles:.0%} of its operators are on float64, for an input of float32{_at(seen.doubles_line)}",
            "leave out `.double()` and dtype=torch.float64, and give constants the dtype of x",
            tried="float32",
        )
    if seen.waits.calls > often:
        yield Cause(
            "waits",
            "brings a number to Python in each step (.item())",
            f"{_of(seen.waits, 'values read by Python')}; Python waits for the device, and no graph can hold that",
            "keep it a tensor: torch.where or a product in place of `if`, and no .item(), float() or bool() in the loop",
            tried="no-wait",
        )
    if seen.allocated.calls > often and not seen.graphs:  # a compiled function fills tensors with its numbers
        yield Cause(
            "allocates",
            "makes new constant tensors in each step",
            f"{_of(seen.allocated, 'tensors filled')}",
            "make them once before the loop, or use a number: PyTorch broadcasts it",
            tried="reuse",
        )
    if seen.copied.calls > often:
        yield Cause(
            "copies",
            "copies tensors in each step (.clone())",
            f"{_of(seen.copied, 'copies')}",
            "append the tensor itself: what nobody changes in place needs no copy",
            tried="no-clone",
        )


def _general(seen: Observed) -> Iterator[Cause]:
    """What any loop over time in Python costs, and whether torch.compile could take it."""
    a_step = seen.a_step if seen.a_step is not None else (seen.operators + seen.graphs) / seen.steps
    if a_step < LOOP and seen.graphs <= OFTEN * seen.steps:
        return
    overhead = "" if seen.overhead is None else f"; {seen.overhead:.0%} of the time is the same for a single neuron"
    evidence = f"{seen.operators:,} operators a launch at T = {seen.steps:,}{overhead}"
    graphs = f" and {seen.graphs:,} calls of compiled graphs" if seen.graphs else ""
    if seen.cannot_compile and not seen.graphs and not seen.breaks:
        yield Cause(
            "uncompilable",
            "cannot be compiled as one graph",
            seen.cannot_compile,
            "take that call out of the loop; then torch.compile can join its operators",
            general=True,
        )
    yield Cause(
        "loop",
        f"steps through time in Python, {a_step:.0f} operators a step",
        evidence + graphs,
        "compile the step, or write it as one kernel",
        tried=None if seen.cannot_compile or seen.graphs else "compiled",
        general=True,
    )


def _of(count: Count, noun: str) -> str:
    share = f", {count.share:.0%} of the time of a launch" if count.share >= 0.005 else ""
    return f"{count.calls:,} {noun}{share}{_at(count.line)}"


def _at(line: str | None) -> str:
    return f" ({line})" if line else ""


@dataclass(frozen=True)
class Reason:
    """A cause, and the subject with its remedy against the subject as it is, where that was tried; `note`: why it was not."""

    cause: Cause
    gain: Comparison | None = None
    note: str | None = None

    @property
    def ratio(self) -> stats.Ratio | None:
        """How many times as fast the remedy makes it."""
        return self.gain.ratio if self.gain else None

    @property
    def helps(self) -> bool:
        """Whether the interval of the gain lies above 1."""
        r = self.ratio
        return r is not None and r.n > 1 and r.low > 1

    def to_json(self) -> dict[str, object]:
        """What `profile --json` prints of it."""
        return {**asdict(self.cause), "gain": self.gain and self.gain.to_json(), "note": self.note}


@dataclass(frozen=True)
class Why:
    """Why a subject is slow: what was observed of the case `at`, the reasons, the first of which counts most, and what was tried.

    Without `observed` there is a `note` that says why there is none.
    """

    at: Case | None = None
    observed: Observed | None = None
    reasons: list[Reason] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    note: str | None = None

    def to_json(self) -> dict[str, object]:
        """What `profile --json` prints."""
        seen = asdict(self.observed) if self.observed else None
        at = self.at.to_json() if self.at else None
        return {"at": at, "note": self.note, "observed": seen, "reasons": [r.to_json() for r in self.reasons]}


def ordered(reasons: Sequence[Reason]) -> list[Reason]:
    """Reasons as they count: first the subject's own with a gain, then its own that show, then what is true of any loop.

    Whatever was tried without a gain comes after what was not tried, in its group.
    """

    def key(reason: Reason) -> tuple[bool, bool, float]:
        r = reason.ratio
        gain = r.estimate if r and reason.helps else 1.0
        return reason.cause.general, r is not None and not reason.helps, -gain if reason.cause.tried else -math.inf

    return sorted(reasons, key=key)
