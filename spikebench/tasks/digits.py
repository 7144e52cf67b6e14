"""Handwritten digits, 8 × 8 pixels of 17 grey values: pixel after pixel, in order or in a fixed random one, or whole at every step."""

import importlib.util

import torch

from spikebench.errors import Problem
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


def load(data_root: object = None, *, permuted: bool = False, seed: Natural = 0, steps: Natural = 0) -> Dataset:
    """One channel, 64 steps; a fixed fifth of scikit-learn's 1797 digits is for the test; `seed` names the permutation.

    With `steps` the data are static: 64 channels, and the same image at every one of so many steps.
    These digits are the test split of the original; the split here does not keep their writers apart.
    """
    if permuted and steps:
        raise Problem(
            f"digits: permuted=true is an order of pixels in time, and with steps={steps} all are there at once"
        )
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
    learned, held = standardise(learned, held)
    if steps:
        return Dataset("digits", _whole(learned, steps), _whole(held, steps), 64, 10, steps, {"steps": steps})
    return Dataset("digits", learned, held, 1, 10, 64, {"permuted": permuted, "seed": seed})


def _whole(pixels: Sequences, steps: int) -> Sequences:
    """All pixels of an image at once, at every step."""
    images = pixels.values.view(-1, 1, 64)
    return Sequences.of(list(images.expand(-1, steps, 64)), pixels.labels.tolist(), steps)
