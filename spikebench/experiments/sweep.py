"""`sb.sweep` gives the cases that a person means: a named sweep, a part of it, or a grid of subjects and sizes."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from spikebench.cases import sweeps
from spikebench.cases.alike import alike
from spikebench.cases.arguments import asked, check_fields
from spikebench.cases.case import Case, grid
from spikebench.cases.named import ALONE, parse_network
from spikebench.cases.subject import parse_subject, there
from spikebench.errors import Problem

SCHEMES_NETWORK = "shd"
AXES = ("T", "B", "N", "mode")

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Grid:
    """What is said of cases: the axes of a grid, each with its values, and fields that all its cases have.

    None says nothing of a field. A network implies its workload.
    """

    T: Sequence[int] | None = None
    B: Sequence[int] | None = None
    N: Sequence[int] | None = None
    mode: Sequence[str] | None = None
    workload: str | None = None
    dtype: str | None = None
    device: str | None = None
    seed: int | None = None
    rate: float | None = None
    network: str | None = None
    task: str | None = None
    bias: float | None = None
    allocator: str | None = None
    autocast: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if empty := [k for k in AXES if getattr(self, k) is not None and not getattr(self, k)]:
            raise Problem(f"{empty[0]}={getattr(self, empty[0])} names nothing; give a value, or leave it out")
        if self.network is not None and self.workload is None:
            name = parse_network(self.network).name
            object.__setattr__(self, "workload", name if name in ALONE else "network")  # while it is made

    @staticmethod
    def of(given: Mapping[str, Any]) -> "Grid":
        """A grid from keywords, whose axes may have one value or several; Problem for a field that no case has."""
        known = [f.name for f in fields(Grid)]
        if unknown := [k for k in given if k not in known]:
            raise Problem(f"a case has no field {unknown[0]!r}; there are {', '.join(known)}")
        single = {k: [given[k]] for k in AXES if isinstance(given.get(k), int | str)}
        return Grid(**{**given, **single})

    @property
    def said(self) -> Mapping[str, Any]:
        """The fields of which something is said."""
        return {k: v for k, v in vars(self).items() if v is not None}

    def over(self, usual: "Grid") -> "Grid":
        """This grid, and what another one says where this one says nothing."""
        return replace(usual, **self.said)

    def cases(self, subjects: Sequence[str]) -> list[Case]:
        """The cases of subjects; of what nothing is said is as `sb.grid` has it."""
        return measurable(grid(subjects, **self.said))


def measurable(cases: Sequence[Case]) -> list[Case]:
    """The cases, if there are any, none of them twice, and each with the file that its subject names. Problem if not."""
    if not cases:
        raise Problem("there is no case; name a subject, or a sweep")
    seen = set[str]()
    for case in cases:
        there(case.parsed)
        if case.case_id in seen:
            raise Problem(f"{case.subject} T={case.T} is there twice; leave one out, or take repeats=2")
        seen.add(case.case_id)
    return list(cases)


def as_they_can_be(subjects: Sequence[str], device: str | None = None, warn: Warn | None = None) -> list[str]:
    """The subjects, those of one neuron with options that all of them can have; `warn` is told what was chosen.

    Raises Problem for a subject whose file is not there.
    """
    found = alike(subjects, device or "cpu")
    for subject in found.subjects:
        there(parse_subject(subject, device or "cpu"))
    if found.said:
        (warn or warnings.warn)(found.said)
    return found.subjects


@asked
def sweep(name: str, *subjects: str, **fields: Any) -> list[Case]:
    """The cases of a named sweep (`sb.list("sweeps")` has the names), all or only those of the subjects that are named.

    `fields` are those of a Case. T, B, N and mode, one value or several, make a new grid of the sweep's subjects; every
    other field replaces that of the sweep's cases. Raises Problem for a sweep or a subject that is not there.
    """
    return changed(name, subjects, Grid.of(fields))


def changed(name: str, subjects: Sequence[str], asked: Grid) -> list[Case]:
    """The cases of a named sweep, of some of its subjects where any are named, with what is asked of them."""
    cases = sweeps.sweep(name)
    if subjects:
        wanted = {str(parse_subject(s, asked.device or cases[0].device)) for s in subjects}
        missing = wanted - {c.subject for c in cases}
        if missing:
            there = ", ".join(dict.fromkeys(c.subject for c in cases))
            raise Problem(f"sweep {name} has no {', '.join(sorted(missing))}; there are {there}")
        cases = [c for c in cases if c.subject in wanted]
    if asked.said.keys().isdisjoint(AXES):
        return [Case.from_json({**c.to_json(), **asked.said}) for c in cases] if asked.said else cases
    first = cases[0]
    usual = Grid(T=list(dict.fromkeys(c.T for c in cases)), B=[first.B], N=[first.N], mode=[first.mode])
    return asked.over(usual).cases(list(dict.fromkeys(c.subject for c in cases)))


def points(subjects: Sequence[str], asked: Grid) -> list[Case]:
    """The grid of cases of subjects; T and B are those that a network was published with, else 128 and 32.

    Schemes train a network, SCHEMES_NETWORK if nothing else is named.
    """
    if asked.workload is None and all(parse_subject(s, asked.device or "cpu").scheme for s in subjects):
        asked = replace(asked, network=SCHEMES_NETWORK)
    named = asked.network or (asked.workload if asked.workload in ALONE else None)
    network = parse_network(named) if named else None
    width = network.sizes.get("width") if network else None
    if network and width and asked.N is not None and list(asked.N) != [width]:
        sizes = ", ".join(map(str, asked.N))
        raise Problem(f"N={sizes}: {network} is {width} wide; leave N out, or write {network.name}[width={sizes}]")
    published = network.published if network else None
    T, B = (published.T, published.B) if published else (128, 32)
    return asked.over(Grid(T=[T], B=[B], N=[512], mode=["train"])).cases(subjects)
