"""What a backend is: a way of computing a neuron. It raises if it cannot; it never falls back silently.

A file `backends/<backend>/<neuron>.py`, or `backends/<backend>.py` for all neurons (STEPPED_ONLY = True: those that have
`step`), has `run(neuron, x, seed=None, *, options) -> spikes` and perhaps `refuses(case) -> reason or None`.

What else there is to know of it are literals, which are read without importing it: at the top of a neuron's file, or of
`backends/<backend>/__init__.py` for all of them. Each may be left out.

    ALIAS             what people call it; of several with the same alias, the device of a case decides
    REQUIRES          modules that must be installed; DISTRIBUTIONS their packages, where these have other names
    INSTALL           what pip is to install, as it reads it, where it is not those
    DEVICES           kinds of device that it runs on; all
    CAN               values that options of the neuron can have, or `dtype`, by name; an option that is not there has all
    NEEDS             where options have some values, which others can have, and why: ({"reset": "soft"}, "strict", (True,), "…")
    LATER             options that came after cases were recorded, see `registry.backend_later`
    LONGEST_T         longest T at which sweeps measure it
    PARALLEL_IN_TIME  its number of operators does not grow with T
    SPECTRAL          its errors are relative to the largest entry of a series, over which a transform spreads a NaN, too
    SPREADS           what else takes a NaN to earlier steps of its series, as "a product with a triangular matrix": 0·NaN is NaN
    SECONDS_A_STEP    what a loop over time costs a step of training on a GPU, to plan with; FIRST_CALL: seconds of the first call
    MARKER, DASHES    how figures draw it, as matplotlib has them
    FOREIGN           it runs a module of somebody else, too, by its `foreign(module) -> module`

`available() -> (reason, remedy) or None` says why this machine cannot run it, where that is not told by these.
"""

import importlib
import importlib.util
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from spikebench import registry
from spikebench.errors import Problem
from spikebench.neuron import Neuron

if TYPE_CHECKING:
    from spikebench.cases.case import Case


class Refused(RuntimeError):
    """A backend cannot run a case; the message says why."""


def module(backend: str, neuron: str) -> ModuleType:
    """The module of a backend for a neuron: `run(neuron, x, seed=None, **options)` and perhaps `refuses(case)`.

    Raises Refused when a library that the backend needs is not installed.
    """
    foreign = ":" in neuron
    path = registry.whole("backends", backend) if foreign else registry.backend_file(backend, neuron)
    if path is None:
        raise Problem(f"no backend {backend!r} for {neuron!r}; there are {', '.join(registry.backends(neuron))}")
    name = f"spikebench.backends.{backend}" + (f".{neuron}" if path.stem != backend else "")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("spikebench"):
            raise
        raise Refused(f"backend {backend!r} needs {error.name}, which is not installed") from error


def refusal(case: "Case") -> str | None:
    """Why a case cannot run on its backend, or None."""
    try:
        found = module(case.parsed.backend, case.parsed.name)
    except Refused as error:
        return str(error)
    return found.refuses(case) if hasattr(found, "refuses") else None


def beyond(case: "Case", library: str, version: str) -> str | None:
    """Why another library's neuron cannot stand for a case: its version, or what `CAN` and `NEEDS` say of it."""
    found = metadata.version(library)
    if not f"{found}.".startswith(f"{version}."):
        return f"this adapter was written for {library} {version}, and {found} is installed"
    limits = registry.limits(case.parsed.backend, case.parsed.name)
    lacking = limits.lacking({**case.options, **case.parsed.all_how, "dtype": case.dtype})
    return lacking and f"{library} {found} has {lacking}"


def only(case: "Case", **can: tuple[Any, ...]) -> str | None:
    """Why a backend of ours cannot run a case: the first option with a value outside those it has kernels for."""
    for name, values in can.items():
        if (value := case.options[name]) not in values:
            has = ", ".join(map(str, values))
            return f"{case.parsed.backend} computes {case.parsed.name} with {name}={has}, not {value}; take eager"
    return None


def having(neuron: Neuron, **can: tuple[Any, ...]) -> None:
    """Raises Refused where a neuron's attribute is not among the values that a backend has kernels for."""
    for name, values in can.items():
        if (value := getattr(neuron, name)) not in values:
            raise Refused(f"there is no kernel for {name}={value}, only for {', '.join(map(str, values))}; take eager")


def constant(value: float | Tensor, name: str) -> float:
    """A number that a kernel takes as it is. Raises Refused for one that learns: the kernels have no gradient of it."""
    if isinstance(value, Tensor):
        raise Refused(f"{name} learns here, and the kernels have no gradient of it; take eager")
    return value


@lru_cache
def neighbour(threshold: float, dtype: Any, up: bool) -> float:
    """The next number of `dtype` above or below: `u > next below` is `u ≥ threshold`, `u ≥ next above` is `u > threshold`."""
    end = torch.tensor(float("inf") if up else float("-inf"), dtype=dtype)
    return float(torch.nextafter(torch.tensor(threshold, dtype=dtype), end))


class Bound(nn.Module):
    """A neuron computed by one backend: an ordinary module, [T, B, N] → [T, B, N]."""

    def __init__(self, neuron: Neuron, backend: str, neuron_id: str, how: Mapping[str, Any]) -> None:
        super().__init__()
        self.neuron, self.backend, self.how = neuron, backend, how
        self._run = module(backend, neuron_id).run

    def forward(self, x: Tensor, seed: int | None = None) -> Tensor:
        return self._run(self.neuron, x, seed, **self.how)
