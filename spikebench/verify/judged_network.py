"""Compares what was kept of a network's timed launches: layers with the definition, and launches with themselves done again."""

from collections.abc import Sequence

import torch

from spikebench.cases.case import Case
from spikebench.run.protocol import Drawn
from spikebench.verify import inside
from spikebench.verify.as_drawn import OTHER, events_of
from spikebench.verify.evidence import Again, Evidence, chosen
from spikebench.verify.gate import computed_in, tolerance
from spikebench.verify.judged import Judged
from spikebench.verify.reference import relative_error


def forged(evidence: Evidence, draws: Sequence[Drawn]) -> str | None:
    """Why the evidence is not that of the timed launches, or not of those that the parent chose; None if it is.

    At the end of a metric the parent chooses an order of its launches, of which the first ones are done again.
    """
    if events_of(draws) != evidence.events:
        return "the clock's readings are not those that the parent was told"
    told, begun, expected = list[str](), 0, list[Again]()
    for drawn in draws:
        if drawn.what == "kept":
            told.append(drawn.digest)
        elif drawn.what == "chosen" and len(told) > begun:
            order = [begun + place for place in chosen(drawn.seed, len(told) - begun)]
            mine = [again for again in evidence.again if begun <= again.launch < len(told)]
            if not mine or [again.launch for again in mine] != order[: len(mine)]:
                return OTHER
            expected, begun = [*expected, *mine], len(told)
    same = len(expected) == len(evidence.again) and all(again.digest == told[again.launch] for again in expected)
    return None if same else OTHER


def judged(case: Case, evidence: Evidence) -> Judged:
    """Whether the launches are right, and how much of how many was compared. Where nothing was timed, nothing is."""
    if evidence.wrong or not evidence.seeds:
        return Judged(evidence.wrong)
    if not evidence.again:
        return Judged("no timed launch was done again")
    wrong = next((w for again in evidence.again if (w := differs(case, again))), None)
    found = inside.compared(case, evidence.layers) if wrong is None else Judged(wrong)
    return Judged(found.wrong, len(evidence.again), found.series, found.differing, found.gradient_error)


def differs(case: Case, again: Again) -> str | None:
    """Why a timed launch is not what it was when it was done again, or its layers do not explain it; None if all is well.

    The sums are the same and may be taken in another order: what that rounds grows with the square root of their length.
    Where launches that are done again differ among themselves (atomic sums on a GPU), eight times as much is allowed.
    """
    for name, mine, want, spread in zip(again.names, again.timed, again.again, again.spread, strict=False):
        error, largest = float(relative_error(mine.double(), want.double())), float(want.abs().max())
        limit = max(allowed(case, again.length), 8 * spread / largest if largest else 0.0)
        if not error <= limit:
            return f"{name} of a timed launch is off by {error:.2g} of its largest when it is done again (limit {limit:.2g})"
    return unexplained(case, again.errors, again.length)


def unexplained(case: Case, errors: list[tuple[str, float]], length: int) -> str | None:
    """The first error of a launch without the subject that rounding does not explain."""
    limit = allowed(case, length)
    bad = next(((name, e) for name, e in errors if not e <= limit), None)
    return (
        bad
        and f"{bad[0]} is off by {bad[1]:.2g} of what the spikes and gradients of the layers give (limit {limit:.2g})"
    )


def allowed(case: Case, length: int) -> float:
    """How far sums of so many products may differ, relative to the largest."""
    dtype: torch.dtype = computed_in(case)
    return tolerance(dtype, 1.0) * max(1.0, (length / 1e4) ** 0.5)
