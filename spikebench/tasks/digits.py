"""Handwritten digits, 8 × 8 pixels of 17 grey values, pixel after pixel, in order or in a fixed random one."""

import importlib.util

import torch

from spikebench.task import Dataset, MissingData, Sequences, standardise
from spikebench.units import Natural

LICENCE = "CC BY 4.0; shipped in scikit-learn"
URL = "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits"
SOURCE = (
    "@misc{alpaydin1998optical, author={Alpaydin, E. and Kaynak, C.}, title={Optical Recognition of Handwritten Digits},"
    " howpublished={UCI Machine Learning Repository}, year={1998}, doi={10.24432/C50P49}}"
)
DATA = "package"
RECIPE = {"hidden": (128,), "epochs": 30, "batch": 32, "lr": 6e-3}


def load(data_root: object = None, *, permuted: bool = False, seed: Natural = 0) -> Dataset:
    """One channel, 64 steps; a fixed fifth of scikit-learn's 1797 digits is for the test; `seed` names the permutation.

    These digits are the test split of the original; the split here does not keep their writers apart.
    """
    if importlib.util.find_spec("sklearn") is None:
        raise MissingData("digits: needs scikit-learn, which holds the data; pip install 'spikebench[tasks]'")
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels, labels = torch.tensor(found.data, dtype=torch.float32), torch.tensor(found.target)  # pyright: ignore[reportAttributeAccessIssue]  # a Bunch
    if permuted:
        pixels = pixels[:, torch.randperm(64, generator=torch.Generator().manual_seed(seed))]
    mixed = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    held, learned = (
        Sequences.of(list(pixels[part][..., None]), labels[part].tolist(), 64)
        for part in (mixed[: len(labels) // 5], mixed[len(labels) // 5 :])
    )
    return Dataset("digits", *standardise(learned, held), 1, 10, 64, {"permuted": permuted, "seed": seed})
