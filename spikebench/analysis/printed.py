"""The rows that `compare`, `diff` and `reproduce` print as JSON and `show` as a table, with the type of each entry."""

import math
from collections.abc import Mapping
from typing import TypedDict

Cells = dict[str, str | int | float | None]
"""A row of a table: the heading of each column and what stands below it."""


class ComparisonRow(TypedDict, total=False):
    """A subject against a baseline at one case; a row of `diff` has no `median`."""

    subject: str
    baseline: str
    case: Mapping[str, object]
    metric: str
    ratio: float | None
    low: float | None
    high: float | None
    n: int
    verdict: str | None
    status: str
    reason: str | None
    median: float | None
    median_low: float | None
    median_high: float | None
    p: float | None
    q: float | None
    over_cases: Mapping[str, float | None] | None


class Measured(TypedDict):
    """A ratio with its interval and its number of pairs."""

    measured: float | None
    low: float | None
    high: float | None
    n: int


class FactorRow(TypedDict, total=False):
    """One subject against another; `name` says which strong baseline it is. Empty where there is none."""

    baseline: str
    subject: str
    measured: float | None
    low: float | None
    high: float | None
    n: int
    name: str


Beside = TypedDict("Beside", {"fair": FactorRow})  # noqa: UP013  # the strong baseline, under the key that it has always had


class ResultRow(Measured, Beside):
    """One planned comparison of a claim."""

    baseline: str
    subject: str
    metric: str
    case: Mapping[str, object]
    claimed: str | None
    points: bool
    factors: list[FactorRow]
    medians: Mapping[str, float]
    met: str
    differs: str
    reason: str | None


class AssessmentRow(Measured, Beside):
    """A claim with its verdict, the planned comparisons below it, and how its subjects scale with T."""

    claim: str
    claimed: str
    verdict: str
    setting: str | None
    reason: str
    machine: str | None
    origin: str | None
    points: list[ResultRow]
    growth: list[Cells]


def finite(number: float | None) -> float | None:
    """The number, or None for one that JSON cannot hold."""
    return number if number is not None and math.isfinite(number) else None
