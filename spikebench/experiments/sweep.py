"""`sb.sweep` gives the cases that a person means: a named sweep, a part of it, or a grid of subjects and sizes."""

from collections.abc import Mapping, Sequence
from typing import Any

from spikebench.cases import sweeps
from spikebench.cases.case import Case, grid
from spikebench.cases.named import parse_network
from spikebench.cases.point import ARGUMENTS
from spikebench.cases.subject import parse_subject
from spikebench.errors import Problem

AXES = ("T", "B", "N", "mode")


def sweep(name: str, *subjects: str, **fields: Any) -> list[Case]:
    """The cases of a named sweep (`sb.list("sweeps")` has the names), all or only those of the subjects that are named.

    `fields` are those of a Case. T, B, N and mode, one value or several, make a new grid of the sweep's subjects; every
    other field replaces that of the sweep's cases. Raises Problem for a sweep or a subject that is not there.
    """
    axes, fixed = split(fields)
    cases = sweeps.sweep(name)
    if subjects:
        wanted = {str(parse_subject(s)) for s in subjects}
        missing = wanted - {c.subject for c in cases}
        if missing:
            there = ", ".join(dict.fromkeys(c.subject for c in cases))
            raise Problem(f"sweep {name} has no {', '.join(sorted(missing))}; there are {there}")
        cases = [c for c in cases if c.subject in wanted]
    if not axes:
        return [Case.from_json({**c.to_json(), **fixed}) for c in cases] if fixed else cases
    first = cases[0]
    usual = {"T": list(dict.fromkeys(c.T for c in cases)), "B": [first.B], "N": [first.N], "mode": [first.mode]}
    return grid(list(dict.fromkeys(c.subject for c in cases)), **(usual | axes), **fixed)


def points(subjects: Sequence[str], **fields: Any) -> list[Case]:
    """The grid of cases of subjects. T, B, N and mode may have several values; a network has a published T and B of its own.

    A `network` implies its workload.
    """
    axes, fixed = split(fields)
    named = fixed.get("network") or ("projection" if fixed.get("workload") == "projection" else None)
    published = parse_network(named).facts if named else {"T": 128, "B": 32}
    usual = {"T": [published["T"]], "B": [published["B"]], "N": [512], "mode": ["train"]}
    return grid(subjects, **(usual | axes), **fixed)


def split(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The axes of a grid, each a list, and the other fields of its cases, with the workload that a network implies."""
    known = ARGUMENTS
    if unknown := [k for k in given if k not in known]:
        raise Problem(f"a case has no field {unknown[0]!r}; there are {', '.join(known)}")
    there = {k: v for k, v in given.items() if v is not None}
    axes = {k: _several(there.pop(k)) for k in AXES if k in there}
    if "network" in there and "workload" not in there:
        there["workload"] = "projection" if parse_network(there["network"]).name == "projection" else "network"
    return axes, there


def _several(value: Any) -> list[Any]:
    return [value] if isinstance(value, int | str) else list(value)
