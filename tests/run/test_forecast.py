"""How long a run takes is forecast before it starts, and corrected by what it has measured."""

from itertools import pairwise
from pathlib import Path

import pytest

from spikebench import registry
from spikebench.cases.case import Case, grid
from spikebench.errors import Problem
from spikebench.records import store
from spikebench.records.record import Record
from spikebench.run.forecast import START, Forecast, seconds
from spikebench.run.settings import Settings

RESULTS = Path(__file__).parents[2] / "results"


def time(record: Record) -> float:
    return float(record.environment.get("time") or 0.0)


def recorded(path: Path) -> tuple[float, float]:
    """Seconds between the records of a file, and those that are predicted for the cases."""
    took = predicted = 0.0
    records = [r for r in store.read(path) if not r.pairs and r.case["workload"] == "layer"]
    for run in {r.run for r in records}:
        seen = set[str]()
        for before, after in pairwise(sorted((r for r in records if r.run == run), key=time)):
            latency = after.measurement("latency")
            try:
                case = Case.from_json(after.case)
            except Problem:  # of a backend that is no more
                continue
            if latency and latency.samples and 0.3 < time(after) - time(before) < 400:
                settings = Settings(metrics=tuple(m.metric for m in after.measurements))
                took += time(after) - time(before)
                predicted += seconds(case, settings, case.case_id not in seen)
                seen.add(case.case_id)
    return took, predicted


@pytest.mark.parametrize("name", ["growth", "length", "libraries", "floor", "quick"])
def test_a_recorded_sweep_is_predicted_within_a_factor_of_two(name: str) -> None:
    took, predicted = recorded(RESULTS / "amd-epyc-f25m1-2c" / f"{name}.jsonl")
    assert took > 100
    assert took / 2 < predicted < 2 * took


def test_what_a_run_has_measured_corrects_what_is_left() -> None:
    settings = Settings(metrics=("latency",))
    jobs = [(c, 0) for c in grid(["lif@eager", "lif@indexed"], T=[1000, 2000], B=[4], N=[128])]
    forecast = Forecast(jobs, settings)
    cost = {c.case_id: seconds(c, settings) for c, _ in jobs}
    assert forecast.left == pytest.approx(START + sum(cost.values()))
    forecast.done(jobs[0][0], START + 3 * cost[jobs[0][0].case_id])
    assert forecast.left == pytest.approx(3 * sum(cost[c.case_id] for c, _ in jobs[1:])), "all that is known"
    forecast.done(jobs[1][0], cost[jobs[1][0].case_id])
    assert forecast.left == pytest.approx(3 * cost[jobs[2][0].case_id] + cost[jobs[3][0].case_id]), "each by its own"


def test_long_cases_count_for_more_than_short_ones_and_a_budget_bounds_them() -> None:
    settings = Settings(metrics=("latency",))
    short, long = grid(["lif@indexed"], T=[100, 10000], B=[4], N=[128])
    assert seconds(long, settings) > 20 * seconds(short, settings)
    assert Forecast([(long, 0)], Settings(metrics=("latency",), budget=7.0)).left == 7.0
    assert Forecast([], settings).left == 0.0


def test_a_repeat_has_no_gate() -> None:
    case, settings = Case("lif@eager", T=1000, B=4, N=128), Settings(metrics=("latency",))
    twice = Forecast([(case, 0), (case, 1)], settings).left
    assert twice == pytest.approx(START + seconds(case, settings) + seconds(case, settings, first=False))
    assert seconds(case, settings, first=False) < seconds(case, settings)


@pytest.mark.parametrize("neuron", registry.names("neurons"))
def test_every_neuron_has_a_forecast(neuron: str) -> None:
    settings = Settings()
    for backend in registry.backends(neuron):
        for device in ("cpu", "cuda"):
            found = seconds(Case(f"{neuron}@{backend}", T=1000, B=16, N=128, device=device), settings)
            assert 1.0 < found < 3600.0, f"{neuron}@{backend} on {device}"


def test_a_module_of_ones_own_a_network_and_a_training_have_one(tmp_path: Path) -> None:
    settings = Settings()
    (network,) = grid(["lif@eager"], T=[100], B=[4], network="shd", workload="network")
    training = Case("lif@eager", 0, 0, 0, workload="training", task="japanese_vowels")
    for case in (Case("mine.py:Neuron", T=100, B=4, N=64), network, training):
        assert 1.0 < seconds(case, settings) < 600.0
