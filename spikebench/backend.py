"""What a backend is: a way of computing a neuron. It raises if it cannot; it never falls back silently."""

import importlib
import importlib.util
from types import ModuleType
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from spikebench import rooms
from spikebench.neuron import Neuron

if TYPE_CHECKING:
    from spikebench.case import Case


class Refused(RuntimeError):
    """A backend cannot run a case; the message says why."""


def module(backend: str, neuron: str) -> ModuleType:
    """The module of a backend for a neuron: `run(neuron, x, seed=None, **options)` and perhaps `refuses(case)`.

    Raises Refused when a library that the backend needs is not installed.
    """
    path = rooms.backend_file(backend, neuron)
    if path is None:
        raise rooms.Problem(f"no backend {backend!r} for {neuron!r}; there are {', '.join(rooms.backends(neuron))}")
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


class Bound(nn.Module):
    """A neuron computed by one backend: an ordinary module, [T, B, N] → [T, B, N]."""

    def __init__(self, neuron: Neuron, backend: str, neuron_id: str, how: dict[str, Any]) -> None:
        super().__init__()
        self.neuron, self.how = neuron, how
        self._run = module(backend, neuron_id).run

    def forward(self, x: Tensor, seed: int | None = None) -> Tensor:
        return self._run(self.neuron, x, seed, **self.how)
