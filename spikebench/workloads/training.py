"""Trains a network on a task, one seed after the other: accuracy, time per epoch, spike rates."""

import math
import pickle
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from spikebench import scheme as schemes
from spikebench import task as tasks
from spikebench.backend import Refused
from spikebench.cases.recipe import Recipe
from spikebench.cases.subject import Subject
from spikebench.host.clock import Clock, CpuClock
from spikebench.network import LOSSES, Classifier, MakeNeuron
from spikebench.networks import _norms
from spikebench.networks._norms import Norm
from spikebench.networks._p_spikessm import PSpikeSSM
from spikebench.networks._stsc import FilteredClassifier
from spikebench.neuron import StochasticNeuron
from spikebench.scheme import Alignment
from spikebench.task import Dataset, Samples

# of a checkpoint that is torn, or holds another network
DAMAGED = (OSError, RuntimeError, pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError, AttributeError)
Trained = Classifier | PSpikeSSM | FilteredClassifier


def recipe_of(task: str, changes: Mapping[str, object]) -> Recipe:
    """The task's own recipe with changes. Raises Problem for what is no recipe."""
    return Recipe().changed({**tasks.recipe(task), **changes})


def over(recipe: Recipe, epochs: "list[Epoch]") -> bool:
    """Whether these epochs are all."""
    return len(epochs) >= recipe.epochs if recipe.seconds is None else sum(e.seconds for e in epochs) >= recipe.seconds


@dataclass(frozen=True)
class Epoch:
    """Progress: epoch `number` of a seed (from 1) is done, with this mean training loss; with a curve, the accuracy."""

    seed: int
    number: int
    seconds: float
    loss: float
    accuracy: float | None = None


@dataclass(frozen=True)
class Run:
    """One trained seed: correct test samples out of all after the last epoch, spikes per step of each layer on them.

    `seconds` has one sample per epoch (batches made, forward, backward, optimiser step; without the test); `curve` has
    the accuracy after each, where the recipe asks for it; `aligned` says how the gradients of a scheme lie to those of
    BPTT at the end, on the first batch of the training split. Where what is tested was converted from a network without
    spikes, `without_spikes` is how many samples that gets right, and `by_steps` how many are right after 1, 2, … steps.
    """

    seed: int
    correct: int
    total: int
    seconds: tuple[float, ...]
    losses: tuple[float, ...]
    spike_rates: tuple[float, ...]
    curve: tuple[float, ...] = ()
    aligned: tuple[Alignment, ...] = ()
    without_spikes: int | None = None
    by_steps: tuple[int, ...] = ()

    @property
    def accuracy(self) -> float:
        """Share of the test samples that are classified correctly."""
        return self.correct / self.total


class Watch(Protocol):
    """Sees to it that a training is computed: see `sampling/timed_training.py`. The clock of an epoch stands still meanwhile."""

    def choose(self, batches: int) -> int:
        """Which step of the epoch that begins is kept."""
        ...

    def before(self, step: "Step", index: Tensor) -> None:
        """The step comes, with these samples."""
        ...

    def after(self, step: "Step", loss: Tensor) -> None:
        """The step has been done."""
        ...

    def over(self, step: "Step", samples: Samples, epoch: int, last: bool) -> None:
        """This epoch is over."""
        ...


def train(
    dataset: Dataset,
    make_neuron: MakeNeuron,
    recipe: Recipe,
    seeds: Iterable[int],
    device: str = "cpu",
    clock: Clock | None = None,
    checkpoints: Path | None = None,
    watch: Watch | None = None,
    subject: Subject | None = None,
) -> Iterator[Epoch | Run]:
    """Trains one network per seed; gives an Epoch after every epoch and a Run after every seed.

    The test split selects nothing. A seed fixes weights, order, augmentation and noise, whatever the caller does with
    torch's generators in between. With `checkpoints`, a folder, a seed's state is kept there after every epoch and
    taken up again, with the same result as without a break; a damaged one is set aside, as a file that ends in .damaged
    beside that folder, and the seed starts anew. `watch` sees one step of every epoch. The
    `subject`, if there is one, names the scheme. RuntimeError if the loss is not finite.
    """
    clock = clock or CpuClock()
    for seed in seeds:
        path = None if checkpoints is None else checkpoints / f"{seed}.pt"
        step, epochs = _begun(dataset, make_neuron, recipe, seed, device, path, subject)
        while not over(recipe, epochs):
            number = len(epochs) + 1
            with _seeded(seed, number, device):
                loss, seconds = _epoch(step, dataset.train, recipe.batch, clock, watch)
                correct = (
                    evaluate(step.tested(dataset.train), dataset.test, recipe.batch, device)[0]
                    if recipe.curve
                    else None
                )
            accuracy = None if correct is None else correct / len(dataset.test.labels)
            epochs.append(Epoch(seed, number, seconds, loss, accuracy))
            if path is not None:
                step.save(path, epochs)
            if watch is not None:
                watch.over(step, dataset.train, number, last=over(recipe, epochs))
            yield epochs[-1]
        with _seeded(seed, len(epochs) + 1, device):
            tested = step.tested(dataset.train)
            correct, rates = evaluate(tested, dataset.test, recipe.batch, device)
            nearing = over_steps(tested, dataset.test, recipe.batch, device)
        seconds, losses = tuple(e.seconds for e in epochs), tuple(e.loss for e in epochs)
        curve = tuple(e.accuracy for e in epochs if e.accuracy is not None)
        aligned = step.aligned(dataset.train, torch.arange(min(recipe.batch, len(dataset.train.labels))))
        yield Run(seed, correct, len(dataset.test.labels), seconds, losses, rates, curve, aligned, *nearing)


def _begun(
    dataset: Dataset,
    make_neuron: MakeNeuron,
    recipe: Recipe,
    seed: int,
    device: str,
    path: Path | None,
    subject: Subject | None,
) -> "tuple[Step, list[Epoch]]":
    """A seed's network with its optimiser, and the epochs that it has behind it by its checkpoint, if that can be read."""
    with _seeded(seed, 0, device):
        network = build(dataset, make_neuron, recipe).to(device)
    seed_noise(network, seed)
    step = Step(network, recipe, -(-len(dataset.train.labels) // recipe.batch), device, subject)
    if path is None or not path.exists():
        return step, []
    try:
        return step, step.restore(path)
    except torch.OutOfMemoryError:
        raise  # which says nothing about the file
    except DAMAGED:
        kept, number = path.parent, 1
        while (aside := kept.with_name(f"{kept.name}-{path.stem}-{number}.damaged")).exists():
            number += 1
        path.replace(aside)
    return _begun(dataset, make_neuron, recipe, seed, device, None, subject)


def build(dataset: Dataset, make_neuron: MakeNeuron, recipe: Recipe) -> Trained:
    """The untrained network of a recipe; its weights come from torch's generator."""
    if recipe.network == "psu_shd":
        sizes = dataset.channels, recipe.hidden, dataset.classes
        return FilteredClassifier(*sizes, make_neuron, dropout=recipe.dropout)
    if recipe.network == "p_spikessm":
        sizes = dataset.channels, recipe.hidden[0], len(recipe.hidden), dataset.classes
        names = ("state", "ssm", "norm", "prenorm", "residual", "bidirectional", "dropout")
        return PSpikeSSM(*sizes, make_neuron, **{name: getattr(recipe, name) for name in names})
    return Classifier(
        dataset.channels,
        recipe.hidden,
        dataset.classes,
        make_neuron,
        batch_norm=recipe.batch_norm,
        readout=recipe.readout,
        weights=recipe.weights,
        make_norm=partial(_norms.made, cast(Norm, recipe.norm), T=dataset.steps, make_neuron=make_neuron),
    )


def seed_noise(network: nn.Module, seed: int) -> None:
    """Gives every stochastic neuron of a network this seed and starts its calls anew."""
    for neuron in stochastic(network):
        neuron.seed, neuron.calls = seed, 0


def evaluate(network: nn.Module, samples: Samples, batch: int, device: str = "cpu") -> tuple[int, tuple[float, ...]]:
    """Correctly classified samples, and the mean spikes per neuron and step of each layer."""
    network.eval()
    correct, steps, spikes = 0, 0.0, torch.zeros(len(cast(nn.ModuleList, network.neurons)))
    with torch.no_grad():
        for index in torch.arange(len(samples.labels)).split(batch):
            x, y, mask = samples.batch(index).to(device)
            correct += int((network(x, mask).argmax(-1) == y).sum())
            valid = x.shape[0] * x.shape[1] if mask is None else int(mask.sum())
            spikes += valid * torch.tensor(cast(list[float], network.spike_rates))
            steps += valid
    network.train()
    return correct, tuple((spikes / steps).tolist())


def over_steps(
    network: nn.Module, samples: Samples, batch: int, device: str = "cpu"
) -> tuple[int | None, tuple[int, ...]]:
    """How many samples the network without spikes gets right that a network comes nearer to, and this one after each step."""
    if not isinstance(network, schemes.OverSteps):
        return None, ()
    want, found = 0, torch.zeros(0, dtype=torch.int64)
    with torch.no_grad():
        for index in torch.arange(len(samples.labels)).split(batch):
            x, y, mask = samples.batch(index).to(device)
            want += int((network.reference(x, mask).argmax(-1) == y).sum())
            right = torch.stack([(o.argmax(-1) == y).sum().cpu() for o in network.over_steps(x, mask)])
            found = right + found if len(found) else right
    return want, tuple(found.tolist())


def steps_within(run: Run, points: float = 0.01) -> int | None:
    """The number of steps from which on the accuracy is at most so much below that without spikes; None if it never is."""
    least = (run.without_spikes or 0) - points * run.total
    far = [steps for steps, correct in enumerate(run.by_steps, 1) if correct < least]
    first = far[-1] + 1 if far else 1
    return first if first <= len(run.by_steps) else None


class Step:
    """One optimiser step on a batch, with the schedule; with a scheme as many as that takes."""

    def __init__(
        self, network: Trained, recipe: Recipe, batches: int, device: str, subject: Subject | None = None
    ) -> None:
        self.network, self.device, self.loss, self.subject = network, device, LOSSES[recipe.loss], subject
        self.batch = recipe.batch
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
        if self.subject is None:
            _, loss = self.gradients(samples, index)
            self.optimizer.step()
        else:
            loss = self._by_scheme(self.subject, samples, index, learns=True)
        if self.schedule is not None:
            self.schedule.step()
        return loss

    def gradients(self, samples: Samples, index: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and loss of a batch; the gradients are in the parameters."""
        x, y, mask = samples.batch(index).to(self.device)
        logits = self.network(x, mask)
        loss = self.loss(logits, y)
        self.optimizer.zero_grad()
        loss.backward()
        return logits.detach(), loss.detach()

    def again(self, samples: Samples, index: Tensor) -> Tensor:
        """The loss of a batch; the gradients are in the parameters, which stay unless the scheme changes them on its way."""
        if self.subject is None:
            return self.gradients(samples, index)[1]
        return self._by_scheme(self.subject, samples, index, learns=self.updates_online)

    @property
    def updates_online(self) -> bool:
        """Whether weights change within a batch."""
        return self.subject is not None and self.subject.all_rule.get("update") == "online"

    def _by_scheme(self, subject: Subject, samples: Samples, index: Tensor, learns: bool) -> Tensor:
        """The loss of a batch by a scheme; the sum of its gradients is in the parameters."""
        x, y, mask = samples.batch(index).to(self.device)

        def apply(found: schemes.Gradients) -> None:
            for p, g in found.items():
                p.grad = g
            self.optimizer.step()

        loss, found = schemes.gradients(subject, self._stack, x, y, mask, apply if learns else None)
        for p, g in found.items():
            p.grad = g
        return loss

    @property
    def _stack(self) -> Classifier:
        if not isinstance(self.network, Classifier):
            raise Refused(f"a scheme trains network=classifier, not a {type(self.network).__name__}")
        if self.network.leak is not None or self.network.largest:
            raise Refused("a scheme reads out at every step, whose mean decides; take readout=mean")
        return self.network

    def tested(self, samples: Samples) -> nn.Module:
        """The network that is tested: what the scheme makes of it with the training data, or the network itself."""
        every = torch.arange(len(samples.labels)).split(self.batch)
        batches = (samples.batch(index).to(self.device) for index in every)
        return schemes.tested(self.subject, self.network, ((b.x, b.mask) for b in batches))

    def aligned(self, samples: Samples, index: Tensor) -> tuple[Alignment, ...]:
        """How the gradients of the scheme lie to those of BPTT on a batch; nothing without a scheme."""
        if self.subject is None:
            return ()
        x, y, mask = samples.batch(index).to(self.device)
        return tuple(schemes.alignment(self.subject, self._stack, x, y, mask))

    def save(self, path: Path, epochs: list[Epoch]) -> None:
        """Keep everything that the next epoch starts from; the file is whole or it is the one before."""
        path.parent.mkdir(parents=True, exist_ok=True)
        parts = {"network": self.network, "optimizer": self.optimizer, "schedule": self.schedule}
        states = {k: part.state_dict() for k, part in parts.items() if part is not None}
        kept = {"epochs": [asdict(e) for e in epochs], "calls": [n.calls for n in stochastic(self.network)]}
        partial = path.with_suffix(".part")
        torch.save(states | kept, partial)
        partial.replace(path)

    def restore(self, path: Path) -> list[Epoch]:
        """Go on where `save` was called; gives the epochs that are done."""
        kept = torch.load(path, map_location=self.device, weights_only=True)
        self.network.load_state_dict(kept["network"])
        self.optimizer.load_state_dict(kept["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(kept["schedule"])
        for neuron, calls in zip(stochastic(self.network), kept["calls"], strict=True):
            neuron.calls = calls
        return [Epoch(**e) for e in kept["epochs"]]


def stochastic(network: nn.Module) -> list[StochasticNeuron]:
    """The neurons of a network that draw."""
    return [module for module in network.modules() if isinstance(module, StochasticNeuron)]


def _epoch(step: Step, samples: Samples, batch: int, clock: Clock, watch: Watch | None) -> tuple[float, float]:
    """Mean loss of an epoch, and its seconds. Reading the loss waits for the device, so that the time is complete."""
    count, start, watched = len(samples.labels), clock.now(), 0.0
    total = torch.zeros((), device=step.device)
    kept = -1 if watch is None else watch.choose(-(-count // batch))
    for number, index in enumerate(torch.randperm(count).split(batch)):
        watching = watch if number == kept else None
        if watching is not None:
            watched -= _now(total, clock)
            watching.before(step, index)
            watched += _now(total, clock)
        total += (loss := step(samples, index)) * len(index)
        if watching is not None:
            watched -= _now(total, clock)
            watching.after(step, loss)
            watched += _now(total, clock)
    mean = total.item() / count
    seconds = clock.now() - start - watched
    if not math.isfinite(mean):
        raise RuntimeError(f"training diverged: the mean loss is {mean}")
    return mean, seconds


def _now(total: Tensor, clock: Clock) -> float:
    """The time when the device has done what it was asked for."""
    total.item()
    return clock.now()


@contextmanager
def _seeded(seed: int, part: int, device: str) -> Iterator[None]:
    """Torch's generators at a state that seed and part name; afterwards they are as they were."""
    with torch.random.fork_rng([] if device == "cpu" else [device]):
        torch.manual_seed(1_000_003 * seed + part)
        yield
