"""Spiking Heidelberg Digits: spoken digits in German and English as spike trains of 700 cochlear channels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikebench.errors import Problem
from spikebench.host import files
from spikebench.task import Batch, Dataset, find
from spikebench.units import Count, Positive

LICENCE = "CC BY 4.0"
URL = "https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/"
SOURCE = (
    "@article{cramer2022heidelberg, author={Cramer, Benjamin and Stradmann, Yannik and Schemmel, Johannes and Zenke,"
    " Friedemann}, title={The {Heidelberg} Spiking Data Sets for the Systematic Evaluation of Spiking Neural Networks},"
    " journal={IEEE Transactions on Neural Networks and Learning Systems}, volume={33}, pages={2744--2757},"
    " year={2022}, doi={10.1109/TNNLS.2020.3044364}}"
)
RECIPE = {
    "hidden": (128, 128, 128),
    "batch_norm": False,
    "weights": "kaiming",
    "readout": "leaky",
    "epochs": 200,
    "batch": 64,
    "optimizer": "adamax",
    "schedule": "constant",
    "lr": 1e-3,
}
UNITS = 700
FILES = ("shd_train.h5", "shd_test.h5")
FOLDERS = ("shd", "SHD", ".")
GET = "download shd_train.h5 and shd_test.h5 from https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/ and name their folder with --data-root"
MOST_STEPS = 1_000_000  # of a recording; of one second, with dt = 1 µs
_DATASETS = ("spikes/times", "spikes/units", "labels")


def load(
    data_root: str | Path | None = None,
    *,
    dt: Positive = 1e-3,
    augment: bool = False,
    mask: bool = False,
    bins: Count | None = None,
) -> Dataset:
    """The official split in bins of `dt` seconds; `augment` (of the training split) and `mask` as in `Events`.

    bins: each recording in as many equal bins from its first to its last event, instead of bins of `dt`; 15 in the
    training of the PSU authors.
    """
    return load_events("shd", data_root, FOLDERS, UNITS, GET, dt, augment, mask, bins)


def load_events(
    task: str,
    data_root: str | Path | None,
    folders: tuple[str, ...],
    units: int,
    remedy: str,
    dt: float,
    augment: bool,
    mask: bool,
    bins: int | None = None,
) -> Dataset:
    """A task whose files `<task>_train.h5` and `<task>_test.h5` have the layout of SHD."""
    if not dt > 0:
        raise Problem(f"{task}: dt must be positive, got {dt}")
    if bins is not None and bins < 1:
        raise Problem(f"{task}: bins must be at least 1, got {bins}")
    train, test = (
        read(find(task, data_root, folders, f"{task}_{part}.h5", remedy), units) for part in ("train", "test")
    )
    splits = train.binned(dt, augment, mask, bins), test.binned(dt, False, mask, bins)
    steps = max(int(split.lengths.max()) for split in splits)
    classes = max(train.classes, test.classes)
    cut: dict[str, object] = {"dt": dt} if bins is None else {"bins": bins}
    options = {**cut, "augment": augment, "mask": mask}
    return Dataset(task, *splits, units, classes, steps, options)


@dataclass(frozen=True)
class Recordings:
    """A file in the layout of SHD: times in s and units of all events, recording after recording, and their counts."""

    times: NDArray[np.floating]
    units: NDArray[np.int32]
    counts: NDArray[np.int64]
    labels: NDArray[np.int64]
    classes: int
    channels: int

    def binned(self, dt: float, augment: bool = False, mask: bool = False, bins: int | None = None) -> "Events":
        """Events in bins of dt: bin k holds the times in ((k-1)·dt, k·dt], as the SPSN authors have it.

        They divide in float16, the precision of the stored times; here the division is exact, so that an event may
        lie one bin beside theirs. With `bins` all recordings have as many, whose widths are their own, see `load`.
        """
        times = self.times.astype(np.float64)
        starts = np.cumsum(self.counts) - self.counts
        lengths = np.ones(len(self.counts), np.int64)
        filled = self.counts > 0
        if bins is None:
            steps = np.ceil(times / dt)
            if (longest := steps.max(initial=0)) > MOST_STEPS:
                raise Problem(
                    f"a recording has {longest:.3g} steps of {dt:g} s, more than {MOST_STEPS}; give a longer dt"
                )
            steps = steps.astype(np.int32)
            lengths[filled] = np.maximum.reduceat(steps, starts[filled]) + 1
        else:
            first, last = (end.reduceat(times, starts[filled]) for end in (np.minimum, np.maximum))
            first, last = (np.repeat(end, self.counts[filled]) for end in (first, last))
            share = (times - first) / np.maximum(last - first, np.finfo(np.float64).tiny)
            steps, lengths[:] = np.minimum(share * bins, bins - 1).astype(np.int32), bins
        return Events(
            torch.from_numpy(steps),
            torch.from_numpy(self.units),
            torch.from_numpy(starts),
            torch.from_numpy(self.counts),
            torch.from_numpy(lengths),
            torch.from_numpy(self.labels),
            self.channels,
            augment,
            mask,
        )


def read(path: Path, channels: int) -> Recordings:
    """The whole file. Problem if it is no HDF5, cut short, of another layout, or empty."""
    with files.hdf5(path) as file:
        if missing := [name for name in _DATASETS if getattr(file.get(name), "ndim", 0) != 1]:
            raise Problem(f"{path}: no list {', '.join(missing)}; is it in the layout of SHD?")
        times, units = (_lists(path, file[name]) for name in _DATASETS[:2])
        labels = np.asarray(file[_DATASETS[2]])
        names = len(np.asarray(file["extra/keys"])) if "extra/keys" in file else 0
    if not len(labels):
        raise Problem(f"{path}: holds no recordings")
    counts = np.array([len(recording) for recording in times])
    if len({len(times), len(units), len(labels)}) > 1 or any(counts != [len(recording) for recording in units]):
        raise Problem(f"{path}: times, units and labels do not belong together; their lengths differ")
    if labels.dtype.kind not in "iuf":
        raise Problem(f"{path}: labels are of type {labels.dtype}, they should be whole numbers")
    all_times, all_units, labels = (
        np.concatenate(times),
        np.concatenate(units).astype(np.int32),
        labels.astype(np.int64),
    )
    if not (np.isfinite(all_times) & (all_times >= 0)).all():
        raise Problem(f"{path}: an event's time is negative or not finite")
    if len(all_units) and not 0 <= all_units.min() <= all_units.max() < channels:
        raise Problem(f"{path}: units from {all_units.min()} to {all_units.max()}, there should be {channels}")
    if labels.min() < 0:
        raise Problem(f"{path}: label {labels.min()} is negative")
    return Recordings(all_times, all_units, counts, labels, max(names, int(labels.max()) + 1), channels)


def _lists(path: Path, dataset: Any) -> list[NDArray[Any]]:
    """Lists of varying length. They lie in the file as they are, so that together they cannot be larger than it."""
    kind = h5py.check_vlen_dtype(dataset.dtype)
    if kind is None or np.dtype(kind).kind not in "iuf":
        raise Problem(f"{path}: {dataset.name} has no lists of numbers; is it in the layout of SHD?")
    most = left = path.stat().st_size
    found: list[NDArray[Any]] = []
    rows = max(1, 2**26 // most)  # several may name the same list, which then is in memory as often
    for start in range(0, len(dataset), rows):
        part = [np.asarray(entry) for entry in dataset[start : start + rows]]
        left -= sum(entry.nbytes for entry in part)
        if left < 0:
            raise Problem(f"{path}: {dataset.name} holds more than the {most} bytes of the file: lists are named again")
        found += part
    return found


@dataclass(frozen=True)
class Events:
    """Binned events of one split; a batch holds spike counts [T, B, units], padded with zeros at the front.

    T is the longest recording of the batch, and without `mask` the padding counts as data: both as the SPSN authors
    have it. `augment`, theirs too: each recording is stretched about its centre, in time and over the units, by a factor from 0.7 to 1.3, and
    shifted by up to a tenth of the units; the nearest point is taken, zero outside.
    """

    steps: Tensor  # [events]
    units: Tensor  # [events]
    starts: Tensor  # [S]
    counts: Tensor  # [S]
    lengths: Tensor  # [S]
    labels: Tensor  # [S]
    channels: int
    augment: bool = False
    mask: bool = False

    def batch(self, index: Tensor) -> Batch:
        longest = int(self.lengths[index].max())
        x = torch.zeros(longest, len(index), self.channels)
        for column, sample in enumerate(index.tolist()):
            x[longest - int(self.lengths[sample]) :, column] = self.recording(sample)
        mask = torch.arange(longest)[:, None] >= longest - self.lengths[index] if self.mask else None
        return Batch(x, self.labels[index], mask)

    def recording(self, sample: int) -> Tensor:
        """Spike counts of one recording: [L, units]."""
        events = slice(int(self.starts[sample]), int(self.starts[sample] + self.counts[sample]))
        length = int(self.lengths[sample])
        cell = self.steps[events] * self.channels + self.units[events]
        counts = torch.bincount(cell, minlength=length * self.channels).view(length, self.channels).float()
        return _stretch(counts) if self.augment else counts


def _stretch(x: Tensor, scale: float = 0.3, shift: float = 0.1) -> Tensor:
    """x [L, units] stretched and shifted at random: out[t, c] = x[t', c'] with t', c' the nearest source points."""
    steps, units = x.shape
    factor = 1 + scale * (2 * float(torch.rand(())) - 1)
    offset = round(shift * units * (2 * float(torch.rand(())) - 1))
    for axis, size, moved in ((0, steps, 0), (1, units, offset)):
        centre = (size - 1) / 2
        source = ((torch.arange(size) - centre - moved) / factor + centre).round().long()
        inside = (source >= 0) & (source < size)
        x = x.index_select(axis, source.clamp(0, size - 1)) * (inside[:, None] if axis == 0 else inside)
    return x
