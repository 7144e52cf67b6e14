"""The schedule of a profile, with a clock and subjects that are made up: what fits, what is left out, and that it is said."""

from collections import Counter
from collections.abc import Callable

import pytest

from spikebench.experiments.profile import GRACE, Profile
from spikebench.report import profile_page as verdict
from spikebench.run.schedule import Missing, Point, Schedule, points
from spikebench.run.settings import Settings

MINE, BASELINES = "mine.py:Neuron@eager", ["lif@cpu", "lif@eager"]
LENGTHS, MODES = [100, 300, 1000], ["train", "inference"]
START, GATE, PROCESS = 8.0, 1.2, 0.5  # seconds, as on two cores
TIMEOUT = 60.0

Launch = Callable[[str, Point], float]


def subjects(mine: Callable[[Point], float], eager: float = 2e-4) -> Launch:
    """Seconds of a launch: the neuron's own, a fused LIF, and a loop of `eager` seconds a step."""
    return lambda subject, p: {MINE: mine(p), "lif@cpu": 5e-6 * p.T, "lif@eager": eager * p.T}[subject]


def simulated(launch: Launch, compiling: float = 0.0, **changes: object) -> tuple[Schedule, float]:
    """A schedule carried out on subjects whose launches take so long, and the seconds of the whole."""
    given = {"pairs": 5, "budget": 150.0, **changes}
    schedule = Schedule(MINE, list(BASELINES), points(MODES, LENGTHS), **given)  # type: ignore[arg-type]  # by name
    spent = START
    while (step := schedule.next(spent)) is not None:
        point, there = step
        times = {s: launch(s, point) for s in there}
        limit = min(TIMEOUT, schedule.allowance(spent, point) + GRACE)
        late = any(t > limit for t in times.values())
        gates = {} if point in schedule.blocks or late else {s: GATE + 2 * t for s, t in times.items()}
        if gates and not schedule.blocks:
            gates["lif@cpu"] += compiling
        block = 0.0
        for s, t in times.items():
            block += PROCESS + (2 if s == MINE else 3) * t if t > 0.5 else PROCESS + 8 * t + 0.2
            block += 2 * t if gates else 0.0
        seconds = limit if late else block
        found = {s: None if t > limit else t for s, t in times.items()}
        schedule.add(point, seconds, found, gates)
        spent += seconds + sum(gates.values())
        assert spent < 10_000, "the schedule does not end"
    return schedule, spent


def pairs(schedule: Schedule, baseline: str = "lif@cpu") -> dict[tuple[str, int], int]:
    """How often each point was measured with a baseline."""
    return {p: sum(baseline in s for s, _ in blocks) for p, blocks in schedule.blocks.items()}


def test_points_come_in_order_of_importance() -> None:
    assert points(MODES, [300, 1000, 100])[:3] == [("train", 100), ("train", 1000), ("train", 300)]
    assert points(MODES, [64]) == [("train", 64), ("inference", 64)]


def test_a_fast_neuron_gets_every_pair_at_every_length() -> None:
    schedule, spent = simulated(subjects(lambda p: 1e-6 * p.T))
    assert spent < 150
    for baseline in BASELINES:
        assert pairs(schedule, baseline) == dict.fromkeys(points(MODES, LENGTHS), 5)
    assert not list(schedule.left_out())


@pytest.mark.parametrize("at_1000", [1.0, 3.0, 6.0])
def test_a_quadratic_backward_is_seen_with_five_pairs_at_the_longest_length(at_1000: float) -> None:
    schedule, spent = simulated(subjects(lambda p: at_1000 * (p.T / 1000) ** 2 if p.mode == "train" else 3e-5 * p.T))
    assert spent < 160
    assert pairs(schedule)["train", 100] == 5
    assert pairs(schedule)["train", 1000] >= 5


def test_a_neuron_that_is_slow_everywhere_gets_five_pairs_at_the_lengths_that_fit() -> None:
    schedule, spent = simulated(subjects(lambda p: 0.012 * p.T))
    assert spent < 160
    done = pairs(schedule)
    assert done["train", 100] == done["train", 300] == 5
    assert set(Counter(done.values())) <= {1, 5}  # nothing is begun that cannot be ended, but to learn what it costs
    assert Point("train", 1000) in [m.point for m in schedule.left_out()]


def test_a_slow_baseline_is_left_out_before_a_length_is() -> None:
    schedule, spent = simulated(subjects(lambda p: 1e-6 * p.T, eager=3e-3))
    assert spent < 160
    assert pairs(schedule) == dict.fromkeys(points(MODES, LENGTHS), 5)
    left = list(schedule.left_out())
    assert left and all(set(m.pairs) == {"lif@eager"} for m in left)


@pytest.mark.parametrize("budget", [30.0, 60.0, 100.0, 150.0, 400.0])
@pytest.mark.parametrize("power", [0.0, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("at_100", [1e-3, 0.1, 2.0])
def test_the_budget_is_kept_but_for_one_block(budget: float, power: float, at_100: float) -> None:
    launch = subjects(lambda p: at_100 * (p.T / 100) ** power)
    schedule, spent = simulated(launch, budget=budget)
    last = max(t for blocks in schedule.blocks.values() for _, t in blocks) + sum(schedule.gates.values())
    assert spent <= budget + last
    assert sum(pairs(schedule).values()) >= 1
    assert pairs(schedule)["train", 100] >= 5 or at_100 > 1 or budget < 60


def test_kernels_that_are_compiled_in_the_first_gate_make_no_later_gate_dear() -> None:
    schedule, spent = simulated(subjects(lambda p: 1e-6 * p.T), compiling=25.0)
    assert spent < 150
    assert set(pairs(schedule)) == set(points(MODES, LENGTHS))
    assert not list(schedule.left_out())


def test_named_lengths_are_all_measured_once_whatever_they_cost() -> None:
    schedule, _ = simulated(subjects(lambda p: 0.03 * p.T), named=True, budget=60.0)
    assert set(pairs(schedule)) == set(points(MODES, LENGTHS))
    endless, _ = simulated(subjects(lambda p: 0.03 * p.T), budget=None)
    assert set(pairs(endless).values()) == {5}


def test_lengths_beyond_a_time_out_are_not_tried() -> None:
    schedule, spent = simulated(subjects(lambda p: 0.7 * p.T), named=True)
    assert set(pairs(schedule)) == {("train", 100), ("inference", 100)}
    assert spent < 400
    assert not list(schedule.left_out())  # a time-out is no lack of budget


def test_what_is_left_out_is_said_with_the_budget_that_adds_it() -> None:
    made = Profile(MINE, settings=Settings(budget=150.0), seconds=140.0)
    assert verdict.left_out(made) == ""
    made.left_out = [Missing(Point("train", 1000), {"lif@cpu": 0, "lif@eager": 1}, 41.0)]
    assert verdict.left_out(made) == (
        "The budget of 150 s left out: train at T = 1000 (0 of 5 pairs with lif@fused, 1 of 5 pairs with lif@eager). "
        "At most some 41 s more would add them: `--budget 200s`."
    )


def test_the_budget_that_is_named_is_enough() -> None:
    launch = subjects(lambda p: 0.012 * p.T)
    schedule, spent = simulated(launch)
    more = sum(m.seconds for m in schedule.left_out())
    whole, _ = simulated(launch, budget=max(150.0, spent) + more)
    assert not list(whole.left_out())
