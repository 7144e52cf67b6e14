"""Japanese Vowels: nine men say /ae/; whose voice is it?"""

import importlib.util
from pathlib import Path

import torch
from torch import Tensor

from spikebench.errors import Problem
from spikebench.task import Dataset, MissingData, Sequences, find, standardise

LICENCE = "not stated in the files (see URL); shipped in aeon, which is BSD 3-Clause"
URL = "https://archive.ics.uci.edu/ml/datasets/Japanese+Vowels"
SOURCE = (
    "@article{kudo1999multidimensional, author={Kudo, Mineichi and Toyama, Jun and Shimbo, Masaru},"
    " title={Multidimensional Curve Classification Using Passing-Through Regions},"
    " journal={Pattern Recognition Letters}, volume={20}, pages={1103--1111}, year={1999}}"
)
RECIPE = {"hidden": (128,), "epochs": 60, "batch": 32, "lr": 6e-3}
FILES = ("JapaneseVowels_TRAIN.ts", "JapaneseVowels_TEST.ts")
FOLDERS = ("japanese_vowels", "JapaneseVowels", ".")
INSIDE = ("aeon", "datasets", "data", "JapaneseVowels")  # of an installed package
GET = (
    "pip install --no-deps aeon==1.6.0 (its wheel holds the data), or unpack"
    " https://timeseriesclassification.com/aeon-toolkit/JapaneseVowels.zip in a folder and name it with --data-root"
)
_SAMPLES = {"TRAIN": 270, "TEST": 370}
_CHANNELS = 12


def load(data_root: str | Path | None = None) -> Dataset:
    """The official split, each channel standardised by the training data, padded with zeros at the end to 29 steps.

    The files are looked for in `data_root`, then in an installed aeon, which is located but not imported.
    """
    splits = {part: _read(_locate(f"JapaneseVowels_{part}.ts", data_root), part) for part in _SAMPLES}
    steps = max(len(sequence) for sequences, _ in splits.values() for sequence in sequences)
    train, test = standardise(*(Sequences.of(*splits[part], steps) for part in ("TRAIN", "TEST")))
    return Dataset("japanese_vowels", train, test, _CHANNELS, 9, steps, {})


def _locate(name: str, data_root: str | Path | None) -> Path:
    try:
        return find("japanese_vowels", data_root, FOLDERS, name, GET)
    except MissingData:
        spec = importlib.util.find_spec(INSIDE[0])
        for folder in (spec and spec.submodule_search_locations) or ():
            if (place := Path(folder, *INSIDE[1:], name)).exists():
                return place
        raise


def _read(path: Path, part: str) -> tuple[list[Tensor], list[int]]:
    """Sequences [L, 12] and classes from 0 of a .ts file: after @data one line per sample, `channel:…:channel:class`."""
    _, found, data = path.read_text(encoding="utf-8").partition("@data")
    lines = data.split()
    if not found or len(lines) != _SAMPLES[part]:
        raise Problem(f"{path}: {len(lines)} samples after @data, there should be {_SAMPLES[part]}")
    sequences, labels = [], []
    for number, line in enumerate(lines, 1):
        *channels, label = line.split(":")
        try:
            sequence = torch.tensor([[float(value) for value in channel.split(",")] for channel in channels]).t()
            labels.append(int(label) - 1)
        except ValueError as error:
            raise Problem(f"{path}: sample {number} cannot be read ({error})") from None
        if sequence.ndim != 2 or sequence.shape[1] != _CHANNELS or not 0 <= labels[-1] < 9:
            raise Problem(f"{path}: sample {number} is not {_CHANNELS} channels and a class from 1 to 9")
        sequences.append(sequence.contiguous())
    return sequences, labels
