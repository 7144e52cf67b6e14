"""Finds out why a subject is slow: one launch is observed, its causes are recognised, and remedies are tried in pairs."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from spikebench.analysis.causes import Cause, Observed, Reason, Why, causes, ordered
from spikebench.analysis.comparison import judge
from spikebench.cases.case import Case, with_changes
from spikebench.cases.subject import Subject
from spikebench.host import clock
from spikebench.records.record import Record
from spikebench.run import blocks
from spikebench.run.protocol import ObserveJob
from spikebench.run.session import Session

PAIRS = 5
FEWEST = 3  # pairs below which nothing is tried
PROCESS, GATE = 1.0, 3.0  # seconds of a process beside its launches, and of a gate
OBSERVING = 10.0  # seconds without which no launch is observed
LAUNCHES = 6  # of a process: the first, warming up, and samples
COMPILE, AGAIN = 10.0, 5.0  # seconds to compile a loop, and in a process that finds its kernels on the disk
UNROLLED = 16  # steps at which a whole sequence is compiled: each is a part of the graph
FIRST_REPEAT = 1000  # of the blocks in which remedies are tried: those of the comparisons count from 0

Tell = Callable[[str], None]


@dataclass
class Trials:
    """Tries remedies on a subject: `launches` are the seconds of a launch by case, `until` when it must have ended."""

    session: Session
    fixed: bool
    launches: Mapping[Case, float]
    until: float
    tell: Tell

    def why(self) -> Why:
        """Why the subject is slow, by what is observed at its shortest case, and what the remedies bring at a longer one."""
        at = min(self.launches, key=lambda c: (c.mode != "train", c.T), default=None)
        if at is None:
            return Why(note="nothing was measured")
        if (left := self.until - clock.monotonic()) < OBSERVING:
            spent = f"{max(0.0, left):.0f} s were left of the budget, and it takes {OBSERVING:g} s; raise --budget"
            return Why(at, note=spent)
        self.tell("why it takes that long")
        gate = self.session.gate(at.gated).result.gate
        outcome = self.session.ask(at, ObserveJob(at, gate.bias or 0.0 if gate else 0.0, self.fixed))
        if (seen := outcome.result.observed) is None:
            return Why(at, note=f"{outcome.status}: {outcome.reason}, while a launch was observed")
        found, records = self._tried(at, seen)
        return Why(at, seen, ordered(found), records)

    def _tried(self, at: Case, seen: Observed) -> tuple[list[Reason], list[Record]]:
        """Every cause with what its remedy brings, and the records of that."""
        known = causes(seen)
        if not at.parsed.foreign:
            return [Reason(c) for c in known], []
        own = [c for c in known if c.tried and not c.general]
        found, records = self._together(at.mode, own)
        for cause in known:
            if cause.tried and cause.general and not any(r.helps for r in found.values()):
                more, compiled = self._compiled(at, cause)
                found |= more
                records += compiled
        return [found.get(c.id, Reason(c)) for c in known], records

    def _together(self, mode: str, wanted: Sequence[Cause]) -> tuple[dict[str, Reason], list[Record]]:
        """What remedies bring, each against the subject as it is, in the same blocks."""
        if not wanted:
            return {}, []
        for case in sorted((c for c in self.launches if c.mode == mode), key=lambda c: -c.T):
            block = (1 + len(wanted)) * (PROCESS + LAUNCHES * self.launches[case])
            if (fits := self._fits(GATE * len(wanted), block)) >= FEWEST:
                return self._blocks(case, wanted, fits)
        return {c.id: Reason(c, note="no time was left to try it; raise --budget") for c in wanted}, []

    def _compiled(self, at: Case, cause: Cause) -> tuple[dict[str, Reason], list[Record]]:
        """What torch.compile brings: of a sequence at few steps, because they are unrolled. On a GPU, what CUDA graphs bring."""
        case = at
        if at.device == "cuda":
            return self._together(at.mode, [replace(cause, tried="cudagraph")])
        if at.parsed.way.adapter == "sequence" and at.T > UNROLLED:
            if self.fixed:
                return {cause.id: Reason(cause, note="its length is fixed, and too long to be compiled here")}, []
            case = with_changes(at, T=UNROLLED)
        if self._fits(COMPILE, AGAIN) < FEWEST:
            return {cause.id: Reason(cause, note="no time was left to compile it; raise --budget")}, []
        return self._blocks(case, [cause], FEWEST)

    def _fits(self, first: float, block: float) -> int:
        """How many blocks of so many seconds fit into what is left after the first ones; PAIRS at most."""
        left = self.until - clock.monotonic() - first
        return next(k for k in range(PAIRS, -1, -1) if not k or k * block <= left)

    def _blocks(self, case: Case, wanted: Sequence[Cause], pairs: int) -> tuple[dict[str, Reason], list[Record]]:
        """Blocks of the subject as it is and with each remedy."""
        tried = {c.id: with_changes(case, subject=str(remedied(case.parsed, str(c.tried)))) for c in wanted}
        notes: dict[str, str] = {}
        for name, other in list(tried.items()):
            gate = self.session.gate(other)
            if gate.status != "ok":
                notes[name] = f"it could not be tried: {gate.reason}"
                del tried[name]
        sides = [case, *tried.values()]
        found: list[list[Record]] = [[] for _ in sides]
        order = random.Random(case.case_id)
        for k in range(pairs if tried else 0):
            if clock.monotonic() > self.until:
                break
            self.tell(f"remedies at T={case.T}, {k + 1} of {pairs}")
            for place, record in blocks.block(self.session, sides, FIRST_REPEAT + k, ("latency",), order):
                found[place].append(record)
        rows = {
            name: judge(case, other, found[0], mine, "latency", 0.0)
            for (name, other), mine in zip(tried.items(), found[1:], strict=True)
            if mine
        }
        by_name = {c.id: Reason(c, rows.get(c.id), notes.get(c.id)) for c in wanted}
        return by_name, [r for side in found for r in side]


def remedied(subject: Subject, tried: str) -> Subject:
    """A foreign subject with a remedy, or on the backend of that name."""
    if tried in ("compiled", "cudagraph"):
        return replace(subject.plain, backend=tried)
    return replace(subject.plain, how=subject.plain.how | {"remedy": tried})
