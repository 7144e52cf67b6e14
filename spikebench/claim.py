"""A claim is what a paper says, with the cases that decide it. It is data: `analysis/assessment.py` says what records mean for it."""

import importlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

from spikebench import registry
from spikebench.cases.case import Case, Training, with_changes
from spikebench.cases.subject import parse_subject
from spikebench.errors import Problem
from spikebench.records.record import FEWEST

Read = Literal["primary", "secondary", "code"]


@dataclass(frozen=True)
class Number:
    """A published ratio ("10x", "3-4x") or difference ("5.8 points"), as it is printed. `exact` is the number it was rounded from, if known."""

    text: str
    exact: float | None = None

    @property
    def value(self) -> float:
        """The number; of a range its lower end."""
        return self.exact if self.exact is not None else float(self._digits)

    @property
    def least(self) -> float:
        """The number rounded down to the precision it is printed with: what an interval's lower end must reach."""
        scale = 10.0 ** len(self._digits.partition(".")[2])
        return math.floor(self.value * scale + 1e-9) / scale

    @property
    def _digits(self) -> str:
        found = re.search(r"\d[\d,]*(?:\.\d+)?", self.text)
        if found is None:
            raise Problem(f"no number in {self.text!r}; write a published ratio as printed, like 3.5x")
        return found[0].replace(",", "")


@dataclass(frozen=True)
class PlannedComparison:
    """Subjects that are to be compared in pairs at one case, fixed before anything is measured; the case's own subject does not matter.

    A subject may be written `@fused`, which means our kernel on the device of the case. The figure is the time of the
    baseline over that of the candidate; where `more` of the metric is better it is candidate over baseline. Above 1 the
    candidate wins. With `points` the metric is a share, and the figure is candidate − baseline in percentage points.
    `strong` is a second pair, baseline and candidate, of the strongest subjects that there are; `strong_name` says which
    kind of pair it is. `steps` lead from the baseline to the candidate, and each gives a factor of its own. `beside`
    names further subjects of the same blocks, which another claim uses. `pairs` is how often the comparison is
    repeated. The `slow` subjects take part in the first `slow_pairs` of them only, and no verdict rests on them.
    `met` says what is as published and `differs` what is not. `scaled`: the published sizes or data are out of reach.
    """

    case: Case
    baseline: str
    candidate: str
    strong: tuple[str, str] | None = None
    steps: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    pairs: int = FEWEST
    slow: tuple[str, ...] = ()
    slow_pairs: int = 2
    metric: str = "latency"
    more: bool = False
    points: bool = False
    claimed: Number | None = None
    scaled: bool = False
    met: str = ""
    differs: str = ""

    def __post_init__(self) -> None:
        def named(subject: str) -> str:
            return str(parse_subject(subject, self.case.device))

        for part in ("baseline", "candidate"):
            object.__setattr__(self, part, named(getattr(self, part)))
        for part in ("strong", "steps", "beside", "slow"):
            value = getattr(self, part)
            object.__setattr__(self, part, None if value is None else tuple(map(named, value)))

    @property
    def subjects(self) -> list[str]:
        """Every subject once."""
        return list(dict.fromkeys([self.baseline, *self.steps, self.candidate, *(self.strong or ()), *self.beside]))

    @property
    def strong_name(self) -> str:
        """What the strong pair is called: a strong baseline if both are our fused kernels, else only the best of each today."""
        fused = [registry.alias(parse_subject(s).backend) == "fused" for s in self.strong or ()]
        return "strong baseline" if fused and all(fused) else "best of each today"

    def cases(self, block: int = 0, subjects: list[str] | None = None) -> list[Case]:
        """What one block measures; the blocks of a training are its seeds."""
        seed = block if isinstance(self.case, Training) else self.case.seed
        named = self.subjects if subjects is None else subjects
        return [_varied(self.case, s, seed) for s in named]

    def stages(self) -> list[tuple[list[str], int]]:
        """Which subjects are measured in how many blocks: all of them in the first few, then those that are not slow."""
        if not self.slow:
            return [(self.subjects, self.pairs)]
        rest = [s for s in self.subjects if s not in self.slow]
        return [(self.subjects, self.slow_pairs), (rest, self.pairs)]


@lru_cache(maxsize=4096)
def _varied(case: Case, subject: str, seed: int) -> Case:
    return with_changes(case, subject=subject, seed=seed)  # checked against what there is, which takes a while


@dataclass(frozen=True)
class Statement:
    """A claim without a ratio: a number is at most, or at least, so much in every one of the cases.

    The number is `detail` in the detail of a metric's measurement. `given` names a second entry that must be true there,
    without which the number means nothing.
    """

    measured: tuple[Case, ...]
    metric: str
    detail: str
    at_most: float | None = None
    at_least: float | None = None
    given: str | None = None
    scaled: bool = False
    met: str = ""
    differs: str = ""

    def cases(self, block: int = 0) -> list[Case]:
        return list(self.measured)

    def holds(self, value: float) -> bool:
        """Whether one number is as stated."""
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)


Question = PlannedComparison | Statement


@dataclass(frozen=True)
class Claim:
    """What a paper says, word for word where it was read, and what decides it, most important first.

    `known` says whether the published setting is known so well that a claim can fail in it. `device` is the kind of
    device on which it was timed. `scaled` holds the questions that a CPU can answer and `full` those that take a GPU; a
    claim with neither says in `absent` what is missing. `caveat` says what is uncertain about the source. `budget` is in
    seconds and bounds the scaled run: after it no block is begun but the first five of the first question, or of every
    question where the claim is asked for alone. Claims with a larger `value` are measured first.
    """

    paper: str
    sentence: str
    where: str
    read: Read
    claimed: Number | None
    setting: str
    known: bool
    hardware: str
    timed: str
    scaled: tuple[Question, ...] = ()
    full: tuple[Question, ...] = ()
    figure: str = ""
    caveat: str = ""
    device: Literal["cpu", "cuda", "any"] = "cuda"
    absent: str = ""
    budget: float = 60.0
    value: int = 0

    @property
    def text(self) -> str:
        """The published figure as printed, or that it is a statement."""
        return self.claimed.text if self.claimed else "exact"

    def facts(self) -> dict[str, object]:
        """What was read, as JSON."""
        names = "device read known absent paper sentence where setting hardware timed figure caveat".split()
        return {"claimed": self.text, **{k: getattr(self, k) for k in names}}

    def questions(self, full: bool) -> tuple[Question, ...]:
        """What a run asks; a claim that needs no GPU has one list for both."""
        return self.full if full and self.full else self.scaled


def load(name: str) -> Claim:
    """The claim with an id."""
    return cast(Claim, importlib.import_module(f"spikebench.claims.{registry.find('claims', name)}").CLAIM)


def every() -> Iterator[tuple[str, Claim]]:
    """All claims with their ids, the most valuable first."""
    found = [(name, load(name)) for name in registry.names("claims")]
    yield from sorted(found, key=lambda pair: (-pair[1].value, pair[0]))
