"""Statistics: intervals that cover, verdicts that do not cry wolf, growth fits that find the quadratic term."""

import math

import numpy as np
import pytest

from spikebench import difference, noise, stats
from spikebench.record import Measurement, Record
from spikebench.rooms import Problem

DRAWS = 400


def processes(generator: np.random.Generator, n: int, mean: float, spread: float) -> np.ndarray:
    return mean * np.exp(generator.normal(0, spread, n))


def test_paired_interval_covers_the_true_ratio_about_95_percent_of_the_time() -> None:
    generator, hits = np.random.default_rng(1), 0
    for _ in range(DRAWS):
        drift = np.exp(generator.normal(0, 0.2, 10))  # a pair shares what the machine does to both
        a = processes(generator, 10, 1.05, 0.01) * drift
        b = processes(generator, 10, 1.0, 0.01) * drift
        ratio = stats.paired_ratio(list(a), list(b))
        hits += ratio.low <= 1.05 <= ratio.high
    assert 0.92 <= hits / DRAWS <= 0.98


@pytest.mark.parametrize("spread", [0.01, 0.03, 0.1])
def test_a_against_a_is_seldom_faster_or_slower(spread: float) -> None:
    generator, false = np.random.default_rng(2), 0
    for _ in range(DRAWS):
        a, b = (processes(generator, 10, 1.0, spread) for _ in range(2))
        false += stats.verdict(stats.paired_ratio(list(a), list(b))) in ("faster", "slower")
    assert false / DRAWS <= 0.07


def test_ten_percent_more_work_is_seen() -> None:
    generator, seen = np.random.default_rng(3), 0
    for _ in range(DRAWS):
        a, b = processes(generator, 10, 1.0, 0.02), processes(generator, 10, 1.1, 0.02)
        seen += stats.verdict(stats.paired_ratio(list(a), list(b))) == "slower"
    assert seen / DRAWS > 0.95


@pytest.mark.parametrize(
    ("ratio", "floor", "expected"),
    [
        (stats.Ratio(3.0, 2.5, 3.5, 10), 0.0, "faster"),
        (stats.Ratio(0.5, 0.4, 0.6, 10), 0.0, "slower"),
        (stats.Ratio(1.0, 0.99, 1.01, 10), 0.0, "same"),
        (stats.Ratio(1.0, 0.9, 1.1, 10), 0.0, "inconclusive"),
        (stats.Ratio(1.015, 1.01, 1.019, 10), 0.0, "same"),  # significant, but inside the band
        (stats.Ratio(1.04, 1.03, 1.045, 10), 0.05, "same"),  # inside this machine's own noise floor
        (stats.Ratio(2.0, 0.0, math.inf, 1), 0.0, "inconclusive"),
    ],
)
def test_verdicts(ratio: stats.Ratio, floor: float, expected: str) -> None:
    assert stats.verdict(ratio, floor) == expected


def test_pairs_must_match_and_be_positive() -> None:
    with pytest.raises(ValueError, match="equal counts"):
        stats.paired_ratio([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="positive"):
        stats.paired_ratio([1.0], [0.0])


def test_unpaired_interval_covers() -> None:
    generator, hits = np.random.default_rng(4), 0
    for _ in range(DRAWS):
        a, b = processes(generator, 5, 2.0, 0.02), processes(generator, 8, 1.0, 0.05)
        ratio = stats.unpaired_ratio(list(a), list(b))
        hits += ratio.low <= 2.0 <= ratio.high
    assert 0.92 <= hits / DRAWS <= 0.985


@pytest.mark.parametrize("quadratic", [0.0, 5e-8])
def test_growth_finds_the_quadratic_term_or_its_absence(quadratic: float) -> None:
    generator, excluded = np.random.default_rng(5), 0
    steps = np.repeat([500, 1000, 2000, 5000, 10000], 3)
    for _ in range(DRAWS):
        t = (1e-4 * steps + quadratic * steps.astype(float) ** 2) * np.exp(generator.normal(0, 0.03, len(steps)))
        fit = stats.growth(list(steps), list(t))
        excluded += fit.b_low > 0 or fit.b_high < 0
        if quadratic:
            assert fit.curvature == pytest.approx(5.0, rel=0.5)
    assert excluded / DRAWS > 0.95 if quadratic else excluded / DRAWS < 0.09


def test_growth_needs_three_points_at_two_lengths() -> None:
    with pytest.raises(ValueError, match="at least 3"):
        stats.growth([1, 2], [1, 2])


def record(case: str, seconds: float, repeat: int = 0, run: str = "r", **environment: object) -> Record:
    facts = {"machine": "m", "threads": 2} | environment
    latency = Measurement("latency", "s", samples=[seconds])
    body = {"subject": "lif@cpu", "mode": "train", "T": 1, "B": 1, "N": 1}
    return Record(run, case, body, measurements=[latency], environment=facts, repeat=repeat)


def test_noise_floor_is_the_farther_end_of_a_against_a() -> None:
    pairs = [(1.0, 1.02), (1.01, 1.0), (0.99, 1.01), (1.0, 1.0)]
    records = [record("c", s, repeat=k) for k, pair in enumerate(pairs) for s in pair]
    ratio = stats.paired_ratio([a for a, _ in pairs], [b for _, b in pairs])
    expected = max(ratio.high, 1 / ratio.low) - 1
    assert noise.floors(records) == {"c": pytest.approx(expected)}


def test_diff_judges_cases_that_both_have() -> None:
    base = [record("c", s, k) for k, s in enumerate([1.0, 1.01, 0.99])]
    new = [record("c", 1.3 * s, k) for k, s in enumerate([1.0, 1.01, 0.99])] + [record("other", 1.0)]
    (row,) = difference.rows(base, new, "latency", {})
    assert row["verdict"] == "slower"
    assert row["ratio"] == pytest.approx(1 / 1.3)
    assert row["low"] < 1 / 1.3 < row["high"]


def test_diff_refuses_other_machines_by_name_unless_told() -> None:
    base, new = [record("c", 1.0)], [record("c", 1.0, machine="other", threads=8)]
    with pytest.raises(Problem, match=r"machine m against other; threads 2 against 8.*--anyway"):
        difference.rows(base, new, "latency", {})
    (row,) = difference.rows(base, new, "latency", {}, anyway=True)
    assert "machine m against other" in row["reason"]
    assert row["verdict"] == "inconclusive"
