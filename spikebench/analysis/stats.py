"""Statistics over processes: medians, ratios with intervals, verdicts, corrections for many cases, fits of scaling with T.

Samples of one process share its luck, so an interval is over processes, never over samples.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

Verdict = Literal["faster", "slower", "same", "inconclusive"]
BAND = 0.02


@dataclass(frozen=True)
class Ratio:
    """A ratio of times with its 95 % interval; above 1 the candidate is better.

    `p` is that of "no difference"; `median` the middle ratio of the pairs with its bootstrap interval.
    """

    estimate: float
    low: float
    high: float
    n: int
    p: float = 1.0
    median: tuple[float, float, float] | None = None

    @property
    def interval(self) -> tuple[float | None, float | None]:
        """The ends of the interval; a single pair has none."""
        return (self.low, self.high) if self.n > 1 else (None, None)


def median(samples: Sequence[float]) -> float:
    """Median; NaN for no samples."""
    return float(statistics.median(samples)) if len(samples) else math.nan


def mean_interval(samples: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """The t interval of a mean; (−∞, ∞) for a single sample."""
    if len(samples) < 2:
        return -math.inf, math.inf
    mean, spread = statistics.fmean(samples), statistics.stdev(samples)
    half = _t_quantile(level, len(samples) - 1) * spread / math.sqrt(len(samples))
    return mean - half, mean + half


@dataclass(frozen=True)
class Mean:
    """The geometric mean over n processes with its 95 % t interval; one process has none, and none a mean of NaN."""

    value: float
    low: float | None
    high: float | None
    n: int


def geometric(values: Sequence[float]) -> Mean:
    """The mean of positive process medians. Of values that are not positive it is NaN."""
    if not values or not all(0 < v < math.inf for v in values):
        return Mean(math.nan, None, None, len(values))
    logs = [math.log(v) for v in values]
    low, high = mean_interval(logs)
    ends = (math.exp(low), math.exp(high)) if len(logs) > 1 and high < 700 else (None, None)
    return Mean(math.exp(statistics.fmean(logs)), *ends, len(logs))


def paired_ratio(baseline: Sequence[float], candidate: Sequence[float], level: float = 0.95) -> Ratio:
    """exp(mean log(baseline/candidate)) of paired process medians with a t interval on the logs.

    Raises ValueError for unequal lengths or times that are not positive. One pair has no interval: (0, ∞).
    """
    if len(baseline) != len(candidate) or not len(baseline):
        raise ValueError(f"pairs need equal counts, not {len(baseline)} and {len(candidate)}")
    if not all(0 < t < math.inf for t in [*baseline, *candidate]):
        raise ValueError("times must be positive and finite")
    logs = [math.log(a) - math.log(b) for a, b in zip(baseline, candidate, strict=True)]
    n, mean = len(logs), statistics.fmean(logs)
    if n == 1:
        return Ratio(math.exp(mean), 0.0, math.inf, 1)
    return _ratio(mean, statistics.stdev(logs) / math.sqrt(n), n - 1, level, n)


def load() -> None:
    """Load what intervals are computed with, while something else has to be waited for: 0.2 s."""
    import_module("scipy.special")


def _ratio(mean: float, error: float, freedom: float, level: float, n: int) -> Ratio:
    """The ratio of a mean log with a standard error."""
    from scipy.special import stdtr

    half = _t_quantile(level, freedom) * error
    p = 2 * float(stdtr(freedom, -abs(mean) / error)) if error else float(mean == 0)
    return Ratio(math.exp(mean), math.exp(mean - half), math.exp(mean + half), n, p)


def bootstrap_median(values: Sequence[float], level: float = 0.95, draws: int = 2000) -> tuple[float, float, float]:
    """The median with its percentile bootstrap interval; the draws are seeded. A little too narrow for few values."""
    import numpy as np

    found = np.asarray(values, float)
    picks = np.random.default_rng(0).integers(0, len(found), (draws, len(found)))
    low, high = np.quantile(np.median(found[picks], axis=1), [0.5 - level / 2, 0.5 + level / 2])
    return float(np.median(found)), float(low), float(high)


def unpaired_ratio(baseline: Sequence[float], candidate: Sequence[float], level: float = 0.95) -> Ratio:
    """exp of the difference of mean logs of process medians with Welch's interval; n is the smaller count.

    A side with one process has no spread: the interval is then (0, ∞).
    """
    if not all(len(side) and all(0 < t < math.inf for t in side) for side in (baseline, candidate)):
        raise ValueError("times must be positive and finite, at least one on each side")
    logs = [[math.log(t) for t in side] for side in (baseline, candidate)]
    mean = statistics.fmean(logs[0]) - statistics.fmean(logs[1])
    n = min(len(side) for side in logs)
    if n < 2:
        return Ratio(math.exp(mean), 0.0, math.inf, n)
    parts = [statistics.variance(side) / len(side) for side in logs]
    spread = sum(parts)
    freedom = spread**2 / sum(p**2 / (len(s) - 1) for p, s in zip(parts, logs, strict=True)) if spread else math.inf
    return _ratio(mean, math.sqrt(spread), freedom, level, n)


def _t_quantile(level: float, freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + level / 2))


def verdict(ratio: Ratio, noise_floor: float = 0.0) -> Verdict:
    """faster or slower: the interval excludes 1 and the estimate lies beyond the band; same: the interval inside it.

    The band is max(2 %, the case's own A/A noise floor), symmetric on the log scale.
    """
    band = math.log1p(max(BAND, noise_floor))
    low, high, mid = (math.log(v) if v > 0 else -math.inf for v in (ratio.low, ratio.high, ratio.estimate))
    if low > 0 and mid > band:
        return "faster"
    if high < 0 and mid < -band:
        return "slower"
    return "same" if -band <= low and high <= band else "inconclusive"


def false_discovery(p: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's q values (1995): of the cases with q ≤ 0.05, at most 5 % are false in the mean."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    q, least = [1.0] * len(p), 1.0
    for rank in range(len(p), 0, -1):
        least = min(least, p[order[rank - 1]] * len(p) / rank)
        q[order[rank - 1]] = least
    return q


def confirmed(verdict: Verdict | None, q: float) -> Verdict | None:
    """A verdict as one of many: faster and slower need q ≤ 0.05, else they are inconclusive."""
    return "inconclusive" if verdict in ("faster", "slower") and q > 0.05 else verdict


@dataclass(frozen=True)
class OverCases:
    """Geometric mean of the ratios of `cases` cases, with its 95 % t interval over them; `left_out` cases have no ratio.

    `at_least` and `at_most` are the mean with the `bounded` cases at their bounds, see `over_cases`.
    """

    ratio: float | None
    low: float | None
    high: float | None
    cases: int
    left_out: int
    bounded: int
    at_least: float | None
    at_most: float | None


def over_cases(ratios: Sequence[float | None], bounds: Sequence[tuple[float, float]] = ()) -> OverCases:
    """Geometric mean of the ratios of many cases, its 95 % t interval over the cases, and how many have none.

    `bounds` are what is known of further cases, of which one side ran into its time-out: a ratio is at least or at most so
    much, (1.0, ∞) or (0, 0.5). The cases that did not run are seldom like those that did, so that the mean of those alone
    flatters who failed: `at_least` and `at_most` are the mean with those cases at their bounds.
    """
    logs = [math.log(r) for r in ratios if r is not None]
    mean = math.exp(statistics.fmean(logs)) if logs else None
    low, high = (math.exp(v) if abs(v) < 700 else None for v in mean_interval(logs)) if logs else (None, None)

    def at(ends: list[float]) -> float | None:
        known = bounds and all(0 < end < math.inf for end in ends)
        return math.exp(statistics.fmean([*logs, *map(math.log, ends)])) if known else None

    missing = sum(r is None for r in ratios)
    ends = at([a for a, _ in bounds]), at([b for _, b in bounds])
    return OverCases(mean, low, high, len(logs), missing, len(bounds), *ends)


@dataclass(frozen=True)
class Line:
    """The slope of a straight line, with its 95 % t interval."""

    slope: float
    low: float
    high: float


def line(x: Sequence[float], y: Sequence[float]) -> Line:
    """Least squares of y against x. Raises ValueError below 3 points or 2 distinct x."""
    if len(x) < 3 or len(set(x)) < 2:
        raise ValueError("a slope with an interval needs at least 3 points at 2 places")
    middle, mean = sum(x) / len(x), sum(y) / len(y)
    spread = sum((a - middle) ** 2 for a in x)
    slope = sum((a - middle) * (b - mean) for a, b in zip(x, y, strict=True)) / spread
    left = sum((b - mean - slope * (a - middle)) ** 2 for a, b in zip(x, y, strict=True))
    error = _t_quantile(0.95, len(x) - 2) * math.sqrt(left / (len(x) - 2) / spread)
    return Line(slope, slope - error, slope + error)


@dataclass(frozen=True)
class ScalingFit:
    """t = a·T + b·T²: coefficients in s and 95 % intervals; `curvature` is b·T/a at the largest T, with its interval."""

    a: float
    b: float
    b_low: float
    b_high: float
    curvature: float
    curvature_low: float
    curvature_high: float
    n: int


def scaling_fit(T: Sequence[float], seconds: Sequence[float]) -> ScalingFit:
    """Least squares of t = a·T + b·T² with relative errors (weights 1/t²), one point per process.

    Raises ValueError below 3 points or 2 distinct T.
    """
    import numpy as np

    steps, times = np.asarray(T, float), np.asarray(seconds, float)
    distinct = np.unique(steps)
    if len(steps) < 3 or len(distinct) < 2:
        raise ValueError("a scaling fit needs at least 3 processes at 2 lengths")
    design = np.stack([steps / times, steps**2 / times], axis=1)
    scale = np.linalg.norm(design, axis=0)
    coefficients, *_ = np.linalg.lstsq(design / scale, np.ones_like(times), rcond=None)
    residual = 1 - (design / scale) @ coefficients
    freedom = len(times) - 2
    covariance = np.linalg.inv((design / scale).T @ (design / scale)) * float(residual @ residual) / freedom
    a, b = (float(v) for v in coefficients / scale)
    errors = np.sqrt(np.diag(covariance)) / scale
    t = _t_quantile(0.95, freedom)
    longest = float(distinct[-1])
    curvature = b * longest / a
    # delta method for b/a; the covariance of the scaled coefficients is scaled back
    cross = float(covariance[0, 1]) / float(scale[0] * scale[1])
    spread = abs(longest) * math.sqrt(
        max(0.0, errors[1] ** 2 / a**2 + b**2 * errors[0] ** 2 / a**4 - 2 * b * cross / a**3)
    )
    interval = (curvature - t * spread, curvature + t * spread)
    return ScalingFit(a, b, b - t * float(errors[1]), b + t * float(errors[1]), curvature, *interval, len(times))
