"""Statistics: intervals that cover, verdicts that do not cry wolf, growth fits that find the quadratic term."""

import math
from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from spikebench.analysis import difference, noise, stats
from spikebench.analysis.pairs import Pairs, sides
from spikebench.errors import Problem
from spikebench.records.record import Measurement, Record
from spikebench.records.schema import CaseJson, EnvironmentJson

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


def sequential(generator: np.random.Generator, spread: float, true: float) -> tuple[stats.Verdict, int]:
    """The verdict on a candidate that is `true` times as fast, and the pairs it took."""
    rule = Pairs()
    a, b = processes(generator, rule.last, true, spread).tolist(), processes(generator, rule.last, 1.0, spread).tolist()
    n = next(n for n in rule.analyses if rule.decided(a[:n], b[:n]))
    return stats.verdict(rule.ratio(a[:n], b[:n])), n


@pytest.mark.parametrize("spread", [0.01, 0.02, 0.03, 0.05, 0.1])
@pytest.mark.parametrize("true", [1.0, 1.021])
def test_at_most_5_percent_of_sequential_verdicts_are_false(
    spread: float, true: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "bootstrap_median", lambda *_: (1.0, 1.0, 1.0))  # no verdict depends on it
    generator = np.random.default_rng(7)
    found = [sequential(generator, spread, true)[0] for _ in range(1000)]
    false = found.count("slower") + found.count("faster" if true == 1 else "same")
    assert false / len(found) <= 0.05


def test_looking_three_times_at_the_level_of_one_look_would_cry_wolf() -> None:
    generator, false, rule = np.random.default_rng(8), 0, Pairs()
    for _ in range(1000):
        a, b = (processes(generator, 20, 1.0, 0.1).tolist() for _ in range(2))
        false += any(stats.paired_ratio(a[:n], b[:n]).p < 0.05 for n in rule.analyses)
    assert false / 1000 > 0.08


def test_clear_cases_end_after_five_pairs_and_close_ones_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "bootstrap_median", lambda *_: (1.0, 1.0, 1.0))
    generator = np.random.default_rng(9)
    clear = [sequential(generator, 0.01, 1.5) for _ in range(100)]
    close = [sequential(generator, 0.02, 1 / 1.05) for _ in range(100)]
    assert {n for _, n in clear} == {5}
    assert sum(v == "slower" for v, _ in close) >= 90
    assert max(n for _, n in close) == 20


def test_pairs_are_read_from_text() -> None:
    assert (Pairs.of("10").analyses, Pairs.of(3).analyses, Pairs.of("5-20").analyses) == ((10,), (3,), (5, 10, 20))
    assert Pairs.of("4-10").analyses == (4, 8, 10)
    for text in ("few", "20-5", "0", "5-"):
        with pytest.raises(Problem, match="not a number of pairs; write 10 or 5-20"):
            Pairs.of(text)


def test_bootstrap_interval_of_the_median_covers() -> None:
    generator, hits = np.random.default_rng(10), 0
    for _ in range(DRAWS):
        _, low, high = stats.bootstrap_median(generator.standard_exponential(20).tolist(), draws=300)
        hits += low <= math.log(2) <= high
    assert 0.90 <= hits / DRAWS <= 0.99


def test_false_discovery_of_many_cases() -> None:
    from scipy.stats import false_discovery_control

    p = np.random.default_rng(11).random(50).tolist()
    assert stats.false_discovery(p) == pytest.approx(list(false_discovery_control(p)))
    assert [stats.confirmed(v, 0.06) for v in ("faster", "slower", "same", None)] == [
        "inconclusive",
        "inconclusive",
        "same",
        None,
    ]
    assert stats.confirmed("faster", 0.05) == "faster"


def test_the_mean_over_cases_is_geometric_and_counts_what_it_leaves_out() -> None:
    found = stats.over_cases([2.0, 8.0, None, 4.0])
    assert (found.ratio, found.cases, found.left_out) == (pytest.approx(4.0), 3, 1)
    low, high = found.low, found.high
    assert low is not None and high is not None and low < 4 < high and low * high == pytest.approx(16)
    one = stats.over_cases([3.0])
    assert (one.ratio, one.low, one.high, one.cases, one.left_out) == (
        pytest.approx(3.0),
        None,
        None,
        1,
        0,
    )
    assert one.at_least is None and one.at_most is None
    assert stats.over_cases([None]).ratio is None


def test_what_ran_into_its_time_out_bounds_the_mean_over_cases() -> None:
    slow = stats.over_cases([8.0, 2.0, None], [(0.0, 0.5)])  # the third took at least twice as long as the baseline
    assert slow.ratio == pytest.approx(4.0) and slow.bounded == 1
    assert slow.at_most == pytest.approx(2.0) and slow.at_least is None
    fast = stats.over_cases([8.0, 2.0, None], [(32.0, math.inf)])  # there the baseline did not end
    assert fast.at_least == pytest.approx(8.0) and fast.at_most is None


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
        fit = stats.scaling_fit(list(steps), list(t))
        excluded += fit.b_low > 0 or fit.b_high < 0
        if quadratic:
            assert fit.curvature == pytest.approx(5.0, rel=0.5)
    assert excluded / DRAWS > 0.95 if quadratic else excluded / DRAWS < 0.09


def test_growth_needs_three_points_at_two_lengths() -> None:
    with pytest.raises(ValueError, match="at least 3"):
        stats.scaling_fit([1, 2], [1, 2])


def record(case: str, seconds: float, repeat: int = 0, run: str = "r", **environment: object) -> Record:
    facts = {"machine": "m", "threads": 2} | environment
    latency = Measurement("latency", "s", samples=[seconds])
    body = {"subject": "lif@cpu", "mode": "train", "T": 1, "B": 1, "N": 1}
    return Record(
        run, case, cast(CaseJson, body), measurements=[latency], environment=cast(EnvironmentJson, facts), repeat=repeat
    )


def test_noise_floor_is_the_farther_end_of_a_against_a() -> None:
    pairs = [(1.0, 1.02), (1.01, 1.0), (0.99, 1.01), (1.0, 1.0)]
    records = [record("c", s, repeat=k) for k, pair in enumerate(pairs) for s in pair]
    ratio = stats.paired_ratio([a for a, _ in pairs], [b for _, b in pairs])
    expected = max(ratio.high, 1 / ratio.low) - 1
    assert noise.floors(records) == {"c": pytest.approx(expected)}
    apart = stats.unpaired_ratio([1.0, 1.02, 1.01, 1.0], [0.99, 1.01, 1.0, 1.0])
    assert noise.floors(records, apart=True) == {"c": pytest.approx(max(apart.high, 1 / apart.low) - 1)}


def test_interleaved_samples_are_compared_round_by_round() -> None:
    """A machine that doubles its speed in another round of each side misleads the medians and not the rounds."""
    speed = [2.0] * 11 + [1.0] * 9
    mine, theirs = speed, [1.05 * s for s in speed]
    theirs[10] = 1.05  # in this round the machine was faster for one side only
    sampled = [Measurement("latency", "s", samples=s, detail={"interleaved": True}) for s in (mine, theirs)]
    pair = [replace(record("c", 1.0), measurements=[m]) for m in sampled]
    base, other = sides(pair[0], pair[1])
    assert (base, base / other) == (2.0, pytest.approx(1 / 1.05))
    alone = [replace(r, measurements=[replace(r.measurements[0], detail={})]) for r in pair]
    assert sides(alone[0], alone[1]) == (2.0, stats.median(theirs))
    nothing = replace(pair[0], measurements=[])
    assert math.isnan(sides(nothing, pair[1])[0])


def test_diff_judges_cases_that_both_have() -> None:
    base = [record("c", s, k) for k, s in enumerate([1.0, 1.01, 0.99])]
    new = [record("c", 1.3 * s, k) for k, s in enumerate([1.0, 1.01, 0.99])] + [record("other", 1.0)]
    (row,) = difference.rows(base, new, "latency", {})
    assert row.verdict == "slower"
    assert row.ratio.estimate == pytest.approx(1 / 1.3)
    assert row.ratio.low < 1 / 1.3 < row.ratio.high


def test_diff_corrects_for_many_cases_and_gives_their_mean() -> None:
    generator = np.random.default_rng(12)
    base = [record(f"c{c}", s, k) for c in range(60) for k, s in enumerate(processes(generator, 3, 1.0, 0.05))]
    new = [record(f"c{c}", s, k) for c in range(60) for k, s in enumerate(processes(generator, 3, 1.0, 0.05))]
    rows = difference.rows([*base, record("lost", 1.0)], new, "latency", {})
    assert sum(r.ratio.p < 0.05 for r in rows) >= 1
    assert {r.verdict for r in rows} <= {"same", "inconclusive"}
    mean = rows[0].over_cases
    assert mean is not None and mean.low is not None and mean.high is not None
    assert (mean.cases, mean.left_out) == (60, 1)
    assert mean.low < 1 < mean.high


def test_diff_refuses_other_machines_by_name_unless_told() -> None:
    base, new = [record("c", 1.0)], [record("c", 1.0, machine="other", threads=8)]
    with pytest.raises(Problem, match=r"machine m against other; threads 2 against 8.*--anyway"):
        difference.rows(base, new, "latency", {})
    (row,) = difference.rows(base, new, "latency", {}, anyway=True)
    assert "machine m against other" in str(row.reason)
    assert row.verdict == "inconclusive"
