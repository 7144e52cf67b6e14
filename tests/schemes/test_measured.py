"""What is timed of a scheme is computed, a training by one learns, and its memory is what it says."""

from typing import Any, cast

import pytest
import torch
from torch import nn

from spikebench.analysis.training_memory import growths
from spikebench.cases.case import NetworkStep, Training
from spikebench.cases.recipe import Recipe
from spikebench.experiments.train import trainings
from spikebench.host.clock import CpuClock
from spikebench.loading.subject import load
from spikebench.metric import Plan, Running, measure
from spikebench.records.record import Measurement, Record
from spikebench.report.rows import trainings as trainings_of
from spikebench.sampling.timed_network import TimedNetwork
from spikebench.sampling.timed_training import TimedTraining
from spikebench.schemes import _online
from spikebench.task import Dataset, Sequences
from spikebench.verify import judged_network
from spikebench.workloads import network
from spikebench.workloads.training import Run, steps_within, train
from tests.schemes.test_schemes import LIF, SCHEMES, lif

SUBJECTS = [f"{lif(name)}+{name}" for name in SCHEMES]


pytestmark = pytest.mark.usefixtures("one_thread")


def running(subject: str, T: int = 12) -> Running:
    case = NetworkStep(subject, T=T, B=6, network="shd[width=8,channels=12]")
    return Running(network.build(case), CpuClock(), Plan(samples=4, warmup_least=0.01))


def timed(subject: str) -> str | None:
    """What is said of a step that was timed here."""
    here = running(subject)
    here.watch = watch = TimedNetwork(here.workload, here)
    assert measure("latency", here).samples
    return judged_network.judged(here.workload.case, watch.finished()).wrong


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_timed_step_is_the_definition_s(subject: str) -> None:
    assert timed(subject) is None


def test_a_step_that_skips_work_when_it_is_timed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    right, calls = _online.gradients, 0

    def wrong(*args: object) -> object:
        nonlocal calls
        calls += 1
        loss, found = right(*args)  # pyright: ignore[reportArgumentType]  # as it was called
        return loss, {p: g if calls < 3 else g * 1.001 for p, g in found.items()}

    monkeypatch.setattr(_online, "gradients", wrong)
    assert "is off by" in (timed(f"{LIF}+ottt") or "")


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_metric_says_how_the_gradients_lie(subject: str) -> None:
    found = measure("weight_cosine", running(subject))
    assert found.detail["weights"] == [*(f"linears.{k}.weight" for k in range(3)), "readout.weight"]
    assert len(found.samples) == len(cast(list[Any], found.detail["norm_ratio"])) == 4
    exact = subject.endswith("bptt")
    assert all(abs(v - 1) < 1e-6 for v in found.samples) == exact
    assert measure("backward", running(subject)).status == "unavailable"


@pytest.fixture(scope="module")
def data() -> Dataset:
    random = torch.Generator().manual_seed(1)

    def split(samples: int) -> Sequences:
        labels = torch.arange(samples) % 2
        each = [
            (2.0 * y - 1) + 0.5 * torch.randn(9 - k % 3, 3, generator=random) for k, y in enumerate(labels.tolist())
        ]
        return Sequences.of(each, labels.tolist(), 9)

    return Dataset("told apart", split(40), split(20), 3, 2, 9, {})


@pytest.mark.parametrize("subject", [*SUBJECTS, f"{LIF}+ottt[update=online]"])
def test_a_training_by_a_scheme_learns_and_is_watched(subject: str, data: Dataset) -> None:
    case = Training(subject, task="digits")
    watch = TimedTraining(case)

    def make(n: int) -> nn.Module:
        return load(case.parsed, n, data.steps, torch.float32, "cpu")

    recipe = Recipe(hidden=(12,), epochs=6, batch=8, batch_norm=False, lr=2e-2)
    *_, run = train(data, make, recipe, [0], watch=watch, subject=case.parsed)
    assert isinstance(run, Run)
    assert judged_network.judged(case, watch.evidence).wrong is None
    assert run.losses[-1] < run.losses[0] and run.accuracy > 0.75
    assert [a.weight for a in run.aligned] == ["linears.0.weight", "readout.weight"]
    assert watch.memory is not None and 0 < watch.memory < 1e6
    if subject.endswith("conversion"):
        assert run.without_spikes is not None and run.without_spikes > 15 and len(run.by_steps) == 512
        assert steps_within(run) is not None and run.by_steps[-1] >= run.without_spikes - 0.2


@pytest.mark.parametrize(
    ("by_steps", "found"), [((9, 10, 10), 2), ((10, 9, 10), 3), ((10, 10, 9), None), ((10, 11), 1), ((9, 9), None)]
)
def test_steps_are_counted_until_the_accuracy_stays(by_steps: tuple[int, ...], found: int | None) -> None:
    assert steps_within(Run(0, 10, 20, (), (), (), (), (), 10, by_steps)) == found


def test_the_row_of_a_training_by_a_scheme_is_a_mean_over_its_seeds() -> None:
    made: list[Record] = []
    for seed, steps in enumerate((3.0, None)):
        case = Training("lif+conversion", task="digits", seed=seed)
        values = {"accuracy": [0.9], "epoch_time": [1.0], "spike_rate": [0.1], "tensor_memory": [1024.0 * (1 + seed)]}
        found = [Measurement(m, "1", samples=v) for m, v in values.items()]
        found.append(Measurement("weight_cosine", "1", samples=[0.5 + seed / 4, 1.0]))
        found.append(
            Measurement("steps_to_ann", "1", "ok" if steps else "unavailable", samples=[steps] if steps else [])
        )
        made.append(Record("r", case.case_id, case.to_json(), status="ok", measurements=found))
    [row] = trainings_of(made)
    assert (row["tensors"], row["cosine per layer"], row["steps to ANN"]) == (
        "1.50 KiB",
        "0.62 1.00",
        "3, 1 of 2 never",
    )


def test_a_scheme_takes_no_norm_over_all_steps() -> None:
    (mine,) = trainings("digits", ("lif+ottt",), 1, {"epochs": 2}, False, "cpu")
    (plain,) = trainings("digits", ("lif",), 1, {"epochs": 2}, False, "cpu")
    assert (mine.to_json()["network"], plain.to_json()["network"]) == ("[batch_norm=false,epochs=2]", "[epochs=2]")


def peaks(subject: str, values: dict[int, float]) -> list[Record]:
    made: list[Record] = []
    for T, value in values.items():
        case = NetworkStep(subject, T=T, B=6, network="shd")
        for k in range(2):
            made.append(
                Record("r", case.case_id, case.to_json(), status="ok", repeat=k, measurements=[Measurement("peak_memory", "B", samples=[value + k])])
            )  # fmt: skip
    return made


def test_memory_grows_as_it_was_made_to() -> None:
    """Memory that doubles with T has 100 % a doubling and its slope; a constant one is flat."""
    linear = {T: 1e6 * T for T in (8, 32, 128, 512)}
    found = growths(peaks("lif+bptt", linear) + peaks("lif+ottt", dict.fromkeys(linear, 5e6)))
    grown, flat = found
    assert abs(grown.a_doubling.slope - 1) < 1e-3 and abs(grown.last - 1) < 1e-3 and not grown.flat
    assert abs(grown.a_step.slope - 1e6) < 10 and grown.a_step.low <= 1e6 <= grown.a_step.high
    assert flat.flat and abs(flat.a_step.slope) < 1 and (flat.shortest, flat.longest, flat.n) == (8, 512, 8)
    assert grown.cells["subject"] == "lif@eager+bptt"


def test_the_metric_tells_a_scheme_that_keeps_its_steps() -> None:
    def memory(name: str, T: int) -> Measurement:
        case = NetworkStep(f"{LIF}+{name}", T=T, B=16, network="shd[width=64,channels=50]")
        return measure("training_memory", Running(network.build(case), CpuClock(), Plan()))

    bptt, ottt = memory("bptt", 32), memory("ottt", 32)
    assert bptt.detail["lengths"] == [8, 16, 32]
    low, high = cast(list[float], bptt.detail["step_ends"])
    assert 3.3e4 < low <= high < 3.4e4 and cast(float, bptt.detail["doubling"]) > 0.99
    assert len(set(ottt.samples)) == 1 and ottt.detail["step"] == ottt.detail["most"] == 0 < ottt.samples[0] < 2e5
    short = memory("ottt", 16)
    assert short.status == "unavailable" and "take T = 32 or more" in str(short.reason)


def test_a_network_without_a_scheme_has_no_cosine() -> None:
    assert measure("weight_cosine", running(LIF)).status == "unavailable"
