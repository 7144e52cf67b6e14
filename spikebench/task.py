"""What a task is: recordings with a train and a test split, given as batches of sequences [T, B, C].

A task is a file in `tasks/` with `load(data_root, **options) -> Dataset` and some module constants: LICENCE, URL and SOURCE
(its citation), literals, because they are also read without importing torch; and RECIPE, a dict of those fields of
`training.Recipe` that are its own. What is read from files has FILES, FOLDERS of the data root that may hold them, GET, which
says how to get them, and perhaps INSIDE, the folder of an installed package: by these a training knows at once what is missing. The first line of the file's docstring is its title.
"""

import importlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import torch
from torch import Tensor

from spikebench import registry
from spikebench.errors import Problem


class MissingData(Problem):
    """Data that a user has to fetch; the message is one line that says what, where from and where to."""


class Batch(NamedTuple):
    """Some samples: x [T, B, C], labels y [B], and mask [T, B], true on data and false on padding (None: all data)."""

    x: Tensor
    y: Tensor
    mask: Tensor | None = None

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on a device."""
        return Batch(self.x.to(device), self.y.to(device), None if self.mask is None else self.mask.to(device))


class Samples(Protocol):
    """One split of a task."""

    @property
    def labels(self) -> Tensor:
        """Classes as int64: [S]."""
        ...

    def batch(self, index: Tensor) -> Batch:
        """The samples with these indices; random augmentation, if any, draws from torch's generator."""
        ...


@dataclass(frozen=True)
class Dataset:
    """A task in memory. `steps` is the length of its longest sample; `options` are those it was loaded with."""

    task: str
    train: Samples
    test: Samples
    channels: int
    classes: int
    steps: int
    options: Mapping[str, bool | int | float | str | None]


@dataclass(frozen=True)
class Sequences:
    """Sequences of unequal length, one after the other in `values` [ΣL, C], padded with zeros at the end to `steps`.

    Padding stands at the end, so that a causal neuron has seen no padding when it sees data.
    """

    values: Tensor
    lengths: Tensor
    labels: Tensor
    steps: int

    @classmethod
    def of(cls, sequences: Sequence[Tensor], labels: Iterable[int], steps: int) -> "Sequences":
        """From one tensor [L, C] per sample; what lies beyond `steps` is cut off."""
        cut = [sequence[:steps] for sequence in sequences]
        lengths = torch.tensor([len(sequence) for sequence in cut])
        return cls(torch.cat(cut), lengths, torch.tensor(list(labels)), steps)

    def batch(self, index: Tensor) -> Batch:
        starts = self.lengths.cumsum(0) - self.lengths
        step = torch.arange(self.steps)[:, None]
        mask = step < self.lengths[index]  # [T, B]
        rows = torch.where(mask, starts[index] + step, 0)
        return Batch(self.values[rows] * mask[..., None], self.labels[index], mask)


def standardise(train: Sequences, test: Sequences) -> tuple[Sequences, Sequences]:
    """Both splits with each channel's mean and deviation over the training data taken out."""
    mean, deviation = train.values.mean(0), train.values.std(0).clamp_min(1e-6)
    return (
        Sequences((train.values - mean) / deviation, train.lengths, train.labels, train.steps),
        Sequences((test.values - mean) / deviation, test.lengths, test.labels, test.steps),
    )


def load(task: str, data_root: str | Path | None = None, **options: Any) -> Dataset:
    """The task with this id, read from `data_root`.

    Raises Problem (one line) if there is no such task or option, or if its files are not what they should be, and
    MissingData if they are not there.
    """
    load_task = _module(task).load
    if unknown := options.keys() - (known := inspect.signature(load_task).parameters.keys() - {"data_root"}):
        raise Problem(f"{task}: no option {', '.join(unknown)}; there are {', '.join(sorted(known)) or 'none'}")
    return cast(Dataset, load_task(data_root, **options))


def recipe(task: str) -> dict[str, Any]:
    """How the task is trained by default: fields of `training.Recipe`."""
    return dict(_module(task).RECIPE)


def _module(task: str) -> Any:
    return importlib.import_module(f"spikebench.tasks.{registry.find('tasks', task)}")


def find(task: str, data_root: str | Path | None, folders: Iterable[str], name: str, remedy: str) -> Path:
    """The file or folder `name` in the first of these folders of `data_root` that has it, else MissingData."""
    places = [] if data_root is None else [Path(data_root, folder, name) for folder in folders]
    for place in places:
        if place.exists():
            return place
    looked = f"not found ({', '.join(map(str, places))})" if places else "needs a data root"
    raise MissingData(f"{task}: {name} {looked}; {remedy}")
