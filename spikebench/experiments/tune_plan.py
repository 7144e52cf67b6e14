"""What is tuned, in which order: subjects of triton, sizes, and the shapes of a kernel that are worth a measurement."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import torch

from spikebench import registry
from spikebench.cases.case import Case, with_changes
from spikebench.errors import Problem

FIRST = ("lif", "lif@triton[save=checkpoints]", "spsn", "psu", "exodus")  # most valuable first, the rest after them
SIZES = ((16384, 1024), (65536, 1024), (4096, 4096), (2048, 1024), (512, 16384), (16384, 128), (262144, 512))  # M, T
TINY = ((32, 8),)
WIDEST = 512  # neurons of a layer; the rest of M is batch
MOST = 24  # shapes of one kernel and size
SLOWER = 2.0  # times as slow as the model's best by the model: not measured


def subjects(names: Sequence[str] = ()) -> list[str]:
    """Subjects of the kernels to tune, from neurons' ids or subjects; all that declare KERNELS, most valuable first."""
    found = []
    for name in names or (*FIRST, *(n for n in registry.names("neurons") if n not in FIRST)):
        neuron = name.partition("@")[0].partition("[")[0]
        if "triton" in registry.backends(neuron) and hasattr(part(neuron), "KERNELS"):
            found.append(name if "@" in name else f"{name}@triton")
        elif names:
            raise Problem(f"no tunable kernel of {name!r}; there are {', '.join(subjects())}")
    return [s for s in found if names or _known(s)]


def _known(subject: str) -> bool:
    """Whether a subject's options are there: those of FIRST may name what a version lacks."""
    try:
        Case(subject)
    except Problem:
        return False
    return True


def part(name: str) -> Any:
    """A module of the triton backend, imported only where it is asked for: triton may not be installed."""
    return import_module(f"spikebench.backends.triton.{name}")


def cases(
    names: Sequence[str] = (), dtypes: Sequence[str] = ("float32",), device: str = "cuda", tiny: bool = False
) -> list[Case]:
    """What is tuned, in order of value: kernels and sizes are both sorted by theirs, and their places add up."""
    sizes, found = TINY if tiny else SIZES, []
    for place, subject in enumerate(subjects(names)):
        for order, (count, steps) in enumerate(sizes):
            n = min(WIDEST, count)
            made = Case(subject, T=steps, B=count // n, N=n, device=device)
            found += [(place + order + 3 * i, with_changes(made, dtype=d)) for i, d in enumerate(dtypes)]
    return [case for _, case in sorted(found, key=lambda pair: pair[0])]


def worth(kernel: str, dtype: torch.dtype, steps: int, count: int, most: int = MOST) -> tuple[Any, ...]:
    """The shapes that are worth a measurement, the model's best first."""
    shapes, model = part("_shapes"), part("_model")
    known, size = shapes.declared(kernel), (steps, count)
    times = {s: model.seconds(known, dtype.itemsize, size, s) for s in known.shapes(dtype, *size)}
    best = sorted(times, key=lambda s: times[s])
    return tuple(s for s in best[:most] if times[s] <= SLOWER * times[best[0]])
