"""A sweep in parts: each shard has some of its cases, for a job array or for several machines without a scheduler.

Cases that differ in nothing but the subject and the seed are what ratios are taken of. They stay in one shard, and so on
one device. Every shard works out the whole division by itself, from the same cases and the same settings.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spikebench.cases.case import Case
from spikebench.errors import Problem
from spikebench.run import forecast
from spikebench.run.settings import Settings

MOST = 10_000
_OWN = ("subject", "neuron", "backend", "options", "backend_options", "seed")


@dataclass(frozen=True)
class Shard:
    """Part `number` of `of`, from 1. `str` is "2/8"; `Shard.read` takes that."""

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of <= MOST:
            raise Problem(f"{self} is no shard; write 1/8 to 8/8 for the parts of a sweep in 8, at most {MOST}")

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @staticmethod
    def read(text: str) -> "Shard":
        """A shard from "2/8"."""
        if not (found := re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)):
            raise Problem(f"{text[:80]!r} is no shard; write 2/8 for the second part of 8")
        return Shard(int(found[1]), int(found[2]))

    def file(self, path: Path) -> Path:
        """The file of this shard, where that of the whole sweep would be `path`: quick.2-of-8.jsonl."""
        return path.with_name(f"{path.stem}.{self.number}-of-{self.of}{path.suffix}")

    def part(self, cases: Sequence[Case], settings: Settings, beside: float = 0.0) -> tuple[list[Case], bool]:
        """The cases of this shard in their order, and whether it has what goes with the sweep, which takes `beside` seconds.

        The longest group of cases goes to the shard with the least to do, then the next one. Raises Problem where there
        are fewer groups than shards.
        """
        groups: dict[tuple[tuple[str, object], ...], list[Case]] = {}
        for case in cases:
            groups.setdefault(_point(case), []).append(case)
        work = [(_seconds(group, settings), group) for group in groups.values()]
        work += [(beside, list[Case]())] if beside else []
        if len(work) < self.of:
            parts = "part" if len(work) == 1 else "parts"
            raise Problem(
                f"shard {self}: these cases make {len(work)} {parts}, since ratios stay in one; take fewer shards"
            )
        load, mine = [0.0] * self.of, list[list[Case]]()
        for seconds, group in sorted(work, key=lambda each: -each[0]):
            least = load.index(min(load))
            load[least] += seconds
            mine += [group] if least == self.number - 1 else []
        chosen = {id(case) for group in mine for case in group}
        return [case for case in cases if id(case) in chosen], [] in mine


def _point(case: Case) -> tuple[tuple[str, object], ...]:
    """The fields that are equal in all cases whose times are divided by each other."""
    return tuple((k, v) for k, v in case.to_json().items() if k not in _OWN)


def _seconds(group: Sequence[Case], settings: Settings) -> float:
    seen, found = set[str](), 0.0
    for case in group:
        found += forecast.seconds(case, settings, case.gated.case_id not in seen)
        seen.add(case.gated.case_id)
    return found
