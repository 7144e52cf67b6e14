"""What is observed of a launch leads to the reason for which each neuron of `slow_neurons.py` was written, and to none for the fast."""

import sys
from pathlib import Path

import pytest
import slow_neurons

from spikebench.analysis.causes import Observed, causes
from spikebench.cases.case import Case
from spikebench.sampling.observe import observe

FILE = Path(slow_neurons.__file__)
CAUSE = {
    "Indexed": "indexed",
    "Double": "float64",
    "Waits": "waits",
    "Allocates": "allocates",
    "Clones": "copies",
    "ByNeuron": "neurons",
    "Breaks": "break",
    "Recompiles": "recompiled",
    "Window": None,
    "Compiled": None,
}
IN_A_MOMENT = ("Allocates", "ByNeuron")  # without a compiler


@pytest.fixture(autouse=True)
def compiler_of_a_fresh_process() -> None:
    """What other tests have compiled in this process is forgotten; a profile observes in one of its own."""
    if (dynamo := sys.modules.get("torch._dynamo")) is not None:
        dynamo.reset()
        dynamo.utils.counters.clear()
        dynamo.utils.clear_compilation_metrics()


def observed(name: str, T: int = 12, fixed: bool = False) -> Observed:
    return observe(Case(f"{FILE}:{name}", T=T, B=4, N=16), 0.3, fixed)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in IN_A_MOMENT)) for n in CAUSE])
def test_the_cause_is_recognised_first(name: str) -> None:
    found = causes(observed(name))
    assert next((c.id for c in found), None) == CAUSE[name], [(c.id, c.evidence) for c in found]


def test_the_evidence_names_the_line_and_the_compiler_what_it_cannot_take() -> None:
    seen = observed("Waits", T=4, fixed=True)
    assert seen.waits.calls == 4
    assert seen.waits.line == "slow_neurons.py, line 59: if s.sum().item() > 0:"
    assert seen.cannot_compile and "slow_neurons.py, line 59" in seen.cannot_compile
    assert seen.a_step is None
