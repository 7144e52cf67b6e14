"""Networks and trainings are compared inside: what is right only as a layer is caught, and what is right passes.

The cheats are in cheats/nested.py. Each is right as a layer alone, and the gate of a layer lets it pass.
"""

from pathlib import Path

import pytest
import torch
from torch import nn

from spikebench import backends
from spikebench.cases.case import Layer, NetworkStep, Training
from spikebench.cases.recipe import Recipe
from spikebench.host.clock import CpuClock
from spikebench.loading.subject import load
from spikebench.metric import Plan, Running, measure
from spikebench.sampling.timed_network import TimedNetwork
from spikebench.sampling.timed_training import TimedTraining
from spikebench.task import Dataset, Sequences
from spikebench.verify import judged_network, network_gate
from spikebench.verify.chain import chain
from spikebench.verify.gate import gate
from spikebench.verify.inside import watching
from spikebench.workloads import network
from spikebench.workloads.renewal import Rolled
from spikebench.workloads.training import Run, train

CHEATS = Path(__file__).parents[1] / "cheats"
SMALL = "shd[width=8,channels=12]"
# kind, what says so ("gate": before it is timed, "timed": launches), and a part of what is said
NETWORKS = [
    ("weights", "gate", "the gradient of a weight"),
    ("second", "gate", "the output"),
    ("kept", "gate", ""),
    ("graph", "gate", ""),
    ("sizes", "gate", "in the network, "),
    ("half", "gate", "the output"),
    ("calls", "timed", ""),
    ("hooks", "timed", "when it is done again"),
]
TRAININGS = [("learns", "gradient"), ("evaluates", "its spikes carry no gradient"), ("sizes", "a spike differs")]
HONEST = ["lif@right", "lif@cpu", "spsn@fft", "plif@eager", "recurrent_lif@eager"]


@pytest.fixture(autouse=True)
def cheats(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of backends, with the cheats in it; they have seen nothing yet."""
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(CHEATS)])
    torch.set_num_threads(1)
    from spikebench.backends import nested  # pyright: ignore[reportAttributeAccessIssue]  # it is there now

    nested.calls = nested.backwards = 0
    nested.first.clear()
    nested.kept.clear()


def case_of(subject: str, mode: str = "train") -> NetworkStep:
    return NetworkStep(subject, T=12, B=6, network=SMALL, mode=mode)  # pyright: ignore[reportArgumentType]  # checked at run time


def timed(case: NetworkStep, samples: int = 6) -> str | None:
    """What is said of a network that was timed here."""
    running = Running(network.build(case), CpuClock(), Plan(samples=samples, warmup_least=0.01))
    running.watch = watch = TimedNetwork(running.workload, running)
    measure("latency", running)
    return judged_network.judged(case, watch.finished()).wrong


@pytest.mark.parametrize(("kind", "by", "said"), NETWORKS)
def test_what_is_right_only_as_a_layer_is_caught(kind: str, by: str, said: str) -> None:
    subject = f"lif@nested[kind={kind}]"
    assert gate(Layer(subject, T=12, B=6, N=8), 0.2).status == "passed"
    if by == "gate":
        found = network_gate.compare(case_of(subject))
        assert found.status == "failed" and said in (found.reason or "")
    else:
        wrong = timed(case_of(subject), samples=30)  # of three layers each: more calls than the cheat is honest in
        assert wrong is not None and said in wrong


@pytest.mark.parametrize("subject", HONEST)
def test_what_is_right_passes(subject: str) -> None:
    case = case_of(subject)
    found = network_gate.compare(case)
    assert found.status == "passed", found.reason
    if not subject.endswith("@eager"):
        assert found.layers == 3 and found.series and found.chain_error is not None and found.chain_error < 1e-6
    assert timed(case) is None


@pytest.mark.parametrize("scheme", ["sltt_k", "noise_step"])
def test_what_a_scheme_draws_belongs_to_its_launch(scheme: str) -> None:
    assert timed(case_of(f"lif@eager+{scheme}")) is None


def test_a_launch_is_repeated_without_the_subject() -> None:
    """What lies between the layers is torch's: with one weight changed in between, the chain says which."""
    work = network.build(case_of("lif@right"))
    assert work.on is not None
    launches = work.on(work.x)
    with watching(work.module) as seen:
        given = launches.whole()
    assert max(e for _, e in chain(work.module, given, seen, launches.whole)) < 1e-6
    with torch.no_grad():
        next(p for name, p in work.module.named_parameters() if name == "linears.1.weight").mul_(1.01)
    errors = dict(chain(work.module, given, seen, launches.whole))
    assert errors["the input of layer 1 of 3"] < 1e-6 < errors["the input of layer 2 of 3"]


@pytest.mark.parametrize("shape", [(5, 3, 4), (7,), (1, 2)])
def test_a_rolled_input_has_the_same_values_in_other_places(shape: tuple[int, ...]) -> None:
    x = torch.arange(torch.Size(shape).numel(), dtype=torch.float32).view(shape)
    values, made = Rolled(x), [torch.empty_like(x) for _ in range(8)]
    for number, into in enumerate(made):
        values.write(into, bytes([number]) * 8)
        assert torch.equal(into.flatten().sort().values, x.flatten())
    assert len({tuple(m.flatten().tolist()) for m in made}) > 1
    labels = torch.zeros(50, dtype=torch.int64)
    Rolled(labels, 4).write(labels, b"12345678")
    assert set(labels.tolist()) == {0, 1, 2, 3}


@pytest.fixture(scope="module")
def data() -> Dataset:
    random = torch.Generator().manual_seed(1)
    splits = [Sequences.of([torch.randn(9, 3, generator=random) for _ in range(40)], [0, 1] * 20, 9) for _ in range(2)]
    return Dataset("noisy", splits[0], splits[1], 3, 2, 9, {})


def trained(subject: str, data: Dataset, epochs: int = 4) -> tuple[TimedTraining, Run]:
    case = Training(subject, task="digits")
    watch = TimedTraining(case)

    def make(n: int) -> nn.Module:
        return load(case.parsed, n, data.steps, torch.float32, "cpu")

    *_, run = train(data, make, Recipe(hidden=(6, 6), epochs=epochs, batch=8), [0], watch=watch)
    assert isinstance(run, Run)
    return watch, run


@pytest.mark.parametrize(("kind", "said"), TRAININGS)
def test_a_training_that_does_not_train_is_caught(kind: str, said: str, data: Dataset) -> None:
    watch, _ = trained(f"lif@nested[kind={kind}]", data)
    assert said in (judged_network.judged(watch.case, watch.evidence).wrong or "nothing")


@pytest.mark.parametrize("subject", ["lif@right", "spsn@fft", "plif@eager"])
def test_a_training_that_is_watched_is_the_same(subject: str, data: Dataset) -> None:
    watch, run = trained(subject, data)
    found = judged_network.judged(watch.case, watch.evidence)
    assert found.wrong is None and found.launches >= 2 and found.series > 0
    case = watch.case
    plain = train(
        data,
        lambda n: load(case.parsed, n, data.steps, torch.float32, "cpu"),
        Recipe(hidden=(6, 6), epochs=4, batch=8),
        [0],
    )
    *_, other = plain
    assert isinstance(other, Run) and (run.losses, run.correct) == (other.losses, other.correct)
