"""Each cause is recognised from what was observed, with its evidence and remedy; a launch without a habit has none."""

from dataclasses import replace
from typing import Any

import pytest

from spikebench.analysis import paired, stats
from spikebench.analysis.causes import Cause, Count, Observed, Reason, causes, ordered
from spikebench.analysis.comparison import Comparison
from spikebench.cases.case import Case

FUSED = Observed(100, "train", 1e-3, operators=6, a_step=0.0, with_N=1.0, with_B=1.0, with_T=1.0)
EACH = Count(100, 0.2, "mine.py, line 7: v = v + x[t]")


@pytest.mark.parametrize(
    ("changes", "first", "said"),
    [
        ({"indexed": EACH}, "indexed", "mine.py, line 7"),
        ({"written": EACH}, "written", "quadratic in T"),
        ({"grown": EACH}, "grown", "20% of the time"),
        ({"waits": EACH}, "waits", "100 values"),
        ({"allocated": EACH}, "allocates", "100 tensors"),
        ({"copied": EACH}, "copies", "100 copies"),
        ({"doubles": 0.9}, "float64", "90%"),
        ({"with_N": 2.0, "operators": 5000}, "neurons", "5,000 a launch"),
        ({"with_B": 1.9}, "sequences", "1.9 times"),
        ({"with_T": 1.8}, "history", "3.6 times"),
        ({"breaks": ["a call of print"], "graphs": 200}, "break", "a call of print"),
        ({"recompiled": ["t == 0", "t == 1", "t == 2", "t == 3"]}, "recompiled", "t == 3"),
        ({"a_step": 11.0, "operators": 1100, "overhead": 0.8}, "loop", "80% of the time"),
        ({"a_step": 11.0, "operators": 1100, "cannot_compile": "a call of print"}, "uncompilable", "a call of print"),
    ],
)
def test_a_habit_is_recognised(changes: dict[str, Any], first: str, said: str) -> None:
    assert causes(FUSED) == []
    found = causes(replace(FUSED, **changes))
    assert found[0].id == first
    assert said in found[0].evidence
    assert found[0].remedy


@pytest.mark.parametrize(
    "changes",
    [
        {"indexed": Count(3, 0.4)},  # not in each step
        {"copied": Count(49, 0.4)},
        {"doubles": 0.01},
        {"recompiled": ["requires_grad differs", "grad mode"]},  # a graph of its own for each is as it should be
        {"breaks": ["once"], "graphs": 3},
        {"a_step": 1.0},
    ],
)
def test_what_happens_now_and_then_is_no_cause(changes: dict[str, Any]) -> None:
    assert causes(replace(FUSED, **changes)) == []


def test_what_is_true_of_any_loop_comes_last_and_a_needless_loop_alone() -> None:
    seen = replace(FUSED, a_step=11.0, operators=1100, copied=EACH, allocated=EACH)
    assert [c.id for c in causes(seen)] == ["allocates", "copies", "loop"]
    assert [c.id for c in causes(replace(seen, with_N=2.0))] == ["neurons"]


def gain(cause: Cause, low: float, estimate: float, high: float) -> Reason:
    ratio = stats.Ratio(estimate, low, high, 5)
    result = paired.Result(ratio, stats.verdict(ratio))
    return Reason(cause, Comparison("mine.py:A@eager", "mine.py:A@eager", Case("lif@eager"), "latency", result, None))


def test_the_largest_gain_comes_first_and_what_brings_none_last() -> None:
    own = [Cause(name, name, "", "", tried=name) for name in ("a", "b", "c")]
    loop, untried = Cause("loop", "", "", "", tried="compiled", general=True), Cause("d", "", "", "")
    reasons = [gain(own[0], 0.9, 1.0, 1.1), gain(own[1], 1.1, 1.2, 1.3), gain(own[2], 3, 4, 5), gain(loop, 8, 9, 10)]
    assert [r.cause.id for r in ordered([*reasons, Reason(untried)])] == ["d", "c", "b", "a", "loop"]
    assert [r.helps for r in reasons] == [False, True, True, True]


def test_what_was_observed_is_read_again() -> None:
    from dataclasses import asdict

    seen = replace(FUSED, indexed=EACH, breaks=["x"])
    assert Observed.from_json(asdict(seen)) == seen
