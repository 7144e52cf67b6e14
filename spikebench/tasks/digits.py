"""Handwritten digits, 8 × 8 pixels of 17 grey values: pixel after pixel in order or mixed, whole at every step, or by the time of a spike."""

import importlib.util
from typing import Literal

import torch
from torch import Tensor

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


# code=time: the darkest grey value, steps that two of them lie apart, steps of a sample
BLACK, APART, STEPS = 16, 6, 128


def load(
    data_root: object = None,
    *,
    permuted: bool = False,
    seed: Natural = 0,
    steps: Natural = 0,
    code: Literal["value", "time"] = "value",
) -> Dataset:
    """One channel, 64 steps; a fixed fifth of scikit-learn's 1797 digits is for the test; `seed` names the permutation.

    With `steps` the data are static: 64 channels, and the same image at every one of so many steps. With code=time each
    pixel is a channel of its own with one spike, the earlier the darker it is: at step 6·(16 − v) of 128, in the first 91;
    a white pixel has none. These digits are the test split of the original; the split here does not keep their writers apart.
    """
    if permuted and steps:
        raise Problem(
            f"digits: permuted=true is an order of pixels in time, and with steps={steps} all are there at once"
        )
    if code == "time" and (permuted or steps):
        raise Problem("digits: code=time has its own steps and no order of pixels; leave permuted and steps out")
    if importlib.util.find_spec("sklearn") is None:
        raise MissingData("digits: needs scikit-learn, which holds the data; pip install 'spikebench[tasks]'")
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels, labels = torch.tensor(found.data, dtype=torch.float32), torch.tensor(found.target)  # pyright: ignore[reportAttributeAccessIssue]  # a Bunch
    if permuted:
        pixels = pixels[:, torch.randperm(64, generator=torch.Generator().manual_seed(seed))]
    mixed = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    parts = mixed[: len(labels) // 5], mixed[len(labels) // 5 :]
    if code == "time":
        held, learned = (Sequences.of(list(spikes(pixels[p])), labels[p].tolist(), STEPS) for p in parts)
        return Dataset("digits", learned, held, 64, 10, STEPS, {"code": code})
    held, learned = (Sequences.of(list(pixels[p][..., None]), labels[p].tolist(), 64) for p in parts)
    learned, held = standardise(learned, held)
    if steps:
        return Dataset("digits", _whole(learned, steps), _whole(held, steps), 64, 10, steps, {"steps": steps})
    return Dataset("digits", learned, held, 1, 10, 64, {"permuted": permuted, "seed": seed})


def _whole(pixels: Sequences, steps: int) -> Sequences:
    """All pixels of an image at once, at every step."""
    images = pixels.values.view(-1, 1, 64)
    return Sequences.of(list(images.expand(-1, steps, 64)), pixels.labels.tolist(), steps)


def spikes(pixels: Tensor) -> Tensor:
    """The spikes [samples, STEPS, 64] of grey values [samples, 64] of 0 to BLACK, coded by time."""
    step = (APART * (BLACK - pixels)).long()
    return (torch.arange(STEPS)[:, None] == step[:, None]).float() * (pixels > 0)[:, None]
