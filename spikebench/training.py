"""Trains a network on a task, one seed after the other: accuracy, time per epoch, spike rates."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, Literal

import torch
from torch import Tensor, nn

from spikebench import task as tasks
from spikebench.clock import Clock, CpuClock
from spikebench.network import Classifier, MakeNeuron, Readout, Weights
from spikebench.neuron import StochasticNeuron
from spikebench.rooms import Problem
from spikebench.task import Dataset, Samples


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. "one-cycle" raises the rate to `lr` and lowers it to nearly 0 over all epochs."""

    hidden: tuple[int, ...] = (128,)
    batch_norm: bool = True
    readout: Readout = "mean"
    weights: Weights = "torch"
    epochs: int = 20
    batch: int = 32
    optimizer: Literal["adamw", "adamax"] = "adamw"
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    lr: float = 6e-3
    weight_decay: float = 0.01  # adamw only

    @classmethod
    def of(cls, task: str, **changes: Any) -> "Recipe":
        """The task's own recipe with changes; Problem for a field that does not exist."""
        if unknown := changes.keys() - (known := {field.name for field in fields(cls)}):
            raise Problem(f"no field {', '.join(unknown)} in a recipe; there are {', '.join(sorted(known))}")
        return cls(**{**tasks.recipe(task), **changes})


@dataclass(frozen=True)
class Epoch:
    """Progress: epoch `number` of a seed (from 1) is done, with this mean training loss."""

    seed: int
    number: int
    seconds: float
    loss: float


@dataclass(frozen=True)
class Run:
    """One trained seed: correct test samples out of all after the last epoch, spikes per step of each layer on them.

    `seconds` has one sample per epoch (batches made, forward, backward, optimiser step; without the test).
    """

    seed: int
    correct: int
    total: int
    seconds: tuple[float, ...]
    losses: tuple[float, ...]
    spike_rates: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        """Share of the test samples that are classified correctly."""
        return self.correct / self.total


def train(
    dataset: Dataset,
    make_neuron: MakeNeuron,
    recipe: Recipe,
    seeds: Iterable[int],
    device: str = "cpu",
    clock: Clock | None = None,
) -> Iterator[Epoch | Run]:
    """Trains one network per seed; gives an Epoch after every epoch and a Run after every seed.

    The test split is used once per seed, after the last epoch, and selects nothing. A seed fixes weights, order,
    augmentation and noise, whatever the caller does with torch's generators in between. RuntimeError if the loss is
    not finite.
    """
    clock = clock or CpuClock()
    for seed in seeds:
        with _seeded(seed, 0, device):
            network = build(dataset, make_neuron, recipe).to(device)
        seed_noise(network, seed)
        step = _Step(network, recipe, -(-len(dataset.train.labels) // recipe.batch), device)
        epochs: list[Epoch] = []
        for number in range(1, recipe.epochs + 1):
            with _seeded(seed, number, device):
                start = clock.now()
                loss = _epoch(step, dataset.train, recipe.batch)
                epochs.append(Epoch(seed, number, clock.now() - start, loss))
            yield epochs[-1]
        with _seeded(seed, recipe.epochs + 1, device):
            correct, rates = evaluate(network, dataset.test, recipe.batch, device)
        seconds, losses = zip(*((epoch.seconds, epoch.loss) for epoch in epochs), strict=True)
        yield Run(seed, correct, len(dataset.test.labels), seconds, losses, rates)


def build(dataset: Dataset, make_neuron: MakeNeuron, recipe: Recipe) -> Classifier:
    """The untrained network of a recipe; its weights come from torch's generator."""
    return Classifier(
        dataset.channels,
        recipe.hidden,
        dataset.classes,
        make_neuron,
        batch_norm=recipe.batch_norm,
        readout=recipe.readout,
        weights=recipe.weights,
    )


def seed_noise(network: nn.Module, seed: int) -> None:
    """Gives every stochastic neuron of a network this seed and starts its calls anew."""
    for module in network.modules():
        if isinstance(module, StochasticNeuron):
            module.seed, module.calls = seed, 0


def evaluate(network: Classifier, samples: Samples, batch: int, device: str = "cpu") -> tuple[int, tuple[float, ...]]:
    """Correctly classified samples, and the mean spikes per neuron and step of each layer."""
    network.eval()
    correct, steps, spikes = 0, 0.0, torch.zeros(len(network.neurons))
    with torch.no_grad():
        for index in torch.arange(len(samples.labels)).split(batch):
            x, y, mask = samples.batch(index).to(device)
            correct += int((network(x, mask).argmax(-1) == y).sum())
            valid = x.shape[0] * x.shape[1] if mask is None else int(mask.sum())
            spikes += valid * torch.tensor(network.spike_rates)
            steps += valid
    network.train()
    return correct, tuple((spikes / steps).tolist())


class _Step:
    """One optimiser step on a batch, with the schedule."""

    def __init__(self, network: Classifier, recipe: Recipe, batches: int, device: str) -> None:
        self.network, self.device = network, device
        if recipe.optimizer == "adamw":
            self.optimizer = torch.optim.AdamW(network.parameters(), recipe.lr, weight_decay=recipe.weight_decay)
        else:
            self.optimizer = torch.optim.Adamax(network.parameters(), recipe.lr)
        self.schedule = None
        if recipe.schedule == "one-cycle":
            total = recipe.epochs * batches
            self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, recipe.lr, total_steps=total)

    def __call__(self, samples: Samples, index: Tensor) -> Tensor:
        """The loss before the step."""
        x, y, mask = samples.batch(index).to(self.device)
        loss = nn.functional.cross_entropy(self.network(x, mask), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()
        return loss.detach()


def _epoch(step: _Step, samples: Samples, batch: int) -> float:
    """Mean loss of an epoch. Reading it waits for the device, so that the epoch's time is complete."""
    count = len(samples.labels)
    total = torch.zeros((), device=step.device)
    for index in torch.randperm(count).split(batch):
        total += step(samples, index) * len(index)
    loss = total.item() / count
    if not math.isfinite(loss):
        raise RuntimeError(f"training diverged: the mean loss is {loss}")
    return loss


@contextmanager
def _seeded(seed: int, part: int, device: str) -> Iterator[None]:
    """Torch's generators at a state that seed and part name; afterwards they are as they were."""
    with torch.random.fork_rng([] if device == "cpu" else [device]):
        torch.manual_seed(1_000_003 * seed + part)
        yield
