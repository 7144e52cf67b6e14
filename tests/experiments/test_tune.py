"""Tuning without a GPU: what is refused, what is decided by a clock of its own, and the rules that come of it."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("triton", reason="triton is not installed")

from spikebench.backends.triton import _shapes
from spikebench.backends.triton._shapes import Kernel, Shape
from spikebench.cases.case import Case
from spikebench.errors import Problem
from spikebench.experiments import tune_measure as tune
from spikebench.experiments import tune_plan, tune_rules
from spikebench.experiments.tune_rules import END, Decision, With

NAME, MODEL = "some.forward", Shape(32, 1, 8)
OTHERS = (Shape(64, 2, 8), Shape(64, 1, 8), Shape(32, 1, 16))
CASE = Case("lif@triton", T=1024, B=32, N=512)
SPIKES = (torch.arange(4000) % 3 == 0).float()


class Clock:
    """Each shape takes its own time, but for a noise of `noise`; every call advances the time by what it took."""

    name, resolution, grouped = "fake", 1e-9, False

    def __init__(self, takes: dict[Shape, float], noise: float = 0.01) -> None:
        self._takes, self._noise, self._random, self.time = takes, noise, random.Random(3), 0.0
        self.order: list[Shape] = []

    def on_device(self, call: Callable[[], Any]) -> float:
        shape = _shapes._forced[NAME]
        self.order.append(shape)
        took = self._takes[shape] * (1 + self._random.uniform(-self._noise, self._noise))
        self.time += took
        return took

    measure = on_device

    def now(self) -> float:
        return self.time


def decided(
    takes: dict[Shape, float], run: Callable[[], tuple[Tensor, ...]], noise: float = 0.01, budget: float = 1e9
) -> tuple[Decision | None, list[tune.Tried], Clock]:
    clock, lines = Clock(takes, noise), list[tune.Tried]()
    tuner = tune.Tuner(clock, lambda: budget - clock.time, lines.append)
    which = tune.Pass(NAME, run, MODEL, OTHERS)
    return tuner._decide(CASE, which), lines, clock


def asks(result: Callable[[Shape], tuple[Tensor, ...]]) -> Callable[[], tuple[Tensor, ...]]:
    """A pass that asks for its shape as kernels do."""

    def run() -> tuple[Tensor, ...]:
        return result(_shapes.sized(NAME, torch.empty(1024, 16384, device="meta"), _shapes.Options())[1])

    return run


TIMES = dict(zip((MODEL, *OTHERS), (1.0, 1.2, 0.8, 0.95), strict=True))


def test_the_fastest_shape_is_chosen_and_everything_measured_is_told() -> None:
    decision, lines, clock = decided(TIMES, asks(lambda _: (SPIKES,)))
    assert decision is not None and decision.better
    assert Shape(**decision.best) == OTHERS[1] and Shape(**decision.model) == MODEL
    assert decision.gain[0] == pytest.approx(1.25, rel=0.02) and decision.gain[1] < 1.25 < decision.gain[2]
    assert {Shape(**line.shape): len(line.seconds) for line in lines} == dict.fromkeys(TIMES, 13)
    assert [line.model for line in lines].count(True) == 1
    rounds = [tuple(clock.order[n : n + 4]) for n in range(0, 12, 4)]
    assert all(set(r) == set(TIMES) for r in rounds) and len(set(rounds)) > 1  # interleaved, in changing order


def test_a_shape_that_is_not_better_beyond_the_spread_is_not_chosen() -> None:
    for takes in (dict.fromkeys(TIMES, 1.0), {s: t if s == MODEL else 0.99 for s, t in TIMES.items()}):
        decision, _, _ = decided(takes, asks(lambda _: (SPIKES,)), noise=0.05)
        assert decision is not None and not decision.better
    slower = {s: 1.0 if s == MODEL else 1.5 for s in TIMES}
    decision, _, _ = decided(slower, asks(lambda _: (SPIKES,)))
    assert decision is not None and not decision.better


def test_a_shape_that_computes_something_else_is_refused() -> None:
    wrong, failing, near = OTHERS[1], OTHERS[0], OTHERS[2]

    def result(shape: Shape) -> tuple[Tensor, ...]:
        if shape == failing:
            raise RuntimeError("out of resource: shared memory\nRequired: 3")
        gradient = torch.linspace(-1, 1, 50)
        return SPIKES, gradient + (1e-6 if shape == near else 1e-3 if shape == wrong else 0)

    decision, lines, clock = decided(TIMES, asks(result))
    status = {Shape(**line.shape): line.status for line in lines}
    assert "off by 0.001" in status[wrong] and "shared memory" in status[failing]
    assert status[near] == status[MODEL] == "ok" and set(clock.order) == {near, MODEL}
    assert decision is not None and Shape(**decision.best) == near


def test_spikes_may_differ_in_ties_alone() -> None:
    one, many = torch.zeros(1_000_000), torch.zeros(1_000_000)
    one[7], many[:11] = 1, 1
    assert tune.differs((one,), (torch.zeros(1_000_000),), "float32") is None
    assert "of the spikes differ" in str(tune.differs((many,), (torch.zeros(1_000_000),), "float32"))
    assert tune.differs((torch.tensor([float("nan"), 2.0]),), (torch.tensor([1.0, 2.0]),), "float32") is not None


def test_a_kernel_that_takes_another_shape_is_not_measured_under_a_wrong_name() -> None:
    def run() -> tuple[Tensor, ...]:
        _shapes.sized(NAME, torch.empty(9, 9, device="meta"), _shapes.Options(block=32, warps=1))
        return (SPIKES,)

    _, lines, _ = decided(TIMES, run)
    status = {Shape(**line.shape): line.status for line in lines}
    assert status[OTHERS[0]] == status[OTHERS[1]] == "the kernel takes another shape"


@pytest.mark.parametrize("budget", [6, 20])
def test_nothing_is_decided_from_part_of_the_rounds_and_no_sample_is_lost(budget: float) -> None:
    """The budget ends in the first rounds, of all shapes, or in the last ones."""
    decision, lines, clock = decided(TIMES, asks(lambda _: (SPIKES,)), budget=budget)
    assert decision is None and 0 < clock.time < budget + 4
    assert sum(len(line.seconds) for line in lines) == len(clock.order)


def test_a_broken_gpu_ends_the_tuning() -> None:
    def result(shape: Shape) -> tuple[Tensor, ...]:
        if shape != MODEL:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return (SPIKES,)

    with pytest.raises(RuntimeError, match="illegal"):
        decided(TIMES, asks(result))


def decision(steps: int, count: int, gain: float = 1.5, kernel: str = NAME, dtype: str = "float32") -> Decision:
    model, best = _shapes.as_json(MODEL), _shapes.as_json(OTHERS[0])
    return Decision(kernel, dtype, steps, count, model, best, (gain, 1.0), (gain, gain - 0.01, gain + 0.01))


def test_rules_reach_half_way_to_the_next_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [decision(1024, 4096), decision(1024, 16384, 1.01), decision(1024, 65536), decision(64, 65536)]
    low, long, short = tune_rules.rules(made)
    assert low["M"] == [1, 8192] and low["T"] == [1, END]
    assert long["M"] == [32768, END] and long["T"] == [256, END] and short["T"] == [1, 256]
    path = tmp_path / "card.json"
    assert tune_rules.write(path, made, With("Card", commit="abc")) == 3
    kept = {"driver": None, "triton": None, "date": None, "commit": "abc"}
    assert json.loads(path.read_text())["rules"][0]["with"] == kept
    monkeypatch.setattr(_shapes, "file_of", lambda _: path)
    _shapes.rules.cache_clear()
    try:
        for (steps, count), found in {(1024, 4096): True, (1024, 9000): False, (300, 70_000): True}.items():
            assert (_shapes.tuned(NAME, torch.float32, steps, count, "Card") == OTHERS[0]) is found
        assert _shapes.tuned(NAME, torch.bfloat16, 1024, 4096, "Card") is None
    finally:
        _shapes.rules.cache_clear()


def test_a_file_keeps_what_was_tuned_of_other_kernels(tmp_path: Path) -> None:
    path, facts = tmp_path / "card.json", With("Card", date="2026-01-01")
    tune_rules.write(path, [decision(8, 8), decision(8, 8, kernel="other.forward")], facts)
    tune_rules.write(path, [decision(8, 99), decision(8, 8, dtype="bfloat16")], replace(facts, date="2026-01-02"))
    found = json.loads(path.read_text())["rules"]
    assert [(r["kernel"], r["dtype"], r["measured"]["M"], r["with"]["date"][-1]) for r in found] == [
        ("other.forward", "float32", 8, "1"),
        (NAME, "float32", 99, "2"),
        (NAME, "bfloat16", 8, "2"),
    ]


def test_what_the_model_finds_slow_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_shapes, "declared", {NAME: Kernel(rows=(4, 8, 16, 32), cut=True)}.__getitem__)
    found = tune_plan.worth(NAME, torch.float32, 1024, 65_536)
    assert len(found) == tune_plan.MOST and not any(s.chunk for s in found)
    assert {s.chunk for s in tune_plan.worth(NAME, torch.float32, 16_384, 512)} - {0}


def test_a_neuron_without_tunable_kernels_is_named() -> None:
    with pytest.raises(Problem, match="no tunable kernel of 'psn'"):
        tune_plan.subjects(["psn"])


def test_without_a_gpu_the_interpreter_is_asked_for() -> None:
    with pytest.raises(Problem, match="TRITON_INTERPRET=1"):
        next(tune.tune([CASE], lambda: 1.0, lambda _: None))
