"""The order in which a profile measures, so that its budget ends in verdicts: five pairs of what matters most, then more lengths.

A block has one fresh process per subject. What the next blocks cost is forecast from those so far, again after every one.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

OVERHEAD = 0.5  # seconds of a process beside its launches: fork, module, input
GATE, MOST = 2.5, 8.0  # seconds of a baseline's gate, before one was measured, and at most
MEMORY = 4  # launches' time of the process that measures peak memory: two, with memory that is given back each time
STEEP = 2.0  # scaling exponent of a launch, before two lengths were measured
TRIAL = 0.15  # share of what is left for a baseline's first process at a point, to learn what it costs
MARGIN = 0.25  # added to a measured exponent: caches that overflow and quadratic terms make it grow with T


class Point(NamedTuple):
    """A mode and a number of time steps."""

    mode: str
    T: int


class Missing(NamedTuple):
    """A point with fewer pairs than asked for: how many there are with each baseline, and forecast seconds of the rest."""

    point: Point
    pairs: dict[str, int]
    seconds: float


def points(modes: Sequence[str], lengths: Sequence[int]) -> list[Point]:
    """Modes and lengths in order of importance: each mode's shortest and longest length, then those between."""
    between = sorted(set(lengths))
    ends = list(dict.fromkeys([between[0], between[-1]]))
    return [Point(mode, T) for mode in modes for T in [*ends, *between[1:-1]]]


@dataclass
class Schedule:
    """The blocks of a profile, one after the other. `budget` is in seconds, None for no limit.

    Each point in `points`, the most important first, gets `pairs` blocks if all of them fit into what is left, with more
    than the first baseline if they fit, too. With `named` points, each is measured
    once whatever it costs. Lengths beyond one at which the subject failed are not tried. A launch over `slow` seconds is
    sampled once in a process.
    """

    subject: str
    baselines: list[str]
    points: list[Point]
    pairs: int = 5
    budget: float | None = None
    named: bool = False
    slow: float = 0.5
    steep: float = STEEP
    launches: dict[tuple[str, Point], float] = field(default_factory=dict)
    gates: dict[tuple[str, Point], float] = field(default_factory=dict)
    blocks: dict[Point, list[tuple[frozenset[str], float]]] = field(default_factory=dict)
    failed: set[tuple[str, Point]] = field(default_factory=set)

    def next(self, spent: float) -> tuple[Point, list[str]] | None:
        """The next block: its point and subjects, given the seconds spent; None when nothing more fits."""
        for point in self.points if self.named else self.points[:1]:
            if point not in self.blocks and (subjects := self._subjects(point)):
                return point, subjects
        chosen = self.chosen(spent)
        if not chosen:
            return None
        point = min(chosen, key=lambda p: len(self.blocks.get(p, [])))
        every = self._subjects(point)
        dear = self._rest(point, every, 1) - self._rest(point, chosen[point], 1)
        if point not in self.blocks and self.budget is not None and dear <= TRIAL * (self.budget - spent):
            return point, every
        return point, chosen[point]

    def chosen(self, spent: float) -> dict[Point, list[str]]:
        """The points that still need blocks and can have all of them within the budget, with their subjects.

        First come all points with one baseline, then the other baselines.
        """
        left, found = math.inf if self.budget is None else self.budget - spent, dict[Point, list[str]]()
        for alone in (True, False):
            for point in self.points:
                subjects = self._subjects(point, alone)
                if not subjects or not self.missing(point, subjects):
                    continue
                cost = self._rest(point, subjects) - (self._rest(point, found[point]) if point in found else 0.0)
                if cost <= left or (point not in found and self._worth_a_trial(point, subjects, left)):
                    found[point], left = subjects, left - cost
        return found

    def allowance(self, spent: float, point: Point) -> float:
        """The seconds that the next block, at this point, may take at most.

        Where its cost is not known, that is what the other points do not need; no limit for a point that was named.
        """
        new = point not in self.blocks
        if self.budget is None or (new and self.named):
            return math.inf
        others = [(p, s) for p, s in self.chosen(spent).items() if p != point] if new and self.launches else []
        return self.budget - spent - sum(self._rest(p, s) for p, s in others)

    def _worth_a_trial(self, point: Point, subjects: list[str], left: float) -> bool:
        """Whether one block fits in any case, and all of them do if the time grows no faster than T."""
        hopeful = replace(self, steep=1.0)
        return point not in self.blocks and self._rest(point, subjects, 1) <= left >= hopeful._rest(point, subjects)

    def add(
        self, point: Point, seconds: float, launches: Mapping[str, float | None], gates: Mapping[str, float]
    ) -> None:
        """Learn from a block: its seconds without gates, each subject's seconds a launch (None: it failed), and its gates."""
        self.blocks.setdefault(point, []).append((frozenset(launches), seconds))
        self.gates |= {(s, point): g for s, g in gates.items()}
        for subject, launch in launches.items():
            if launch is None:
                self.failed.add((subject, point))
            else:
                self.launches[subject, point] = launch

    def todo(self, spent: float) -> int:
        """How many more blocks are planned."""
        return sum(self.missing(p, subjects) for p, subjects in self.chosen(spent).items())

    def missing(self, point: Point, subjects: Sequence[str]) -> int:
        """How many pairs with every one of these baselines are still to be measured."""
        seen = [s for s, _ in self.blocks.get(point, [])]
        counts = [sum(b in s for s in seen) for b in subjects[1:]] or [len(seen)]
        return max(0, self.pairs - min(counts))

    def left_out(self) -> Iterator[Missing]:
        """The points that have not all their pairs, and what the rest would cost; not what failed."""
        for point in self.points:
            there = self._subjects(point)[1:]
            needs = {b: self.missing(point, [self.subject, b]) for b in there}
            subjects = [self.subject, *(b for b, need in needs.items() if need)]
            if len(subjects) > 1:
                yield Missing(point, {b: self.pairs - needs[b] for b in subjects[1:]}, self._rest(point, subjects))

    def _subjects(self, point: Point, alone: bool = False) -> list[str]:
        """The subject and the baselines that did not fail at a point, or only the first of them; none if it failed."""
        there = [b for b in self.baselines if (b, point) not in self.failed]
        stopped = any(s == self.subject and p.mode == point.mode and p.T <= point.T for s, p in self.failed)
        if stopped or (self.baselines and not there):
            return []
        return [self.subject, *(there[:1] if alone else there)]

    def _rest(self, point: Point, subjects: Sequence[str], most: int | None = None) -> float:
        """Forecast seconds of the blocks that a point still needs, or of the next few of them."""
        need = min(self.missing(point, subjects), most or self.pairs)
        return need * self.block(point, subjects) + self.first(point, subjects) if need else 0.0

    def block(self, point: Point, subjects: Sequence[str]) -> float:
        """Forecast seconds of one block: the mean of those measured after the first, or the sum over its processes."""
        like = [t for s, t in self.blocks.get(point, [])[1:] if s == frozenset(subjects)]
        return sum(like) / len(like) if like else sum(self.process(s, point) for s in subjects)

    def process(self, subject: str, point: Point) -> float:
        """Forecast seconds of a process. A slow launch is made twice; a baseline's output is checked by a third."""
        launch = self.launch(subject, point)
        if launch > self.slow:
            return OVERHEAD + (2 if subject == self.subject else 3) * launch
        return OVERHEAD + 5 * launch + max(3 * launch, 0.2)

    def first(self, point: Point, subjects: Sequence[str]) -> float:
        """Forecast seconds that only the first block at a point takes: gates, and a process for memory each."""
        if point in self.blocks:
            return 0.0
        return sum(self._gate(s, point) + MEMORY * self.launch(s, point) for s in subjects)

    def _gate(self, subject: str, point: Point) -> float:
        """A gate's seconds. That of a baseline is like the cheapest one so far: the first may have compiled its kernels."""
        if subject == self.subject:
            return OVERHEAD + 4 * self.launch(subject, point)
        known = [g * max(1.0, point.T / p.T) ** 0.5 for (s, p), g in self.gates.items() if s == subject]
        like = min(known, default=GATE)
        return max(min(like, MOST), 3 * self.launch(subject, point))

    def launch(self, subject: str, point: Point) -> float:
        """Seconds of one launch: measured, or forecast by a power law; 0 where nothing is known."""
        if (subject, point) in self.launches:
            return self.launches[subject, point]
        modes = [point.mode, *(p.mode for _, p in self.launches)]
        every = ({p.T: t for (s, p), t in self.launches.items() if s == subject and p.mode == m} for m in modes)
        known = next(filter(None, every), {})
        return _power_law(known, point.T, self.steep) if known else 0.0


def _power_law(known: Mapping[int, float], T: int, exponent: float) -> float:
    """The time at T from those at other lengths, rather too long than too short."""
    if T in known:
        return known[T]
    shorter, longer = [t for t in sorted(known) if t < T], [t for t in sorted(known) if t > T]
    if longer:
        return known[longer[0]] * T / longer[0]
    if len(shorter) > 1:
        a, b = shorter[-2:]
        exponent = max(1.0, math.log(known[b] / known[a]) / math.log(b / a)) + MARGIN
    return known[shorter[-1]] * (T / shorter[-1]) ** exponent
