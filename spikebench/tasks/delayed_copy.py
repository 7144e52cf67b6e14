"""Delayed copy: some symbols, a pause, and a cue that asks which symbol stood at a place; made here."""

import torch

from spikebench.errors import Problem
from spikebench.task import Dataset, Sequences
from spikebench.units import Count, Natural

LICENCE = "made here; no data"
URL = "https://doi.org/10.1162/neco.1997.9.8.1735"
SOURCE = (
    "@article{hochreiter1997long, author={Hochreiter, Sepp and Schmidhuber, Juergen}, title={Long Short-Term Memory},"
    " journal={Neural Computation}, volume={9}, pages={1735--1780}, year={1997}, note={the family of such tasks}}"
)
DATA = "generated"
RECIPE = {"hidden": (128, 128), "epochs": 20, "batch": 32, "lr": 6e-3}


def load(
    data_root: object = None,
    *,
    symbols: Count = 4,
    places: Count = 2,
    hold: Count = 5,
    delay: Natural = 40,
    train: Count = 2000,
    test: Count = 500,
    seed: Natural = 0,
) -> Dataset:
    """T = hold·(places + 1) + delay steps of symbols + places channels.

    Each place's symbol is shown for `hold` steps on its channel, then nothing for `delay` steps, then for `hold` steps
    the channel of the place that is asked for; the class is its symbol. All draws are even and independent: chance is
    1/symbols, and a memory that forgets which place a symbol had gets 1/places more at most.
    """
    sizes = {"symbols": symbols, "places": places, "hold": hold, "delay": delay, "train": train, "test": test}
    if small := [k for k, v in sizes.items() if v < (0 if k == "delay" else 1)]:
        raise Problem(f"delayed_copy: {small[0]}={sizes[small[0]]} is too small")
    random = torch.Generator().manual_seed(seed)
    steps = hold * (places + 1) + delay
    learned, held = (_split(count, symbols, places, hold, delay, random) for count in (train, test))
    return Dataset("delayed_copy", learned, held, symbols + places, symbols, steps, sizes | {"seed": seed})


def _split(count: int, symbols: int, places: int, hold: int, delay: int, random: torch.Generator) -> Sequences:
    shown = torch.randint(symbols, (count, places), generator=random)
    asked = torch.randint(places, (count,), generator=random)
    x = torch.zeros(count, hold * (places + 1) + delay, symbols + places)
    for place in range(places):
        x[torch.arange(count), hold * place, shown[:, place]] = 1
    x[torch.arange(count), hold * places + delay, symbols + asked] = 1
    for step in range(1, hold):
        x[:, step : hold * places : hold] = x[:, 0 : hold * places : hold]
        x[:, hold * places + delay + step] = x[:, hold * places + delay]
    return Sequences.of(list(x), shown[torch.arange(count), asked].tolist(), x.shape[1])
