"""spikebench measures spiking neurons: time, memory, energy and spikes, behind one protocol, after checking what they compute."""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikebench.api import aa as aa
    from spikebench.api import check as check
    from spikebench.api import cite as cite
    from spikebench.api import cite_records as cite_records
    from spikebench.api import compare as compare
    from spikebench.api import compare_commits as compare_commits
    from spikebench.api import diff as diff
    from spikebench.api import doctor as doctor
    from spikebench.api import draw_badge as draw_badge
    from spikebench.api import examine_submission as examine_submission
    from spikebench.api import export as export
    from spikebench.api import from_flashinfer as from_flashinfer
    from spikebench.api import list as list
    from spikebench.api import load as load
    from spikebench.api import merge as merge
    from spikebench.api import plot as plot
    from spikebench.api import profile as profile
    from spikebench.api import report as report
    from spikebench.api import reproduce as reproduce
    from spikebench.api import run as run
    from spikebench.api import schema as schema
    from spikebench.api import site as site
    from spikebench.api import submit as submit
    from spikebench.api import sweep as sweep
    from spikebench.api import table as table
    from spikebench.api import train as train
    from spikebench.api import tune as tune
    from spikebench.cases.case import Case as Case
    from spikebench.cases.case import grid as grid
    from spikebench.errors import Problem as Problem
    from spikebench.loading.subject import neuron as neuron
    from spikebench.neuron import Neuron as Neuron
    from spikebench.neuron import SteppedNeuron as SteppedNeuron
    from spikebench.neuron import StochasticNeuron as StochasticNeuron
    from spikebench.records.record import Record as Record

__version__ = "0.1.0"
_HOMES = {
    "Case": "cases.case",
    "grid": "cases.case",
    "Neuron": "neuron",
    "SteppedNeuron": "neuron",
    "StochasticNeuron": "neuron",
    "Record": "records.record",
    "Problem": "errors",
    "neuron": "loading.subject",
}
_HOMES |= dict.fromkeys(
    "aa check cite cite_records compare compare_commits diff doctor draw_badge examine_submission export from_flashinfer list load merge plot profile report reproduce run schema site submit sweep table train tune".split(),
    "api",
)
# `from spikebench import *` leaves Python's own `list` alone; `sb.list` is there all the same
__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]  # the names are loaded by __getattr__
    *(name for name in _HOMES if name != "list"),
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Public names are loaded when they are used, so that importing spikebench does not import torch."""
    if name not in _HOMES:
        raise AttributeError(f"spikebench has no {name!r}; there are {', '.join(__all__)}")
    return getattr(import_module(f"spikebench.{_HOMES[name]}"), name)


class _Package(ModuleType):
    # python binds an imported submodule to its name in the package, and `sb.neuron`, `sb.run` and `sb.report` are
    # functions beside submodules of these names; a module's class is the one place that can decline (data model, 3.3.2.1)
    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
