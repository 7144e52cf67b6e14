"""Whether what a process kept of its timed launches is what its parent drew and was told while it timed them."""

from collections.abc import Sequence
from itertools import pairwise

import torch

from spikebench.run.protocol import Drawn
from spikebench.verify.evidence import Choice, Event, Evidence, Kept, call_number, compared_of

SLOW, TIMES = 0.25, 5  # what comes before a sample takes less than SLOW seconds and TIMES as long as the sample
MOST = 2**16  # launches on one input
LATE = 0.02  # seconds after which the parent hears of a sample at the latest, but for as long as the sample took
STALL, FEW = 0.1, 4  # seconds that a virtual machine may stand still; samples from which on one of four is forgiven
NOTHING = "of a timed launch nothing was kept"
READINGS = "the clock's readings are not those that the parent was told"
OTHER = "what was kept of the timed launches is not what it was when the clock had stopped"


def events_of(draws: Sequence[Drawn]) -> list[Event]:
    """What the parent was told of its process's clock, at once after each sample."""
    return [Event(str(d.event[0]), *map(int, d.event[1:])) for d in draws if d.what == "launch" and d.event]


def forged(evidence: Evidence, draws: Sequence[Drawn], choice: Choice) -> str | None:
    """Why the evidence is not that of the timed launches; None if it is.

    Inputs are named by the seeds that the parent drew, series by those that it drew after each launch, and of everything that
    was copied it knows the digest.
    """
    if evidence.compared and (wrong := _kept(evidence, draws, choice)):
        return wrong
    if events_of(draws) != evidence.events:
        return READINGS
    return None


def _kept(evidence: Evidence, draws: Sequence[Drawn], choice: Choice) -> str | None:
    seeds, launch, left, due = ["", ""], Drawn(""), list(evidence.kept), list[int]()
    for drawn in [*draws, Drawn("end")]:
        if drawn.what == "kept":
            if not left or not launch.what:
                return OTHER
            kept = left.pop(0)
            place = due.pop(0) if due else _group(launch) - 1 if kept.whole else -1
            if not _is(kept, drawn, launch, place, seeds, choice):
                return OTHER
            continue
        if due:
            return NOTHING
        if drawn.what in ("sample", "input"):
            seeds[0] = drawn.seed
        elif drawn.what == "gradient":
            seeds[1] = drawn.seed
        launch = drawn if drawn.what == "launch" else Drawn("")
        due = compared_of(launch.seed, _group(launch)) if launch.what and not choice.skips(launch.seed) else []
    return OTHER if left else None


def _group(launch: Drawn) -> int:
    """How many launches a sample had, as the parent was told with what the clock read."""
    return int(launch.event[1]) if launch.event else 1


def _is(kept: Kept, told: Drawn, launch: Drawn, place: int, seeds: Sequence[str], choice: Choice) -> bool:
    """Whether what was kept of a launch, the one at this place of its sample, is what was drawn of it, on the input that was drawn for it."""
    count, sampled = choice.batch * choice.width, launch.event is not None
    many = len(compared_of(launch.seed, _group(launch)))
    index = torch.arange(count) if kept.whole else choice.index(launch.seed, sampled, many)
    named = kept.seed == seeds[0] and (kept.gradient is None or kept.gradient_seed == seeds[1])
    call = kept.call - call_number(kept.seed)
    called = call == place if sampled else 0 <= call < MOST
    return named and called and torch.equal(kept.index.cpu(), index) and kept.digest == told.digest


def slowed(draws: Sequence[Drawn], marks: Sequence[Sequence[float]]) -> str | None:
    """Why a process's clock ran too slowly for what its parent's own clock said; None if it did not.

    Between the word to go on and the end of the sample there are the writing of an input and a few launches. So only a
    clock that lies about launches of more than some hundredths of a second can be told. Half of the samples are forgiven,
    because the machine may have been busy.
    """
    ends = [(d.at, d.event) for d in draws if d.what == "launch" and d.event]
    if not ends or len(ends) + 1 != len(marks):
        return None
    spans = [(at - mark[1], (event[3] - event[2]) * 1e-9) for (at, event), mark in zip(ends, marks, strict=False)]
    parent, own = sorted(spans, key=lambda s: s[0] - s[1])[(len(spans) - 1) // 2]
    if parent - own > SLOW + TIMES * own:
        return f"a sample took {own:.3g} s by the clock of its process, and {parent:.3g} s by that of the parent"
    return None


def late(draws: Sequence[Drawn]) -> str | None:
    """Why a process worked on when its clock had stopped; None if it did not.

    Both clocks are that of the system. Between the end of a sample and the word of it lie a comparison of names and a copy
    of what is small. What process and parent waited for a core since the process was heard before does not count, and three
    of four samples are forgiven: the machine may have been busy.
    """
    told = [
        (b, d, d.event[3] * 1e-9, (d.event[3] - d.event[2]) * 1e-9)
        for b, d in pairwise(draws)
        if d.event and d.what == "launch"
    ]
    if not told or min(d.at - end for _, d, end, _ in told) < -LATE:  # another clock
        return None
    waited = sorted((d.at - end - max(0.0, d.held_up - before.held_up), own) for before, d, end, own in told)
    after, own = waited[len(waited) // 4]
    if after > LATE + own + (STALL if len(told) < FEW else 0.0):
        return f"a sample took {own:.3g} s, and the process worked on for {after:.3g} s before it said so"
    return None
