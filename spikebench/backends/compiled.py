"""torch.compile of chunks of steps: the loop over T stays in Python, each chunk is one compiled graph."""

import shutil
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from spikebench.neuron import State, SteppedNeuron
from spikebench.units import Count

if TYPE_CHECKING:
    from spikebench.cases.case import Case

STEPPED_ONLY = True
FOREIGN = True
SECONDS_A_STEP = 3e-5
FIRST_CALL = 60.0
MARKER = "D"
DASHES = (6, 1.5, 1, 1.5)


def available() -> tuple[str, str] | None:
    """Why nothing can be compiled here, and the remedy, or None."""
    if shutil.which("g++") or shutil.which("clang++"):
        return None
    return "torch.compile needs a C++ compiler on the CPU", "install g++"


def refuses(case: "Case") -> str | None:
    """On a CPU, torch.compile needs a C++ compiler, and calls it without quoting the paths of PyTorch."""
    if case.device == "cpu" and " " in torch.__file__:
        return "torch.compile cannot build on the CPU from a path with a space: put PyTorch into another folder"
    if case.device == "cpu" and (lacking := available()):
        return ": ".join(lacking)
    return None


def run(neuron: SteppedNeuron, x: Tensor, seed: int | None = None, *, chunk: Count = 16) -> Tensor:
    """Spikes [T, B, N]; `chunk` steps per compiled call, and one shorter chunk when T is no multiple of it."""
    state, spikes = neuron.initial(x[0]), []
    compiled = _compiled(neuron)
    for part in x.split(chunk):
        s, state = compiled(part, state)
        spikes.append(s)
    return torch.cat(spikes)


def foreign(module: Any) -> nn.Module:
    """A module of somebody else: what is called, the whole sequence or 16 steps where a call is a step, is one compiled graph."""
    return module.through(lambda call: torch.compile(call, dynamic=False, fullgraph=True), chunk=16)


def _compiled(neuron: SteppedNeuron) -> Any:
    """The compiled chunk of a neuron, made once and kept on it."""
    if "_chunk" not in vars(neuron):

        def steps(x: Tensor, state: State) -> tuple[Tensor, State]:
            return neuron(x, state, return_state=True)  # pyright: ignore[reportReturnType]  # a pair when asked for

        # torch.compile counts its graphs, at most 8, by code object: a copy lets every neuron count its own
        steps.__code__ = steps.__code__.replace()
        object.__setattr__(neuron, "_chunk", torch.compile(steps, dynamic=False, fullgraph=True))
    return vars(neuron)["_chunk"]
