"""From which T on a subject is faster than a baseline, from its comparisons at several lengths."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from spikebench.analysis import stats
from spikebench.analysis.comparison import Comparison
from spikebench.records.record import FEWEST


@dataclass(frozen=True)
class Crossover:
    """From which T on (or up to which) a subject beats a baseline in a mode: estimate, and 95 % interval where it has one."""

    baseline: str
    mode: str
    text: str
    T: float | None = None
    low: float | None = None
    high: float | None = None


def crossovers(rows: Iterable[Comparison]) -> list[Crossover]:
    """One per baseline and mode that was compared at least at one length."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for row in rows:
        if row.ratio is not None:
            groups.setdefault((row.baseline, row.case.mode), []).append(row)
    return [_crossover(b, m, sorted(found, key=lambda r: r.case.T)) for (b, m), found in groups.items()]


def _crossover(baseline: str, mode: str, rows: list[Comparison]) -> Crossover:
    """A crossover is claimed where one length is faster and another slower, each by its interval; else each length speaks for itself."""
    verdicts = {row.verdict for row in rows}
    if not {"faster", "slower"} <= verdicts:
        return Crossover(baseline, mode, _by_length(rows))
    ratios = [row.ratio for row in rows if row.ratio is not None]
    lengths = [row.case.T for row in rows]
    middle, low, high = ([math.log(max(v, 1e-9)) for v in side] for side in zip(*map(_ends, ratios), strict=True))
    rising = middle[-1] > middle[0]
    T = _root(lengths, middle)
    ends = [_root(lengths, high if rising else low), _root(lengths, low if rising else high)]
    interval = f"[{_at(ends[0], f'below {lengths[0]}')}, {_at(ends[1], f'above {lengths[-1]}')}]"
    word = "from" if rising else "up to"
    return Crossover(baseline, mode, f"faster {word} T ≈ {_at(T, '')} {interval}", T, ends[0], ends[1])


def _by_length(rows: list[Comparison]) -> str:
    """What the verdicts say at which lengths."""
    said: dict[str, list[str]] = {}
    for row in rows:
        said.setdefault(_word(row), []).append(str(row.case.T))
    if len(said) == 1:
        return f"{next(iter(said))} at every T measured"
    return "; ".join(f"{word} at T = {', '.join(at)}" for word, at in said.items())


def _word(row: Comparison) -> str:
    """A verdict in words; where there is none, on which side of 1 the interval lies all the same."""
    r = row.ratio
    if row.verdict != "inconclusive" or r is None or r.n < 2 or r.low <= 1 <= r.high:
        return {"same": "as fast", "inconclusive": "not told apart"}.get(str(row.verdict), str(row.verdict))
    why = "pairs are too few" if r.n < FEWEST else "the interval is too wide"
    return f"{'slower' if r.high < 1 else 'faster'} but {why} for a verdict"


def _ends(ratio: stats.Ratio) -> tuple[float, float, float]:
    return ratio.estimate, ratio.low, ratio.high


def _root(lengths: list[int], logs: list[float]) -> float | None:
    """Where the last change of sign lies, straight between two lengths on logarithmic axes."""
    for k in range(len(logs) - 1, 0, -1):
        if (logs[k] > 0) != (logs[k - 1] > 0):
            share = logs[k - 1] / (logs[k - 1] - logs[k])
            return float(lengths[k - 1] * (lengths[k] / lengths[k - 1]) ** share)
    return None


def _at(T: float | None, otherwise: str) -> str:
    return otherwise if T is None else f"{float(f'{T:.2g}'):g}"
