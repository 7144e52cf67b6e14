"""Networks and training: the readouts, padding, noise, determinism, and that a network learns."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from spikebench import task
from spikebench.cases.recipe import Recipe
from spikebench.errors import Problem
from spikebench.host.clock import FakeClock
from spikebench.network import Classifier, StepNorm, pooling
from spikebench.networks._stsc import FilteredClassifier
from spikebench.neurons.lif import LIF
from spikebench.neurons.psu import PSU
from spikebench.neurons.spsn import SPSN
from spikebench.numerics.scan import recurrence
from spikebench.task import Dataset, Sequences
from spikebench.workloads import training
from spikebench.workloads.training import Epoch, Run, evaluate, recipe_of, train

QUICK = Recipe(hidden=(16,), epochs=4, batch=20, lr=2e-2)


pytestmark = pytest.mark.usefixtures("one_thread")


def lif(n: int) -> nn.Module:
    return LIF()


def spsn(n: int) -> nn.Module:
    return SPSN()


def rising_or_falling(samples: int, seed: int) -> Sequences:
    """Two classes with the same values in opposite order on three noisy channels, 12 to 20 steps long."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(samples) % 2
    sequences: list[Tensor] = []
    for label in labels.tolist():
        length = int(torch.randint(12, 21, (), generator=random))
        ramp = torch.linspace(-2, 2, length) * (1 - 2 * label)
        sequences.append(ramp[:, None] * torch.ones(3) + 0.5 * torch.randn(length, 3, generator=random))
    return Sequences.of(sequences, labels.tolist(), 20)


@pytest.fixture(scope="module")
def ramps() -> Dataset:
    return Dataset("ramps", rising_or_falling(100, 1), rising_or_falling(60, 2), 3, 2, 20, {})


def runs(dataset: Dataset, make: Callable[[int], nn.Module], recipe: Recipe, *seeds: int) -> list[Run]:
    return [event for event in train(dataset, make, recipe, seeds) if isinstance(event, Run)]


@pytest.mark.parametrize("make", [lif, spsn])
def test_training_beats_chance(ramps: Dataset, make: Callable[[int], nn.Module]) -> None:
    (run,) = runs(ramps, make, replace(QUICK, epochs=8), 0)
    assert run.accuracy > 0.8  # chance 0.5, and 60 samples: six deviations would be 0.89
    assert run.losses[-1] < run.losses[0]


@pytest.mark.parametrize("make", [lif, spsn])
def test_a_seed_names_the_result(ramps: Dataset, make: Callable[[int], nn.Module]) -> None:
    first, other = runs(ramps, make, QUICK, 3, 4)
    torch.manual_seed(99)
    again = []
    for event in train(ramps, make, QUICK, [3]):
        torch.rand(7)  # what the caller draws in between must not matter
        again.append(event)
    run = again[-1]
    assert isinstance(run, Run)
    assert (run.losses, run.correct, run.spike_rates) == (first.losses, first.correct, first.spike_rates)
    assert first.losses != other.losses


def test_training_leaves_the_callers_generator_alone(ramps: Dataset) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    runs(ramps, lif, replace(QUICK, epochs=1), 0)
    assert torch.rand(3).equal(expected)


def test_progress_comes_after_every_epoch_and_a_result_after_every_seed(ramps: Dataset) -> None:
    clock = FakeClock([1.0])
    events = train(ramps, lif, replace(QUICK, epochs=2), [0, 1], clock=clock)
    kept: list[Epoch | Run] = []
    for event in events:
        kept.append(event)
        if len(kept) == 4:
            break  # interrupted in the second seed: the first one's result is there
    assert [type(event).__name__ for event in kept] == ["Epoch", "Epoch", "Run", "Epoch"]
    run = kept[2]
    assert isinstance(run, Run) and run.seed == 0 and run.total == 60
    assert len(run.seconds) == len(run.losses) == 2 and len(run.spike_rates) == 1
    assert run.losses == tuple(event.loss for event in kept[:2] if isinstance(event, Epoch))


def test_seconds_are_those_of_the_epochs(ramps: Dataset) -> None:
    class Ticking(FakeClock):
        def now(self) -> float:
            self._time += 1.5
            return self._time

    (run,) = (e for e in train(ramps, lif, QUICK, [0], clock=Ticking([1.0])) if isinstance(e, Run))
    assert run.seconds == (1.5,) * 4


def test_a_diverged_training_is_an_error(ramps: Dataset) -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x / 0

    with pytest.raises(RuntimeError, match="diverged: the mean loss is nan"):
        runs(ramps, lambda n: Broken(), QUICK, 0)


def test_the_schedule_ends_and_the_optimizer_is_the_recipes(ramps: Dataset) -> None:
    network = training.build(ramps, lif, QUICK)
    step = training.Step(network, QUICK, batches=5, device="cpu")
    rates: list[float] = []
    for k in range(QUICK.epochs * 5):
        rates.append(step.optimizer.param_groups[0]["lr"])
        step(ramps.train, torch.arange(20) + k % 5)
    assert max(rates) == pytest.approx(QUICK.lr, rel=0.05) and rates[-1] < QUICK.lr / 1000
    constant = training.Step(network, replace(QUICK, optimizer="adamax", schedule="constant"), 5, "cpu")
    assert isinstance(constant.optimizer, torch.optim.Adamax) and constant.schedule is None


def test_recipes_come_from_the_task() -> None:
    vowels = recipe_of("japanese_vowels", {"epochs": 3})
    assert vowels.epochs == 3 and vowels.hidden == (128,)
    authors = recipe_of("shd", {})
    assert (authors.hidden, authors.batch_norm, authors.readout) == ((128, 128, 128), False, "leaky")
    assert (authors.optimizer, authors.lr, authors.batch, authors.epochs) == ("adamax", 1e-3, 64, 200)
    with pytest.raises(Problem, match="no field epoch in a recipe; there are batch, "):
        recipe_of("shd", {"epoch": 3})


@pytest.mark.parametrize("readout", ["mean", "leaky"])
def test_readout_is_the_mean_over_time_of_what_does_not_fire(readout: str) -> None:
    torch.manual_seed(0)
    network = Classifier(4, [6], 3, lif, batch_norm=False, readout=readout, weights="kaiming").double()  # pyright: ignore[reportArgumentType] - a literal by parametrize
    nn.init.normal_(network.readout.bias)
    x = torch.randn(15, 2, 4, dtype=torch.float64)
    spikes = network.neurons[0](network.linears[0](x))
    membrane = network.readout(spikes)  # [T, B, classes]
    if readout == "leaky":
        decay = 0.951229424500714
        membrane = recurrence((1 - decay) * recurrence(membrane, decay), decay)
    torch.testing.assert_close(network(x), membrane.mean(0))


@pytest.mark.parametrize("leak", [None, 0.9])
@pytest.mark.parametrize("front", [False, True])
def test_padding_does_not_count(leak: float | None, front: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(7, dtype=torch.float64)
    mask = torch.zeros(10, 1, dtype=torch.bool)
    mask[slice(3, 10) if front else slice(0, 7)] = True
    padded = torch.full((10,), 1e9, dtype=torch.float64).masked_scatter(mask[:, 0], x)
    alone = (pooling(7, leak, None, x)[:, 0] * x).sum()
    torch.testing.assert_close((pooling(10, leak, mask, x)[:, 0] * padded).sum(), alone)
    v = x if leak is None else recurrence((1 - leak) * recurrence(x, leak), leak)
    torch.testing.assert_close(alone, v.mean())


def test_padded_samples_get_the_logits_they_get_alone() -> None:
    torch.manual_seed(0)
    samples = rising_or_falling(12, 3)
    network = Classifier(3, [8, 8], 2, lif)
    x, _, mask = samples.batch(torch.arange(12))
    network(x, mask)  # in training mode: the running statistics move
    network.eval()
    together = network(x, mask)
    spikes = torch.zeros(2)
    for k in range(12):
        length = int(samples.lengths[k])
        torch.testing.assert_close(network(x[:length, k : k + 1]), together[k : k + 1], rtol=1e-4, atol=1e-5)
        spikes += length * torch.tensor(network.spike_rates)
    network(x, mask)
    torch.testing.assert_close(torch.tensor(network.spike_rates), spikes / int(samples.lengths.sum()))


def test_batch_norm_sees_data_only() -> None:
    torch.manual_seed(0)
    norm, plain = StepNorm(5), nn.BatchNorm1d(5)
    x, mask = torch.randn(9, 4, 5) * 3 + 1, torch.rand(9, 4) < 0.6
    out = norm(x, mask)
    torch.testing.assert_close(out[mask], plain(x[mask]))
    torch.testing.assert_close(norm.running_mean, plain.running_mean)
    assert not out[~mask].any()


def test_every_sampling_site_has_its_own_noise() -> None:
    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = SPSN()

        def forward(self, x: Tensor) -> tuple[Tensor, str]:
            return self.inside(x), "ignored"

    network = Classifier(3, [4, 4, 4], 2, lambda n: Wrapped())
    sites = [neuron.site for neuron in network.modules() if isinstance(neuron, SPSN)]
    assert sites == [0, 1, 2]
    training.seed_noise(network, 11)
    noise = [neuron.draw(torch.zeros(5, 2, 4)) for neuron in network.modules() if isinstance(neuron, SPSN)]
    assert not noise[0].equal(noise[1]) and not noise[1].equal(noise[2])
    assert network(torch.randn(5, 2, 3)).shape == (2, 2)


def test_a_seed_names_the_noise(ramps: Dataset) -> None:
    made: list[SPSN] = []

    def make(n: int) -> SPSN:
        made.append(SPSN())
        made[-1].calls = 1000  # as if it had been used
        return made[-1]

    runs(ramps, make, replace(QUICK, hidden=(4, 4), epochs=1), 3, 4)
    assert [neuron.seed for neuron in made] == [3, 3, 4, 4]
    assert {neuron.calls for neuron in made} == {5 + 3}  # batches of 20 out of 100 to train and 60 to test


def test_evaluation_counts_correct_samples_and_spikes(ramps: Dataset) -> None:
    class Half(nn.Module):
        """Spikes at half of the neurons, always."""

        def forward(self, x: Tensor) -> Tensor:
            return torch.ones_like(x) * (torch.arange(x.shape[-1]) % 2)

    network = Classifier(3, [4], 2, lambda n: Half())
    network.readout.bias.data.copy_(torch.tensor([100.0, 0.0]))  # whatever comes: the first class
    correct, rates = evaluate(network, ramps.test, batch=7)
    assert (correct, rates) == (30, (0.5,))
    assert network.training


@pytest.mark.long
def test_lif_reaches_its_accuracy_on_real_speech() -> None:
    try:
        vowels = task.load("japanese_vowels")
    except task.MissingData as missing:
        pytest.skip(str(missing))
    (run,) = runs(vowels, lif, recipe_of("japanese_vowels", {}), 0)
    assert run.accuracy > 0.94  # 0.970 to 0.973 were measured


def test_the_network_of_the_psu_authors_learns_with_a_squared_error(ramps: Dataset) -> None:
    recipe = Recipe(network="psu_shd", hidden=(24, 24), loss="mse", dropout=0.1, epochs=6, batch=20, lr=1e-2)
    network = training.build(ramps, lif, recipe)
    assert isinstance(network, FilteredClassifier) and network.dropout.p == 0.1
    (run,) = runs(ramps, lambda n: PSU(threshold=0.3), recipe, 0)
    assert run.accuracy > 0.9 and len(run.spike_rates) == 2
    x, y, mask = ramps.train.batch(torch.arange(20))
    step = training.Step(network, recipe, 1, "cpu")
    torch.manual_seed(0)
    want = (network(x, mask) - torch.eye(2)[y]).square().mean()
    torch.manual_seed(0)
    torch.testing.assert_close(step(ramps.train, torch.arange(20)), want.detach())
