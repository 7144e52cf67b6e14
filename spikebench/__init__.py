"""spikebench measures spiking neurons: time, memory, energy and spikes, behind one protocol, after checking what they compute."""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikebench.api import compare as compare
    from spikebench.api import profile as profile
    from spikebench.api import run as run
    from spikebench.cases.case import Case as Case
    from spikebench.cases.case import grid as grid
    from spikebench.cases.sweeps import sweep as sweep
    from spikebench.errors import Problem as Problem
    from spikebench.loading.subject import neuron as neuron
    from spikebench.neuron import Neuron as Neuron
    from spikebench.neuron import SteppedNeuron as SteppedNeuron
    from spikebench.neuron import StochasticNeuron as StochasticNeuron
    from spikebench.records.record import Record as Record
    from spikebench.records.store import table as table

__version__ = "0.1.0"
_HOMES = {
    "Case": "cases.case",
    "grid": "cases.case",
    "Neuron": "neuron",
    "SteppedNeuron": "neuron",
    "StochasticNeuron": "neuron",
    "Record": "records.record",
    "Problem": "errors",
    "table": "records.store",
    "neuron": "loading.subject",
    "sweep": "cases.sweeps",
    "run": "api",
    "compare": "api",
    "profile": "api",
}
__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]  # the names are loaded by __getattr__
    *_HOMES,
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Public names are loaded when they are used, so that importing spikebench does not import torch."""
    if name not in _HOMES:
        raise AttributeError(f"spikebench has no {name!r}; there are {', '.join(__all__)}")
    return getattr(import_module(f"spikebench.{_HOMES[name]}"), name)


class _Package(ModuleType):
    """This package: `sb.neuron` and `sb.compare` stay functions although files have the same names."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
